/*
 * Rendering and classifying, with how each failure is read:
 *
 *     the store cannot be read            nothing is known: later
 *     no such operation, mapping failed   configuration: a person has to mend the pack
 *     the mapping refuses                 refused, in its words
 *     the answer cannot be understood     2xx: unknown (it may well be done); no answer: technical, or unknown if it
 * was sent; else configuration
 */
#include "connect/attempt.h"

#include "base/compress.h"
#include "connect/headers.h"
#include "connect/record.h"
#include "connect/webhook.h"
#include "orchestrate/order/progress.h"
#include "orchestrate/stock/item.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void attempt_init(struct attempt *a, enum attempt_kind kind, const struct config_system *system,
		  const struct delivery_head *head)
{
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	a->system = system;
	a->head = *head;
	arena_init(&a->arena, ATTEMPT_ARENA_MAX);
}

void attempt_done(struct attempt *a)
{
	arena_done(&a->arena);
}

int64_t attempt_confirm_after_ms(const struct config_system *s, uint8_t operation)
{
	if (s->delivery.confirm_after_ms)
		return s->delivery.confirm_after_ms;
	int64_t ms = s->pack->operations[operation].confirm_after_ms;
	return ms ? ms : ATTEMPT_CONFIRM_MS;
}

static int64_t timeout_ms(const struct attempt *a)
{
	if (a->system->delivery.timeout_ms)
		return a->system->delivery.timeout_ms;
	int64_t ms = a->system->pack->operations[a->head.operation].timeout_ms;
	return ms ? ms : ATTEMPT_TIMEOUT_MS;
}

static void end(struct attempt *a, enum outcome outcome, struct str detail)
{
	a->ended = true;
	a->outcome = outcome;
	a->detail = record_masked(&a->arena, a->system, detail, RECORD_TEXT_MAX);
}

static void end_err(struct attempt *a, enum outcome outcome, const struct err *e)
{
	char text[sizeof(e->code) + sizeof(e->where) + sizeof(e->detail) + 8];
	snprintf(text, sizeof(text), "%s%s%s: %s", e->code, e->where[0] ? " at " : "", e->where, e->detail);
	end(a, outcome, str_from(text));
}

/* ---- the input of the mapping ---- */

#define INPUT_MEMBERS 11

struct input {
	struct json_member *members;
	uint32_t n;
};

static void put_text(struct input *in, const char *name, struct str text)
{
	in->members[in->n++] = (struct json_member){
	    str_from(name), {.type = JSON_STRING, .count = (uint32_t)text.n, .text = text.p ? text.p : ""}};
}

static void put_value(struct input *in, const char *name, const struct json *value)
{
	in->members[in->n++] = (struct json_member){str_from(name), *value};
}

static enum rc put_parsed(struct attempt *a, struct input *in, const char *name, struct str text, struct err *e)
{
	static const struct json_limits limits = {.bytes = DOCUMENT_BYTES_MAX, .depth = 64, .nodes = 2000000};
	struct json *j;
	enum rc rc = json_parse(&a->arena, text, &limits, &j, e);
	if (rc == RC_OK)
		put_value(in, name, j);
	return rc;
}

/* What this system calls the order: as it told us, or as the channel that it is named it. */
static void put_external_id(struct attempt *a, struct input *in, const struct delivery_parts *parts)
{
	struct str id = order_progress_external(&a->arena, parts->progress, a->system->name);
	if (!id.n)
		id = parts->external_id;
	if (id.n)
		put_text(in, "external_id", id);
}

static enum rc put_document(struct attempt *a, struct input *in, struct str packed, struct err *e)
{
	struct str text;
	if (!packed.n)
		return err_set(e, RC_NOT_FOUND, "document_not_found", "document %lld is not in the store",
			       (long long)a->delivery.document);
	enum rc rc = decompress(&a->arena, packed, DOCUMENT_BYTES_MAX, &text, e);
	return rc == RC_OK ? put_parsed(a, in, "document", text, e) : rc;
}

static size_t items_of(const struct json *j)
{
	const struct json *items = json_get(j, "items");
	return json_is(items, JSON_ARRAY) ? items->count : 0;
}

/* ---- names ---- */

/* A SKU in an input or in an answer, in place: it is in our arena. from: whose name it is; empty: ours. */
static bool spell(struct attempt *a, struct str from, struct str to, struct json *j)
{
	const struct config_tenant *t = hub_tenant(a->hub);
	const struct stock_view *v = hub_stock(a->hub);
	struct str sku = json_text(j), own = sku;
	struct err e = ERR_NONE;
	/* What says no item of ours is left as it is: the other side will say what it thinks of it. */
	if (from.n && item_resolve_view(v, t, &a->arena, from, sku, &own, &e) != RC_OK)
		return true;
	struct str made = to.n ? item_spell(v, t, &a->arena, to, own) : own;
	j->text = made.p;
	j->count = (uint32_t)made.n;
	return made.n || !sku.n;
}

static bool names_item(struct str member)
{
	return str_is(member, "sku") || str_is(member, "kit") || str_is(member, "substitute") ||
	       str_is(member, "substitute_for");
}

/* In all lines, items and their like; not in what is somebody else's text. */
static bool spell_all(struct attempt *a, struct str from, struct str to, const struct json *j)
{
	bool good = true;
	for (uint32_t i = 0; json_is(j, JSON_ARRAY) && i < j->count && good; i++)
		good = spell_all(a, from, to, &j->items[i]);
	for (uint32_t i = 0; json_is(j, JSON_OBJECT) && i < j->count && good; i++) {
		const struct json_member *m = &j->members[i];
		if (names_item(m->name) && json_is(&m->value, JSON_STRING))
			good = spell(a, from, to, (struct json *)&m->value);
		else if (!str_is(m->name, "extensions") && !str_is(m->name, "aliases"))
			good = spell_all(a, from, to, &m->value);
	}
	return good;
}

/* The document is as the channel wrote it, the rest as we do. */
static enum rc spell_input(struct attempt *a, const struct json *input, struct err *e)
{
	const struct json *document = json_get(input, "document");
	struct str from = json_get_text(document, "channel"), to = a->system->name;
	if (!a->system->sku.send_theirs)
		return RC_OK;
	if ((str_eq(from, to) || spell_all(a, from, to, document)) &&
	    spell_all(a, STR_NONE, to, json_get(input, "params")))
		return RC_OK;
	return err_set(e, RC_LIMIT, "delivery_too_large", "the delivery does not fit into memory");
}

static enum rc make_input(struct attempt *a, const struct delivery_parts *parts, struct json **out, struct err *e)
{
	static const struct json no_settings = {.type = JSON_OBJECT};
	const struct delivery *d = &a->delivery;
	struct input in = {.members = arena_array(&a->arena, struct json_member, INPUT_MEMBERS)};
	*out = arena_new(&a->arena, struct json);
	if (!in.members || !*out)
		return err_set(e, RC_LIMIT, "delivery_too_large", "the delivery does not fit into memory");
	put_text(&in, "delivery_id", d->delivery_id);
	put_text(&in, "operation", str_from(operation_name(a->head.operation)));
	put_text(&in, "system", a->system->name);
	put_value(&in, "settings", a->system->settings ? a->system->settings : &no_settings);
	put_text(&in, "correlation_id", d->correlation_id);
	enum rc rc = RC_OK;
	if (d->order_id.n) {
		put_text(&in, "order_id", d->order_id);
		put_external_id(a, &in, parts);
	}
	if (d->document)
		rc = put_document(a, &in, parts->document, e);
	if (rc == RC_OK && d->params.n)
		rc = put_parsed(a, &in, "params", d->params, e);
	**out = (struct json){.type = JSON_OBJECT, .count = in.n, .members = in.members};
	if (rc == RC_OK)
		rc = spell_input(a, *out, e);
	size_t items = items_of(json_get(*out, "params"));
	a->items = items ? items : items_of(json_get(*out, "document"));
	return rc;
}

/* ---- render ---- */

/* How the destination knows the request again. */
static struct str request_id(const struct attempt *a)
{
	const size_t prefix = sizeof(DELIVERY_BATCH) - 1;
	if (!a->batch_id.n)
		return a->delivery.delivery_id;
	return (struct str){a->batch_id.p + prefix, a->batch_id.n - prefix};
}

static enum rc make_request(struct attempt *a, const struct pack_request *p, int64_t now_ms)
{
	struct header_facts facts = {
	    .delivery_id = request_id(a),
	    .correlation_id = a->delivery.correlation_id,
	    .bearer = a->system->bearer,
	    .secret = a->system->secret,
	    .now_ms = now_ms,
	};
	struct http_header *headers;
	a->request = (struct http_request){
	    .method = p->method,
	    .url = url_join(&a->arena, a->system->url, p->path),
	    .body = p->body,
	    .timeout_ms = timeout_ms(a),
	    .connect_timeout_ms = ATTEMPT_CONNECT_MS,
	};
	enum rc rc = headers_build(&a->arena, &facts, p, &headers, &a->request.header_count);
	a->request.headers = headers;
	return a->request.url.p ? rc : RC_LIMIT;
}

static enum rc render(struct attempt *a, struct mediator *m, const struct json *input, int64_t now_ms, struct err *e)
{
	const struct pack *p = a->system->pack;
	struct pack_request request;
	enum operation op = a->head.operation;
	if (!p->operations[op].present)
		return err_set(e, RC_INVALID, "no_such_operation", "the connector " STR_FMT " has no operation %s",
			       STR_ARG(p->name), operation_name(op));
	if (!a->system->url.n)
		return err_set(e, RC_INVALID, "no_url", "the system " STR_FMT " has no url", STR_ARG(a->system->name));
	enum rc rc = a->kind == ATTEMPT_LOOKUP ? pack_render_lookup(p, m, op, input, &a->arena, &request, e)
					       : pack_render(p, m, op, input, &a->arena, &request, e);
	if (rc != RC_OK)
		return rc;
	if (make_request(a, &request, now_ms) != RC_OK)
		return err_set(e, RC_LIMIT, "delivery_too_large", "the request does not fit into memory");
	return RC_OK;
}

static enum rc keep_cause(enum rc rc, const struct err *cause, struct err *e)
{
	if (e)
		*e = *cause;
	return rc;
}

/* The delivery and the mapping's input. */
static enum rc load(struct attempt *a, struct store_reader *r, struct err *cause, struct err *e)
{
	struct delivery_parts parts;
	enum rc rc = delivery_load_parts(r, &a->arena, a->head.seq, &a->delivery, &parts, e);
	return rc == RC_OK ? make_input(a, &parts, &a->input, cause) : rc;
}

static void render_end(struct attempt *a, enum rc rc, const struct err *cause)
{
	if (rc == RC_OK)
		a->request_text = record_packed(&a->arena, record_request(&a->arena, a->system, &a->request));
	else
		end_err(a, rc == RC_REJECT ? OUTCOME_REFUSED : OUTCOME_CONFIGURATION, cause);
}

enum rc attempt_render(struct attempt *a, struct mediator *m, struct store_reader *r, int64_t now_ms, struct err *e)
{
	struct err cause = ERR_NONE;
	if (OP_IS_EVENT(a->head.operation))
		return webhook_render(a, r, now_ms, e);
	if (a->kind == ATTEMPT_ABANDON) {
		enum rc read = delivery_load(r, &a->arena, a->head.seq, &a->delivery, e);
		if (read == RC_OK)
			end(a, OUTCOME_UNKNOWN,
			    STR("sent, without an answer; the system cannot be asked and the operation is not "
				"idempotent"));
		return read;
	}
	enum rc rc = load(a, r, &cause, e);
	if (!a->delivery.delivery_id.n)
		return rc;
	if (rc == RC_IO || rc == RC_RETRY)
		return keep_cause(rc, &cause, e);
	if (rc == RC_OK)
		rc = render(a, m, a->input, now_ms, &cause);
	render_end(a, rc, &cause);
	return RC_OK;
}

/* ---- several in one request ---- */

static size_t size_of(const struct attempt *a)
{
	struct buf text;
	buf_init(&text, DOCUMENT_BYTES_MAX);
	json_write(&text, a->input);
	size_t n = buf_ok(&text) ? text.n : DOCUMENT_BYTES_MAX;
	buf_done(&text);
	return n;
}

/* Those that are in it, by age: so the same ones make the same request, in whatever order they were taken. */
static int older_first(const void *a, const void *b)
{
	const struct attempt *x = *(struct attempt *const *)a, *y = *(struct attempt *const *)b;
	return x->head.seq < y->head.seq ? -1 : x->head.seq > y->head.seq;
}

static struct attempt **by_age(struct attempt *const *list, size_t count, size_t *in)
{
	struct attempt **sorted = arena_array(&list[0]->arena, struct attempt *, count);
	*in = 0;
	for (size_t i = 0; sorted && i < count; i++)
		if (!list[i]->left_out)
			sorted[(*in)++] = list[i];
	if (sorted)
		qsort(sorted, *in, sizeof(struct attempt *), older_first);
	for (size_t i = 0; sorted && i < *in; i++)
		sorted[i]->place = i;
	return sorted;
}

/* <the first one's delivery id>.<its attempt>.<of all the ids>. Composed as it was when it had no answer, it is called
 * as it was; else it is another request with another name. */
static struct str name_batch(struct attempt *keeper, struct attempt *const *sorted, size_t in)
{
	const struct attempt *first = sorted[0];
	struct str was = first->head.batch ? first->delivery.result : STR_NONE;
	uint64_t hash = 0;
	for (size_t i = 0; i < in; i++)
		hash = delivery_hash(hash, sorted[i]->delivery.delivery_id);
	struct str head =
	    str_from(arena_printf(&keeper->arena, DELIVERY_BATCH STR_FMT ".", STR_ARG(first->delivery.delivery_id)));
	struct str end = str_from(arena_printf(&keeper->arena, ".%" PRIu64, hash));
	if (was.n > head.n + end.n && memcmp(was.p, head.p, head.n) == 0 &&
	    memcmp(was.p + was.n - end.n, end.p, end.n) == 0)
		return was;
	return str_from(
	    arena_printf(&keeper->arena, STR_FMT "%u" STR_FMT, STR_ARG(head), first->head.attempts + 1, STR_ARG(end)));
}

/* The first one's input with all of them beside it. */
static struct json *batch_input(struct attempt *first, struct attempt *const *sorted, size_t count)
{
	const struct json *one = first->input;
	struct json *all = arena_array(&first->arena, struct json, count);
	struct json_member *members = arena_array(&first->arena, struct json_member, one->count + 1);
	struct json *input = arena_new(&first->arena, struct json);
	first->batch = arena_new(&first->arena, struct json);
	if (!all || !members || !input || !first->batch)
		return NULL;
	for (size_t i = 0; i < count; i++)
		all[i] = *sorted[i]->input;
	*first->batch = (struct json){.type = JSON_ARRAY, .count = (uint32_t)count, .items = all};
	memcpy(members, one->members, one->count * sizeof(*members));
	members[one->count] = (struct json_member){STR("batch"), *first->batch};
	*input = (struct json){.type = JSON_OBJECT, .count = one->count + 1, .members = members};
	return input;
}

static enum rc render_together(struct attempt *first, struct attempt *const *list, size_t count, struct mediator *m,
			       int64_t now_ms)
{
	struct err cause = ERR_NONE;
	size_t in;
	struct attempt **sorted = by_age(list, count, &in);
	struct json *input = sorted ? batch_input(first, sorted, in) : NULL;
	if (sorted && in > 1)
		first->batch_id = name_batch(first, sorted, in);
	enum rc rc = input ? render(first, m, input, now_ms, &cause) : RC_LIMIT;
	for (size_t i = 1; i < count && rc == RC_OK; i++)
		list[i]->batch_id =
		    list[i]->left_out ? STR_NONE : arena_copy(&list[i]->arena, first->batch_id); /* they end apart */
	if (rc == RC_OK || in == 1)
		render_end(first, rc, &cause);
	return in == 1 ? RC_OK : rc;
}

enum rc attempt_render_batch(struct attempt *const *list, size_t count, size_t bytes, struct mediator *m,
			     struct store_reader *r, int64_t now_ms, struct err *e)
{
	struct attempt *first = list[0];
	size_t sum = 0;
	for (size_t i = 0; i < count && !first->ended; i++) {
		struct err cause = ERR_NONE;
		enum rc rc = load(list[i], r, &cause, e);
		if (!list[i]->delivery.delivery_id.n)
			return rc;
		if (rc == RC_IO || rc == RC_RETRY)
			return keep_cause(rc, &cause, e);
		if (rc != RC_OK && i == 0)
			render_end(first, rc, &cause);
		sum += rc == RC_OK ? size_of(list[i]) : 0;
		list[i]->left_out = rc != RC_OK || (i && bytes && sum > bytes);
	}
	if (!first->ended && render_together(first, list, count, m, now_ms) == RC_OK)
		return RC_OK;
	/* One of them may be at fault: each goes by itself. */
	first->batch = NULL;
	first->batch_id = STR_NONE;
	for (size_t i = 0; i < count; i++)
		list[i]->left_out = i > 0 || !first->ended;
	return RC_OK;
}

/* ---- classify ---- */

void attempt_keep_answer(struct attempt *a, const struct http_answer *answer)
{
	a->transfer = *answer;
	a->transfer.body = arena_copy(&a->arena, answer->body);
	a->transfer.retry_after = arena_copy(&a->arena, answer->retry_after);
	a->transfer.rate_limit = arena_copy(&a->arena, answer->rate_limit);
	a->transfer.rate_remaining = arena_copy(&a->arena, answer->rate_remaining);
	a->transfer.rate_reset = arena_copy(&a->arena, answer->rate_reset);
	a->transfer.error = arena_copy(&a->arena, answer->error);
}

static enum outcome not_understood(const struct http_answer *t)
{
	if (t->status == 0)
		return t->sent ? OUTCOME_UNKNOWN : OUTCOME_TECHNICAL;
	return t->status / 100 == 2 ? OUTCOME_UNKNOWN : OUTCOME_CONFIGURATION;
}

static void end_answer(struct attempt *a, const struct pack_answer *p, int64_t now_ms)
{
	const struct http_answer *t = &a->transfer;
	end(a, p->outcome, p->detail.n ? p->detail : t->error);
	a->external_id = record_text(&a->arena, p->external_id, RECORD_TEXT_MAX);
	a->retry_after_ms = p->retry_at_ms > now_ms ? p->retry_at_ms - now_ms : p->retry_after_ms;
	a->stale = p->items;
	if (a->stale && a->system->sku.send_theirs)
		spell_all(a, a->system->name, STR_NONE, a->stale);
	a->cost = p->cost;
	a->parts = p->parts;
}

void attempt_classify(struct attempt *a, struct mediator *m, int64_t now_ms)
{
	const struct http_answer *t = &a->transfer;
	const struct pack *p = a->system->pack;
	struct pack_answer answer = {.outcome = OUTCOME_TECHNICAL};
	struct err e = ERR_NONE;
	enum rc rc;
	a->response_text = record_packed(&a->arena, record_answer(&a->arena, a->system, t));
	if (OP_IS_EVENT(a->head.operation)) {
		webhook_classify(a);
		return;
	}
	if (a->kind == ATTEMPT_LOOKUP) {
		if (t->status == 0) {
			end(a, OUTCOME_TECHNICAL, t->error);
			return;
		}
		rc = pack_classify_lookup(p, m, a->head.operation, a->delivery.delivery_id, t->status, t->body,
					  &a->arena, &a->found, &answer, &e);
		a->empty = rc == RC_OK && !a->found && answer.outcome == OUTCOME_DELIVERED;
	} else {
		rc = pack_classify_batch(p, m, a->head.operation, t->status, t->retry_after,
					 t->status ? t->body : t->error, t->sent, a->batch, &a->arena, &answer, &e);
	}
	/* Whether it may have arrived is known here and not left to a pack. */
	if (t->status == 0)
		answer.outcome = not_understood(t);
	if (rc == RC_OK) {
		end_answer(a, &answer, now_ms);
	} else {
		a->found = false;
		end_err(a, a->kind == ATTEMPT_LOOKUP ? OUTCOME_TECHNICAL : not_understood(t), &e);
	}
}
