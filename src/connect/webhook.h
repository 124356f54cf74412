/*
 * An event to a subscription: what is sent and what its answer means. No connector has a part in it.
 *
 * The subscription's row is read with each attempt: its url, whether it still wants anything, its keys. Every answer
 * but 2xx is tried again; 429 and 503 hold the subscription as they hold a system.
 */
#ifndef CONNECT_WEBHOOK_H
#define CONNECT_WEBHOOK_H

#include "connect/attempt.h"

/* What all subscriptions have in common; static. */
struct pack *webhook_pack(void);

/* As attempt_render and attempt_classify. A subscription that is disabled or deleted cancels the attempt. */
enum rc webhook_render(struct attempt *a, struct store_reader *r, int64_t now_ms, struct err *e) MUST_CHECK;
void webhook_classify(struct attempt *a);

#endif
