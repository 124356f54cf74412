#include "orchestrate/order/away.h"

#include "base/mem.h"
#include "orchestrate/order/steps.h"
#include "orchestrate/stock/item.h"

#include <stdio.h>

#define RESUME_MAX     200 /* orders in one batch */
#define PATIENCE_MS    60000
#define RENEW_MS       15000 /* a row is not written for less */
#define BREAKER_LONGER 16    /* times open_ms: as long as a breaker is ever open */

struct away {
	const struct config_tenant *tenant;
	const struct publisher *publisher;
	const bool *paused;
	int64_t *until[AWAY_SIGNS]; /* by system; unless heard of, until then; 0: there is no such sign */
	int poster, record;         /* systems; -1: none */
	bool active;                /* some channel has a policy */
	bool resume;                /* orders that wait may have to be let go */
	enum away_cause seen[CONFIG_CHANNELS_MAX];
};

struct away *away_new(const struct config_tenant *tenant, const struct publisher *publisher, const bool *paused)
{
	struct away *a = mem_zalloc(1, sizeof(*a));

	*a = (struct away){.tenant = tenant, .publisher = publisher, .paused = paused, .poster = -1, .resume = true};
	for (enum away_sign i = 0; i < AWAY_SIGNS; i++)
		a->until[i] = mem_zalloc(tenant->system_count + 1, sizeof(*a->until[i]));
	a->record = tenant->record_stock;
	for (size_t i = tenant->system_count; i-- > 0;)
		if (system_can(&tenant->systems[i], ROLE_ERP, OP_ORDER_POST))
			a->poster = (int)i;
	for (size_t i = 0; i < tenant->channel_count; i++)
		a->active = a->active || tenant->channels[i].away.over_limit != AWAY_ACCEPT;
	return a;
}

void away_free(struct away *a)
{
	if (!a)
		return;
	for (enum away_sign i = 0; i < AWAY_SIGNS; i++)
		free(a->until[i]);
	free(a);
}

/* ---- failing ---- */

static const char *sign_name(enum away_sign sign)
{
	static const char *const names[AWAY_SIGNS] = {"failing", "refusing"};

	return names[sign];
}

struct str away_meta_name(enum away_sign sign, struct str system, char *out, size_t size)
{
	int n = snprintf(out, size, "%s:" STR_FMT, sign_name(sign), STR_ARG(system));

	return (struct str){out, n < 0 || (size_t)n >= size ? 0 : (size_t)n};
}

void away_load(struct away *a, uint16_t system, enum away_sign sign, int64_t until)
{
	a->until[sign][system] = until;
}

static void set_until(struct away *a, struct txn *t, uint16_t system, enum away_sign sign, int64_t until)
{
	char name[128];

	if (a->until[sign][system] == until)
		return;
	a->until[sign][system] = until;
	txn_put(t, W_META,
		SV_TEXT(txn_copy(t, away_meta_name(sign, a->tenant->systems[system].name, name, sizeof(name)))),
		SV_INT(until));
}

/* Longer than it takes for the next try. */
static int64_t patience(const struct away *a, uint16_t system)
{
	const struct config_delivery *d = &a->tenant->systems[system].delivery;

	return PATIENCE_MS + 2 * (BREAKER_LONGER * d->breaker.open_ms + d->retry_max_ms);
}

void away_failing(struct away *a, struct txn *t, uint16_t system, enum away_sign sign)
{
	if (a->active)
		set_until(a, t, system, sign, t->now + patience(a, system));
}

void away_back(struct away *a, struct txn *t, uint16_t system, enum away_sign sign)
{
	set_until(a, t, system, sign, 0);
}

void away_answered(struct away *a, struct txn *t, uint16_t system, enum operation op, bool good)
{
	for (enum away_sign i = 0; i < AWAY_SIGNS; i++) {
		int64_t until = a->until[i][system], again = t->now + patience(a, system);

		if (!until || (i == AWAY_SIGN_REFUSING && op != OP_ORDER_POST))
			continue;
		if (good)
			set_until(a, t, system, i, 0);
		else if (again > until + RENEW_MS)
			set_until(a, t, system, i, again);
	}
}

/* ---- away ---- */

static enum away_cause system_cause(const struct away *a, int system, int64_t now, int64_t *until)
{
	const struct calendar *maintenance;

	if (system < 0)
		return AWAY_NOT;
	maintenance = &a->tenant->systems[system].delivery.maintenance;
	if (a->paused[system])
		return AWAY_PAUSED;
	if (maintenance->count > 0 && calendar_within(maintenance, now, until))
		return AWAY_MAINTENANCE;
	if (a->until[AWAY_SIGN_FAILING][system])
		return AWAY_FAILING;
	return a->until[AWAY_SIGN_REFUSING][system] ? AWAY_REFUSING : AWAY_NOT;
}

/* When the record of stock was heard of last, of the channel's locations that of which this is longest ago; INT64_MAX:
 * they have none. */
static int64_t oldest_heard(const struct away *a, const struct config_channel *c)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < c->location_count; i++) {
		int64_t at = publish_heard_at(a->publisher, c->locations[i]);

		if (at >= 0 && at < oldest)
			oldest = at;
	}
	return oldest;
}

static bool older(int64_t heard, int64_t limit_ms, int64_t now)
{
	return limit_ms > 0 && heard != INT64_MAX && heard + limit_ms < now;
}

static enum away_cause channel_cause(const struct away *a, const struct config_channel *c, int64_t now)
{
	int64_t until;
	enum away_cause cause;

	if (c->away.over_limit == AWAY_ACCEPT)
		return AWAY_NOT;
	cause = system_cause(a, a->poster, now, &until);
	if (cause == AWAY_NOT && a->record != a->poster)
		cause = system_cause(a, a->record, now, &until);
	if (cause == AWAY_NOT && older(oldest_heard(a, c), c->away.silent_after_ms, now))
		cause = AWAY_SILENT;
	return cause;
}

static const char *cause_text(enum away_cause cause)
{
	switch (cause) {
	case AWAY_NOT:
		break;
	case AWAY_PAUSED:
		return "paused";
	case AWAY_MAINTENANCE:
		return "maintenance";
	case AWAY_FAILING:
		return "failing";
	case AWAY_REFUSING:
		return "breaker_open";
	case AWAY_SILENT:
		return "silent";
	}
	return "there";
}

/* ---- limits ---- */

static qty_t last_known(const struct stock *s, const struct stock_item *i, uint16_t channel)
{
	const struct config_channel *c = &s->tenant->channels[channel];
	qty_t all = 0;

	if (item_is_kit(i))
		return stock_available(s, i, c);
	for (size_t n = 0; n < c->location_count; n++)
		all += stock_free_for(i, c->locations[n], channel, c);
	return all;
}

/* Of all lines of an item together. */
static bool within_share(struct stock *s, uint16_t channel, const struct away_need *needs, size_t count)
{
	const struct config_away *p = &s->tenant->channels[channel].away;
	bool within = true;

	for (size_t i = 0; i < count; i++)
		if (needs[i].item)
			needs[i].item->wanted = 0;
	for (size_t i = 0; i < count; i++)
		if (needs[i].item)
			needs[i].item->wanted += needs[i].quantity;
	for (size_t i = 0; i < count; i++) {
		struct stock_item *item = needs[i].item;

		if (!item || item->wanted == 0)
			continue;
		within = within &&
			 (__int128)item->wanted * 1000000 <= (__int128)last_known(s, item, channel) * p->max_share_ppm;
		item->wanted = 0;
	}
	return within;
}

static bool within_value(const struct config_away *p, const struct decimal *value, struct str currency)
{
	for (size_t i = 0; value && i < p->max_value_count; i++)
		if (str_eq(p->max_value[i].currency, currency))
			return decimal_compare(*value, p->max_value[i].amount) <= 0;
	return false;
}

/* The limit that it is over; NULL: none. */
static const char *over(const struct away *a, struct stock *s, uint16_t channel, const struct away_need *needs,
			size_t count, const struct decimal *value, struct str currency, int64_t now)
{
	const struct config_channel *c = &a->tenant->channels[channel];
	const struct config_away *p = &c->away;
	bool order = currency.n > 0, measured = p->max_quantity >= 0 || p->max_share_ppm >= 0;

	if (older(oldest_heard(a, c), p->max_age_ms, now))
		return "the stock that is known is older than max_age";
	if (!measured && !(order && p->max_value_count))
		return "nothing is accepted meanwhile";
	for (size_t i = 0; p->max_quantity >= 0 && i < count; i++)
		if (needs[i].quantity > p->max_quantity)
			return "a line is for more than max_quantity";
	if (p->max_share_ppm >= 0 && !within_share(s, channel, needs, count))
		return "it is for more than max_share of the stock that is known";
	if (order && p->max_value_count && !within_value(p, value, currency))
		return "it is not known to be worth at most max_value";
	return NULL;
}

enum rc away_judge(const struct away *a, struct stock *s, uint16_t channel, const struct away_need *needs, size_t count,
		   const struct decimal *value, struct str currency, int64_t now, bool *away, struct err *e)
{
	enum away_cause cause = a->active ? channel_cause(a, &a->tenant->channels[channel], now) : AWAY_NOT;
	const char *limit;

	*away = cause != AWAY_NOT;
	if (!*away)
		return RC_OK;
	limit = over(a, s, channel, needs, count, value, currency, now);
	if (!limit)
		return RC_OK;
	return err_set(e, RC_RETRY, "erp_away", "The ERP is away (%s), and %s.", cause_text(cause), limit);
}

/* ---- what follows ---- */

static void tell(struct txn *t, const struct config_channel *c, enum away_cause cause)
{
	struct json_writer w;
	struct buf data;

	buf_init(&data, 64u << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "channel", c->name);
	if (cause != AWAY_NOT) {
		jw_key_text(&w, "cause", str_from(cause_text(cause)));
		jw_key_text(&w, "over_limit", c->away.over_limit == AWAY_HOLD ? STR("hold") : STR("refuse"));
	}
	jw_object_end(&w);
	t->cause = (struct txn_cause){.correlation_id = txn_uuid(t)};
	txn_event(t, cause == AWAY_NOT ? "channel.erp_back" : "channel.erp_away", c->name, 0, txn_text(t, &data));
	buf_done(&data);
}

static void look(struct away *a, struct txn *t, int64_t now)
{
	for (uint16_t i = 0; i < a->tenant->channel_count; i++) {
		enum away_cause cause = channel_cause(a, &a->tenant->channels[i], now);
		bool changed = (cause == AWAY_NOT) != (a->seen[i] == AWAY_NOT);

		a->seen[i] = cause;
		if (changed && t)
			tell(t, &a->tenant->channels[i], cause);
		a->resume = a->resume || (changed && cause == AWAY_NOT);
	}
}

void away_load_done(struct away *a, int64_t now)
{
	if (a->active)
		look(a, NULL, now);
}

/* Nothing was heard of a failure for too long: the oldest order that waits goes and sees. */
static void try_lapsed(struct away *a, struct order_book *b, struct txn *t)
{
	for (uint16_t i = 0; i < a->tenant->system_count; i++) {
		for (enum away_sign sign = 0; sign < AWAY_SIGNS; sign++) {
			int64_t until = a->until[sign][i];
			bool probe = i == a->poster && b->awaiting.first && !a->paused[i];

			if (!until || until > t->now)
				continue;
			set_until(a, t, i, sign, probe ? t->now + patience(a, i) : 0);
			if (probe)
				order_step_resume(b, t, b->awaiting.first);
		}
	}
}

static void let_go(struct away *a, struct order_book *b, struct txn *t)
{
	struct order_open *o = b->awaiting.first, *next;
	size_t count = 0;

	for (; o && count < RESUME_MAX; o = next) {
		next = o->next_held;
		if (a->seen[o->channel] != AWAY_NOT)
			continue;
		order_step_resume(b, t, o);
		count++;
	}
	a->resume = o != NULL;
}

void away_step(struct away *a, struct order_book *b, struct txn *t)
{
	struct txn_cause cause = t->cause;

	if (!a->active && !b->awaiting.first)
		return;
	try_lapsed(a, b, t);
	look(a, t, t->now);
	if (a->resume)
		let_go(a, b, t);
	t->cause = cause;
}

int64_t away_next(const struct away *a, const struct order_book *b, int64_t now)
{
	const int systems[] = {a->poster, a->record};
	int64_t next = INT64_MAX;

	if (!a->active)
		return INT64_MAX;
	if (a->resume && b->awaiting.first)
		return now;
	for (size_t n = 0; n < 2; n++) {
		int64_t until = INT64_MAX;

		if (systems[n] < 0)
			continue;
		if (a->tenant->systems[systems[n]].delivery.maintenance.count)
			calendar_within(&a->tenant->systems[systems[n]].delivery.maintenance, now, &until);
		next = until < next ? until : next;
		for (enum away_sign sign = 0; sign < AWAY_SIGNS; sign++) {
			until = a->until[sign][systems[n]];
			next = until && until < next ? until : next;
		}
	}
	for (uint16_t i = 0; i < a->tenant->channel_count; i++) {
		const struct config_channel *c = &a->tenant->channels[i];
		int64_t heard = oldest_heard(a, c), at = heard + c->away.silent_after_ms + 1;

		if (c->away.over_limit == AWAY_ACCEPT || !c->away.silent_after_ms || heard == INT64_MAX || at <= now)
			continue;
		next = at < next ? at : next;
	}
	return next;
}

bool away_is(const struct away *a, uint16_t channel)
{
	return a->seen[channel] != AWAY_NOT;
}
