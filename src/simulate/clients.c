/*
 * Those who call the hub. Each repeats its request, the same under the same key, until it has heard a final answer:
 * requests and answers get lost, come late, come twice, and the hub may be away, or say that it does not know.
 *
 * What the hub has answered with 2xx is acknowledged, whether or not the caller heard it: in the next look at the log
 * it has to be there.
 */
#include "simulate/world.h"

#include "base/mem.h"

#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX 8000

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
		send_commit(w, c);
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
	if (c->kind == CALL_RECONCILE)
		report_heard(w, c);
	if (h->status < 300 && c->kind == CALL_HOLD)
		send_after_hold(w, c);
	if (h->status < 300 && c->kind == CALL_COMMIT && c->part)
		send_after_part(w, c);
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
	static const char *const names[] = {
	    "order", "order by webhook", "cancel",       "movement", "shipment", "hold",  "void", "commit",
	    "item",  "fences",           "subscription", "pause",    "resume",   "report"};

	return names[k];
}

static void keep_id(struct call *c, struct arena *a, struct str body)
{
	struct json *j = NULL;

	const char *name = c->kind == CALL_RECONCILE ? "reconciliation_id" : "order_id";

	if (json_parse(a, body, NULL, &j, NULL) == RC_OK && json_get_text(j, name).n)
		snprintf(c->id, sizeof(c->id), STR_FMT, STR_ARG(json_get_text(j, name)));
}

/* A later repeat without a key may hear how things stand by now. */
static bool may_change(const struct world *w, const struct call *c)
{
	return (c->kind == CALL_COMMIT && !c->part) || c->kind == CALL_VOID || c->kind == CALL_CANCEL ||
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
	if (str_is(c->source, "wms") && c->kind != CALL_RECONCILE)
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
		e->command = request_command(w, call, doc);
	if (!e->command) {
		world_break(w, "the simulation made a bad %s: " STR_FMT, kind_name(call->kind),
			    STR_ARG(call->document));
		errand_free(e);
		return;
	}
	request_mutate(w, call, e->command);
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
	if (w->mutation == MUTATE_PART_TWICE && c->part)
		world_later(w, 5000, arrive_twice, c);
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
		e->command = request_canonical(w, "order", m->message->source, doc, m->message->seq);
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
		if (!m->holds[c->number].ends && !(c->part && m->holds[c->number].parts))
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
	case CALL_RECONCILE:
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
