/* reconcile: which systems' balances are compared with the ledger, when, and what is done about what differs. */
#include "hub/config_load.h"

static const char *const reactions[] = {
    [ON_DRIFT_REPORT] = "report", [ON_DRIFT_RAISE] = "raise", [ON_DRIFT_CORRECT] = "correct"};

const char *drift_reaction_name(enum drift_reaction r)
{
	return reactions[r];
}

bool drift_reaction_parse(struct str name, enum drift_reaction *out)
{
	for (size_t i = 0; i < sizeof(reactions) / sizeof(reactions[0]); i++) {
		if (str_is(name, reactions[i])) {
			*out = (enum drift_reaction)i;
			return true;
		}
	}
	return false;
}

/* "02:30" in minutes; the schema has checked its form. */
static int32_t minute_of_day(struct str text)
{
	if (text.n != 5)
		return -1;
	return ((text.p[0] - '0') * 10 + text.p[1] - '0') * 60 + (text.p[3] - '0') * 10 + text.p[4] - '0';
}

/* "0.5%" */
static int32_t ppm_of(struct str text)
{
	struct decimal percent, scaled;

	if (!text.n || decimal_parse((struct str){text.p, text.n - 1}, &percent, NULL) != RC_OK ||
	    decimal_rescale(percent, 4, DECIMAL_DOWN, &scaled) != RC_OK)
		return 0;
	return (int32_t)scaled.units;
}

static void read_one(struct config_loader *l, const char *pointer, const struct json *value,
		     const struct config_tenant *t, struct config_system *s)
{
	struct config_reconcile *r = &s->reconcile;
	struct str at = json_get_text(value, "at");
	bool channel = s->roles & ROLE_CHANNEL;

	config_read_duration(value, "every", &r->every_ms);
	config_read_duration(value, "settle", &r->settle_ms);
	config_read_qty(l, value, pointer, "tolerance", &r->tolerance);
	r->tolerance_ppm = ppm_of(json_get_text(value, "tolerance_share"));
	if (at.n) {
		r->at_minute = minute_of_day(at);
		r->every_ms = r->every_ms ? r->every_ms : 86400000;
		if (r->every_ms % 86400000)
			config_finding(l, value, pointer, "bad_schedule", "With 'at', 'every' is whole days.");
	}
	if (r->every_ms && r->every_ms < 60000)
		config_finding(l, value, pointer, "bad_schedule", "A reconciliation runs once a minute at most.");
	drift_reaction_parse(json_get_text(value, "on_drift"), &r->on_drift);
	if (r->on_drift == ON_DRIFT_CORRECT && !channel && t->record_stock != (int16_t)s->index)
		config_finding(l, value, pointer, "not_the_record",
			       "Only what differs from the record for stock, or from a channel, can be corrected.");
	if (s->pack && !s->pack->operations[channel ? OP_AVAILABILITY_SHOWN : OP_STOCK_BALANCES].present && r->every_ms)
		config_finding(l, value, pointer, "no_such_operation",
			       "The connector '" STR_FMT "' cannot read its %s.", STR_ARG(s->pack->name),
			       channel ? "shown availability" : "balances");
}

void config_read_reconcile(struct config_loader *l, const char *tenant_pointer, const struct json *value,
			   struct config_tenant *t)
{
	for (size_t i = 0; i < t->system_count; i++)
		t->systems[i].reconcile = (struct config_reconcile){
		    .at_minute = -1, .settle_ms = RECONCILE_SETTLE_MS, .on_drift = ON_DRIFT_RAISE};
	for (uint32_t i = 0; json_is(value, JSON_OBJECT) && i < value->count; i++) {
		struct str name = value->members[i].name;
		const char *pointer =
		    arena_printf(l->findings->arena, "%s/reconcile/" STR_FMT, tenant_pointer, STR_ARG(name));
		struct config_system *s = (struct config_system *)config_find_system(t, name);
		if (!pointer)
			return;
		if (s)
			read_one(l, pointer, &value->members[i].value, t, s);
		else
			config_finding(l, &value->members[i].value, pointer, "unknown_system",
				       "There is no system '" STR_FMT "'.", STR_ARG(name));
	}
}
