/* markup.c - see markup.h */
#include "runtime/console/markup.h"

static void end_line(markup *m)
{
	if (m->place == MARKUP_FENCE && m->n_fence >= 3 && !m->in_code) {
		m->in_code = true;
		m->code_fence = m->fence;
		m->n_code_fence = m->n_fence;
	} else if (m->is_closing) {
		m->in_code = false;
	}
	m->place = MARKUP_START;
	m->n_fence = m->n_digits = 0;
	m->is_opening = m->is_closing = false;
}

/* What follows the fence's characters, the first time. */
static void end_fence(markup *m, uint32_t c)
{
	m->place = MARKUP_TEXT;
	if (m->n_fence >= 3 && !m->in_code && c != '`') {
		m->in_code = m->is_opening = true;
		m->code_fence = m->fence;
		m->n_code_fence = m->n_fence;
	}
}

static bool closes(const markup *m)
{
	return m->in_code && !m->is_opening && m->fence == m->code_fence &&
	       m->n_fence >= m->n_code_fence;
}

/* The first character that is no blank. */
static bool begin_text(markup *m, uint32_t c)
{
	if (c == '`' || c == '~') {
		m->place = MARKUP_FENCE;
		m->fence = c;
		m->n_fence = 1;
	} else if (c == '-' || c == '*' || c == '+' || c == '>') {
		m->place = MARKUP_MARK;
	} else if (c >= '0' && c <= '9') {
		m->place = MARKUP_DIGITS;
		m->n_digits = 1;
	} else {
		m->place = MARKUP_TEXT;
	}
	return true;
}

bool markup_take(markup *m, uint32_t c)
{
	bool is_blank = c == ' ' || c == '\t';

	if (c == '\n') {
		end_line(m);
		return false;
	}
	if (m->is_closing && !is_blank)
		m->is_closing = false;
	switch (m->place) {
	case MARKUP_START:
		return !is_blank && begin_text(m, c);
	case MARKUP_FENCE:
		if (c == m->fence)
			m->n_fence++;
		else
			end_fence(m, c);
		m->is_closing = closes(m) && (c == m->fence || is_blank);
		break;
	case MARKUP_DIGITS:
		if (c >= '0' && c <= '9' && m->n_digits < 9)
			m->n_digits++;
		else
			m->place = c == '.' || c == ')' ? MARKUP_MARK : MARKUP_TEXT;
		break;
	case MARKUP_MARK:
		m->place = is_blank ? MARKUP_ITEM : MARKUP_TEXT;
		break;
	case MARKUP_ITEM:
		if (is_blank)
			break;
		m->place = MARKUP_TEXT;
		return true;
	case MARKUP_TEXT:
		/* A line such as ```a``` was none. */
		if (m->is_opening && c == '`' && m->code_fence == '`')
			m->in_code = m->is_opening = false;
		break;
	}
	return false;
}
