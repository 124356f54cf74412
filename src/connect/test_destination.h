/* One destination by itself, for tests: no hub, no store, no thread; the test moves the time and ends the transfers.
 * What it tells the hub stays in hub.first. */
#ifndef CONNECT_TEST_DESTINATION_H
#define CONNECT_TEST_DESTINATION_H

#include "base/test.h"

#include "connect/engine.h"

#include <stdio.h>

#define BARE_NOW 1000000

struct bare {
	struct delivery_engine engine;
	struct delivery_hub hub;
	struct pack pack;
	struct config_system system;
	struct operation_policy policies[OPERATIONS];
	struct engine_destination t;
	struct engine_destination *active[2];
	struct transport transport;
	uint32_t sent;
};

static struct bare bare;

static inline enum rc bare_start(struct transport *t, const struct http_request *r, http_done_fn done, void *ctx,
				 void **transfer, struct err *e)
{
	(void)t;
	(void)r;
	(void)done;
	(void)e;
	bare.sent++;
	*transfer = ctx;
	return RC_OK;
}

static inline void bare_cancel(struct transport *t, void *transfer)
{
	(void)t;
	(void)transfer;
}

/* Change the configuration in bare.system and bare.policies, then bare_begin. */
static inline void bare_init(void)
{
	memset(&bare, 0, sizeof(bare));
	bare.engine.now = BARE_NOW;
	bare.engine.active = bare.active;
	bare.engine.random = 1;
	bare.transport = (struct transport){.start = bare_start, .cancel = bare_cancel};
	bare.engine.transport = &bare.transport;
	bare.hub.engine = &bare.engine;
	bare.hub.submit_at = INT64_MAX;
	bare.system.name = STR("one");
	bare.system.pack = &bare.pack;
	bare.system.operations = bare.policies;
	bare.system.delivery = CONFIG_DELIVERY_DEFAULT;
}

static inline void bare_begin(void)
{
	static const char *const labels[] = {"tenant", "one", "delivered"};
	struct engine_destination *t = &bare.t;
	t->hub = &bare.hub;
	t->system = &bare.system;
	t->policy = (struct retry_policy){.base_ms = 1000, .max_ms = 60000, .give_up_after_ms = 3600000};
	t->lanes = lanes_new();
	t->breaker_metric = metric_find(M_BREAKER_OPENED, labels);
	t->crowded_metric = metric_find(M_DELIVERY_CROWDED, labels);
	t->lag = metric_find(M_DELIVERY_LAG_SECONDS, labels);
	for (int o = 0; o < OUTCOMES; o++)
		t->outcomes[o] = metric_find(M_DELIVERIES, labels);
	admission_init(t);
}

static inline void bare_done(void)
{
	runs_done(&bare.engine);
	while (bare.engine.submissions)
		submission_free(bare.engine.submissions);
	lanes_free(bare.t.lanes);
	admission_done(&bare.t);
}

static inline void bare_add(const struct delivery_head *head)
{
	assert_true(lanes_add(bare.t.lanes, head, bare.engine.now));
}

/* The next one of this priority is tried, as dispatch.c begins it. */
static inline struct attempt_run *bare_try(enum delivery_priority p)
{
	struct lane *lane = lanes_take(bare.t.lanes, p);
	assert_non_null(lane);
	struct attempt_run *r = run_new(&bare.t, lane, lane->first, ATTEMPT_SEND);
	r->is_ahead = true;
	bare.t.ahead++;
	bare.t.ahead_of[p]++;
	bare.engine.ahead++;
	return r;
}

/* The types of the events that were told, by spaces. */
static inline const char *bare_told(void)
{
	static char text[1000];
	size_t n = 0;
	text[0] = '\0';
	for (const struct submission *s = bare.hub.first; s; s = s->next)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", s->command->note.type);
	return text;
}

#endif
