/* The delivery engine's inside: what its files share. Everything here belongs to the loop's thread unless it says
 * otherwise. */
#ifndef CONNECT_ENGINE_H
#define CONNECT_ENGINE_H

#include "connect/attempt.h"
#include "connect/delivery.h"
#include "connect/destination.h"
#include "connect/lanes.h"
#include "connect/timers.h"
#include "connect/turns.h"
#include "connect/workers.h"

#include "observe/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_TRANSFERS_MAX 4096 /* all destinations together */
#define ENGINE_WORK_AT_ONCE  64
#define ENGINE_SLEEP_MS      500  /* longest sleep: a pause that ends and a moved test clock are noticed */
#define ENGINE_RESUBMIT_MS   50   /* after a hub refused a command */
#define ENGINE_AGAIN_MS      1000 /* after a failed commit, or a store that cannot be read */
#define WINDOW_ROWS          1000 /* read from the store at once */

/* What other threads tell the loop. */
enum note_type { NOTE_HEADS, NOTE_STARTED, NOTE_RESULT, NOTE_RENDERED, NOTE_CLASSIFIED, NOTE_LOADED, NOTE_CHANGES };
struct note {
	enum note_type type;
};

/* What is open of one priority up to loaded_through is in memory (window.c). */
struct engine_window {
	int64_t loaded_through, load_at;
	bool more, loading, dropped;
};

struct engine_destination {
	struct delivery_hub *hub;
	const struct config_system *system;
	struct config_system *own; /* of a subscription: system; else NULL */
	uint32_t index;            /* as in delivery_head.system */
	struct retry_policy policy;
	struct destination_health health;
	struct lanes *lanes;
	uint32_t transfers, unfinished; /* see destination_room */
	uint32_t transfers_of[PRIORITIES];
	bool gone;          /* a subscription that was deleted: freed when it is idle */
	bool active;        /* in the engine's list: it has a turn in the next round */
	struct timer timer; /* when it wants one by itself */

	struct engine_window windows[PRIORITIES];
	struct turns turns;

	int64_t backlog, backlog_shown; /* exact when there is no more in the store; in the metric */
	int64_t last_success_at, last_failure_at;
	char last_failure[160];
	struct metric *outcomes[OUTCOMES], *backlog_metric, *lag, *items, *items_lag, *mediate;
	struct delivery_view view; /* guarded by the engine's view_lock */
};

/* A command that waits to be submitted, or is with the hub. */
struct submission {
	struct note note;
	struct submission *next;
	struct submission *all_next, **all_back; /* of the engine, to free what is left at the end */
	struct delivery_hub *hub;
	struct command *command;
	struct attempt_run *runs; /* NOTE_STARTED, NOTE_RESULT: by `next`, in the order of the command's items */
};

struct delivery_hub {
	struct delivery_engine *engine;
	struct hub *hub;
	size_t index;
	struct engine_destination *destinations; /* by system index */
	size_t count;
	struct engine_destination *
	    *subscriptions; /* by seq; those that had something to deliver. Grows under view_lock */
	size_t subscription_room;
	struct attempt_run *rendered, *rendered_last; /* to be started, in one command */
	size_t rendered_count;
	struct attempt_run *concluded, *concluded_last; /* to be told to the hub, in one command */
	size_t concluded_count;
	struct submission *first, *last; /* refused by the hub so far */
	int64_t submit_at;
};

/* An attempt and where it stands. */
struct attempt_run {
	struct attempt attempt;
	struct note note;
	struct work work;
	struct attempt_run *next;
	struct attempt_run *all_next, **all_back; /* of the engine, to free what is left at the end */
	struct engine_destination *destination;
	struct lane *lane;
	struct lane_entry *entry; /* of the lane: what is tried */
	void *transfer;           /* under way, or NULL */
	bool in_transfer_slot;
	bool unreadable; /* the store could not be read */
	bool failing;    /* its lane is hastened when the destination is back */
	int64_t next_at;
};

struct delivery_engine {
	const struct clock *clock;
	struct delivery_hub *hubs;
	size_t hub_count, destination_count;
	struct workers *workers;
	struct transport *transport;
	struct http *http; /* ours, or NULL: the transport is another */
	struct queue *notes;
	int wake_fd; /* -1: no thread */
	pthread_t thread;
	atomic_bool stopping;
	int64_t patience_ms; /* set before stopping */
	bool ended;          /* nothing is sent any more: only what is out comes back */
	pthread_mutex_t view_lock;
	int64_t now;
	uint64_t random;
	struct engine_destination **active; /* those that something happened to */
	struct engine_destination **active_next;
	size_t active_count, active_room, turn;
	struct timers timers;
	struct attempt_run *all;
	struct submission *submissions;
	size_t transfers;
	size_t with_hub;     /* submissions that the hubs have */
	size_t with_workers; /* or about to be */
	void *work[ENGINE_WORK_AT_ONCE];
	size_t work_count;
};

void engine_post(struct delivery_engine *d, struct note *n); /* any thread */
/* Gives it to the workers at the end of the turn; the note comes back when it is done. */
void engine_work(struct delivery_engine *d, struct work *work, struct note *n);
uint64_t engine_random(struct delivery_engine *d);
void engine_activate(struct engine_destination *t);

/* window.c */
void window_add(struct engine_destination *t, const struct delivery_head *heads, size_t count);
void window_fill(struct engine_destination *t);          /* asks for more from the store if there is room */
void window_open(struct engine_destination *t);          /* what waits is in the store */
bool window_more(const struct engine_destination *t);    /* than is in memory */
int64_t window_next(const struct engine_destination *t); /* when it wants to be filled again by itself */
void window_loaded(struct note *n);
void window_forget(struct note *n); /* a load that nobody waits for any more */

/* dispatch.c */
void dispatch(struct engine_destination *t);                            /* starts what may be started */
int64_t dispatch_next(const struct engine_destination *t, bool paused); /* when it wants to be looked at again */
void dispatch_rendered(struct attempt_run *r);                          /* it may be started now */
void dispatch_start(struct delivery_hub *h);                            /* starts what is rendered */
void dispatch_started(struct submission *s);
struct submission *submission_new(struct delivery_hub *h, enum note_type type, struct command *c);
void submission_free(struct submission *s); /* with its command */
void submit(struct submission *s);
void submit_again(struct delivery_hub *h);

/* progress.c */
struct attempt_run *run_new(struct engine_destination *t, struct lane *lane, enum attempt_kind kind);
void run_free(struct attempt_run *r);
void run_render(struct attempt_run *r); /* gives it to a worker */
void run_transfer(struct attempt_run *r);
void run_drop(struct attempt_run *r, int64_t due); /* as if it had not been tried */
void progress_rendered(struct attempt_run *r);
void progress_classified(struct attempt_run *r);
void progress_submit(struct delivery_hub *h); /* the results that there are, to the hub */
void progress_result(struct submission *s);

#endif
