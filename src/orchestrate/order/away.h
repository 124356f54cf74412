/*
 * What may be promised while the ERP is away: by the channel's policy (config_away), up to limits that are measured
 * against the last known stock. What is over them is held (orders; a person may decide before) or refused.
 *
 * Away is: the system that orders are posted to, or the record of stock, is paused, in maintenance or fails; or the
 * record of one of the channel's locations has been silent for longer than the policy says. All of this is in the
 * state or follows from the configuration and the time, so a start decides the same.
 *
 * Failing is told by the delivery engine (system.failing, a breaker of order.post) and by the results of deliveries,
 * and ended by a good answer. Where everything is held nothing is sent, and there would be no answer to end it: so a
 * failure that nothing was heard of for a while lapses, and then one order is let through to see. Writer only.
 */
#ifndef ORCHESTRATE_ORDER_AWAY_H
#define ORCHESTRATE_ORDER_AWAY_H

#include "orchestrate/order/order.h"
#include "orchestrate/stock/publish.h"

enum away_cause { AWAY_NOT, AWAY_PAUSED, AWAY_MAINTENANCE, AWAY_FAILING, AWAY_REFUSING, AWAY_SILENT };

struct away;

/* paused: by system; it stays the caller's and is read whenever something is judged. */
struct away *away_new(const struct config_tenant *tenant, const struct publisher *publisher, const bool *paused);
void away_free(struct away *a);

/* What the engine says of a system: all of it fails; the breaker of its order.post is open. */
enum away_sign { AWAY_SIGN_FAILING, AWAY_SIGN_REFUSING, AWAY_SIGNS };

/* Loading: meta "failing:<system>" and "refusing:<system>"; then, with everything else loaded, what is away now. */
struct str away_meta_name(enum away_sign sign, struct str system, char *out, size_t size);
void away_load(struct away *a, uint16_t system, enum away_sign sign, int64_t until);
void away_load_done(struct away *a, int64_t now);

/* It begins, and is over. */
void away_failing(struct away *a, struct txn *t, uint16_t system, enum away_sign sign);
void away_back(struct away *a, struct txn *t, uint16_t system, enum away_sign sign);
/* A delivery's answer says the same. */
void away_answered(struct away *a, struct txn *t, uint16_t system, enum operation op, bool good);

/* What an order or a reservation asks for; value: NULL if it is not known. RC_OK: it may be promised, and *away says
 * whether the ERP was away; RC_RETRY "erp_away": it is over the limits. */
struct away_need {
	struct stock_item *item; /* NULL: unknown */
	qty_t quantity;
};
enum rc away_judge(const struct away *a, struct stock *s, uint16_t channel, const struct away_need *needs, size_t count,
		   const struct decimal *value, struct str currency, int64_t now, bool *away, struct err *e) MUST_CHECK;

/* At the end of a batch: says what has changed, and lets go what waited. */
void away_step(struct away *a, struct order_book *b, struct txn *t);
int64_t away_next(const struct away *a, const struct order_book *b, int64_t now);
bool away_is(const struct away *a, uint16_t channel); /* as the last step saw it */

#endif
