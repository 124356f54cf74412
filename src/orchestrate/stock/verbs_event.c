/* Who is told of a movement: the log, the ERP, and (of consigned stock) its owner. */
#include "orchestrate/stock/verbs_internal.h"

/* What became of consigned stock, so that its owner can be told and paid. */
static enum rc write_consigned(void *ctx, const struct entry *e)
{
	struct json_writer *w = ctx;

	if (!e->owner.n || e->from == e->to)
		return RC_OK;
	jw_object(w);
	jw_key_text(w, "sku", e->sku);
	jw_key_text(w, "location", e->location);
	jw_opt_text(w, "lot", e->lot);
	jw_key_text(w, "owner", e->owner);
	jw_key_text(w, "from", str_from(stock_state_name(e->from)));
	jw_key_text(w, "to", str_from(stock_state_name(e->to)));
	jw_key_qty(w, "quantity", e->quantity);
	jw_object_end(w);
	return RC_OK;
}

static struct str consigned_text(struct stock_draft *d)
{
	struct json_writer w;
	struct str out;
	struct buf data;

	if (!d->consigned)
		return STR_NONE;
	buf_init(&data, 1u << 20);
	jw_init(&w, &data);
	jw_array(&w);
	if (entries_each(buf_str(&d->entries), write_consigned, &w) != RC_OK)
		d->txn->failed = true;
	jw_array_end(&w);
	out = txn_text(d->txn, &data);
	buf_done(&data);
	return out;
}

static void write_line(struct json_writer *w, const struct movement_line *l)
{
	jw_object(w);
	if (l->of_line)
		jw_key_int(w, "line", l->of_line);
	jw_key_text(w, "sku", l->sku);
	jw_key_text(w, "location", l->location);
	jw_opt_text(w, "lot", l->lot);
	jw_opt_text(w, "owner", l->owner);
	jw_opt_text(w, "to_location", l->to_location);
	if (l->serials) {
		jw_key(w, "serials");
		jw_value(w, l->serials);
	}
	jw_key_qty(w, "quantity", l->quantity);
	jw_object_end(w);
}

static struct str event_text(struct stock_draft *d, const struct movement *m, struct str consigned, bool stale)
{
	struct json_writer w;
	struct str out;
	struct buf data;

	buf_init(&data, 1u << 20);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "movement_id", d->movement_id);
	jw_key_text(&w, "type", str_from(movement_type_name(m->type)));
	jw_key_text(&w, "source", m->source);
	jw_key_text(&w, "source_event_id", m->source_event_id);
	jw_key_time(&w, "occurred_at", m->occurred_at);
	jw_opt_text(&w, "order_id", m->order_id);
	jw_opt_text(&w, "purchase_order_id", m->purchase_order_id);
	jw_opt_text(&w, "transfer_id", m->transfer_id);
	jw_opt_text(&w, "return_id", m->return_id);
	jw_opt_text(&w, "reverses", m->reverses);
	jw_opt_text(&w, "reason", m->reason);
	if (stale)
		jw_key_bool(&w, "stale", true);
	jw_key(&w, "lines");
	jw_array(&w);
	for (size_t i = 0; i < m->line_count; i++)
		write_line(&w, &m->lines[i]);
	jw_array_end(&w);
	if (consigned.n) {
		jw_key(&w, "consigned");
		jw_raw(&w, consigned);
	}
	jw_object_end(&w);
	out = txn_text(d->txn, &data);
	buf_done(&data);
	return out;
}

static void tell_erp(struct stock_draft *d, const struct movement *m, struct str json, int64_t event)
{
	struct txn *t = d->txn;

	for (size_t i = 0; i < d->stock->tenant->system_count; i++) {
		const struct config_system *s = &d->stock->tenant->systems[i];
		char *params;

		if (!(s->roles & ROLE_ERP) || !s->pack->operations[OP_STOCK_TRANSACTIONS].present ||
		    str_eq(s->name, m->source))
			continue;
		params = arena_printf(t->arena, "{\"items\":[" STR_FMT "]}", STR_ARG(json));
		txn_delivery(t, &(struct txn_delivery){
				    .system = s->name,
				    .system_index = s->index,
				    .operation = OP_STOCK_TRANSACTIONS,
				    .priority = config_operation(s, OP_STOCK_TRANSACTIONS)->priority,
				    .key = STR("stock"),
				    .event = event,
				    .params = str_from(params),
				});
	}
}

struct str verbs_event(struct stock_draft *d, const struct movement *m, bool stale)
{
	struct str consigned = consigned_text(d), json = event_text(d, m, consigned, stale);
	int64_t event = txn_event(d->txn, "stock.moved", d->movement_id, 0, json);

	/* The ERP is told of everything but the shipment of an order, which it hears of as a shipment. */
	if (!stale && m->type != MOVE_PICK && !(m->type == MOVE_SHIP && m->order_id.n))
		tell_erp(d, m, json, event);
	return consigned;
}
