/* schema_format.c - formats as regular expressions */
#include <string.h>

#include "runtime/grammar/schema.h"

#define DATE                                                                                       \
	"(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|"        \
	"02-(0[1-9]|1\\d|2[0-8]))|"                                                                \
	"(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
#define OFFSET "([+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define TIME                                                                                       \
	"(([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?([Zz]|" OFFSET ")|"                      \
	"23:59:60(\\.\\d{1,9})?[Zz])"
/* A name has at most 253 bytes, a label 63: up to four of 61, or up to eight of 30. */
#define LABEL(more) "[0-9A-Za-z]([0-9A-Za-z-]{0," more "}[0-9A-Za-z])?"
#define NAMES(least)                                                                               \
	"(" LABEL("59") "(\\." LABEL("59") "){" least                                              \
	                                   ",3}|" LABEL("28") "(\\." LABEL("28") "){" least ",7})"
#define HOST  NAMES("0")
#define ATOM  "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]{1,64}"
#define BYTE  "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define IPV4  "(" BYTE "\\." BYTE "\\." BYTE "\\." BYTE ")"
#define HEX4  "[0-9A-Fa-f]{1,4}"
#define LAST4 "(" HEX4 ":" HEX4 "|" IPV4 ")"
#define IPV6                                                                                       \
	"((" HEX4 ":){6}" LAST4 "|::(" HEX4 ":){5}" LAST4 "|(" HEX4 ")?::(" HEX4 ":){4}" LAST4     \
	"|((" HEX4 ":){0,1}" HEX4 ")?::(" HEX4 ":){3}" LAST4 "|((" HEX4 ":){0,2}" HEX4             \
	")?::(" HEX4 ":){2}" LAST4 "|((" HEX4 ":){0,3}" HEX4 ")?::" HEX4 ":" LAST4 "|((" HEX4      \
	":){0,4}" HEX4 ")?::" LAST4 "|((" HEX4 ":){0,5}" HEX4 ")?::" HEX4 "|((" HEX4               \
	":){0,6}" HEX4 ")?::)"
#define PERCENT "%[0-9A-Fa-f]{2}"
#define PCHARS  "([0-9A-Za-z._~!$&'()*+,;=:@-]|" PERCENT ")"
#define AUTHORITY                                                                                  \
	"(([0-9A-Za-z._~!$&'()*+,;=:-]|" PERCENT ")*@)?(([0-9A-Za-z._~!$&'()*+,;=-]|" PERCENT      \
	")*|\\[" IPV6 "\\])(:\\d*)?"
#define URI                                                                                        \
	"[A-Za-z][0-9A-Za-z+.-]*:(//" AUTHORITY "(/" PCHARS "*)*|/?(" PCHARS "+(/" PCHARS          \
	"*)*)?)(\\?(" PCHARS "|[/?])*)?(#(" PCHARS "|[/?])*)?"

static const struct {
	const char *name, *expression;
} formats[] = {
	{ "date", "^(" DATE ")$" },
	{ "time", "^(" TIME ")$" },
	{ "date-time", "^(" DATE ")[Tt](" TIME ")$" },
	{ "duration", "^P(\\d+W|((\\d+Y(\\d+M(\\d+D)?)?|\\d+M(\\d+D)?|\\d+D)"
	              "(T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S))?|"
	              "T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S)))$" },
	{ "email", "^" ATOM "(\\." ATOM "){0,7}@" NAMES("1") "$" },
	{ "hostname", "^" HOST "$" },
	{ "ipv4", "^" IPV4 "$" },
	{ "ipv6", "^" IPV6 "$" },
	{ "uri", "^" URI "$" },
	{ "uuid", "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$" },
};

const char *schema_find_format(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(name, formats[i].name))
			return formats[i].expression;
	return NULL;
}
