/* The urls of subscriptions: which there may be, and what of one is shown in records. */
#ifndef HUB_WEBHOOK_URL_H
#define HUB_WEBHOOK_URL_H

#include "base/arena.h"
#include "hub/config.h"

/* What is wrong with it by the rules as they are now, a sentence; NULL: nothing. Where a name leads is seen when it is
 * connected to. */
const char *webhook_url_wrong(struct str url, const struct config_webhooks *w);
/* Scheme, host and path; a query may hold a secret and is "?***". */
struct str webhook_url_shown(struct str url, struct arena *a);

#endif
