/* Nothing goes wrong any more, and everything is let end: then all systems have to agree. */
#include "simulate/world.h"

#include "hub/query.h"

#define ROUND_MS   60000
#define ROUNDS_MAX 240

static enum rc count_row(void *ctx, const struct store_value *c, size_t count)
{
	(void)count;
	(void)c;
	(*(int *)ctx)++;
	return RC_OK;
}

static int rows(struct world *w, enum store_statement s, const struct store_value *args, size_t count)
{
	struct err e = ERR_NONE;
	int n = 0;

	if (store_read(w->reader, s, args, count, count_row, &n, &e) != RC_OK)
		world_break(w, "the store cannot be read: %s", e.detail);
	return n;
}

/* A delivery that has not ended, or 0. */
static enum rc note_open(void *ctx, const struct store_value *c, size_t count)
{
	(void)count;
	*(int64_t *)ctx = c[0].integer;
	return RC_OK;
}

static int64_t open_delivery(struct world *w, int system)
{
	struct err e = ERR_NONE;
	int64_t seq = 0;

	for (int p = 0; p < PRIORITIES && !seq; p++) {
		const struct store_value args[] = {SV_TEXT(w->tenant->systems[system].name), SV_INT(p), SV_INT(0),
						   SV_INT(1)};
		if (store_read(w->reader, R_DELIVERIES_OPEN, args, 4, note_open, &seq, &e) != RC_OK)
			world_break(w, "the store cannot be read: %s", e.detail);
	}
	return seq;
}

/* An event that the subscriber was to get and has not got, or 0. */
static int missing_event(const struct world *w)
{
	for (int i = 1; i <= w->model->position && i < MODEL_WANTED; i++)
		if (w->model->wanted[i] && !w->event_heard[i])
			return i;
	return 0;
}

static bool is_quiet(struct world *w)
{
	static const struct store_value pending[] = {{.type = STORE_INT, .integer = 0},
						     {.type = STORE_INT, .integer = 10}};

	for (int i = 0; i < w->model->hold_count; i++)
		if (w->model->holds[i].seen && !w->model->holds[i].ends)
			return false;
	if (!w->hub || !hub_ready(w->hub) || w->agenda.count > 0 || w->errands)
		return false;
	for (int i = 0; i < WORLD_SYSTEMS; i++)
		if (open_delivery(w, i))
			return false;
	if (missing_event(w) || report_under_way(w))
		return false;
	return rows(w, R_INBOX_PENDING, pending, 2) == 0;
}

static void say_why(struct world *w)
{
	if (!w->hub || !hub_ready(w->hub)) {
		world_break(w, "liveness: the hub does not come up");
		return;
	}
	for (int i = 0; i < WORLD_SYSTEMS; i++)
		if (open_delivery(w, i))
			world_say(w, "still open: delivery %lld to %s", (long long)open_delivery(w, i),
				  w->tenant->systems[i].name.p);
	for (int i = 0; i < w->call_count; i++)
		if (!w->calls[i].answered)
			world_break(w, "liveness: call %d (" STR_FMT ") gets no final answer, after %d attempts", i,
				    STR_ARG(w->calls[i].document), w->calls[i].attempts);
	for (int i = 0; i < w->model->hold_count; i++)
		if (w->model->holds[i].seen && !w->model->holds[i].ends)
			world_break(w, "liveness: reservation r%d has not ended, its end was %lld s ago", i,
				    (long long)(world_wall(w) - w->model->holds[i].expires_at) / 1000);
	if (missing_event(w))
		world_break(w, "events: the subscriber never gets event %d", missing_event(w));
	world_break(w, "liveness: it does not become quiet");
}

/* ---- agreement ---- */

static const struct posted *in_erp(const struct world *w, const struct model_order *o)
{
	const struct receiver *erp = &w->receivers[SYSTEM_ERP];

	for (size_t i = 0; i < erp->posted_count; i++)
		if (strcmp(erp->posted[i].order_id, o->id) == 0)
			return &erp->posted[i];
	return NULL;
}

static void check_erp(struct world *w)
{
	for (int i = 0; i < w->model->order_count; i++) {
		const struct model_order *o = &w->model->orders[i];
		const struct posted *p = o->id[0] ? in_erp(w, o) : NULL;

		if (!o->id[0] || receiver_refuses(i) || strcmp(o->kind, "on_hold") == 0)
			continue;
		if (!p && !o->cancelled && strcmp(o->kind, "rejected") != 0)
			world_break(w, "once: order o%d is %s and is not in the ERP", i, o->kind);
		if (p && o->cancelled && !p->cancelled)
			world_break(w, "orders: o%d is cancelled, but not in the ERP", i);
		if (p && !o->cancelled && p->cancelled)
			world_break(w, "orders: o%d is cancelled in the ERP, and is %s", i, o->kind);
	}
}

static void check_calls(struct world *w)
{
	for (int i = 0; i < w->call_count; i++) {
		const struct call *c = &w->calls[i];

		if (c->kind == CALL_ORDER_MESSAGE && c->acknowledged && !w->model->orders[c->number].id[0])
			world_break(w, "acknowledged: order o%d came as a message and was never captured", c->number);
		if ((c->kind == CALL_MOVEMENT || c->kind == CALL_SHIPMENT) && !w->model->facts[c->number].applied)
			world_break(w, "movement m%d was answered %d and is not in the log", c->number, c->status);
	}
}

/* Every unit that is allocated to an order that goes on was asked of the warehouse. */
static void check_warehouse(struct world *w)
{
	for (int n = 0; n < w->model->order_count; n++) {
		const struct model_order *o = &w->model->orders[n];

		for (int i = 0; o->accepted && !o->cancelled && i < MODEL_ITEMS; i++)
			if (o->allocated[i] + o->shipped[i] > w->asked[n][i])
				world_break(
				    w,
				    "orders: o%d has %d of %s allocated and %d shipped, the warehouse was asked "
				    "for %d",
				    n, o->allocated[i], model_items[i], o->shipped[i], w->asked[n][i]);
	}
}

static void check_shops(struct world *w)
{
	for (int c = 0; c < MODEL_CHANNELS; c++) {
		const struct receiver *shop = &w->receivers[c ? SYSTEM_PORTAL : SYSTEM_SHOP];

		/* What comes when is known within limits only; what does not rise stays below. */
		bool exactly = !shop->sells && !w->model->policy.channels[c].inbound_cap &&
			       !w->model->policy.channels[c].max_age_ms && !world_has(w, FEATURE_FENCES);

		for (int i = 0; i < MODEL_PRODUCTS; i++) {
			int shown = shop->shown[i].available, may = model_may_sell(w->model, c, i);

			if (shown > may || (exactly && shown != may))
				world_break(w, "published: at the end %s shows %d of %s, it may sell %d",
					    model_channels[c], shown, model_products[i], may);
		}
	}
}

/* No line waits while there is stock for it. */
static void check_waiting(struct world *w)
{
	for (int n = 0; !world_has(w, FEATURE_FENCES) && n < w->model->order_count; n++) {
		const struct model_order *o = &w->model->orders[n];

		if (!o->id[0] || o->cancelled || strcmp(o->kind, "shipped") == 0 || strcmp(o->kind, "on_hold") == 0)
			continue;
		if (model_has_kit(o->lines, o->line_count)) {
			if (!o->blurred && model_waits_for_nothing(w->model, o))
				world_break(w, "kits: o%d (%s) waits, and one more of what it lacks is free", n,
					    o->kind);
			continue;
		}
		for (int i = 0; i < MODEL_ITEMS; i++)
			for (int p = 0; p < w->model->policy.channels[o->channel].place_count; p++)
				/* What is lacking of a discontinued item is not waited for. */
				if (!(w->model->policy.discontinued >> i & 1) &&
				    o->ordered[i] - o->shipped[i] - o->allocated[i] > w->picked[n][i] &&
				    model_free_for(w->model, o->channel, i,
						   w->model->policy.channels[o->channel].places[p]) > 0)
					world_break(w, "orders: o%d (%s) waits for %s, and some is free", n, o->kind,
						    model_items[i]);
	}
}

/* Of an order that is complete, channel and ERP have heard of just what was ordered. */
static void check_told_shipments(struct world *w)
{
	for (int n = 0; n < w->model->order_count; n++) {
		const struct model_order *o = &w->model->orders[n];
		int ordered[MODEL_PRODUCTS] = {0};

		if (strcmp(o->kind, "shipped") != 0 || w->model->policy.discontinued)
			continue;
		for (int i = 0; i < o->line_count; i++)
			ordered[o->lines[i].item] += o->lines[i].quantity;
		for (int i = 0; i < MODEL_PRODUCTS; i++)
			if (o->told[i] != ordered[i])
				world_break(w, "kits: o%d is shipped, its channel has heard of %d of %s, not of %d", n,
					    o->told[i], model_products[i], ordered[i]);
	}
}

/* Of each of their units that was shipped the ERP has heard once, so that it can pay for it: with the kit, where it was
 * shipped as a component, so not yet where that is not whole. */
static void check_settled(struct world *w)
{
	for (int o = 0; o < MODEL_OWNERS; o++)
		for (int i = 0; i < MODEL_ITEMS; i++) {
			int told = 0;

			for (int n = 0; n < w->model->order_count; n++) {
				const struct model_order *order = &w->model->orders[n];
				int sold = order->sold[o][i], settled = order->settled[o][i];
				bool waits = model_has_kit(order->lines, order->line_count) &&
					     strcmp(order->kind, "shipped") != 0;

				told += settled;
				if (settled > sold || (settled < sold && !waits))
					world_break(w, "owners: %d of %s of %s were shipped for o%d, %d were told",
						    sold, model_items[i], model_owners[o], n, settled);
			}
			if (w->settled[o][i] != told)
				world_break(w, "owners: %d of %s of %s were shipped, the ERP has heard of %d", told,
					    model_items[i], model_owners[o], w->settled[o][i]);
		}
}

static void check_audit(struct world *w)
{
	struct query q = {w->hub, w->reader, &w->scratch};
	struct json *j = NULL;
	struct err e = ERR_NONE;
	struct buf out;

	arena_reset(&w->scratch);
	buf_init(&out, 4u << 20);
	if (query_audit(&q, &out, &e) != RC_OK)
		world_break(w, "the audit fails: %s", e.detail);
	else if (json_parse(&w->scratch, buf_str(&out), NULL, &j, NULL) != RC_OK || !json_get(j, "ok")->boolean)
		world_break(w, "the hub's own audit finds a difference: " STR_FMT, STR_ARG(buf_str(&out)));
	buf_done(&out);
}

static bool becomes_quiet(struct world *w)
{
	for (int i = 0; i < ROUNDS_MAX && !world_is_broken(w) && !is_quiet(w); i++)
		world_pass(w, ROUND_MS);
	if (!world_is_broken(w) && !is_quiet(w))
		say_why(w);
	return !world_is_broken(w);
}

/* A shop that compares and does not take its own sales off shows more than the hub believes. Of a request whose answer
 * was lost that may look like sales that it has not told: what is kept back for them is free after a while. */
static bool forgets_sales(struct world *w)
{
	const struct receiver *portal = &w->receivers[SYSTEM_PORTAL];

	if (portal->compares && !portal->sells)
		world_pass(w, w->tenant->channels[1].provisional_ms + ROUND_MS);
	return becomes_quiet(w);
}

void check_ending(struct world *w)
{
	faults_end(w);
	if (!becomes_quiet(w) || !forgets_sales(w))
		return;
	if (world_has(w, FEATURE_REPORTS)) {
		world_pass(w, 1000);
		(void)send_report(w);
		if (!becomes_quiet(w))
			return;
		check_reported(w);
	}
	world_say(w, "all is quiet");
	follow_all(w);
	check_calls(w);
	check_erp(w);
	check_warehouse(w);
	check_waiting(w);
	check_told_shipments(w);
	check_settled(w);
	check_serials_end(w);
	check_shops(w);
	check_audit(w);
}
