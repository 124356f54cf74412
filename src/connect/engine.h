/* The delivery engine's inside: what its files share. Everything here belongs to the loop's thread unless it says
 * otherwise. */
#ifndef CONNECT_ENGINE_H
#define CONNECT_ENGINE_H

#include "connect/attempt.h"
#include "connect/breaker.h"
#include "connect/delivery.h"
#include "connect/destination.h"
#include "connect/lanes.h"
#include "connect/rate.h"
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
/* Memory of ended attempts that is kept for the next ones: so much of each, so much of all. */
#define ENGINE_ARENA_KEPT  (128u << 10)
#define ENGINE_ARENAS_KEPT 64

/* What other threads tell the loop. */
enum note_type {
	NOTE_HEADS,
	NOTE_STARTED,
	NOTE_RESULT,
	NOTE_TOLD,
	NOTE_RENDERED,
	NOTE_CLASSIFIED,
	NOTE_LOADED,
	NOTE_CHANGES
};
struct note {
	enum note_type type;
};

/* What is open of one priority up to loaded_through is in memory (window.c). */
struct engine_window {
	int64_t loaded_through, load_at;
	bool more, loading, dropped;
	bool seen; /* what is in the store was looked at */
};

/* What may be sent when (admission.c). */
struct admission {
	struct rate rate, catch_up;
	bool catching_up;
	struct points points;
	int64_t kept_maximum, kept_restore, kept_cost[OPERATIONS]; /* of the points: in the store (trouble.c) */
	struct breaker *breakers[OPERATIONS];                      /* NULL: closed, and nothing was answered yet */
	int64_t wait_until;     /* what waits is held by rate or points until then; 0: it is not */
	bool maintenance, held; /* now; nothing is sent: maintenance, or an operator's pause */
	int64_t maintenance_until;
	bool crowded;          /* more waits than backlog says may */
	int64_t request_bytes; /* of the last requests, on the average */
	struct meter sent, delivered;
};

struct engine_destination {
	struct delivery_hub *hub;
	const struct config_system *system;
	struct config_system *own; /* of a subscription: system; else NULL */
	uint32_t index;            /* as in delivery_head.system */
	struct retry_policy policy;
	struct destination_health health;
	struct lanes *lanes;
	/* Runs: all, those that are not sent yet, and those that are sent and not answered (of each priority). */
	uint32_t unfinished, ahead, transfers;
	uint32_t with_workers; /* of the runs, and loads */
	uint32_t transfers_of[PRIORITIES], ahead_of[PRIORITIES];
	bool gone;          /* a subscription that was deleted: freed when it is idle */
	bool active;        /* in the engine's list: it has a turn in the next round */
	struct timer timer; /* when it wants one by itself */

	struct engine_window windows[PRIORITIES];
	struct turns turns;
	struct attempt_run *gate[PRIORITIES], *gate_last[PRIORITIES]; /* started, waiting to be sent (gate.c) */
	struct admission admission;

	int64_t backlog, backlog_shown; /* exact when there is no more in the store; in the metric */
	int64_t last_success_at, last_failure_at;
	char last_failure[160];
	struct metric *outcomes[OUTCOMES], *backlog_metric, *crowded_metric, *breaker_metric, *lag, *items, *items_lag,
	    *mediate;
	struct delivery_view view; /* guarded by the engine's view_lock */
};

/* A command that waits to be submitted, or is with the hub. */
struct submission {
	struct note note;
	struct submission *next;
	struct submission *all_next, **all_back; /* of the engine, to free what is left at the end */
	struct delivery_hub *hub;
	struct command *command;
	/* NOTE_STARTED, NOTE_RESULT: by `next`, in the order of the command's items; NOTE_TOLD: none. */
	struct attempt_run *runs;
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
	struct lane_entry *entry;   /* of the lane: what is tried */
	struct attempt_run *behind; /* the next delivery in the same request; of the first one: it has the request */
	void *transfer;             /* under way, or NULL */
	bool is_ahead, in_transfer_slot;
	bool started;    /* the store knows it as being sent */
	bool held;       /* or is going to, and nothing has left: hub_unsent has it */
	bool unsent;     /* started, and taken back */
	bool admitted;   /* a request was taken from the rate for it, and `points` from the budget */
	bool probe;      /* of the operation's breaker */
	bool whole;      /* of a batch: what was sent together is sent together again */
	bool unreadable; /* the store could not be read */
	int64_t points;
	bool failing; /* its lane is hastened when the destination is back */
	int64_t next_at;
};

/* To be given to the workers. */
struct work_pile {
	void *list[ENGINE_WORK_AT_ONCE];
	size_t count;
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
	struct arena arenas[ENGINE_ARENAS_KEPT]; /* empty, each with a block */
	size_t arena_count;
	struct submission *submissions;
	size_t transfers, ahead;
	size_t with_hub;           /* submissions that the hubs have */
	size_t with_workers;       /* or about to be */
	struct work_pile piles[2]; /* the second: of destinations that have other work with the workers */
};

void engine_post(struct delivery_engine *d, struct note *n); /* any thread */
/* Gives it to the workers at the end of the turn; the note comes back when it is done: tell engine_worked. A
 * destination's only piece of work goes before those of destinations that have several, so that a busy one does not
 * hold up the others. */
void engine_work(struct engine_destination *t, struct work *work, struct note *n);
void engine_worked(struct engine_destination *t);
uint64_t engine_random(struct delivery_engine *d);
void engine_activate(struct engine_destination *t);
void *engine_main(void *engine); /* the thread */
int64_t engine_cancel_all(struct delivery_engine *d);

/* roster.c */
void roster_init(struct engine_destination *t, struct delivery_hub *h, const struct config_system *s);
void roster_done(struct engine_destination *t);
void roster_free(struct engine_destination *t); /* of a subscription */
/* NULL: a subscription that had nothing to deliver since the start. */
struct engine_destination *roster_known(const struct delivery_hub *h, uint32_t system);
struct engine_destination *roster_of(struct delivery_hub *h, uint32_t system);
/* It may have another url now, or nobody may want its deliveries any more. */
void roster_changed(struct engine_destination *t);
void roster_gone(struct delivery_hub *h, uint32_t system); /* a subscription: needed while it has something to do */
bool roster_forget(struct engine_destination *t);          /* frees it if it is gone, and has nothing left to do */
void roster_show(struct engine_destination *t, bool paused, int64_t next);

/* window.c */
void window_add(struct engine_destination *t, const struct delivery_head *heads, size_t count);
void window_fill(struct engine_destination *t);          /* asks for more from the store if there is room */
void window_open(struct engine_destination *t);          /* what waits is in the store */
bool window_more(const struct engine_destination *t);    /* than is in memory */
bool window_unseen(const struct engine_destination *t);  /* what is first in the store is not known yet */
int64_t window_next(const struct engine_destination *t); /* when it wants to be filled again by itself */
void window_loaded(struct note *n);
void window_forget(struct note *n); /* a load that nobody waits for any more */

/* submit.c: commands to the hubs. */
struct submission *submission_new(struct delivery_hub *h, enum note_type type, struct command *c);
void submission_free(struct submission *s); /* with its command */
void submit(struct submission *s);
void submit_again(struct delivery_hub *h);
/* An event about the system, to be submitted; data: a JSON object. type NULL: none, only what is kept with it. */
struct submission *submit_prepare(struct engine_destination *t, const char *type, const struct buf *data);
void submit_told(struct submission *s);

/* dispatch.c */
void dispatch(struct engine_destination *t);               /* prepares what may be started */
int64_t dispatch_next(const struct engine_destination *t); /* when it wants to be looked at again */
void dispatch_rendered(struct attempt_run *r);             /* it may be started now */
void dispatch_start(struct delivery_hub *h);               /* starts what is rendered */
void dispatch_started(struct submission *s);

/* batch.c */
/* Takes more deliveries for the same request. */
void batch_gather(struct attempt_run *r);
/* Is it better to wait for more until *due? */
bool batch_lingers(const struct engine_destination *t, const struct lane *lane, int64_t *due);
/* After rendering: those that are left out go back. false: nothing is left. */
bool batch_settle(struct attempt_run *r);
/* The answer, delivery by delivery. */
void batch_share(struct attempt_run *r);

/* gate.c */
void gate_add(struct attempt_run *r);                        /* started: it is sent when there is a slot */
void gate_open(struct engine_destination *t, bool stopping); /* sends, or takes back, what may or must */
/* Takes the request back that this one is in, if it waits there. */
void gate_cancel(struct engine_destination *t, int64_t seq);
bool gate_waits(const struct engine_destination *t);
bool gate_is_full(const struct engine_destination *t, enum delivery_priority p);

/* admission.c */
void admission_init(struct engine_destination *t);
void admission_done(struct engine_destination *t);
/* Is nothing sent now, by an operator's pause or for maintenance? */
bool admission_held(struct engine_destination *t, bool paused);
int64_t admission_at(struct engine_destination *t, enum operation op); /* by rate and points; not after now: at once */
/* By the operation's breaker. false: not before *due. */
bool admission_allows(const struct engine_destination *t, enum operation op, int64_t *due);
void admission_take(struct attempt_run *r);         /* it is going to be sent */
void admission_give(struct attempt_run *r);         /* it is not */
void admission_note(struct attempt_run *r);         /* it was answered */
void admission_back(struct engine_destination *t);  /* it can be sent to again: what waits is sent slowly */
void admission_watch(struct engine_destination *t); /* how much waits */
struct retry_policy admission_retry(const struct engine_destination *t, enum operation op);
/* A delivery's age, without the maintenance in it. */
int64_t admission_age(const struct engine_destination *t, int64_t created_at);

/* By what was kept: open until then. */
void admission_restore(struct engine_destination *t, enum operation op, int64_t until);

/* trouble.c */
void trouble_health(struct submission *s, const struct engine_destination *t); /* is kept with this event */
void trouble_breaker(struct submission *s, const struct engine_destination *t, enum operation op);
/* What an answer has said of points that is not in the store yet: submitted. */
void trouble_points(struct engine_destination *t, enum operation op);
enum rc trouble_load(struct engine_destination *t, struct store_reader *r, struct err *e) MUST_CHECK;

/* progress.c */
struct attempt_run *run_new(struct engine_destination *t, struct lane *lane, struct lane_entry *e,
			    enum attempt_kind kind);
void run_free(struct attempt_run *r);
void runs_done(struct delivery_engine *d); /* all that are left, and what is kept for others */
void run_render(struct attempt_run *r);    /* gives it to a worker */
void run_transfer(struct attempt_run *r);
void run_drop(struct attempt_run *r, int64_t due); /* as if it had not been tried; all of a batch */
void run_take_back(struct attempt_run *r);         /* it was started, and is not sent */
void run_take_back_all(struct attempt_run *r);     /* of a batch */
void run_finish(struct attempt_run *r);            /* its outcome is known */
void progress_rendered(struct attempt_run *r);
void progress_classified(struct attempt_run *r);
void progress_submit(struct delivery_hub *h); /* the results that there are, to the hub */
void progress_result(struct submission *s);

#endif
