/* What a run reads: their pages, through the connector or as they are given; our movements, from the log. */
#include "connect/reconcile_run.h"

#include "base/mem.h"
#include "connect/headers.h"
#include "hub/query.h"
#include "orchestrate/stock/entry.h"
#include "orchestrate/stock/item.h"

#include <stdio.h>

#define PAGE_BYTES_MAX  (8u << 20)
#define PAGE_ARENA_MAX  ((size_t)256 << 20)
#define PAGE_TIMEOUT_MS 60000
#define CONNECT_MS      5000
#define RETRY_FIRST_MS  1000
#define RETRY_LAST_MS   60000
#define SKUS_AT_ONCE    1000
#define MOVEMENTS_SLICE 2000
/* By so much their clock may be ahead of ours: what was booked before their instant may have happened after it. */
#define CLOCKS_DIFFER_MS 60000

static const struct json_limits page_limits = {.bytes = PAGE_BYTES_MAX, .depth = 16, .nodes = 1000000};

static enum operation operation_of(const struct run *run)
{
	return run->channel ? OP_AVAILABILITY_SHOWN : OP_STOCK_BALANCES;
}

/* ---- our movements ---- */

struct entries {
	struct run *run;
	struct reconcile_change change;
	bool history;
	enum rc rc;
};

static void note_change(struct entries *e, struct str location, qty_t delta)
{
	e->change.location = location;
	e->change.delta = delta;
	if (e->rc == RC_OK)
		e->rc = e->history ? reconcile_history(e->run->compare, &e->change)
				   : reconcile_moved(e->run->compare, &e->change);
}

static enum rc take_entry(void *ctx, const struct entry *in)
{
	struct entries *e = ctx;
	bool from = stock_state_on_hand(in->from), to = stock_state_on_hand(in->to);

	e->change.sku = in->sku;
	e->change.lot = in->lot;
	if (from && !(to && !in->to_location.n))
		note_change(e, in->location, -in->quantity);
	if (to && !(from && !in->to_location.n))
		note_change(e, in->to_location.n ? in->to_location : in->location, in->quantity);
	return e->rc;
}

struct movements {
	struct run *run;
	bool history, past;
	int64_t last, until; /* older ones are left alone: the first of them is past */
	uint32_t rows;
	enum rc rc;
};

static enum rc take_movement(void *ctx, const struct store_value *row, size_t count)
{
	struct movements *m = ctx;
	struct entries e = {.run = m->run, .history = m->history};
	(void)count;
	if (row[1].integer < m->until) {
		m->past = true;
		return RC_CONFLICT;
	}
	m->rows++;
	m->last = row[0].integer;
	e.change.type = row[2].bytes;
	e.change.occurred_at = row[3].integer;
	e.change.event_id = row[4].bytes;
	m->rc = entries_each(row[5].bytes, take_entry, &e);
	return m->rc;
}

static enum rc read_movements(struct run *run, enum store_statement s, struct movements *m, int64_t from,
			      uint32_t limit, struct err *e)
{
	const struct store_value args[] = {SV_INT(from), SV_INT(limit)};
	struct store_reader *reader;
	enum rc rc = reconciler_reader(run->owner, run->hub_index, &reader, e);

	m->rows = 0;
	if (rc == RC_OK)
		rc = store_read(reader, s, args, 2, take_movement, m, e);
	if (m->rc != RC_OK)
		return err_set(e, m->rc, "too_many_movements", "There are more movements than a run can keep.");
	return m->past ? RC_OK : rc;
}

enum rc run_movements_newer(struct run *run, struct err *e)
{
	struct movements m = {.run = run, .until = INT64_MIN};
	enum rc rc;
	do {
		rc = read_movements(run, R_MOVEMENTS_NEWER, &m, run->newest, MOVEMENTS_SLICE, e);
		run->newest = m.rows ? m.last : run->newest;
	} while (rc == RC_OK && m.rows == MOVEMENTS_SLICE);
	return rc;
}

enum rc run_movements_older(struct run *run, int64_t until, bool history, uint32_t rows, bool *done, struct err *e)
{
	int64_t *from = history ? &run->looked_back : &run->oldest;
	struct movements m = {.run = run, .history = history, .until = until};
	enum rc rc = read_movements(run, R_MOVEMENTS_OLDER, &m, *from + 1, rows, e);

	if (m.rows)
		*from = m.last - 1;
	*done = m.past || m.rows < rows;
	return rc;
}

/* What was booked before the run began and is newer than their instant. */
static enum rc back_to(struct run *run, int64_t as_of, struct err *e)
{
	bool done = false;
	enum rc rc = RC_OK;
	if (run->as_of && as_of >= run->as_of)
		return RC_OK;
	run->as_of = as_of;
	while (!done && rc == RC_OK)
		rc = run_movements_older(run, as_of - CLOCKS_DIFFER_MS, false, MOVEMENTS_SLICE, &done, e);
	return rc;
}

/* ---- comparing a page ---- */

struct stock_item_now {
	struct run *run;
	struct reconcile_balance balance;
	enum rc rc;
};

static void compare_stock(void *ctx, const struct stock_position *positions, size_t count)
{
	static const struct stock_position none[1];
	struct stock_item_now *now = ctx;
	now->rc = reconcile_balance(now->run->compare, &now->balance, count ? positions : none, count);
}

static enum rc compare_balance(struct run *run, struct str sku, const struct json *item, int64_t as_of)
{
	struct stock_item_now now = {.run = run,
				     .balance = {.sku = sku,
						 .location = json_get_text(item, "location"),
						 .lot = json_get_text(item, "lot"),
						 .unit = json_get_text(item, "uom"),
						 .as_of = as_of}};
	if (qty_parse(json_get_text(item, "quantity"), &now.balance.quantity, NULL) != RC_OK)
		return RC_INVALID;
	if (stock_view_read(hub_stock(run->hub), sku, compare_stock, &now) == RC_NOT_FOUND)
		now.rc = reconcile_balance(run->compare, &now.balance, NULL, 0);
	return now.rc;
}

/* The numbers that a channel should show, as GET /v1/availability tells them. */
static enum rc should_show(struct run *run, struct str *skus, size_t count, const struct json **items, struct err *e)
{
	struct store_reader *reader;
	struct json *answer;
	struct buf text;
	enum rc rc = reconciler_reader(run->owner, run->hub_index, &reader, e);
	if (rc != RC_OK)
		return rc;
	struct query q = {run->hub, reader, &run->arena};
	buf_init(&text, PAGE_BYTES_MAX);
	rc = query_availability(&q, run->system->name, skus, count, &text, e);
	if (rc == RC_OK)
		rc = json_parse(&run->arena, buf_str(&text), &page_limits, &answer, e);
	buf_done(&text);
	*items = rc == RC_OK ? json_get(answer, "items") : NULL;
	return rc == RC_OK && (!json_is(*items, JSON_ARRAY) || (*items)->count != count)
		   ? err_set(e, RC_IO, "internal", "Availability does not answer what was asked.")
		   : rc;
}

/* Ours, of what the system calls it; a name that says no item is compared as it is. */
static struct str our_sku(struct run *run, const struct json *item)
{
	const struct config_tenant *t = hub_tenant(run->hub);
	struct str sku = sku_apply_case(&run->arena, json_get_text(item, "sku"), t->sku_case), own;
	struct err e = ERR_NONE;
	return item_resolve_view(hub_stock(run->hub), t, &run->arena, run->system->name, sku, &own, &e) == RC_OK ? own
														 : sku;
}

static enum rc compare_shown(struct run *run, const struct json *items, uint32_t from, uint32_t count, int64_t as_of,
			     struct err *e)
{
	struct str skus[SKUS_AT_ONCE];
	const struct json *should;
	enum rc rc;
	for (uint32_t i = 0; i < count; i++)
		skus[i] = our_sku(run, &items->items[from + i]);
	rc = should_show(run, skus, count, &should, e);
	for (uint32_t i = 0; i < count && rc == RC_OK; i++) {
		struct str text = json_get_text(&items->items[from + i], "available");
		bool known = stock_view_has(hub_stock(run->hub), skus[i]);
		qty_t shown, ours = 0;
		if (qty_parse(text.n ? text : json_get_text(&items->items[from + i], "quantity"), &shown, NULL) !=
			RC_OK ||
		    qty_parse(json_get_text(&should->items[i], "available"), &ours, NULL) != RC_OK)
			return err_set(e, RC_INVALID, "bad_balance", "An item without its number: " STR_FMT ".",
				       STR_ARG(skus[i]));
		if (run->state == RUN_READING_AGAIN && !reconcile_find(run->compare, skus[i], STR_NONE, STR_NONE))
			continue;
		rc = reconcile_shown(run->compare, skus[i], shown, ours, known, as_of);
	}
	return rc;
}

static enum rc compare_page(struct run *run, const struct json *page, struct err *e)
{
	const struct json *items = json_get(page, "items");
	int64_t as_of;
	enum rc rc = time_parse(json_get_text(page, "as_of"), &as_of, e);

	if (rc == RC_OK && !run->channel)
		rc = back_to(run, as_of, e);
	if (rc == RC_OK && !run->channel)
		rc = run_movements_newer(run, e);
	run->latest = as_of > run->latest ? as_of : run->latest;
	for (uint32_t i = 0; rc == RC_OK && i < items->count;) {
		if (run->channel) {
			uint32_t n = items->count - i < SKUS_AT_ONCE ? items->count - i : SKUS_AT_ONCE;
			rc = compare_shown(run, items, i, n, as_of, e);
			i += n;
			continue;
		}
		struct str sku = our_sku(run, &items->items[i]);
		rc = compare_balance(run, sku, &items->items[i], as_of);
		if (rc == RC_INVALID)
			return err_set(e, rc, "bad_balance", "An item without its quantity: " STR_FMT ".",
				       STR_ARG(sku));
		i++;
	}
	if (rc == RC_LIMIT)
		return err_set(
		    e, rc, "too_many_differences",
		    "There are more than %d differences: this is no drift, the two do not speak of the same.",
		    RECONCILE_CANDIDATES_MAX);
	return rc;
}

static void valid_page(const struct run *run, struct arena *a, const struct json *page, struct err *e)
{
	const struct schema *schema = schema_find(hub_config(run->hub)->schemas, "stock-balances", 1);
	struct findings f;
	findings_init(&f, a);
	if (!schema)
		err_set(e, RC_INVALID, "no_schema", "schemas/stock-balances/v1.json is missing.");
	else if (schema_validate(schema, page, SCHEMA_STRICT, &f, NULL) != RC_OK)
		err_set(e, RC_INVALID, "bad_page", "The page is not one of balances: %s %s", f.list[0].pointer,
			f.list[0].detail);
}

/* ---- reading from the system ---- */

static void page_forget(struct run *run)
{
	run->answered = false;
	arena_done(&run->arena);
	arena_init(&run->arena, PAGE_ARENA_MAX);
}

static void on_answer(void *ctx, const struct http_answer *a)
{
	struct run *run = ctx;
	run->transfer = NULL;
	run->answered = true;
	run->answer = *a;
	run->answer.body = arena_copy(&run->arena, a->body);
	run->answer.error = arena_copy(&run->arena, a->error);
	run->answer.retry_after = arena_copy(&run->arena, a->retry_after);
	run->next_at = 0;
}

static struct json text_value(struct str s)
{
	return (struct json){.type = JSON_STRING, .count = (uint32_t)s.n, .text = s.p ? s.p : ""};
}

/* What the pack's mapping is given: as a delivery's, with the page that is wanted as params. */
static const struct json *page_input(struct run *run)
{
	static const struct json no_settings = {.type = JSON_OBJECT};
	struct json_member *m = arena_array(&run->arena, struct json_member, 8);
	struct json *input = arena_new(&run->arena, struct json);
	char *limit = arena_printf(&run->arena, "%d", RECONCILE_PAGE);
	if (!m || !input || !limit)
		return NULL;
	m[6] =
	    (struct json_member){STR("limit"), {.type = JSON_NUMBER, .count = (uint32_t)strlen(limit), .text = limit}};
	m[7] = (struct json_member){STR("cursor"), text_value(arena_copy(&run->arena, str_from(run->cursor)))};
	m[0] = (struct json_member){STR("delivery_id"), text_value(str_from(run->id))};
	m[1] = (struct json_member){STR("operation"), text_value(str_from(operation_name(operation_of(run))))};
	m[2] = (struct json_member){STR("system"), text_value(run->system->name)};
	m[3] = (struct json_member){STR("settings"), run->system->settings ? *run->system->settings : no_settings};
	m[4] = (struct json_member){STR("correlation_id"), text_value(str_from(run->correlation_id))};
	m[5] = (struct json_member){STR("params"),
				    {.type = JSON_OBJECT, .count = run->cursor[0] ? 2 : 1, .members = &m[6]}};
	*input = (struct json){.type = JSON_OBJECT, .count = 6, .members = m};
	return input;
}

static enum rc page_ask(struct run *run, struct err *e)
{
	struct reconciler *r = run->owner;
	const struct json *input = page_input(run);
	struct pack_request p;
	struct http_header *headers;
	struct http_request request;
	struct header_facts facts = {.delivery_id = str_from(run->id),
				     .correlation_id = str_from(run->correlation_id),
				     .bearer = run->system->bearer,
				     .secret = run->system->secret,
				     .now_ms = r->now};
	if (!input)
		return err_set(e, RC_LIMIT, "request_too_large", "The request does not fit into memory.");
	enum rc rc = pack_render(run->system->pack, r->mediator, operation_of(run), input, &run->arena, &p, e);
	if (rc != RC_OK)
		return rc;
	int64_t timeout = run->system->pack->operations[operation_of(run)].timeout_ms;
	request = (struct http_request){.method = p.method,
					.url = url_join(&run->arena, run->system->url, p.path),
					.body = p.body,
					.timeout_ms = timeout ? timeout : PAGE_TIMEOUT_MS,
					.connect_timeout_ms = CONNECT_MS};
	rc = headers_build(&run->arena, &facts, &p, &headers, &request.header_count);
	request.headers = headers;
	struct http_transfer *transfer = NULL;
	if (rc == RC_OK)
		rc = http_start(r->http, &request, on_answer, run, &transfer, e);
	run->transfer = transfer;
	return rc;
}

static int64_t try_again(struct run *run, int64_t after_ms, struct str why)
{
	if (++run->tries >= RECONCILE_TRIES_MAX) {
		run_fail(run, "The system does not answer: " STR_FMT, STR_ARG(why));
		return 0;
	}
	int64_t wait = (int64_t)RETRY_FIRST_MS << (run->tries < 7 ? run->tries - 1 : 6);
	wait = wait < RETRY_LAST_MS ? wait : RETRY_LAST_MS;
	page_forget(run);
	return run->next_at = run->owner->now + (after_ms > wait ? after_ms : wait);
}

/* The page is whole: compares it, and notes where the next one is. */
static int64_t page_take(struct run *run, const struct json *page)
{
	struct err e = ERR_NONE;
	struct str next = json_get_text(page, "next_cursor");
	valid_page(run, &run->arena, page, &e);
	enum rc rc = e.code[0] ? RC_INVALID : compare_page(run, page, &e);
	if (rc == RC_OK && (next.n >= sizeof(run->cursor) || ++run->pages > RECONCILE_PAGES_MAX))
		rc = err_set(&e, RC_LIMIT, "too_many_pages", "The pages do not end, or a cursor is too long.");
	if (rc != RC_OK) {
		run_fail(run, "%s", e.detail);
		return 0;
	}
	memcpy(run->cursor, next.p ? next.p : "", next.n);
	run->cursor[next.n] = '\0';
	run->tries = 0;
	page_forget(run);
	return next.n ? 0 : INT64_MAX;
}

static int64_t page_answered(struct run *run)
{
	const struct http_answer *t = &run->answer;
	struct pack_answer answer;
	struct err e = ERR_NONE;
	enum rc rc = pack_classify(run->system->pack, run->owner->mediator, operation_of(run), t->status,
				   t->retry_after, t->status ? t->body : t->error, t->sent, &run->arena, &answer, &e);
	if (rc != RC_OK) {
		run_fail(run, "The answer is not understood: %s", e.detail);
		return 0;
	}
	switch (answer.outcome) {
	case OUTCOME_DELIVERED:
		break;
	case OUTCOME_THROTTLED:
	case OUTCOME_TECHNICAL:
	case OUTCOME_UNKNOWN: /* it only reads: it may be asked again */
		return try_again(run, answer.retry_after_ms, answer.detail.n ? answer.detail : t->error);
	case OUTCOME_REFUSED:
	case OUTCOME_CONFIGURATION:
	case OUTCOME_UNAUTHORIZED:
	case OUTCOMES:
		run_fail(run, "The system answers %d (%s). " STR_FMT, t->status, outcome_name(answer.outcome),
			 STR_ARG(answer.detail));
		return 0;
	}
	if (!answer.page || t->truncated) {
		run_fail(run, "The answer holds no page of balances.");
		return 0;
	}
	return page_take(run, answer.page);
}

/* ---- pages that are given ---- */

static int64_t take_given(struct run *run)
{
	struct reconciler *r = run->owner;
	pthread_mutex_lock(&r->lock);
	struct given_page *p = run->given_first;
	bool all = run->given_all;
	int64_t idle = r->now - run->given_at;
	if (p) {
		run->given_first = p->next;
		run->given_last = p->next ? run->given_last : NULL;
		run->given_count--;
	}
	pthread_mutex_unlock(&r->lock);
	if (!p && idle > RECONCILE_IDLE_MS)
		run_fail(run, "The balances stopped coming.");
	if (!p)
		return all ? INT64_MAX : 0;
	struct err e = ERR_NONE;
	enum rc rc = compare_page(run, p->page, &e);
	if (rc != RC_OK)
		run_fail(run, "%s", e.detail);
	arena_done(&p->arena);
	free(p);
	page_forget(run);
	return 1;
}

/* 0: to be looked at again at next_at or when something has happened; 1: at once; INT64_MAX: all pages were compared.
 */
int64_t run_read(struct run *run)
{
	struct err e = ERR_NONE;
	if (run->given)
		return take_given(run);
	if (run->answered) {
		int64_t next = page_answered(run);
		if (next == INT64_MAX)
			return next;
		return run->state == RUN_ENDING || run->next_at > run->owner->now ? 0 : 1;
	}
	if (!run->transfer && page_ask(run, &e) != RC_OK)
		run_fail(run, "%s", e.detail);
	return 0;
}
