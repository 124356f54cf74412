/*
 * Reconciliations: reads the balances of other systems, compares them with the ledger, and hands what differs to the
 * hubs. One thread for all; a slow system holds up its own run only. docs/reconciliation.md tells the rules.
 */
#ifndef CONNECT_RECONCILE_H
#define CONNECT_RECONCILE_H

#include "format/json.h"
#include "hub/node.h"
#include "orchestrate/reconcile/compare.h"

#define RECONCILE_RUNS_MAX    32 /* at once; more wait */
#define RECONCILE_PAGE        1000
#define RECONCILE_PAGES_MAX   10000000
#define RECONCILE_WAITING_MAX 16                     /* pages given and not yet compared, of one run */
#define RECONCILE_TRIES_MAX   8                      /* of one page */
#define RECONCILE_IDLE_MS     ((int64_t)3600 * 1000) /* a run that is given nothing more for so long fails */
/* More than this part of all differs: it is not corrected but raised, as a whole. */
#define RECONCILE_CORRECT_MAX_PPM 100000
#define RECONCILE_CORRECT_ALWAYS  100 /* but so many may always be */
#define RECONCILE_HISTORY_MS      ((int64_t)24 * 3600 * 1000)
#define RECONCILE_HISTORY_MAX     1000000

struct reconciler;

enum rc reconciler_start(struct node *n, struct reconciler **out, struct err *e) MUST_CHECK;
/* Without a thread and a network: balances have to be given, and the caller takes the turns. */
void reconciler_open(struct hub *const *hubs, size_t count, const struct clock *clock, struct reconciler **out);
/* One step of each run; when the next is wanted (wall ms; INT64_MAX: when it is woken). */
int64_t reconciler_turn(struct reconciler *r);
/* The hubs' writers must still run: they give our commands back. What runs is begun again by the next start. */
void reconciler_stop(struct reconciler *r);
void reconciler_free(struct reconciler *r); /* stopped, NULL is fine; of an opened one the hubs are closed before */

/* A run was begun. Any thread. */
void reconciler_wake(struct reconciler *r);

/* A page of balances that a caller sends, as schemas/stock-balances has it. Any thread. RC_INVALID: it is not one, the
 * findings say why; RC_NOT_FOUND "reconciliation_not_found": no such run waits for balances; RC_RETRY "busy": too many
 * pages wait. */
enum rc reconciler_give(struct reconciler *r, const struct hub *h, struct str id, struct str page, struct findings *f,
			struct err *e) MUST_CHECK;

/* Members of a run under way: its state and counts; nothing if it is not. Any thread. */
void reconciler_progress(struct reconciler *r, const struct hub *h, int64_t seq, struct json_writer *w);

#endif
