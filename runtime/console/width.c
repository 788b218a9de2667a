/* width.c - see width.h */
#include "runtime/console/width.h"

#include "runtime/console/width_ranges.h"
#include "runtime/text/utf8.h"

#define JOINER    0x200du
#define VARIATION 0xfe0fu /* selects the emoji's form, which is wide */

uint32_t width_decode(const char *text, size_t n, size_t *bytes)
{
	int length = utf8_measure((const uint8_t *)text, n), i;
	uint32_t c;

	*bytes = 1;
	if (length <= 0)
		return 0xfffd;
	*bytes = (size_t)length;
	c = (uint8_t)text[0];
	if (length > 1)
		c &= 0x7fu >> length;
	for (i = 1; i < length; i++)
		c = c << 6 | ((uint8_t)text[i] & 0x3fu);
	return c;
}

size_t width_encode(uint32_t c, char text[4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

	if (n == 1) {
		text[0] = (char)c;
		return 1;
	}
	for (i = n - 1; i > 0; i--) {
		text[i] = (char)(0x80u | (c & 0x3fu));
		c >>= 6;
	}
	text[0] = (char)((0xf00u >> n & 0xffu) | c);
	return n;
}

static bool is_in(const width_range *ranges, size_t n, uint32_t c)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (c < ranges[middle].first)
			to = middle;
		else if (c > ranges[middle].last)
			from = middle + 1;
		else
			return true;
	}
	return false;
}

#define IS_IN(ranges, c) is_in(ranges, sizeof ranges / sizeof *ranges, c)

static bool is_joined(uint32_t c)
{
	return c >= 0x300 && (IS_IN(joined_ranges, c) || (c >= 0xe0000 && c < 0xe1000));
}

static bool is_wide(uint32_t c)
{
	return c >= 0x1100 && (IS_IN(wide_ranges, c) || (c >= 0x20000 && c <= 0x3fffd));
}

static bool is_regional(uint32_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

static bool is_modifier(uint32_t c)
{
	return c >= 0x1f3fb && c <= 0x1f3ff;
}

/* The blocks that hold emoji, with what else is in them: after a joiner that is enough. */
static bool is_pictograph(uint32_t c)
{
	return c == 0xa9 || c == 0xae || (c >= 0x203c && c <= 0x2bff) ||
	       (c >= 0x3030 && c <= 0x3299) || (c >= 0x1f000 && c <= 0x1faff);
}

static bool is_tag(uint32_t c)
{
	return c >= 0xe0000 && c < 0xe0080;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Those without which a text reads differently from what it is. */
static bool is_hidden(uint32_t c)
{
	return c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x206f) || (c >= 0xfff9 && c <= 0xfffb) || is_tag(c);
}

bool width_joins(const width_cluster *cluster, uint32_t c, size_t bytes)
{
	if (c < 0x80 || cluster->bytes == 0 || cluster->bytes + bytes > WIDTH_CLUSTER_MAX ||
	    is_control(cluster->base) || is_hidden(cluster->base))
		return false;
	if (is_tag(c)) /* of a flag such as Scotland's */
		return cluster->base == 0x1f3f4;
	if (is_control(c) || is_hidden(c))
		return false;
	if (is_joined(c) || IS_IN(spacing_ranges, c))
		return true;
	if (is_modifier(c))
		return is_pictograph(cluster->last) || cluster->last == VARIATION;
	if (cluster->last == JOINER)
		return is_pictograph(cluster->base) && is_pictograph(c);
	return is_regional(c) && is_regional(cluster->last) && cluster->bytes == bytes;
}

bool width_needs_base(uint32_t c)
{
	return !is_hidden(c) && (is_joined(c) || IS_IN(spacing_ranges, c));
}

void width_begin(width_cluster *cluster, uint32_t c, size_t bytes)
{
	char shown[WIDTH_SHOWN_MAX];
	size_t columns = width_show(c, shown);

	cluster->base = cluster->last = c;
	cluster->bytes = bytes;
	cluster->columns = columns > 0 ? (int)columns : c >= 0x80 && is_wide(c) ? 2 : 1;
	cluster->is_doubtful = c == 0xad || width_needs_base(c);
}

int width_join(width_cluster *cluster, uint32_t c, size_t bytes)
{
	int grown = 0;

	if (IS_IN(spacing_ranges, c) || (c == VARIATION && is_pictograph(cluster->base)) ||
	    is_regional(c))
		grown = cluster->columns < 2 || IS_IN(spacing_ranges, c) ? 1 : 0;
	/* Marks are all that terminals agree on. */
	if (grown > 0 || c >= 0xfe00 || (c >= 0x1160 && c < 0x1200) || c == JOINER ||
	    cluster->last == JOINER)
		cluster->is_doubtful = true;
	cluster->columns += grown;
	cluster->bytes += bytes;
	cluster->last = c;
	return grown;
}

void width_measure(const char *text, size_t n, width_cluster *cluster)
{
	size_t bytes;
	uint32_t c = width_decode(text, n, &bytes);

	width_begin(cluster, c, bytes);
	while (cluster->bytes < n) {
		c = width_decode(text + cluster->bytes, n - cluster->bytes, &bytes);
		if (!width_joins(cluster, c, bytes))
			break;
		(void)width_join(cluster, c, bytes);
	}
}

/* Where a cluster begins is known behind ASCII only: ASCII joins nothing. From there, or from far
 * enough before, clusters are counted forward. */
size_t width_step_back(const char *text, size_t at)
{
	size_t from = at - 1;
	width_cluster cluster;

	while (from > 0 && at - from < 4 * WIDTH_CLUSTER_MAX &&
	       !((uint8_t)text[from] < 0x80 && from < at - 1))
		from--;
	while (from < at && ((uint8_t)text[from] & 0xc0) == 0x80)
		from++;
	if (from == at)
		return 1;
	do {
		width_measure(text + from, at - from, &cluster);
		from += cluster.bytes;
	} while (from < at);
	return cluster.bytes;
}

size_t width_show(uint32_t c, char text[WIDTH_SHOWN_MAX])
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;
	int shift;

	if (c < 0x20 || c == 0x7f) {
		text[0] = '^';
		text[1] = (char)(c ^ 0x40u);
		return 2;
	}
	if (!is_control(c) && !is_hidden(c))
		return 0;
	text[n++] = '<';
	if (c > 0xff) {
		text[n++] = 'U';
		text[n++] = '+';
	}
	for (shift = c > 0xffff ? 16 : c > 0xff ? 12 : 4; shift >= 0; shift -= 4)
		text[n++] = digits[c >> shift & 15u];
	text[n++] = '>';
	return n;
}
