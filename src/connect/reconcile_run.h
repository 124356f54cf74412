/* Inside the reconciler: a run and its steps. */
#ifndef CONNECT_RECONCILE_RUN_H
#define CONNECT_RECONCILE_RUN_H

#include "connect/reconcile.h"
#include "connect/transport/http.h"
#include "hub/command.h"
#include "mediate/mediator.h"

#include <pthread.h>

/*
 *     reading -> settling -> (a channel: reading again) -> looking back -> judging -> writing -> ending
 *
 * Any step may fail the run: then it ends as failed, with the reason, and nothing is written of what it found.
 */
enum run_state {
	RUN_READING,
	RUN_SETTLING,
	RUN_READING_AGAIN,
	RUN_LOOKING_BACK,
	RUN_JUDGING,
	RUN_WRITING,
	RUN_ENDING,
	RUN_OVER
};
const char *run_state_name(enum run_state s);

struct given_page {
	struct given_page *next;
	struct arena arena; /* owns the document */
	const struct json *page;
};

struct run {
	struct run *next;
	struct reconciler *owner;
	struct hub *hub;
	size_t hub_index;
	const struct config_system *system;
	int64_t seq;
	char id[64], correlation_id[256];
	enum drift_reaction on_drift;
	bool given, channel;

	enum run_state state;
	int64_t next_at; /* wall ms; 0: at once */
	struct reconcile *compare;
	int64_t newest, oldest;    /* movements read: (oldest, newest] are in the comparison */
	int64_t looked_back, rows; /* by the search for doubles */
	bool back_done;
	int64_t as_of, latest; /* the first and the last instant of their pages; 0: none yet */

	struct arena arena; /* of the page under way */
	void *transfer;
	bool answered;
	struct http_answer answer;
	char cursor[1024];
	uint32_t tries, pages;

	size_t at;               /* candidates judged, or written */
	struct command *command; /* with the hub */
	bool command_done;
	uint32_t raised;
	int64_t unraised;
	int64_t classes[DRIFT_CLASSES], actions[DRIFT_ACTIONS], more, less; /* more, less: units, qty_t */
	bool correct_refused;
	bool open, cancelled; /* open: its row was found so, when it was looked at last */
	char failure[256];

	/* Guarded by the reconciler's lock. */
	struct given_page *given_first, *given_last;
	size_t given_count;
	bool given_all;
	int64_t given_at;
	struct reconcile_totals shown_totals;
	size_t shown_differences;
	enum run_state shown_state;
};

struct reconciler {
	struct hub **hubs;
	size_t hub_count;
	const struct clock *clock;
	pthread_t thread; /* with http and mediator; NULL and none: the caller takes the turns */
	pthread_mutex_t lock;
	bool stopping; /* under the lock */
	bool woken;    /* under the lock */
	int wake_fd;
	struct http *http;
	struct mediator *mediator;
	struct store_reader **readers; /* by hub */
	int64_t *next_due;             /* by hub and system: see schedule */
	size_t *first_due;             /* by hub */
	struct run *runs;
	size_t run_count;
	bool look, started;
	int64_t now;
};

void reconciler_signal(struct reconciler *r);
enum rc reconciler_reader(struct reconciler *r, size_t hub_index, struct store_reader **out, struct err *e) MUST_CHECK;

struct run *run_begin(struct reconciler *r, size_t hub_index, const struct store_value *row);
void run_end(struct run *run); /* frees it */
/* One step; when it wants the next one (wall ms; 0: at once; INT64_MAX: when it is woken). */
int64_t run_step(struct run *run);
void run_fail(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

/* reconcile_read.c: pages of theirs and movements of ours, into the comparison. */
int64_t run_read(struct run *run);
enum rc run_movements_newer(struct run *run, struct err *e) MUST_CHECK;
enum rc run_movements_older(struct run *run, int64_t until, bool history, uint32_t rows, bool *done,
			    struct err *e) MUST_CHECK;

#endif
