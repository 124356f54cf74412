/* A subscription as the API shows it: without its secrets. */
#ifndef HUB_SUBSCRIPTION_TEXT_H
#define HUB_SUBSCRIPTION_TEXT_H

#include "backbone/subscription.h"
#include "format/json.h"
#include "hub/webhook_secret.h"

/* An object left open. keys: for the public ones and how long they are valid. */
void subscription_write(struct json_writer *w, const struct subscription *s, const struct webhook_keys *keys,
			int64_t now_ms);

#endif
