/* What an operator does: deliveries run and cancelled, dead letters mended and replayed, systems replayed, exceptions
 * assigned and resolved, jobs. */
#include "base/compress.h"
#include "connect/canonical.h"
#include "edge/exchange.h"
#include "edge/handlers.h"
#include "format/json_diff.h"
#include "hub/query_repair.h"

#define TEXT_MAX    500
#define PAYLOAD_MAX (16u << 20)

/* ---- bodies ---- */

struct member {
	const char *name;
	enum json_type type;
	bool required;
	const struct json *value; /* out: NULL if absent */
};

/* The body as an object with these members only. false: it was answered. */
static bool read_body(struct exchange *x, struct arena *a, struct member *list, size_t count, const struct json **out)
{
	static const struct json nothing = {.type = JSON_OBJECT};
	const struct json *doc = &nothing;
	struct findings f;
	struct err e = ERR_NONE;

	findings_init(&f, a);
	if (x->request->body.n && exchange_document(x, a, &doc, &e) != RC_OK) {
		exchange_fail(x, &e);
		return false;
	}
	if (doc->type != JSON_OBJECT)
		findings_add(&f, "", "type", "The body is an object.");
	for (uint32_t m = 0; doc->type == JSON_OBJECT && m < doc->count; m++) {
		size_t i = 0;
		while (i < count && !str_is(doc->members[m].name, list[i].name))
			i++;
		if (i == count)
			findings_add(&f, arena_printf(a, "/%s", arena_copy(a, doc->members[m].name).p), "unknown_field",
				     "There is no such member.");
	}
	for (size_t i = 0; i < count; i++) {
		const char *pointer = arena_printf(a, "/%s", list[i].name);
		list[i].value = json_get(doc, list[i].name);
		if (!list[i].value && list[i].required)
			findings_add(&f, pointer, "required", "This is missing.");
		else if (list[i].value && list[i].value->type != list[i].type && list[i].type != JSON_NULL)
			findings_add(&f, pointer, "type", "This is of another type.");
		else if (list[i].value && list[i].type == JSON_STRING && list[i].value->count > TEXT_MAX)
			findings_add(&f, pointer, "too_long", "This is longer than %d bytes.", TEXT_MAX);
	}
	if (out)
		*out = doc;
	if (!f.count)
		return true;
	exchange_invalid(x, &f);
	return false;
}

static struct str text_of(struct command *c, const struct member *m)
{
	return arena_copy(&c->arena, json_text(m->value));
}

/* A command about what the path names, with an optional or required text as its reason. */
static enum server_next about(struct exchange *x, enum command_type type, const char *name, bool required)
{
	struct member body[] = {{name, JSON_STRING, required, NULL}};

	if (!read_body(x, x->request->arena, body, name ? 1 : 0, NULL))
		return SERVER_ANSWERED;
	if (required && json_text(body[0].value).n == 0)
		return exchange_wrong(x, "validation_failed", arena_printf(x->request->arena, "/%s", name),
				      "This is empty.");
	struct command *c = exchange_command(x, type);
	if (!c)
		return SERVER_ANSWERED;
	c->target = arena_copy(&c->arena, x->params[0]);
	if (name)
		c->reason = text_of(c, &body[0]);
	return exchange_submit(x, c);
}

/* ---- deliveries ---- */

enum server_next deliveries_run(struct exchange *x)
{
	return about(x, COMMAND_DELIVERY_RUN, NULL, false);
}

enum server_next deliveries_cancel(struct exchange *x)
{
	return about(x, COMMAND_DELIVERY_CANCEL, "reason", false);
}

/* ---- exceptions ---- */

enum server_next exceptions_assign(struct exchange *x)
{
	struct member body[] = {{"assignee", JSON_STRING, true, NULL}};

	if (!read_body(x, x->request->arena, body, 1, NULL))
		return SERVER_ANSWERED;
	struct command *c = exchange_command(x, COMMAND_EXCEPTION_ASSIGN);
	if (!c)
		return SERVER_ANSWERED;
	c->target = arena_copy(&c->arena, x->params[0]);
	c->reason = text_of(c, &body[0]);
	return exchange_submit(x, c);
}

enum server_next exceptions_resolve(struct exchange *x)
{
	struct member body[] = {{"resolution", JSON_STRING, true, NULL}, {"action", JSON_STRING, false, NULL}};

	if (!read_body(x, x->request->arena, body, 2, NULL))
		return SERVER_ANSWERED;
	struct str action = json_text(body[1].value);
	if (json_text(body[0].value).n == 0)
		return exchange_wrong(x, "validation_failed", "/resolution", "Say how it was resolved.");
	if (body[1].value && !str_is(action, "release") && !str_is(action, "cancel"))
		return exchange_wrong(x, "validation_failed", "/action", "An action is \"release\" or \"cancel\".");
	struct command *c = exchange_command(x, COMMAND_EXCEPTION_RESOLVE);
	if (!c)
		return SERVER_ANSWERED;
	c->target = arena_copy(&c->arena, x->params[0]);
	c->reason = text_of(c, &body[0]);
	c->action = text_of(c, &body[1]);
	return exchange_submit(x, c);
}

/* ---- dead letters ---- */

enum server_next dead_letters_replay(struct exchange *x)
{
	return about(x, COMMAND_DEAD_LETTER_REPLAY, NULL, false);
}

enum server_next dead_letters_discard(struct exchange *x)
{
	return about(x, COMMAND_DEAD_LETTER_DISCARD, "reason", true);
}

static enum rc no_order(void *ctx, struct arena *a, struct str channel, struct str external_id, struct str *order_id,
			struct err *e)
{
	(void)ctx;
	(void)a;
	(void)channel;
	(void)external_id;
	(void)order_id;
	(void)e;
	return RC_RETRY; /* not looked for */
}

/* Mediates it without an effect. */
static void check_message(struct exchange *x, const struct dead_letter_payload *d, struct str payload,
			  struct findings *f)
{
	struct arena *a = x->request->arena;
	const struct config_system *s = config_find_system(x->tenant, d->system);
	struct canonical_origin o = {
	    .tenant = x->tenant, .source = d->system, .items = 1, .message_seq = 1, .find_order = no_order};
	struct inbound in = {0};
	struct err e = ERR_NONE;

	if (!s) {
		findings_add(f, "", "system_not_found", "The system that sent it is not configured any more.");
		return;
	}
	struct mediator *m = mediator_new(&MEDIATOR_LIMITS_DEFAULT);
	enum rc rc = pack_inbound(s->pack, m, d->endpoint, s->settings, payload, a, &in, &e);
	if (rc != RC_OK)
		findings_add(f, e.where[0] == '/' ? e.where : "", e.code[0] ? e.code : "mapping_failed", "%s",
			     e.detail);
	else if (in.count == 0)
		findings_add(f, "", "no_objects", "The message holds no objects.");
	for (size_t i = 0; rc == RC_OK && i < in.count; i++) {
		struct inbound_item *item = &in.items[i];
		for (size_t n = 0; n < item->findings.count; n++)
			findings_add(f, item->findings.list[n].pointer, item->findings.list[n].code, "%s",
				     item->findings.list[n].detail);
		if (!item->findings.count)
			(void)!canonical_check(&o, item->type, item->document, f);
	}
	mediator_free(m);
}

static void check_delivery(struct exchange *x, const struct dead_letter_payload *d, const struct json *payload,
			   struct findings *f)
{
	const struct json *document = json_get(payload, "document"), *params = json_get(payload, "params");
	struct json *before = NULL;
	struct findings found;

	if (json_parse(x->request->arena, d->payload, &(struct json_limits){PAYLOAD_MAX, 64, 1u << 20}, &before,
		       NULL) != RC_OK ||
	    !json_is(payload, JSON_OBJECT) || payload->count != (document ? 1u : 0u) + (params ? 1u : 0u) ||
	    !document != !json_get(before, "document") || !params != !json_get(before, "params")) {
		findings_add(f, "/payload", "type", "The payload has the members of the original: document, params.");
		return;
	}
	if (params && !json_is(params, JSON_OBJECT))
		findings_add(f, "/payload/params", "type", "This is an object.");
	if (!document || !d->type.n)
		return;
	findings_init(&found, x->request->arena);
	if (exchange_valid(x, arena_copy(x->request->arena, d->type).p, document, &found) == RC_OK)
		return;
	for (size_t i = 0; i < found.count; i++)
		findings_add(f, arena_printf(x->request->arena, "/payload/document%s", found.list[i].pointer),
			     found.list[i].code, "%s", found.list[i].detail);
}

/* The payload as it will be used: the text of a message, or the JSON of a delivery or of a message that is JSON. */
static struct str payload_text(struct exchange *x, const struct dead_letter_payload *d, const struct json *payload)
{
	struct str out;
	struct buf b;

	if (!d->is_delivery && json_is(payload, JSON_STRING))
		return json_text(payload);
	buf_init(&b, PAYLOAD_MAX);
	json_write(&b, payload);
	out = arena_copy(x->request->arena, buf_str(&b));
	buf_done(&b);
	return out;
}

static struct str edit_answer(struct exchange *x, struct command *c, struct str before, struct str after)
{
	struct json_writer w;
	struct str out;
	struct buf b;

	buf_init(&b, ANSWER_BYTES_MAX);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_text(&w, "id", x->params[0]);
	jw_key_text(&w, "status", STR("open"));
	jw_key(&w, "changes");
	json_diff(x->request->arena, before, after, &w);
	jw_object_end(&w);
	out = arena_copy(&c->arena, buf_str(&b));
	buf_done(&b);
	return out;
}

enum server_next dead_letters_edit(struct exchange *x)
{
	struct member body[] = {{"payload", JSON_NULL, true, NULL}}; /* of any type */
	struct dead_letter_payload d;
	struct findings f;
	struct reading r;
	struct err e = ERR_NONE;

	if (!read_body(x, x->request->arena, body, 1, NULL) || !reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_dead_letter_payload(&r.query, x->params[0], &d, &e);
	if (rc != RC_OK)
		return reading_end(x, &r, rc, &e);
	reading_drop(x, &r);
	struct str text = payload_text(x, &d, body[0].value);
	findings_init(&f, x->request->arena);
	if (d.is_delivery)
		check_delivery(x, &d, body[0].value, &f);
	else
		check_message(x, &d, text, &f);
	if (f.count)
		return exchange_invalid(x, &f);
	struct command *c = exchange_command(x, COMMAND_DEAD_LETTER_EDIT);
	if (!c)
		return SERVER_ANSWERED;
	c->target = arena_copy(&c->arena, x->params[0]);
	c->reason = edit_answer(x, c, d.payload, text);
	if (!text.n || !c->reason.p || compress(&c->arena, text, &c->document) != RC_OK) {
		err_set(&e, RC_LIMIT, "body_too_large", "The payload needs too much memory.");
		return exchange_drop(x, c, &e);
	}
	return exchange_submit(x, c);
}

/* ---- jobs ---- */

static enum server_next start_job(struct exchange *x, const char *kind, struct str params, int64_t total)
{
	struct command *c = exchange_command(x, COMMAND_JOB_START);

	if (!c)
		return SERVER_ANSWERED;
	c->job.kind = str_from(kind);
	c->job.params = arena_copy(&c->arena, params);
	c->job.total = total;
	return exchange_submit(x, c);
}

static struct str written(struct exchange *x, struct buf *b)
{
	struct str out = arena_copy(x->request->arena, buf_str(b));

	buf_done(b);
	return out;
}

static bool check_filter(struct exchange *x, const struct json *filter)
{
	enum { FILTER_MEMBERS = 5 };
	static const char *const names[FILTER_MEMBERS] = {"system", "class", "operation", "from", "to"};

	for (uint32_t i = 0; filter && i < filter->count; i++) {
		size_t n = 0;
		while (n < FILTER_MEMBERS && !str_is(filter->members[i].name, names[n]))
			n++;
		const char *pointer =
		    arena_printf(x->request->arena, "/filter/" STR_FMT, STR_ARG(filter->members[i].name));
		if (n == FILTER_MEMBERS)
			exchange_wrong(x, "validation_failed", pointer, "There is no such member.");
		else if (filter->members[i].value.type != JSON_STRING)
			exchange_wrong(x, "validation_failed", pointer, "This is a text.");
		else
			continue;
		return false;
	}
	return true;
}

/* reason: of a discard; a replay has none. */
static enum server_next all_that_fit(struct exchange *x, const char *kind, bool reason)
{
	struct member body[] = {{"filter", JSON_OBJECT, true, NULL}, {"reason", JSON_STRING, true, NULL}};
	struct dead_letter_filter filter;
	struct reading r;
	struct err e = ERR_NONE;
	int64_t count, through;
	struct json_writer w;
	struct buf b;

	if (!read_body(x, x->request->arena, body, reason ? 2 : 1, NULL) || !check_filter(x, body[0].value))
		return SERVER_ANSWERED;
	if (reason && json_text(body[1].value).n == 0)
		return exchange_wrong(x, "validation_failed", "/reason", "This is empty.");
	if (dead_letter_filter_read(body[0].value, &filter, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = dead_letters_count(&r.query, &filter, &count, &through, &e);
	if (rc != RC_OK)
		return reading_end(x, &r, rc, &e);
	reading_drop(x, &r);
	buf_init(&b, 64 << 10);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "filter");
	jw_value(&w, body[0].value);
	if (reason)
		jw_key_text(&w, "reason", json_text(body[1].value));
	jw_key_int(&w, "through", through);
	jw_object_end(&w);
	return start_job(x, kind, written(x, &b), count);
}

enum server_next dead_letters_replay_all(struct exchange *x)
{
	return all_that_fit(x, "dead-letters.replay", false);
}

enum server_next dead_letters_discard_all(struct exchange *x)
{
	return all_that_fit(x, "dead-letters.discard", true);
}

static void write_plan(struct json_writer *w, const struct replay_plan *p)
{
	jw_object(w);
	jw_key_text(w, "system", p->system);
	jw_key_bool(w, "dry_run", true);
	jw_key_int(w, "deliveries", p->count);
	jw_key(w, "operations");
	jw_object(w);
	for (int op = 0; op < OPERATIONS; op++)
		if (p->counts[op])
			jw_key_int(w, operation_name((enum operation)op), p->counts[op]);
	jw_object_end(w);
	jw_object_end(w);
}

static struct str plan_params(struct exchange *x, const struct replay_plan *p, const struct json *operations,
			      bool new_ids)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, 64 << 10);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_text(&w, "system", p->system);
	if (p->after)
		jw_key_int(&w, "after", p->after);
	jw_key_int(&w, "first", p->first);
	jw_key_int(&w, "through", p->through);
	if (operations) {
		jw_key(&w, "operations");
		jw_value(&w, operations);
	}
	jw_key_bool(&w, "new_ids", new_ids);
	jw_object_end(&w);
	return written(x, &b);
}

enum server_next systems_replay(struct exchange *x)
{
	enum { AFTER, FROM, OPERATION_NAMES, DRY_RUN, NEW_IDS, COUNT };
	struct member body[COUNT] = {{"after", JSON_NUMBER, false, NULL},
				     {"from", JSON_STRING, false, NULL},
				     {"operations", JSON_ARRAY, false, NULL},
				     {"dry_run", JSON_BOOL, false, NULL},
				     {"new_ids", JSON_BOOL, false, NULL}};
	const struct json *doc;
	struct replay_plan plan;
	struct reading r;
	struct err e = ERR_NONE;
	struct json_writer w;

	if (!config_find_system(x->tenant, x->params[0]))
		return exchange_refuse(x, "system_not_found", "The tenant has no such system.");
	if (!read_body(x, x->request->arena, body, COUNT, &doc) || !reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = replay_plan_make(&r.query, x->params[0], doc, &plan, &e);
	if (rc == RC_OK && body[DRY_RUN].value && body[DRY_RUN].value->boolean) {
		jw_init(&w, &r.out);
		write_plan(&w, &plan);
	} else if (rc == RC_OK) {
		reading_drop(x, &r);
		return start_job(x, "system.replay",
				 plan_params(x, &plan, body[OPERATION_NAMES].value,
					     body[NEW_IDS].value && body[NEW_IDS].value->boolean),
				 plan.count);
	}
	return reading_end(x, &r, rc, &e);
}

enum server_next jobs_get(struct exchange *x)
{
	return reading_one(x, query_job);
}

enum server_next jobs_list(struct exchange *x)
{
	return reading_page(x, query_jobs);
}

enum server_next reconciliations_cancel(struct exchange *x)
{
	return about(x, COMMAND_RECONCILE_CANCEL, "reason", false);
}

enum server_next jobs_cancel(struct exchange *x)
{
	return about(x, COMMAND_JOB_CANCEL, "reason", false);
}
