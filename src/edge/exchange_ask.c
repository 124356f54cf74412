#include "edge/exchange.h"
#include "edge/uri.h"
#include "model/texts.h"

enum rc exchange_document(struct exchange *x, struct arena *a, const struct json **out, struct err *e)
{
	const struct config_limits *l = &node_config(x->edge->node)->limits;
	const struct json_limits limits = {
	    .bytes = l->body_bytes, .depth = l->json_depth, .nodes = JSON_LIMITS_DEFAULT.nodes};
	struct json *doc = NULL;
	if (x->request->body.n == 0)
		return err_set(e, RC_INVALID, "body_required", "The request has no body.");
	enum rc rc = json_parse(a, x->request->body, &limits, &doc, e);
	*out = doc;
	return rc;
}

enum rc exchange_valid(const struct exchange *x, const char *type, const struct json *doc, struct findings *f)
{
	const struct schema *s = schema_find(hub_config(x->hub)->schemas, type, 1);
	if (!s) {
		findings_add(f, "", "schema_missing", "The schema %s is not installed.", type);
		return RC_INVALID;
	}
	enum rc texts = texts_check(doc, f);
	enum rc valid = schema_validate(s, doc, SCHEMA_STRICT, f, NULL);
	return texts == RC_OK ? valid : texts;
}

bool exchange_speaks_for(const struct exchange *x, struct str system)
{
	return !x->principal.system[0] || str_is(system, x->principal.system);
}

static struct parameter *parameter_find(struct parameter *list, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(name, list[i].name))
			return &list[i];
	return NULL;
}

enum rc exchange_parameters(struct exchange *x, struct parameter *list, size_t count, struct err *e)
{
	struct str name, value;
	size_t at = 0;
	while (uri_query_next(x->request->query, &at, &name, &value)) {
		if (uri_decode(x->request->arena, name, true, &name, e) != RC_OK ||
		    uri_decode(x->request->arena, value, true, &value, e) != RC_OK)
			return e->rc;
		struct parameter *p = parameter_find(list, count, name);
		if (!p)
			return err_set(e, RC_INVALID, "unknown_parameter",
				       "There is no query parameter \"%.100s\" here.",
				       arena_copy(x->request->arena, name).p);
		if (p->given && !p->many)
			return err_set(e, RC_INVALID, "bad_parameter", "\"%s\" is given more than once.", p->name);
		if (p->many && p->many_count == p->many_max)
			return err_set(e, RC_INVALID, "bad_parameter", "\"%s\" is given more than %zu times.", p->name,
				       p->many_max);
		if (value.n > 1024)
			return err_set(e, RC_INVALID, "bad_parameter", "\"%s\" is too long.", p->name);
		p->given = true;
		p->value = value;
		if (p->many)
			p->many[p->many_count++] = value;
	}
	return RC_OK;
}

enum rc parameter_int(const struct parameter *p, int64_t low, int64_t high, int64_t otherwise, int64_t *out,
		      struct err *e)
{
	int64_t v = 0;
	bool good = p->value.n > 0 && p->value.n <= 18;
	*out = otherwise;
	if (!p->given)
		return RC_OK;
	for (size_t i = 0; good && i < p->value.n; i++) {
		good = p->value.p[i] >= '0' && p->value.p[i] <= '9';
		v = v * 10 + (p->value.p[i] - '0');
	}
	if (!good || v < low || v > high)
		return err_set(e, RC_INVALID, "bad_parameter", "\"%s\" is a whole number from %lld to %lld.", p->name,
			       (long long)low, (long long)high);
	*out = v;
	return RC_OK;
}

bool reading_begin(struct exchange *x, struct reading *r)
{
	struct err e = ERR_NONE;
	*r = (struct reading){.query = {.hub = x->hub, .arena = x->request->arena}};
	if (readers_take(x->edge->readers, x->hub, &r->query.reader, &e) != RC_OK) {
		exchange_fail(x, &e);
		return false;
	}
	buf_init(&r->out, ANSWER_BYTES_MAX);
	return true;
}

bool reading_begin_page(struct exchange *x, struct parameter *p, size_t count, struct reading *r,
			struct query_page *page)
{
	struct err e = ERR_NONE;
	int64_t limit;
	if (exchange_parameters(x, p, count, &e) != RC_OK ||
	    parameter_int(&p[0], 1, LIST_LIMIT_MAX, LIST_LIMIT, &limit, &e) != RC_OK) {
		exchange_fail(x, &e);
		return false;
	}
	*page = (struct query_page){(uint32_t)limit, p[1].value};
	return reading_begin(x, r);
}

enum server_next reading_end_as(struct exchange *x, struct reading *r, const char *type, enum rc rc,
				const struct err *e)
{
	readers_give(x->edge->readers, x->hub, r->query.reader, rc == RC_IO || rc == RC_UNKNOWN);
	enum server_next next;
	if (rc != RC_OK) {
		struct err copy = *e;
		copy.rc = rc;
		next = exchange_fail(x, &copy);
	} else if (!buf_ok(&r->out)) {
		next = exchange_refuse(x, "answer_too_large", "Ask for less at a time.");
	} else if (type) {
		next = exchange_answer_as(x, 200, type, buf_str(&r->out), NULL, 0);
	} else {
		next = exchange_answer(x, 200, buf_str(&r->out), NULL, 0);
	}
	buf_done(&r->out);
	return next;
}

enum server_next reading_end(struct exchange *x, struct reading *r, enum rc rc, const struct err *e)
{
	return reading_end_as(x, r, NULL, rc, e);
}

void reading_drop(struct exchange *x, struct reading *r)
{
	readers_give(x->edge->readers, x->hub, r->query.reader, false);
	buf_done(&r->out);
}

enum server_next reading_all(struct exchange *x, enum rc (*read)(struct query *, struct buf *, struct err *))
{
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = read(&r.query, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next reading_one(struct exchange *x,
			     enum rc (*read)(struct query *, struct str, struct buf *, struct err *))
{
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = read(&r.query, x->params[0], &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next reading_page(struct exchange *x,
			      enum rc (*read)(struct query *, const struct query_page *, struct buf *, struct err *))
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 2, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = read(&r.query, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}
