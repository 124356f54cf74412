#include "format/csv.h"

#include <stdio.h>

void csv_init(struct csv *c, struct str text)
{
	*c = (struct csv){.text = text, .next_line = 1};
}

static enum rc fail(const struct csv *c, enum rc rc, const char *code, struct err *e, const char *what)
{
	char where[32];
	(void)snprintf(where, sizeof(where), "line %u", c->next_line);
	return err_set_at(e, rc, code, where, "%s", what);
}

static enum rc invalid(const struct csv *c, struct err *e, const char *what)
{
	return fail(c, RC_INVALID, "invalid_csv", e, what);
}

/* The text between the quotes, with "" made one. */
static enum rc unquote(const struct csv *c, struct arena *a, struct str raw, size_t doubled, struct str *out,
		       struct err *e)
{
	if (doubled == 0) {
		*out = raw;
		return RC_OK;
	}
	char *p = arena_alloc(a, raw.n - doubled);
	if (!p)
		return fail(c, RC_LIMIT, "csv_too_large", e, "The fields do not fit into the memory given for them.");
	size_t n = 0;
	for (size_t i = 0; i < raw.n; i++) {
		p[n++] = raw.p[i];
		if (raw.p[i] == '"')
			i++;
	}
	*out = (struct str){p, n};
	return RC_OK;
}

static enum rc quoted_field(struct csv *c, struct arena *a, struct str *out, struct err *e)
{
	const struct str t = c->text;
	size_t start = ++c->at, doubled = 0;
	while (c->at < t.n) {
		if (t.p[c->at] == '\n')
			c->next_line++;
		if (t.p[c->at] != '"') {
			c->at++;
			continue;
		}
		if (c->at + 1 < t.n && t.p[c->at + 1] == '"') {
			doubled++;
			c->at += 2;
			continue;
		}
		struct str raw = {t.p + start, c->at - start};
		c->at++;
		return unquote(c, a, raw, doubled, out, e);
	}
	return invalid(c, e, "A quoted field is not closed.");
}

static enum rc plain_field(struct csv *c, struct str *out, struct err *e)
{
	const struct str t = c->text;
	size_t start = c->at;
	while (c->at < t.n && t.p[c->at] != ',' && t.p[c->at] != '\n' && t.p[c->at] != '\r') {
		if (t.p[c->at] == '"')
			return invalid(c, e, "A quote stands inside a field that does not begin with one.");
		c->at++;
	}
	*out = (struct str){t.p + start, c->at - start};
	return RC_OK;
}

enum rc csv_next(struct csv *c, struct arena *a, struct str *fields, size_t max, size_t *count, struct err *e)
{
	const struct str t = c->text;
	*count = 0;
	if (c->at >= t.n)
		return RC_NOT_FOUND;
	c->line = c->next_line;
	for (;;) {
		if (*count == max)
			return fail(c, RC_LIMIT, "too_many_fields", e, "The record has more fields than there may be.");
		bool quoted = c->at < t.n && t.p[c->at] == '"';
		enum rc rc = quoted ? quoted_field(c, a, &fields[*count], e) : plain_field(c, &fields[*count], e);
		if (rc)
			return rc;
		++*count;
		if (c->at == t.n)
			return RC_OK;
		if (t.p[c->at] == ',') {
			c->at++;
			continue;
		}
		if (t.p[c->at] == '\r' && c->at + 1 < t.n && t.p[c->at + 1] == '\n')
			c->at++;
		if (t.p[c->at] != '\n')
			return invalid(c, e, "Behind a field stands neither a comma nor a line end.");
		c->at++;
		c->next_line++;
		return RC_OK;
	}
}
