/* Open orders in memory: making, finding, loading, writing, dropping. */
#include "orchestrate/order/book.h"

#include "base/mem.h"
#include "orchestrate/order/progress.h"
#include "orchestrate/order/steps.h"

static const struct {
	enum order_status status;
	const char *name;
} status_names[] = {
    {ORDER_CAPTURED, "captured"},
    {ORDER_ON_HOLD, "on_hold"},
    {ORDER_BACKORDERED, "backordered"},
    {ORDER_RESERVED, "reserved"},
    {ORDER_ACCEPTED, "accepted"},
    {ORDER_RELEASED, "released"},
    {ORDER_PARTIALLY_SHIPPED, "partially_shipped"},
    {ORDER_SHIPPED, "shipped"},
    {ORDER_INVOICED, "invoiced"},
    {ORDER_CLOSED_STATUS, "closed"},
    {ORDER_CANCELLED, "cancelled"},
    {ORDER_REJECTED, "rejected"},
};

const char *order_status_name(enum order_status s)
{
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++)
		if (status_names[i].status == s)
			return status_names[i].name;
	return "invalid";
}

bool order_status_parse(struct str name, enum order_status *out)
{
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++) {
		if (str_is(name, status_names[i].name)) {
			*out = status_names[i].status;
			return true;
		}
	}
	return false;
}

struct order_book *order_book_new(const struct config_tenant *tenant, struct stock *stock, size_t max)
{
	struct order_book *b = mem_zalloc(1, sizeof(*b));

	b->tenant = tenant;
	b->stock = stock;
	b->held.last = &b->held.first;
	b->awaiting.last = &b->awaiting.first;
	map_init(&b->orders, max);
	pool_init(&b->memory);
	b->counts_through = mem_zalloc(tenant->channel_count + 1, sizeof(*b->counts_through));
	return b;
}

static void free_order(struct order_book *b, struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++) {
		if (o->lines[i].allocation_count > 1)
			free(o->lines[i].allocations);
		if (o->lines[i].parts != &o->lines[i].part)
			free(o->lines[i].parts);
	}
	free((char *)o->external.id.p);
	free((char *)o->untold.p);
	free(o->await);
	pool_free(&b->memory, o, o->bytes);
}

void order_book_free(struct order_book *b)
{
	size_t at = 0;
	struct order_open *o;

	if (!b)
		return;
	while ((o = map_next(&b->orders, &at, NULL)))
		free_order(b, o);
	pool_done(&b->memory);
	allocate_list_free(&b->parts);
	free(b->needs);
	free(b->components);
	free(b->woken);
	map_done(&b->orders);
	for (size_t i = 0; i < b->tenant->channel_count; i++)
		free((char *)b->counts_through[i].p);
	free(b->counts_through);
	free(b);
}

struct order_open *order_find(const struct order_book *b, struct str order_id)
{
	return map_get(&b->orders, order_id);
}

/* An order is one piece of memory: itself, its lines, an allocation for each, its texts. The caller's slices are copied
 * to it one by one. */
static struct str put_text(char **at, struct str s)
{
	char *p = *at;

	if (s.n)
		memcpy(p, s.p, s.n);
	*at += s.n;
	return (struct str){p, s.n};
}

struct order_open *order_make(struct order_book *b, const struct order_texts *t)
{
	struct order_open *o;
	struct allocation *first;
	size_t bytes = t->order_id.n + t->external_id.n + t->correlation_id.n + t->customer.n + t->currency.n +
		       t->country.n + t->postal_code.n;
	char *at;

	for (size_t i = 0; i < t->line_count; i++)
		bytes += t->line_ids[i].n + t->skus[i].n;
	bytes += sizeof(*o) + t->line_count * (sizeof(*o->lines) + sizeof(*first));
	o = pool_alloc(&b->memory, bytes);
	o->bytes = bytes;
	o->lines = (struct order_line_open *)(o + 1);
	first = (struct allocation *)(o->lines + t->line_count);
	at = (char *)(first + t->line_count);
	o->order_id = put_text(&at, t->order_id);
	o->external_id = put_text(&at, t->external_id);
	o->correlation_id = put_text(&at, t->correlation_id);
	o->customer = put_text(&at, t->customer);
	o->currency = put_text(&at, t->currency);
	o->country = put_text(&at, t->country);
	o->postal_code = put_text(&at, t->postal_code);
	o->line_count = (uint32_t)t->line_count;
	for (size_t i = 0; i < t->line_count; i++) {
		o->lines[i].order = o;
		o->lines[i].allocations = &first[i];
		o->lines[i].parts = &o->lines[i].part;
		o->lines[i].line_id = put_text(&at, t->line_ids[i]);
		o->lines[i].sku = put_text(&at, t->skus[i]);
		o->lines[i].item = stock_find(b->stock, o->lines[i].sku);
	}
	if (map_put(&b->orders, o->order_id, o) != RC_OK) {
		free_order(b, o);
		return NULL;
	}
	return o;
}

void order_changed(struct order_book *b, struct order_open *o)
{
	if (o->changed)
		return;
	o->changed = true;
	o->next_changed = b->changed;
	b->changed = o;
}

struct allocation *order_allocation(struct order_line_open *l, struct stock_place *p)
{
	for (uint32_t i = 0; i < l->allocation_count; i++)
		if (l->allocations[i].place == p)
			return &l->allocations[i];
	if (l->allocation_count == 1) { /* the first is the order's own memory */
		struct allocation *two = mem_alloc(2 * sizeof(*two));

		*two = l->allocations[0];
		l->allocations = two;
	} else if (l->allocation_count > 1) {
		l->allocations = mem_grow(l->allocations, (l->allocation_count + 1) * sizeof(*l->allocations));
	}
	l->allocations[l->allocation_count] = (struct allocation){.place = p};
	return &l->allocations[l->allocation_count++];
}

void order_hold(struct order_book *b, struct order_open *o)
{
	struct order_list *list = o->await ? &b->awaiting : &b->held;

	if (o->previous_held)
		return;
	o->next_held = NULL;
	o->previous_held = list->last;
	*list->last = o;
	list->last = &o->next_held;
}

void order_unhold(struct order_book *b, struct order_open *o)
{
	if (!o->previous_held)
		return;
	*o->previous_held = o->next_held;
	if (o->next_held)
		o->next_held->previous_held = o->previous_held;
	else
		(o->await ? &b->awaiting : &b->held)->last = o->previous_held;
	o->previous_held = NULL;
	o->next_held = NULL;
	free(o->await);
	o->await = NULL;
}

void order_set_await(struct order_open *o, int64_t exception, struct str exception_id)
{
	struct order_await *w = mem_zalloc(1, sizeof(*w) + exception_id.n);

	if (exception_id.n)
		memcpy(w->text, exception_id.p, exception_id.n);
	w->exception = exception;
	w->exception_id = (struct str){w->text, exception_id.n};
	free(o->await);
	o->await = w;
}

void order_set_untold(struct order_open *o, struct str consigned)
{
	char *text = consigned.n ? mem_alloc(consigned.n) : NULL;

	if (text)
		memcpy(text, consigned.p, consigned.n);
	free((char *)o->untold.p);
	o->untold = text ? (struct str){text, consigned.n} : STR_NONE;
}

void order_note_external(struct order_book *b, uint16_t channel, struct str external_id)
{
	struct str *s = &b->counts_through[channel];
	char *p = mem_grow((char *)s->p, external_id.n + 1);

	memcpy(p, external_id.p, external_id.n);
	*s = (struct str){p, external_id.n};
}

/* ---- rows ---- */

/* A row for a new order; its state for one that has a row. */
static void write_row(struct order_book *b, struct txn *t, struct order_open *o, struct buf *scratch)
{
	struct str progress;

	buf_reset(scratch);
	order_progress_write(scratch, b, o);
	progress = txn_text(t, scratch);
	if (o->fresh)
		txn_put(t, W_ORDER, SV_INT(o->seq), SV_TEXT(o->order_id), SV_TEXT(b->tenant->channels[o->channel].name),
			SV_TEXT(o->external_id), SV_INT(o->status), SV_INT(o->stage_since), SV_INT(o->placed_at),
			SV_TEXT(o->currency), SV_TEXT_OPT(o->customer), SV_TEXT(o->correlation_id), SV_INT(o->document),
			SV_TEXT(progress));
	else
		txn_put(t, W_ORDER_STATE, SV_INT(o->seq), SV_INT(o->status), SV_INT(o->stage_since), SV_TEXT(progress));
	o->fresh = false;
}

void order_flush(struct order_book *b, struct txn *t)
{
	struct buf scratch;

	buf_init(&scratch, 8u << 20);
	for (struct order_open *o = b->changed; o; o = o->next_changed)
		write_row(b, t, o, &scratch);
	buf_done(&scratch);
}

void order_committed(struct order_book *b)
{
	while (b->changed) {
		struct order_open *o = b->changed;

		b->changed = o->next_changed;
		o->changed = false;
		if (o->status < ORDER_CLOSED)
			continue;
		map_remove(&b->orders, o->order_id);
		free_order(b, o);
	}
}

static qty_t get_qty(const struct json *j, const char *name)
{
	struct str text = json_get_text(j, name);
	qty_t q = 0;

	return text.n && qty_parse(text, &q, NULL) == RC_OK ? q : 0;
}

static bool load_allocations(struct order_book *b, struct order_line_open *l, const struct json *list)
{
	for (uint32_t i = 0; list && i < list->count; i++) {
		const struct json *j = &list->items[i];
		struct str name = json_get_text(j, "location"), lot = json_get_text(j, "lot");
		struct str sku = json_get_text(j, "sku"), owner = json_get_text(j, "owner");
		const struct config_location *location = config_find_location(b->tenant, name);
		const struct stock_item *item = sku.n ? stock_find(b->stock, sku) : l->item;
		struct stock_place *p = item && location ? stock_place_find(item, location->index, lot, owner) : NULL;
		struct allocation *a;

		if (!p)
			return false;
		a = order_allocation(l, p);
		a->picked = get_qty(j, "picked");
		a->allocated = get_qty(j, "quantity") - a->picked;
		a->released = get_qty(j, "released");
		p->order_picked += a->picked;
	}
	return true;
}

/* Components as they were stored; without any the line is its item. */
static bool load_parts(struct order_book *b, struct order_line_open *l, const struct json *list)
{
	if (!list) {
		if (l->item) {
			order_set_parts(l, 1);
			l->part = (struct order_part){.item = l->item, .per = QTY_ONE, .shipped = l->shipped};
		}
		return true;
	}
	order_set_parts(l, list->count);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct json *j = &list->items[i];
		struct order_part *p = &l->parts[i];

		*p = (struct order_part){.item = stock_find(b->stock, json_get_text(j, "sku")),
					 .per = get_qty(j, "quantity"),
					 .shipped = get_qty(j, "shipped")};
		if (!p->item || p->per <= 0)
			return false;
	}
	order_note_kit(l);
	return true;
}

static bool load_lines(struct order_book *b, struct order_open *o, const struct json *lines)
{
	for (uint32_t i = 0; i < lines->count; i++) {
		const struct json *j = &lines->items[i];
		struct order_line_open *l = &o->lines[i];

		l->ordered = get_qty(j, "ordered");
		l->backordered = get_qty(j, "backordered");
		l->shipped = get_qty(j, "shipped");
		l->cancelled = get_qty(j, "cancelled");
		l->told = l->shipped;
		l->substitute = stock_find(b->stock, json_get_text(j, "substitute"));
		if (!load_parts(b, l, json_get(j, "components")) || !load_allocations(b, l, json_get(j, "allocations")))
			return false;
		if (l->backordered > 0)
			order_wait(b, l);
	}
	return true;
}

static void load_external(struct order_book *b, struct order_open *o, const struct json *ids)
{
	if (!json_is(ids, JSON_OBJECT) || ids->count == 0)
		return;
	for (size_t i = 0; i < b->tenant->system_count; i++) {
		if (!str_eq(b->tenant->systems[i].name, ids->members[0].name))
			continue;
		order_set_external(o, (uint16_t)i, json_text(&ids->members[0].value));
	}
}

void order_set_external(struct order_open *o, uint16_t system, struct str id)
{
	char *p = mem_alloc(id.n + 1);

	if (id.n)
		memcpy(p, id.p, id.n);
	free((char *)o->external.id.p);
	o->external = (struct order_external){system, {p, id.n}};
}

static enum rc damaged(struct str order_id, struct err *e)
{
	return err_set(e, RC_IO, "store_damaged", "the progress of order " STR_FMT " is damaged", STR_ARG(order_id));
}

static void load_await(struct order_open *o, const struct json *await)
{
	int64_t exception;

	if (o->status == ORDER_ON_HOLD && json_is(await, JSON_ARRAY) && await->count == 2 &&
	    json_int(&await->items[0], &exception))
		order_set_await(o, exception, json_text(&await->items[1]));
}

static void load_untold(struct order_open *o, const struct json *consigned)
{
	struct json_writer w;
	struct buf text;

	if (!consigned || !consigned->count)
		return;
	buf_init(&text, 16u << 20);
	jw_init(&w, &text);
	jw_value(&w, consigned);
	order_set_untold(o, (struct str){buf_str(&text).p + 1, buf_str(&text).n - 2});
	buf_done(&text);
}

static bool find_channel(const struct order_book *b, struct str name, uint16_t *index)
{
	for (size_t i = 0; i < b->tenant->channel_count; i++) {
		if (str_eq(b->tenant->channels[i].name, name)) {
			*index = (uint16_t)i;
			return true;
		}
	}
	return false;
}

static bool items_known(const struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++)
		if (!o->lines[i].item)
			return false;
	return true;
}

static bool has_erp(const struct config_tenant *tenant)
{
	for (size_t i = 0; i < tenant->system_count; i++)
		if (system_can(&tenant->systems[i], ROLE_ERP, OP_ORDER_POST))
			return true;
	return false;
}

enum rc order_load(struct order_book *b, const struct store_value *row, struct err *e)
{
	struct arena a;
	struct json *progress;
	const struct json *lines;
	struct order_texts texts = {
	    .order_id = row[1].bytes,
	    .external_id = row[3].bytes,
	    .currency = row[7].bytes,
	    .customer = row[8].bytes,
	    .correlation_id = row[9].bytes,
	};
	struct order_open *o;
	uint16_t channel;
	enum rc rc;

	if (!find_channel(b, row[2].bytes, &channel))
		return err_set(e, RC_CONFLICT, "channel_missing",
			       "channel " STR_FMT " of tenant " STR_FMT
			       " has open orders, but is not in the configuration",
			       STR_ARG(row[2].bytes), STR_ARG(b->tenant->name));
	arena_init(&a, 64u << 20);
	rc = order_progress_read(&a, row[11].bytes, &progress, e);
	if (rc != RC_OK)
		goto done;
	lines = json_get(progress, "lines");
	texts.country = json_get_text(json_get(progress, "ship_to"), "country");
	texts.postal_code = json_get_text(json_get(progress, "ship_to"), "postal_code");
	texts.line_count = lines->count;
	texts.line_ids = arena_array(&a, struct str, lines->count);
	texts.skus = arena_array(&a, struct str, lines->count);
	for (uint32_t i = 0; i < lines->count; i++) {
		texts.line_ids[i] = json_get_text(&lines->items[i], "line_id");
		texts.skus[i] = json_get_text(&lines->items[i], "sku");
	}
	o = order_make(b, &texts);
	if (!o) {
		rc =
		    err_set(e, RC_LIMIT, "too_many_orders", "the limit on open orders (limits.open_orders) is reached");
		goto done;
	}
	o->seq = row[0].integer;
	o->channel = channel;
	o->status = (enum order_status)row[4].integer;
	o->stage_since = row[5].integer;
	o->placed_at = row[6].integer;
	o->document = row[10].integer;
	if (!load_lines(b, o, lines)) {
		rc = damaged(row[1].bytes, e);
		goto done;
	}
	load_external(b, o, json_get(progress, "external_ids"));
	/* What was shipped before the ERP answered was not accepted by it. */
	o->posted = o->status >= ORDER_ACCEPTED &&
		    (o->status < ORDER_PARTIALLY_SHIPPED || o->external.id.p || !has_erp(b->tenant));
	/* An order that the ERP refused is on hold as well, but its items are known. */
	load_await(o, json_get(progress, "await"));
	load_untold(o, json_get(progress, "consigned"));
	if (o->status == ORDER_ON_HOLD && (o->await || !items_known(o)))
		order_hold(b, o);
	order_note_external(b, channel, o->external_id);
done:
	arena_done(&a);
	return rc;
}
