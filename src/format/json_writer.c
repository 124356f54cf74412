#include "format/json.h"

#include "base/clock.h"
#include "base/decimal.h"
#include "base/utf8.h"

#include <assert.h>

void json_write_text(struct buf *out, struct str s)
{
	utf8_quote(out, s);
}

static void write_array(struct buf *out, const struct json *j)
{
	buf_add_char(out, '[');
	for (uint32_t i = 0; i < j->count; i++) {
		if (i)
			buf_add_char(out, ',');
		json_write(out, &j->items[i]);
	}
	buf_add_char(out, ']');
}

static void write_object(struct buf *out, const struct json *j)
{
	buf_add_char(out, '{');
	for (uint32_t i = 0; i < j->count; i++) {
		if (i)
			buf_add_char(out, ',');
		json_write_text(out, j->members[i].name);
		buf_add_char(out, ':');
		json_write(out, &j->members[i].value);
	}
	buf_add_char(out, '}');
}

void json_write(struct buf *out, const struct json *j)
{
	switch ((enum json_type)j->type) {
	case JSON_NULL:
		buf_add(out, "null", 4);
		return;
	case JSON_BOOL:
		buf_add_z(out, j->boolean ? "true" : "false");
		return;
	case JSON_NUMBER:
		buf_add(out, j->text, j->count);
		return;
	case JSON_STRING:
		json_write_text(out, json_text(j));
		return;
	case JSON_ARRAY:
		write_array(out, j);
		return;
	case JSON_OBJECT:
		write_object(out, j);
		return;
	}
}

static uint64_t bit(const struct json_writer *w)
{
	return (uint64_t)1 << w->depth;
}

static bool in_object(const struct json_writer *w)
{
	return w->objects & bit(w);
}

static void comma(struct json_writer *w)
{
	if (w->started & bit(w))
		buf_add_char(w->out, ',');
	w->started |= bit(w);
}

/* Before every value. */
static void begin(struct json_writer *w)
{
	assert(w->after_key == in_object(w));
	assert(w->depth > 0 || !(w->started & 1));
	if (!w->after_key)
		comma(w);
	w->after_key = false;
}

static void enter(struct json_writer *w, bool object)
{
	begin(w);
	assert(w->depth < 63);
	w->depth++;
	w->started &= ~bit(w);
	w->objects = object ? w->objects | bit(w) : w->objects & ~bit(w);
	buf_add_char(w->out, object ? '{' : '[');
}

static void leave(struct json_writer *w, bool object)
{
	assert(w->depth > 0 && in_object(w) == object && !w->after_key);
	w->depth--;
	buf_add_char(w->out, object ? '}' : ']');
}

void jw_init(struct json_writer *w, struct buf *out)
{
	*w = (struct json_writer){.out = out};
}

void jw_object(struct json_writer *w)
{
	enter(w, true);
}

void jw_object_end(struct json_writer *w)
{
	leave(w, true);
}

void jw_array(struct json_writer *w)
{
	enter(w, false);
}

void jw_array_end(struct json_writer *w)
{
	leave(w, false);
}

void jw_key_str(struct json_writer *w, struct str name)
{
	assert(in_object(w) && !w->after_key);
	comma(w);
	json_write_text(w->out, name);
	buf_add_char(w->out, ':');
	w->after_key = true;
}

void jw_key(struct json_writer *w, const char *name)
{
	jw_key_str(w, str_from(name));
}

void jw_text(struct json_writer *w, struct str s)
{
	begin(w);
	json_write_text(w->out, s);
}

void jw_int(struct json_writer *w, int64_t v)
{
	begin(w);
	buf_add_int(w->out, v);
}

void jw_bool(struct json_writer *w, bool v)
{
	begin(w);
	buf_add_z(w->out, v ? "true" : "false");
}

void jw_null(struct json_writer *w)
{
	begin(w);
	buf_add(w->out, "null", 4);
}

void jw_value(struct json_writer *w, const struct json *j)
{
	begin(w);
	json_write(w->out, j);
}

void jw_raw(struct json_writer *w, struct str json)
{
	begin(w);
	buf_add_str(w->out, json);
}

void jw_key_text(struct json_writer *w, const char *name, struct str s)
{
	jw_key(w, name);
	jw_text(w, s);
}

void jw_key_int(struct json_writer *w, const char *name, int64_t v)
{
	jw_key(w, name);
	jw_int(w, v);
}

void jw_key_bool(struct json_writer *w, const char *name, bool v)
{
	jw_key(w, name);
	jw_bool(w, v);
}

void jw_opt_text(struct json_writer *w, const char *name, struct str s)
{
	if (s.n)
		jw_key_text(w, name, s);
}

void jw_key_time(struct json_writer *w, const char *name, int64_t ms)
{
	char text[TIME_TEXT];
	time_format(ms, text);
	jw_key_text(w, name, str_from(text));
}

void jw_key_qty(struct json_writer *w, const char *name, int64_t qty)
{
	char text[DECIMAL_TEXT_MAX];
	size_t n = qty_format(qty, text);
	jw_key_text(w, name, (struct str){text, n});
}
