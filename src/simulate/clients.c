/*
 * Those who call the hub. Each repeats its request, the same under the same key, until it has heard a final answer:
 * requests and answers get lost, come late, come twice, and the hub may be away, or say that it does not know.
 *
 * What the hub has answered with 2xx is acknowledged, whether or not the caller heard it: in the next look at the log
 * it has to be there.
 */
#include "simulate/world.h"

#include "base/compress.h"
#include "base/hash.h"
#include "base/mem.h"
#include "connect/canonical.h"

#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX 8000

static const struct hash_key request_key = {"a-request-of-sim"};

/* A command that is with the hub, and what it points to. */
struct errand {
	struct errand *next, **back;
	struct world *world;
	struct call *call;       /* NULL: of a message */
	struct message *message; /* being mediated; kept until that has worked */
	struct command *command;
	struct arena arena;
	bool deaf; /* nobody waits for the answer */
};

struct call *call_new(struct world *w, enum call_kind kind, int number, struct str document)
{
	struct call *c;

	if (w->call_count == WORLD_CALLS_MAX)
		return NULL;
	c = &w->calls[w->call_count++];
	*c = (struct call){.kind = kind, .number = number, .order = -1, .document = document};
	return c;
}

static struct errand *errand_new(struct world *w, struct call *call, struct message *message)
{
	struct errand *e = mem_zalloc(1, sizeof(*e));

	e->world = w;
	e->call = call;
	e->message = message;
	arena_init(&e->arena, 4u << 20);
	e->next = w->errands;
	e->back = &w->errands;
	if (w->errands)
		w->errands->back = &e->next;
	w->errands = e;
	return e;
}

static void errand_free(struct errand *e)
{
	*e->back = e->next;
	if (e->next)
		e->next->back = e->back;
	command_free(e->command);
	message_free(e->message);
	arena_done(&e->arena);
	free(e);
}

/* ---- what the caller hears ---- */

static void send_now(struct world *w, void *arg);

static void send_again(struct world *w, struct call *c, int64_t in_ms)
{
	if (c->answered)
		return;
	world_later(w, in_ms, send_now, c);
}

static int64_t patience(struct world *w)
{
	return dice_between(&w->dice, RETRY_MS_MIN, RETRY_MS_MAX);
}

static bool is_final(int status)
{
	return status < 500 && status != 429 && status != 0;
}

struct heard {
	struct call *call;
	int status;
};

static void order_heard(struct world *w, struct call *c)
{
	int what = dice_between(&w->dice, 0, 99);
	struct call *next;

	if (what < 12) {
		next = call_new(w, CALL_CANCEL, c->number, world_text(w, "{'order_id':'%s'}", c->id));
		if (next)
			call_send(w, next, dice_between(&w->dice, 0, 20000));
	} else if (c->order >= 0 && what < 90) {
		/* It was held beforehand. */
		next = call_new(w, CALL_COMMIT, c->order,
				world_text(w, "{'reservation':'r%d','order_id':'%s'}", c->order, c->id));
		if (next)
			call_send(w, next, dice_between(&w->dice, 0, 3000));
	}
}

static void hear(struct world *w, void *arg)
{
	struct heard *h = arg;
	struct call *c = h->call;

	if (c->answered)
		return;
	if (!is_final(h->status)) {
		send_again(w, c, patience(w));
		return;
	}
	c->answered = true;
	c->status = h->status;
	if (h->status < 300 && c->kind == CALL_ORDER)
		order_heard(w, c);
	if (h->status < 300 && c->kind == CALL_HOLD)
		send_after_hold(w, c);
}

static void answer(struct world *w, struct call *c, int status)
{
	struct heard *h;

	if (!w->calm && dice_chance(&w->dice, w->weather.lose)) {
		w->counts.lost++;
		send_again(w, c, patience(w));
		return;
	}
	h = arena_new(&w->arena, struct heard);
	*h = (struct heard){c, status};
	world_later(w, network_delay(w), hear, h);
}

/* ---- commands ---- */

static const char *kind_name(enum call_kind k)
{
	static const char *const names[] = {"order", "order by webhook", "cancel", "movement", "shipment",     "hold",
					    "void",  "commit",           "item",   "fences",   "subscription", "pause",
					    "resume"};

	return names[k];
}

static struct command *canonical(struct world *w, struct errand *e, const char *type, struct str source,
				 const struct json *document, int64_t message_seq)
{
	const struct canonical_origin origin = {.tenant = w->tenant,
						.source = source,
						.correlation_id = STR("c-sim"),
						.message_seq = message_seq,
						.items = 1};
	struct command *c = NULL;
	struct err err = ERR_NONE;

	(void)e;
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

static struct command *make_command(struct world *w, struct errand *e, const struct json *doc)
{
	const struct call *call = e->call;
	struct command *c = NULL;

	switch (call->kind) {
	case CALL_ORDER:
		c = canonical(w, e, "order", call->source, doc, 0);
		break;
	case CALL_ORDER_MESSAGE:
		c = make_message(call);
		break;
	case CALL_CANCEL:
		c = make_target(call, COMMAND_ORDER_CANCEL, json_get_text(doc, "order_id"));
		break;
	case CALL_MOVEMENT:
		c = canonical(w, e, "stock-movement", call->source, doc, 0);
		break;
	case CALL_SHIPMENT:
		c = canonical(w, e, "shipment", call->source, doc, 0);
		break;
	case CALL_HOLD:
		c = make_hold(call, doc);
		break;
	case CALL_VOID:
		c = make_target(call, COMMAND_HOLD_VOID, json_get_text(doc, "reservation"));
		break;
	case CALL_COMMIT:
		c = make_target(call, COMMAND_HOLD_COMMIT, json_get_text(doc, "reservation"));
		c->order_id = arena_copy(&c->arena, json_get_text(doc, "order_id"));
		break;
	case CALL_ITEM:
		c = canonical(w, e, "item", call->source, doc, 0);
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

static void keep_id(struct call *c, struct arena *a, struct str body)
{
	struct json *j = NULL;

	if (json_parse(a, body, NULL, &j, NULL) == RC_OK && json_get_text(j, "order_id").n)
		snprintf(c->id, sizeof(c->id), STR_FMT, STR_ARG(json_get_text(j, "order_id")));
}

/* A later repeat without a key may hear how things stand by now. */
static bool may_change(const struct world *w, const struct call *c)
{
	return c->kind == CALL_COMMIT || c->kind == CALL_VOID || c->kind == CALL_CANCEL ||
	       (c->kind == CALL_HOLD && w->model->holds[c->number].ends);
}

static void acknowledged(struct world *w, struct errand *e, const struct command *c)
{
	struct call *call = e->call;
	int status = c->answer.status;

	if (status < 300 && !call->acknowledged) {
		call->acknowledged = true;
		call->unchecked = true;
		w->unchecked++;
		keep_id(call, &e->arena, c->answer.body);
	} else if (status < 300 && call->kind == CALL_ORDER) {
		char first[sizeof(call->id)];

		memcpy(first, call->id, sizeof(first));
		keep_id(call, &e->arena, c->answer.body);
		if (strcmp(first, call->id) != 0)
			world_break(w, "once: order o%d was acknowledged as %s, and now as %s", call->number, first,
				    call->id);
	} else if (is_final(status) && status >= 300 && call->acknowledged && !may_change(w, call)) {
		world_break(w, "once: %s %d was acknowledged, and its repeat is refused: %d " STR_FMT,
			    kind_name(call->kind), call->number, status, STR_ARG(c->answer.body));
	}
}

/* The hub has heard of the warehouse then, or earlier. */
static void hear_warehouse(struct world *w, const struct call *c)
{
	/* The hub's own time does not go back with the clock. */
	w->latest = world_wall(w) > w->latest ? world_wall(w) : w->latest;
	if (str_is(c->source, "wms"))
		w->model->heard = w->latest;
}

/* On the hub's round. */
static void call_done(struct command *c, void *ctx)
{
	struct errand *e = ctx;
	struct world *w = e->world;

	hear_warehouse(w, e->call);
	acknowledged(w, e, c);
	if (c->answer.status >= 400)
		world_say(w, "%s %d: %d %s", kind_name(e->call->kind), e->call->number, c->answer.status,
			  c->answer.code);
	if (!e->deaf)
		answer(w, e->call, c->answer.status);
	errand_free(e);
}

/* The mutations that stand between a caller and the hub. True: it does not get there, and is answered. */
static bool mutate_call(struct world *w, struct call *c)
{
	if (w->mutated)
		return false;
	if ((w->mutation == MUTATE_LOSE_ORDER && c->kind == CALL_ORDER) ||
	    (w->mutation == MUTATE_LOSE_MOVEMENT && c->kind == CALL_MOVEMENT && c->number > 3)) {
		w->mutated = true;
		c->acknowledged = c->unchecked = c->answered = true;
		w->unchecked++;
		return true;
	}
	return false;
}

static void mutate_goods(struct world *w, struct movement *m)
{
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

static void mutate_command(struct world *w, const struct call *call, struct command *c)
{
	if (w->mutated)
		return;
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
	if (call->kind == CALL_MOVEMENT && c->type == COMMAND_STOCK_MOVE)
		mutate_goods(w, &c->movements.items[0].movement);
	if (w->mutation == MUTATE_FORGET_HOLD && c->type == COMMAND_HOLD &&
	    c->holds.items[0].request.lines[0].quantity > QTY_ONE) {
		c->holds.items[0].request.lines[0].quantity -= QTY_ONE;
		w->mutated = true;
	}
}

static void arrive(struct world *w, struct call *call, bool deaf)
{
	struct errand *e;
	struct json *doc = NULL;

	if (mutate_call(w, call))
		return;
	if (!w->hub) {
		if (!deaf)
			send_again(w, call, patience(w));
		return;
	}
	e = errand_new(w, call, NULL);
	e->deaf = deaf;
	if (json_parse(&e->arena, call->document, NULL, &doc, NULL) == RC_OK)
		e->command = make_command(w, e, doc);
	if (!e->command) {
		world_break(w, "the simulation made a bad %s: " STR_FMT, kind_name(call->kind),
			    STR_ARG(call->document));
		errand_free(e);
		return;
	}
	mutate_command(w, call, e->command);
	e->command->done = call_done;
	e->command->ctx = e;
	hear_warehouse(w, call);
	if (hub_submit(w->hub, e->command) == RC_OK)
		return;
	errand_free(e);
	if (!deaf)
		answer(w, call, 503);
}

static void arrive_once(struct world *w, void *arg)
{
	arrive(w, arg, false);
}

static void arrive_twice(struct world *w, void *arg)
{
	arrive(w, arg, true);
}

static void send_now(struct world *w, void *arg)
{
	struct call *c = arg;

	if (c->answered)
		return;
	c->attempts++;
	if (c->attempts == 1)
		world_say(w, "%s %d: " STR_FMT, kind_name(c->kind), c->number, STR_ARG(c->document));
	if (!w->calm && dice_chance(&w->dice, w->weather.lose)) {
		w->counts.lost++;
		send_again(w, c, patience(w));
		return;
	}
	world_later(w, network_delay(w), arrive_once, c);
	if (!w->calm && dice_chance(&w->dice, w->weather.repeat)) {
		w->counts.repeated++;
		world_later(w, network_delay(w) + network_delay(w), arrive_twice, c);
	}
}

void call_send(struct world *w, struct call *c, int64_t in_ms)
{
	world_later(w, in_ms, send_now, c);
}

void calls_forget(struct world *w)
{
	for (struct errand *e = w->errands, *next; e; e = next) {
		next = e->next;
		if (e->call && !e->deaf)
			send_again(w, e->call, patience(w));
		errand_free(e);
	}
	w->epoch++;
}

/* ---- messages: acknowledged, mediated later ---- */

struct mediation {
	struct message *message;
	uint32_t epoch;
};

static void mediate(struct world *w, void *arg);

static void message_done(struct command *c, void *ctx)
{
	struct errand *e = ctx;

	if (c->answer.status >= 500) {
		world_message(e->world, e->message);
		e->message = NULL;
	}
	errand_free(e);
}

static void mediate(struct world *w, void *arg)
{
	struct mediation *m = arg;
	struct json *doc = NULL;
	struct errand *e;

	if (m->epoch != w->epoch || !w->hub) {
		message_free(m->message);
		return;
	}
	e = errand_new(w, NULL, m->message);
	if (json_parse(&e->arena, m->message->payload, NULL, &doc, NULL) == RC_OK)
		e->command = canonical(w, e, "order", m->message->source, doc, m->message->seq);
	if (!e->command) {
		errand_free(e);
		return;
	}
	e->command->done = message_done;
	e->command->ctx = e;
	if (hub_submit(w->hub, e->command) == RC_OK)
		return;
	e->message = NULL;
	errand_free(e);
	world_message(w, m->message);
}

void world_message(struct world *w, struct message *m)
{
	struct mediation *one = arena_new(&w->arena, struct mediation);

	*one = (struct mediation){m, w->epoch};
	world_later(w, dice_between(&w->dice, 0, 300), mediate, one);
}

/* ---- what was acknowledged is there ---- */

static void check_call(struct world *w, const struct call *c)
{
	const struct model *m = w->model;

	switch (c->kind) {
	case CALL_ORDER:
		if (!m->orders[c->number].id[0])
			world_break(w, "acknowledged: order o%d was acknowledged and is not in the log", c->number);
		else if (c->id[0] && strcmp(m->orders[c->number].id, c->id) != 0)
			world_break(w, "acknowledged: order o%d is %s, its caller was told %s", c->number,
				    m->orders[c->number].id, c->id);
		return;
	case CALL_CANCEL:
		if (!m->orders[c->number].cancelled)
			world_break(w, "acknowledged: order o%d was cancelled, and is %s", c->number,
				    m->orders[c->number].kind);
		return;
	case CALL_MOVEMENT:
	case CALL_SHIPMENT:
		if (!m->facts[c->number].applied)
			world_break(w, "acknowledged: movement m%d was acknowledged and is not in the log", c->number);
		return;
	case CALL_HOLD:
		if (!m->holds[c->number].seen)
			world_break(w, "acknowledged: reservation r%d was acknowledged and is not in the log",
				    c->number);
		return;
	case CALL_VOID:
	case CALL_COMMIT:
		if (!m->holds[c->number].ends)
			world_break(w,
				    "acknowledged: the end of reservation r%d was acknowledged, and it has not ended",
				    c->number);
		return;
	case CALL_SUBSCRIBE:
		if (!m->subscribed)
			world_break(w, "acknowledged: the subscription was acknowledged and is not in the log");
		return;
	case CALL_ORDER_MESSAGE: /* at the end */
	case CALL_ITEM:
	case CALL_FENCES:
	case CALL_PAUSE:
	case CALL_RESUME:
		return;
	}
}

void calls_check(struct world *w)
{
	for (int i = 0; w->unchecked > 0 && i < w->call_count; i++) {
		if (!w->calls[i].unchecked)
			continue;
		w->calls[i].unchecked = false;
		w->unchecked--;
		check_call(w, &w->calls[i]);
	}
}

void messages_drop(struct world *w)
{
	for (size_t i = 0; i < w->agenda.count; i++)
		world_drop_later(w, w->agenda.heap[i], mediate);
}
