/* What a call says, as the command that the hub gets; and the mutations that stand between the two. */
#include "simulate/world.h"

#include "base/compress.h"
#include "base/hash.h"
#include "connect/canonical.h"

static const struct hash_key request_key = {"a-request-of-sim"};

struct command *request_canonical(struct world *w, const char *type, struct str source, const struct json *document,
				  int64_t message_seq)
{
	const struct canonical_origin origin = {.tenant = w->tenant,
						.source = source,
						.correlation_id = STR("c-sim"),
						.message_seq = message_seq,
						.items = 1};
	struct command *c = NULL;
	struct err err = ERR_NONE;

	if (canonical_command(&origin, str_from(type), document, &c, &err) != RC_OK)
		world_break(w, "a %s cannot be made a command: %s", type, err.detail);
	return c;
}

static struct command *make_hold(const struct call *call, const struct json *document)
{
	struct command *c = command_new(COMMAND_HOLD);
	struct findings f;

	findings_init(&f, &c->arena);
	if (!command_holds(c, 1, false) ||
	    hold_request_read(&c->arena, document, SKU_AS_IS, "", &c->holds.items[0].request, &f) != RC_OK) {
		command_free(c);
		return NULL;
	}
	c->fingerprint = hash64(&request_key, call->document);
	c->holds.items[0].fingerprint = c->fingerprint;
	return c;
}

static struct command *make_target(const struct call *call, enum command_type type, struct str target)
{
	struct command *c = command_new(type);

	c->target = arena_copy(&c->arena, target);
	c->fingerprint = hash64(&request_key, call->document);
	return c;
}

static struct command *make_commit(const struct call *call, const struct json *doc)
{
	struct command *c = make_target(call, COMMAND_HOLD_COMMIT, json_get_text(doc, "reservation"));
	struct findings f;

	findings_init(&f, &c->arena);
	c->order_id = arena_copy(&c->arena, json_get_text(doc, "order_id"));
	if (!json_get(doc, "lines") || hold_commit_read(&c->arena, doc, SKU_AS_IS, &c->hold_commit, &f) == RC_OK)
		return c;
	command_free(c);
	return NULL;
}

static struct command *make_fences(struct world *w, const struct json *doc)
{
	struct command *c = command_new(COMMAND_RING_FENCES);
	struct command_fence *f = arena_new(&c->arena, struct command_fence);

	f->sku = json_get_text(doc, "sku");
	f->channel = str_is(json_get_text(doc, "channel"), model_channels[1]);
	f->location = (uint16_t)model_place(json_get_text(doc, "location"));
	if (qty_parse(json_get_text(doc, "quantity"), &f->quantity, NULL) != RC_OK)
		world_break(w, "the simulation made a bad ring-fence");
	if (w->mutation == MUTATE_FENCE && f->quantity > QTY_ONE) {
		f->quantity -= QTY_ONE;
		w->mutated = true;
	}
	c->fences.items = f;
	c->fences.count = 1;
	return c;
}

static struct command *make_message(const struct call *call)
{
	struct command *c = command_new(COMMAND_MESSAGE_ACCEPT);

	c->message.endpoint = STR("order");
	c->message.natural_key = arena_copy(&c->arena, call->key);
	c->fingerprint = hash64(&request_key, call->document);
	if (compress(&c->arena, call->document, &c->message.payload) != RC_OK) {
		command_free(c);
		return NULL;
	}
	return c;
}

struct command *request_command(struct world *w, const struct call *call, const struct json *doc)
{
	struct command *c = NULL;

	switch (call->kind) {
	case CALL_ORDER:
		c = request_canonical(w, "order", call->source, doc, 0);
		break;
	case CALL_ORDER_MESSAGE:
		c = make_message(call);
		break;
	case CALL_CANCEL:
		c = make_target(call, COMMAND_ORDER_CANCEL, json_get_text(doc, "order_id"));
		break;
	case CALL_MOVEMENT:
		c = request_canonical(w, "stock-movement", call->source, doc, 0);
		break;
	case CALL_SHIPMENT:
		c = request_canonical(w, "shipment", call->source, doc, 0);
		break;
	case CALL_HOLD:
		c = make_hold(call, doc);
		break;
	case CALL_VOID:
		c = make_target(call, COMMAND_HOLD_VOID, json_get_text(doc, "reservation"));
		break;
	case CALL_COMMIT:
		c = make_commit(call, doc);
		break;
	case CALL_ITEM:
		c = request_canonical(w, "item", call->source, doc, 0);
		break;
	case CALL_FENCES:
		c = make_fences(w, doc);
		break;
	case CALL_SUBSCRIBE:
		c = command_new(COMMAND_SUBSCRIPTION_CREATE);
		c->subscription.url = STR("https://hook.invalid/events");
		c->subscription.types = STR("order.*");
		c->subscription.enabled = -1;
		c->subscription.secret = STR("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
		c->fingerprint = hash64(&request_key, call->document);
		break;
	case CALL_PAUSE:
		c = make_target(call, COMMAND_SYSTEM_PAUSE, json_get_text(doc, "system"));
		break;
	case CALL_RECONCILE:
		c = make_target(call, COMMAND_RECONCILE_BEGIN, call->source);
		c->reconcile.given = true;
		c->reconcile.on_drift = w->mutation == MUTATE_NO_CORRECTION ? ON_DRIFT_REPORT : ON_DRIFT_CORRECT;
		w->mutated |= w->mutation == MUTATE_NO_CORRECTION;
		break;
	case CALL_RESUME:
		c = make_target(call, COMMAND_SYSTEM_RESUME, json_get_text(doc, "system"));
		break;
	}
	if (!c)
		return NULL;
	c->correlation_id = STR("c-sim");
	c->source = call->source;
	if (call->key.n && call->kind != CALL_ORDER_MESSAGE) {
		c->idempotency_key = arena_copy(&c->arena, call->key);
		c->request_fingerprint = hash64(&request_key, call->document);
	}
	return c;
}

/* Of another unit; of another instant. */
static void mutate_serials(struct world *w, struct movement *m)
{
	const struct json *serials = m->line_count ? m->lines[0].serials : NULL;

	if (!serials || !serials->count || m->type == MOVE_RECEIVE)
		return;
	if (w->mutation == MUTATE_SERIAL) {
		((struct json *)serials->items)[0].text = "S0";
		((struct json *)serials->items)[0].count = 2;
	}
	if (w->mutation == MUTATE_SERIAL_ORDER)
		m->occurred_at -= 3600000;
	w->mutated |= w->mutation == MUTATE_SERIAL || w->mutation == MUTATE_SERIAL_ORDER;
}

static void mutate_goods(struct world *w, struct movement *m)
{
	mutate_serials(w, m);
	if (w->mutation == MUTATE_OWNER && m->line_count && m->lines[0].owner.n) {
		m->lines[0].owner = STR_NONE;
		w->mutated = true;
	}
	if (w->mutation == MUTATE_CASE && m->line_count && m->lines[0].uom.n) {
		m->lines[0].uom = STR_NONE;
		w->mutated = true;
	}
	if (w->mutation == MUTATE_REVERSAL && m->type == MOVE_REVERSE && !str_is(m->reverses_event_id, "m0") &&
	    w->model->facts[0].applied && !w->model->facts[0].reversed) {
		m->reverses_event_id = STR("m0");
		w->model->facts[0].reversed = true;
		w->mutated = true;
	}
}

static void mutate_shipment(struct world *w, struct command *c)
{
	struct movement *m = &c->shipment.movement;

	for (size_t i = 0; i < m->line_count && !w->mutated; i++) {
		int product = model_product(m->lines[i].sku);

		if (product < MODEL_ITEMS)
			continue;
		m->lines[i].sku = str_from(model_items[product - MODEL_ITEMS]);
		w->mutated = true;
	}
}

static void mutate_reservation(struct world *w, const struct call *call, struct command *c)
{
	struct hold_request *r = c->type == COMMAND_HOLD ? &c->holds.items[0].request : NULL;
	bool less = w->mutation == MUTATE_FORGET_HOLD || (w->mutation == MUTATE_PARTIAL && r && r->partial);

	if (r && less && r->lines[0].quantity > QTY_ONE) {
		r->lines[0].quantity -= QTY_ONE;
		w->mutated = true;
	}
	if (w->mutation == MUTATE_KEEP_REST && c->hold_commit.lines) {
		c->hold_commit.keep_rest = !c->hold_commit.keep_rest;
		w->mutated = true;
	}
	if (w->mutation == MUTATE_PART_TWICE && call->part && call->acknowledged) {
		c->idempotency_key = STR_NONE;
		w->mutated = true;
	}
}

void request_mutate(struct world *w, const struct call *call, struct command *c)
{
	if (w->mutated)
		return;
	if (c->type == COMMAND_HOLD || c->type == COMMAND_HOLD_COMMIT)
		mutate_reservation(w, call, c);
	if (w->mutation == MUTATE_QUANTITY && call->kind == CALL_MOVEMENT && call->number > 3 &&
	    c->type == COMMAND_STOCK_MOVE && c->movements.items[0].movement.type == MOVE_RECEIVE) {
		c->movements.items[0].movement.lines[0].quantity += QTY_ONE;
		w->mutated = true;
	}
	if (w->mutation == MUTATE_MOVE_TWICE && call->kind == CALL_MOVEMENT && call->attempts > 1 &&
	    call->acknowledged && c->type == COMMAND_STOCK_MOVE) {
		/* Zeros in front: the same number to those who read it, another id to the hub. */
		struct str *id = &c->movements.items[0].movement.source_event_id;

		*id = str_from(arena_printf(&c->arena, "m0%.*s", (int)id->n - 1, id->p + 1));
		w->mutated = true;
	}
	if (w->mutation == MUTATE_KIT_PART && call->kind == CALL_SHIPMENT)
		mutate_shipment(w, c);
	if (call->kind == CALL_MOVEMENT && c->type == COMMAND_STOCK_MOVE)
		mutate_goods(w, &c->movements.items[0].movement);
}
