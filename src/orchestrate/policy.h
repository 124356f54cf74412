/*
 * A tenant's policies, as configuration made them: systems, channels, locations, records. Immutable while in use.
 */
#ifndef ORCHESTRATE_POLICY_H
#define ORCHESTRATE_POLICY_H

#include "base/calendar.h"
#include "base/decimal.h"
#include "mediate/pack.h"
#include "model/movement.h"
#include "model/order.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_TENANTS_MAX   1000
#define CONFIG_SYSTEMS_MAX   1000 /* of one tenant */
#define CONFIG_LOCATIONS_MAX 256
#define CONFIG_CHANNELS_MAX  64
#define CONFIG_OWNERS_MAX    62 /* of whose consigned stock something may be sold */
#define RECONCILE_SETTLE_MS  60000

/* Whose a position is: ours, that of an owner whose stock some channel sells (1 + its index), or anybody else's. */
#define CONSIGNOR_NONE 0
#define CONSIGNOR_ANY  (CONFIG_OWNERS_MAX + 1)

enum role { ROLE_CHANNEL = 1, ROLE_ERP = 2, ROLE_WAREHOUSE = 4, ROLE_CRM = 8, ROLE_SUPPLIER = 16 };

/* What a parcel from a location costs: "GB", "GB-BT" (postal codes that begin so), "*". */
struct config_cost {
	struct str zone;
	int64_t cost; /* in ten-thousandths of whatever the configuration counts in */
};

struct config_location {
	struct str name;
	qty_t safety_stock;
	struct str *zones; /* that it is near to, nearest first; as in config_cost */
	struct config_cost *costs;
	size_t zone_count, cost_count;
	int32_t latitude, longitude; /* millionths of a degree */
	bool has_point;
	uint16_t index;
	int16_t warehouse; /* index of the system that ships from here, -1: none */
};

/* "40/s": so many in so many ms; 0: no limit. */
struct config_rate {
	uint32_t count;
	int64_t per_ms;
};

struct config_breaker {
	int64_t window_ms; /* default 60,000 */
	uint32_t samples;  /* answers in the window that it takes to judge; default 50; 0: no breaker */
	uint32_t percent;  /* of failures; default 50 */
	int64_t open_ms;   /* default 10,000; doubles while probes fail */
	uint32_t probes;   /* good ones that close it; default 3 */
};

/* What may wait; 0: no limit. Over it there is an alert, and bulk jobs stand still. */
struct config_backlog {
	uint32_t count;
	int64_t bytes; /* about */
	int64_t age_ms;
	bool refuse; /* on_full: of an ERP, new orders are refused at the edge */
};

struct config_delivery {
	uint32_t slots;           /* transfers at once; default 4 */
	int64_t retry_base_ms;    /* default 1,000 */
	int64_t retry_max_ms;     /* default 300,000 */
	int64_t give_up_after_ms; /* total age, then dead letter; default 3 days */
	int64_t confirm_after_ms; /* 0: the pack's (30 s) */
	int64_t timeout_ms;       /* 0: the pack's */
	uint32_t queue_max; /* heads of each priority kept in memory; the rest waits in the store; default 10,000 */
	struct config_rate rate, catch_up_rate;
	uint32_t burst;                /* of the rate; 0: what comes in a second */
	struct config_breaker breaker; /* of each operation */
	struct config_backlog backlog;
	struct calendar maintenance;
};

#define CONFIG_DELIVERY_DEFAULT                                                                                        \
	((struct config_delivery){.slots = 4,                                                                          \
				  .retry_base_ms = 1000,                                                               \
				  .retry_max_ms = 300000,                                                              \
				  .give_up_after_ms = 3 * (int64_t)86400000,                                           \
				  .queue_max = 10000,                                                                  \
				  .breaker = {60000, 50, 50, 10000, 3}})

/* How a system's SKUs become ours. */
struct config_sku_rule {
	struct str strip_prefix, strip_suffix; /* empty: none */
	struct str add_prefix;                 /* the same */
	enum sku_case letter_case;             /* what is left is made so */
	bool send_theirs;                      /* it is told its own names, not ours */
	bool aliases_only;                     /* it never uses our SKUs: one that is in no item's record is an error */
};

enum drift_reaction { ON_DRIFT_REPORT, ON_DRIFT_RAISE, ON_DRIFT_CORRECT };
const char *drift_reaction_name(enum drift_reaction r);
bool drift_reaction_parse(struct str name, enum drift_reaction *out);

/* How a system's balances are compared with the ledger (docs/reconciliation.md). */
struct config_reconcile {
	int64_t every_ms;  /* 0: not on a schedule */
	int32_t at_minute; /* of the day, UTC, when every_ms is whole days; -1: counted from the start */
	int64_t settle_ms; /* a difference is judged when messages had so long to arrive; default 60,000 */
	qty_t tolerance;   /* units; default 0 */
	int32_t tolerance_ppm;
	enum drift_reaction on_drift; /* default: raise */
};

struct config_system {
	struct str name, url;
	struct pack *pack;
	unsigned roles; /* enum role */
	uint16_t index;
	struct str secret;           /* Standard Webhooks secret, decoded bytes; empty: none */
	struct str bearer;           /* Authorization: Bearer, if the system wants one; empty: none */
	const struct json *settings; /* for the pack's mappings; an object, secrets resolved: never log it */
	struct config_delivery delivery;
	const struct operation_policy *operations; /* by operation: the pack's with delivery.operations; NULL: the
						      pack's */
	struct config_sku_rule sku;
	struct config_reconcile reconcile;
	uint16_t *locations; /* of a warehouse */
	size_t location_count;
};

/* Where stock is taken from (orchestrate/allocate.h). */
enum allocation_rule { ALLOCATION_PRIORITY, ALLOCATION_NEAREST, ALLOCATION_FEWEST_PARCELS, ALLOCATION_COST };

/* What becomes of what a channel asks for while the ERP is away (order/away.h). */
enum away_rule { AWAY_ACCEPT, AWAY_HOLD, AWAY_REFUSE };

struct config_amount {
	struct str currency;
	struct decimal amount;
};

struct config_away {
	enum away_rule over_limit;       /* accept: there is no policy */
	qty_t max_quantity;              /* of a line; -1: this limits nothing */
	int32_t max_share_ppm;           /* of what is free of an item; -1 */
	struct config_amount *max_value; /* of an order, by currency */
	size_t max_value_count;
	int64_t max_age_ms;      /* older data: nothing is within the limits; 0: any age */
	int64_t silent_after_ms; /* silence of a location's record that counts as away; 0: none does */
};

/* What becomes of an order for more of a discontinued item than there is left: the rest is cancelled (default), a
 * person decides, or it is backordered like any other. */
enum discontinued_rule { DISCONTINUED_CANCEL, DISCONTINUED_HOLD, DISCONTINUED_BACKORDER };

struct config_channel {
	struct str name;     /* the system's name */
	uint16_t system;     /* index */
	uint16_t *locations; /* in order of preference */
	size_t location_count;
	uint8_t *owners; /* whose consigned stock it sells: consignors, in the order in which they are sold */
	size_t owner_count;
	uint64_t consignors;                   /* the same, bit by consignor; none of ours */
	int32_t share_ppm;                     /* share(c): 1,000,000 is all */
	qty_t buffer, cap, minimum, backorder; /* cap -1: none */
	enum allocation_rule allocation;
	bool unsplit;    /* split: false: all comes from one location */
	bool split_kits; /* the components of one kit may come from several locations */
	bool substitute; /* an item that is short may be replaced by one of its substitutes */
	enum discontinued_rule discontinued;
	bool strict;                /* safety, share, buffer and cap bind holds as well */
	qty_t quota_units;          /* what its live holds may hold of one item; 0: any */
	int32_t quota_ppm;          /* the same as a share of what there would be without them; 0: any */
	uint32_t quota_holds;       /* live holds it may have; 0: any */
	int64_t hold_ttl_ms;        /* default of a reservation; 900,000 */
	int64_t linger_ms;          /* between two availability deliveries, unless something went to zero; 20 */
	qty_t inbound_cap;          /* of what is in transit, how much may be sold at most; 0: nothing (default) */
	int64_t inbound_horizon_ms; /* and it is expected within this time */
	int64_t max_age_ms;         /* of what a location's system of record has said last; 0: any age */
	bool stale_zero;            /* when_stale: zero; else nothing rises (freeze, default) */
	qty_t threshold;            /* changes that stay at or above it may wait; -1: none do */
	int64_t max_wait_ms;        /* so long; 300,000 */
	int64_t provisional_ms;     /* how long units that were sold and not told are kept back; 600,000 */
	struct config_away away;
};

struct config_tenant {
	struct str name;        /* [a-z][a-z0-9_]{0,39} */
	enum sku_case sku_case; /* sku_case: upper | as-is (default) */
	bool has_sku_rules;     /* a system has some */
	struct config_location *locations;
	size_t location_count;
	struct config_system *systems;
	size_t system_count;
	struct config_channel *channels;
	size_t channel_count;
	struct str *owners; /* those that channels name, each once */
	size_t owner_count;
	struct config_delivery delivery; /* of a system that says nothing else, and of subscriptions */
	/* records: index of the system that is the record, -1: any */
	int16_t record_stock, record_price, record_customer, record_item;
	bool has_order_process;
	int64_t
	    attempts_kept_ms; /* retention.attempts: how long the attempts of deliveries are kept; default 30 days */
};

static inline const struct operation_policy *config_operation(const struct config_system *s, unsigned operation)
{
	return s->operations ? &s->operations[operation] : &s->pack->operations[operation].policy;
}

/* The consignor that an owner is. */
uint8_t config_consignor(const struct config_tenant *t, struct str owner);
const struct config_location *config_find_location(const struct config_tenant *t, struct str name); /* or NULL */

#endif
