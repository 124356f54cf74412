/*
 * Reconciliation: what another system says it holds, against the ledger, as of one instant. Pure; one thread a run.
 *
 * A balance of theirs is true of the instant `as_of`; ours is known as of now. What moved after as_of is taken off ours
 * again, so movements in flight make no difference. What differs becomes a candidate. A candidate is judged later, when
 * messages that were under way have had time to arrive:
 *
 *     late         the difference is gone: the movements that explain it came in meanwhile
 *     double       we booked something twice: two like movements, under different ids, and one of them is the
 * difference master_data  one side does not know the item, the location or the unit lost         anything else: one
 * side has a movement that the other has not
 */
#ifndef ORCHESTRATE_RECONCILE_COMPARE_H
#define ORCHESTRATE_RECONCILE_COMPARE_H

#include "base/arena.h"
#include "orchestrate/policy.h"
#include "orchestrate/stock/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECONCILE_CANDIDATES_MAX 1000000
#define RECONCILE_BYTES_MAX      ((size_t)2 << 30)
#define RECONCILE_ANYWHERE       (-1) /* a location: all of the system's together */

/* Stored as numbers: never renumber. */
enum drift_class { DRIFT_LATE = 1, DRIFT_LOST = 2, DRIFT_DOUBLE = 3, DRIFT_MASTER_DATA = 4, DRIFT_CLASSES };
enum drift_action {
	DRIFT_REPORTED = 1,
	DRIFT_TOLERATED = 2, /* within the tolerance */
	DRIFT_CORRECTED = 3,
	DRIFT_RAISED = 4, /* an exception */
	DRIFT_ACTIONS
};
const char *drift_class_name(enum drift_class c);
const char *drift_action_name(enum drift_action a);

struct drift {
	struct str sku;
	int32_t location; /* index, or RECONCILE_ANYWHERE */
	struct str place; /* its name as they say it; may be empty */
	struct str lot;   /* empty: all lots together */
	struct str unit;  /* theirs; may be empty */
	qty_t theirs, ours;
	int64_t as_of;
	enum drift_class class_; /* 0 until it is judged */
	bool lots;               /* ours lies in lots or under owners: one number cannot correct it */
	struct str why;          /* static; of DRIFT_MASTER_DATA */
};

struct reconcile;

/* locations: what the system answers for. */
struct reconcile *reconcile_new(const struct config_tenant *tenant, const uint16_t *locations, size_t count);
void reconcile_free(struct reconcile *r);

/* A change of the on-hand quantity of an item somewhere that the ledger knows of. */
struct reconcile_change {
	struct str sku, location, lot, type, event_id;
	int64_t occurred_at;
	qty_t delta;
};
/* All changes that were booked since the run began, and those before with occurred_at after as_of. In any order, each
 * once. */
enum rc reconcile_moved(struct reconcile *r, const struct reconcile_change *c) MUST_CHECK;
/* A change from before, for candidates only: others are ignored. */
enum rc reconcile_history(struct reconcile *r, const struct reconcile_change *c) MUST_CHECK;

struct reconcile_balance {
	struct str sku, location; /* location empty: anywhere in the scope */
	struct str lot;           /* empty: all lots together */
	struct str unit;          /* may be empty */
	qty_t quantity;
	int64_t as_of;
};
/* positions: ours, NULL if the item is not known. RC_LIMIT: too many differences. */
enum rc reconcile_balance(struct reconcile *r, const struct reconcile_balance *b,
			  const struct stock_position *positions, size_t count) MUST_CHECK;
/* An item of ours, after all of theirs: what they did not mention counts as nothing. */
enum rc reconcile_ours(struct reconcile *r, struct str sku, const struct stock_position *positions, size_t count,
		       int64_t as_of) MUST_CHECK;
/* One number of a channel: what it shows, what it should. */
enum rc reconcile_shown(struct reconcile *r, struct str sku, qty_t shown, qty_t should, bool known,
			int64_t as_of) MUST_CHECK;

struct reconcile_totals {
	int64_t compared, equal;
};
struct reconcile_totals reconcile_totals(const struct reconcile *r);
size_t reconcile_count(const struct reconcile *r); /* candidates */
struct drift *reconcile_at(struct reconcile *r, size_t i);
/* The candidate of this item, place and lot, or NULL. */
struct drift *reconcile_find(const struct reconcile *r, struct str sku, struct str location, struct str lot);
/* Looks at a stock candidate again and sets its class. our_unit: of the item, may be empty. */
void reconcile_judge(struct reconcile *r, struct drift *d, struct str our_unit, const struct stock_position *positions,
		     size_t count);

/* What is done about it. units: what may differ; ppm: what may, as a part of ours. */
bool drift_tolerable(const struct drift *d, qty_t units, int32_t ppm);

#endif
