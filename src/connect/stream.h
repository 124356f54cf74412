/* Inbound mediation's inside: streams and the workers they belong to. inbound.c tells the rules. */
#ifndef CONNECT_STREAM_H
#define CONNECT_STREAM_H

#include "connect/inbound.h"

#include <pthread.h>

#define MESSAGE_PAYLOAD_MAX  (64u << 20)
#define MESSAGE_ENVELOPE_MAX (1u << 20)
#define STREAM_PARK_MS       20

struct stream {
	struct inbound_worker *worker;
	struct inbound_hub *hub;
	struct store_reader *reader; /* the worker's */
	int64_t taken, scanned;      /* the worker's: seq of the last message taken out; of the last row read */
	int items_taken;             /* the worker's: of the first message, when it was parked */

	/* Guarded by the worker's lock. */
	struct message *first, *last;
	size_t bytes;
	bool behind, dropped;
	uint32_t outstanding; /* commands with the hub */
	int64_t rewind;       /* the commit of this message failed; 0: none */
	int64_t park_until;   /* monotonic ms */
};

struct inbound_worker {
	struct inbound_engine *engine;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct mediator *mediator;
	struct stream *streams; /* by hub */
	size_t bytes, turn;
	bool stopping;
};

struct inbound_hub {
	struct inbound_engine *engine;
	struct hub *hub;
	const struct config_tenant *tenant;
	size_t index;
};

struct inbound_engine {
	const struct clock *clock;
	struct inbound_hub *hubs;
	size_t hub_count;
	struct inbound_worker *workers;
	uint32_t worker_count;
};

int64_t stream_now_ms(const struct inbound_engine *in); /* monotonic */
/* Waits for news of the worker; called with its lock. wait_ms below 0: for ever. */
void stream_wait(struct inbound_worker *w, int64_t wait_ms);

/* A copy that owns its memory. */
struct message *message_copy(const struct message *from);

/* Makes commands of a message and gives them to the hub. Takes the message over. RC_RETRY: not all could be given;
 * *again is the message, and the stream's items_taken says how many were. */
enum rc intake_mediate(struct stream *s, struct message *m, struct message **again) MUST_CHECK;

#endif
