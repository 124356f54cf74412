/*
 * Reconciliations as the hub keeps them: one row a run, one row a difference (docs/reconciliation.md). The comparing is
 * connect/reconcile's; the hub makes the run durable and does what the policy says about a difference, in one
 * transaction with its row.
 */
#ifndef HUB_RECONCILIATION_H
#define HUB_RECONCILIATION_H

#include "orchestrate/reconcile/compare.h"

/* Stored as numbers: never renumber. Final from 90. */
enum reconciliation_status {
	RECONCILIATION_RUNNING = 0,
	RECONCILIATION_DONE = 90,
	RECONCILIATION_FAILED = 93,
	RECONCILIATION_CANCELLED = 95,
};
const char *reconciliation_status_name(int64_t status);

/* Of this many differences of one run exceptions are raised one by one; one more says how many others there are. */
#define RECONCILIATION_RAISED_MAX 100
/* Differences in one command. */
#define RECONCILIATION_SLICE 200

struct drift_row {
	struct drift drift;
	enum drift_action
	    action; /* wished; DRIFT_RAISED instead of DRIFT_CORRECTED where one number cannot correct it */
};

#endif
