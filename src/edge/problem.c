#include "edge/problem.h"

static const struct problem_row rows[] = {
#define PROBLEM(code, status, title) {#code, status, title},
#include "edge/problems.def"
#undef PROBLEM
};

static const struct problem_row *find(struct str code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_is(code, rows[i].code))
			return &rows[i];
	return NULL;
}

const struct problem_row *problem_find(const char *code)
{
	return find(str_from(code));
}

const struct problem_row *problem_at(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

static void write_error(struct json_writer *w, const char *prefix, const char *pointer, const char *code,
			struct str detail)
{
	struct buf at;
	jw_object(w);
	jw_key(w, "pointer");
	buf_init(&at, 8192);
	buf_add_z(&at, prefix ? prefix : "");
	buf_add_z(&at, pointer);
	jw_text(w, buf_str(&at));
	buf_done(&at);
	jw_key_text(w, "code", str_from(code));
	jw_opt_text(w, "detail", detail);
	jw_object_end(w);
}

static void write_errors(struct json_writer *w, const struct problem *p)
{
	if (!p->where && !p->findings)
		return;
	jw_key(w, "errors");
	jw_array(w);
	if (p->where)
		write_error(w, p->prefix, p->where, p->code, p->detail);
	for (size_t i = 0; p->findings && i < p->findings->count; i++) {
		const struct finding *f = &p->findings->list[i];
		write_error(w, p->prefix, f->pointer, f->code, str_from(f->detail));
	}
	jw_array_end(w);
	if (p->findings && p->findings->more)
		jw_key_int(w, "more_errors", (int64_t)p->findings->more);
}

static bool has(const struct json *said, const char *name)
{
	return json_get(said, name) != NULL;
}

int problem_complete(struct buf *out, const struct problem *p, const struct json *said)
{
	struct str code = json_get_text(said, "code").n ? json_get_text(said, "code") : str_from(p->code);
	const struct problem_row *row = find(code);
	int status = p->status ? p->status : row ? row->status : 500;
	struct json_writer w;
	struct buf type;
	buf_init(&type, 256);
	buf_printf(&type, "urn:crossdock:problem:" STR_FMT, STR_ARG(code));
	jw_init(&w, out);
	jw_object(&w);
	if (!has(said, "type"))
		jw_key_text(&w, "type", buf_str(&type));
	buf_done(&type);
	if (!has(said, "title"))
		jw_key_text(&w, "title", row ? str_from(row->title) : code);
	if (!has(said, "status"))
		jw_key_int(&w, "status", status);
	if (!has(said, "detail"))
		jw_opt_text(&w, "detail", p->detail);
	if (!has(said, "instance"))
		jw_opt_text(&w, "instance", p->instance);
	if (!has(said, "code"))
		jw_key_text(&w, "code", code);
	if (!has(said, "correlation_id"))
		jw_opt_text(&w, "correlation_id", p->correlation_id);
	if (!has(said, "errors"))
		write_errors(&w, p);
	for (size_t i = 0; json_is(said, JSON_OBJECT) && i < said->count; i++) {
		jw_key_str(&w, said->members[i].name);
		jw_value(&w, &said->members[i].value);
	}
	jw_object_end(&w);
	return status;
}

int problem_write(struct buf *out, const struct problem *p)
{
	return problem_complete(out, p, NULL);
}
