/*
 * The network between the delivery engine and the systems, in place of HTTP. A request may be lost, come late (also
 * after its sender has given up, or has died), come twice, find nobody; its answer too may be lost.
 *
 * What it does not do, because nothing could work over it: no request arrives later than ARRIVES_MS after it was sent,
 * which is less than the time for which a look-up has to stay empty; and a system that does not know idempotency keys
 * gets no request twice from the network itself.
 */
#include "simulate/world.h"

#include "base/hash.h"

#define ARRIVES_MS 20000

static const struct hash_key lane_key = {"lanes-of-subject"};

struct transfer {
	struct transfer *next;
	struct world *world;
	http_done_fn done;
	void *ctx;
	struct wire_request request;
	struct http_answer answer;
	int64_t started;
	bool ended, given_up;
};

int64_t network_delay(struct world *w)
{
	int ms = w->weather.delay_ms;

	if (!w->calm && dice_chance(&w->dice, w->weather.slow))
		ms *= 50;
	return dice_between(&w->dice, 1, ms < 4000 ? ms : 4000);
}

static void end(struct transfer *t, int status, bool sent, struct str body, const char *error)
{
	struct network *n = &t->world->network;

	if (t->ended)
		return;
	t->ended = true;
	t->answer.status = status;
	t->answer.sent = sent;
	t->answer.body = body;
	t->answer.error = str_from(error);
	t->answer.duration_us = (t->world->now - t->started) * 1000;
	t->next = NULL;
	*n->ended_last = t;
	n->ended_last = &t->next;
}

static void time_out(struct world *w, void *arg)
{
	(void)w;
	end(arg, 0, true, STR_NONE, "timed out");
}

static void find_nobody(struct world *w, void *arg)
{
	(void)w;
	end(arg, 0, false, STR_NONE, "connection refused");
}

struct reply {
	struct transfer *transfer;
	struct wire_answer answer;
};

static void answer_arrives(struct world *w, void *arg)
{
	struct reply *r = arg;
	struct transfer *t = r->transfer;

	(void)w;
	if (r->answer.retry_after_s && !t->ended)
		t->answer.retry_after = world_text(t->world, "%d", r->answer.retry_after_s);
	end(t, r->answer.status, true, r->answer.body, "");
}

static void handle(struct transfer *t, bool late, struct wire_answer *a)
{
	struct world *w = t->world;
	struct wire_request r = t->request;

	receive(w, &r, late, a);
	if (w->mutation == MUTATE_POST_TWICE && !w->mutated && t->request.operation == OP_ORDER_POST &&
	    str_is(t->request.method, "POST") && a->status < 300) {
		struct wire_answer second;

		w->mutated = true;
		r.key = STR("another-key");
		receive(w, &r, false, &second);
	}
}

static void arrives_at_last(struct world *w, void *arg)
{
	struct wire_answer a;
	struct transfer *t = arg;

	(void)w;
	receive(t->world, &t->request, false, &a);
}

/* True: the receiver is left out, and the sender is told that all is well. */
static bool mutate_arrival(struct transfer *t)
{
	struct world *w = t->world;
	bool post = str_is(t->request.method, "POST");

	if (w->mutated || !post)
		return false;
	if (w->mutation == MUTATE_REORDER && t->request.operation == OP_AVAILABILITY) {
		w->mutated = true;
		world_later(w, 20000, arrives_at_last, t);
		return true;
	}
	if (w->mutation == MUTATE_DROP_EVENT && t->request.system == SUBSCRIBER) {
		w->mutated = true;
		return true;
	}
	if (w->mutation == MUTATE_SETTLEMENT && str_is(t->request.path, "/shipments") &&
	    t->request.system == SYSTEM_ERP && memmem(t->request.body.p, t->request.body.n, "\"consigned\"", 11)) {
		w->mutated = true;
		return true;
	}
	if (w->mutation == MUTATE_DROP_DELIVERY && t->request.operation == OP_ORDER_POST) {
		w->mutated = true;
		return true;
	}
	return false;
}

static void arrives(struct world *w, void *arg)
{
	struct transfer *t = arg;
	bool late = t->ended;
	struct reply *r;

	if (w->receivers[t->request.system].away_until > w->now) {
		end(t, 0, true, STR_NONE, "connection reset");
		return;
	}
	r = arena_new(&w->arena, struct reply);
	r->transfer = t;
	if (mutate_arrival(t))
		r->answer = (struct wire_answer){.status = 200, .body = STR("{\"external_id\":\"N-0\"}")};
	else
		handle(t, late, &r->answer);
	if (!w->calm && dice_chance(&w->dice, w->weather.lose)) {
		w->counts.lost++;
		return;
	}
	world_later(w, network_delay(w), answer_arrives, r);
}

/* "http://erp.invalid/orders?order_id=1" */
static void split_url(struct world *w, struct str url, struct wire_request *r)
{
	static const char *const names[WORLD_RECEIVERS] = {"shop", "portal", "erp", "wms", "hook"};
	const char *host = strstr(url.p, "//") + 2, *path = strchr(host, '/'), *query = path ? strchr(path, '?') : NULL;

	for (int i = 0; i < WORLD_RECEIVERS; i++)
		if (strncmp(host, names[i], strlen(names[i])) == 0)
			r->system = (enum world_system)i;
	if (!path)
		world_break(w, "a request goes to %s", url.p);
	r->path = query ? (struct str){path, (size_t)(query - path)} : str_from(path);
	r->query = str_from(query ? query + 1 : "");
}

static void find_lane(struct world *w, struct wire_request *r)
{
	struct store_value row[17];
	struct delivery d;
	struct arena a;

	arena_init(&a, 1u << 20);
	const char *batch = memchr(r->key.p, '.', r->key.n); /* of several: called by the first of them */
	struct str id = {r->key.p, batch ? (size_t)(batch - r->key.p) : r->key.n};
	if (store_read_one(w->reader, R_DELIVERY_BY_ID, &SV_TEXT(id), 1, &a, row, NULL) != RC_OK ||
	    delivery_from_row(row, &d) != RC_OK) {
		world_break(w, "a request carries the idempotency key " STR_FMT ", which is no delivery's",
			    STR_ARG(r->key));
	} else {
		r->seq = d.head.seq;
		r->lane = d.head.key;
		r->operation = d.head.operation;
		if (d.head.status != DELIVERY_SENDING && str_is(r->method, "POST"))
			world_break(w, "delivery: %lld is sent and is not known as being sent", (long long)d.head.seq);
	}
	arena_done(&a);
}

/* An event of one subject follows the one before it. */
static void find_event(struct world *w, struct wire_request *r)
{
	struct json *doc = NULL;
	struct arena a;

	arena_init(&a, 1u << 20);
	if (json_parse(&a, r->body, NULL, &doc, NULL) != RC_OK || !json_int(json_get(doc, "position"), &r->seq))
		world_break(w, "events: the subscriber gets " STR_FMT, STR_ARG(r->body));
	else
		r->lane = hash64(&lane_key, json_get_text(doc, "subject"));
	r->operation = OP_EVENT;
	arena_done(&a);
}

static void decide(struct transfer *t, int64_t timeout_ms)
{
	struct world *w = t->world;
	const struct receiver *to = &w->receivers[t->request.system];
	int64_t delay = network_delay(w);

	if (to->away_until > w->now) {
		world_later(w, delay, find_nobody, t);
		return;
	}
	world_later(w, timeout_ms, time_out, t);
	if (!w->calm && dice_chance(&w->dice, w->weather.lose)) {
		w->counts.lost++;
		return;
	}
	if (!w->calm && dice_chance(&w->dice, w->weather.slow))
		delay = dice_between(&w->dice, 1, ARRIVES_MS);
	world_later(w, delay, arrives, t);
	if (!w->calm && to->keyed && dice_chance(&w->dice, w->weather.repeat)) {
		w->counts.repeated++;
		world_later(w, dice_between(&w->dice, 1, ARRIVES_MS), arrives, t);
	}
}

static enum rc start(struct transport *transport, const struct http_request *r, http_done_fn done, void *ctx,
		     void **transfer, struct err *e)
{
	struct world *w = ((struct network *)transport)->world;
	struct transfer *t = arena_new(&w->arena, struct transfer);

	(void)e;
	*t = (struct transfer){.world = w, .done = done, .ctx = ctx, .started = w->now};
	t->request.method = arena_copy(&w->arena, r->method);
	t->request.body = arena_copy(&w->arena, r->body);
	for (size_t i = 0; i < r->header_count; i++)
		if (str_is(r->headers[i].name, "Idempotency-Key") || str_is(r->headers[i].name, "webhook-id"))
			t->request.key = arena_copy(&w->arena, r->headers[i].value);
	split_url(w, arena_copy(&w->arena, r->url), &t->request);
	if (t->request.system == SUBSCRIBER)
		find_event(w, &t->request);
	else
		find_lane(w, &t->request);
	decide(t, r->timeout_ms);
	*transfer = t;
	return RC_OK;
}

static void cancel(struct transport *transport, void *transfer)
{
	struct transfer *t = transfer;

	(void)transport;
	t->ended = true;
	t->given_up = true;
}

static void run(struct transport *transport, int timeout_ms, int wake_fd)
{
	struct network *n = (struct network *)transport;

	(void)timeout_ms;
	(void)wake_fd;
	while (n->ended) {
		struct transfer *t = n->ended;

		n->ended = t->next;
		if (!n->ended)
			n->ended_last = &n->ended;
		if (!t->given_up)
			t->done(t->ctx, &t->answer);
	}
}

void network_init(struct world *w)
{
	w->network = (struct network){.transport = {start, cancel, run}, .world = w};
	w->network.ended_last = &w->network.ended;
}
