/*
 * One try of one delivery: what is asked of the destination, and what came of it.
 *
 * Made by the delivery loop, worked on by one thread at a time: a worker renders it, the loop transfers it, a worker
 * classifies the answer, the loop commits the result. Everything it points to is in its arena.
 */
#ifndef CONNECT_ATTEMPT_H
#define CONNECT_ATTEMPT_H

#include "connect/lanes.h"
#include "connect/transport/http.h"
#include "hub/hub.h"

#define ATTEMPT_ARENA_MAX  (64u << 20)
#define ATTEMPT_TIMEOUT_MS 30000 /* when neither configuration nor pack says */
#define ATTEMPT_CONNECT_MS 5000
#define ATTEMPT_CONFIRM_MS 30000

enum attempt_kind {
	ATTEMPT_SEND,      /* the request itself */
	ATTEMPT_LOOKUP,    /* after an unknown outcome: does the destination have it? */
	ATTEMPT_ABANDON,   /* unknown for good: only the delivery is read, for the result */
	ATTEMPT_SUPERSEDE, /* a newer one takes its place: nothing is read or sent */
};

struct attempt {
	enum attempt_kind kind;
	struct hub *hub;
	const struct config_system *system;
	struct delivery_head head;
	struct arena arena;

	struct delivery delivery;
	struct json *input;  /* of the mapping */
	struct json *batch;  /* of several deliveries in one request, the first one's: their inputs; else NULL */
	struct str batch_id; /* DELIVERY_BATCH ..., of the first one and the others; else empty */
	size_t place;        /* in the batch */
	bool left_out;       /* does not fit into the batch, or cannot be in one */
	struct http_request request;
	size_t items; /* of an availability or stock request */

	int64_t started_at; /* wall */
	struct http_answer transfer;

	/* The end: set by the render step if it fails, else by the classify step. */
	bool ended;
	bool cancelled; /* nobody wants it any more: it is not sent */
	bool gone;      /* nor anything else of its subscription, ever */
	enum outcome outcome;
	bool found, empty; /* look-up: it is there; it is not. Neither: the look-up failed */
	struct str external_id, detail;
	int64_t retry_after_ms;
	const struct json *stale;
	struct pack_cost cost;
	const struct pack_part *parts; /* of a batch */
	struct str request_text, response_text;
};

void attempt_init(struct attempt *a, enum attempt_kind kind, const struct config_system *system,
		  const struct delivery_head *head);
void attempt_done(struct attempt *a);

/* Loads the delivery and renders the request. Any failure ends the attempt. RC_IO, RC_RETRY: the delivery could not be
 * read, there is nothing to report about it; try again later. */
enum rc attempt_render(struct attempt *a, struct mediator *m, struct store_reader *r, int64_t now_ms,
		       struct err *e) MUST_CHECK;
/* The same of several in one request, which is the first one's. Those that cannot be in it, or do not fit into bytes,
 * are left out. If the request cannot be made, all are left out; if the first one has ended, all but the first. */
enum rc attempt_render_batch(struct attempt *const *list, size_t count, size_t bytes, struct mediator *m,
			     struct store_reader *r, int64_t now_ms, struct err *e) MUST_CHECK;
/* From the transfer's answer (copied) to the outcome. */
void attempt_keep_answer(struct attempt *a, const struct http_answer *answer);
void attempt_classify(struct attempt *a, struct mediator *m, int64_t now_ms);

/* How long an empty look-up has to stay empty. */
int64_t attempt_confirm_after_ms(const struct config_system *s, uint8_t operation);

#endif
