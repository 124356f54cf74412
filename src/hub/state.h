/* Inside the hub: what the writer owns, and what apply, load and hub share. */
#ifndef HUB_STATE_H
#define HUB_STATE_H

#include "backbone/subscription.h"
#include "base/queue.h"
#include "base/secretbox.h"
#include "hub/counters.h"
#include "hub/hub.h"
#include "hub/job.h"
#include "observe/metrics.h"
#include "orchestrate/order/away.h"
#include "orchestrate/stock/hold.h"
#include "orchestrate/stock/publish.h"
#include "orchestrate/stock/view_writer.h"

#include <pthread.h>
#include <stdatomic.h>

/* Everything that is loaded at the start and after a failed commit. */
struct state {
	struct dedup *dedup; /* the hub's keys */
	struct stock *stock;
	struct order_book *orders;
	struct hold_book *holds;
	struct publisher *publisher;
	struct away *away;
	struct subscriptions *subscriptions;
	bool replaying;         /* events are asked for again, of some subscription */
	struct log_heads heads; /* committed, and what the open batch adds */
	struct job *jobs;       /* running, the oldest first */
	size_t job_count;
	struct map dead_keys; /* of open dead letters: struct dead_key by trace key */
};

/* The fate of a message of several items, until the last one. */
struct message_progress {
	int64_t seq;
	enum fate fate;
	struct message_progress *next;
};

/* What the open batch has made that a later command of the same batch may ask for. */
struct batch_answer {
	int64_t seq;
	struct command *command;
	struct str movement_id;
	struct batch_answer *next;
};

/* What a repair of the open batch has changed: the reader does not show it yet. */
struct batch_touch {
	enum touched { TOUCHED_DELIVERY, TOUCHED_DEAD_LETTER, TOUCHED_EXCEPTION, TOUCHED_RECONCILIATION } what;
	int64_t seq;
	struct batch_touch *next;
};

struct batch_starts {
	const struct command *command;
	struct batch_starts *next;
};

struct batch {
	struct txn txn;
	struct arena arena;
	struct log_heads committed;     /* heads before this batch */
	struct batch_answer *inbox;     /* with an idempotency key, newest first */
	struct batch_answer *movements; /* newest first */
	struct message *messages, **messages_last;
	bool pauses_changed, reconciliations_changed;
	struct batch_touch *touched;
	struct batch_starts *starts;
	struct delivery_change *changes; /* for the delivery engine */
	size_t change_count, change_room;
};

/* Deliveries that were cancelled while the engine may be about to start them: the last few, as a filter. */
#define CANCELLED_KEPT 256

struct hub {
	struct config *config;
	const struct config_tenant *tenant;
	const struct clock *clock;
	struct store *store;
	struct store_reader *reader; /* the writer's */
	struct stock_view *view;
	struct hub_sinks sinks;
	struct queue *queue;
	struct uuid_source ids;
	struct dedup *keys; /* stay while the state is loaded again: others look into them */
	struct state state;
	struct counters *counters;
	struct batch batch;
	struct message_progress *messages;
	int64_t batch_number;  /* of the last committed batch */
	int64_t now;           /* time of the last batch; never goes back */
	int64_t busy_at;       /* time of the last batch with commands */
	int64_t slow_at;       /* when a slow batch was logged last */
	size_t flush_saved;    /* shares of snapshot rows that are due */
	int64_t told_position; /* the last one that the sinks heard of */
	bool stale;            /* the state is ahead of the disk: load it again */
	bool in_doubt;         /* the last commit's outcome is not known */
	bool doubted;          /* one was: results that were refused may be there, and come again */
	int64_t cancelled[CANCELLED_KEPT];
	size_t cancelled_count; /* ever */
	bool begun;             /* the first batch was made */
	int64_t forget_at;      /* when old attempts are looked for again */
	pthread_t thread;
	bool threaded;
	_Atomic bool ready, stopping;
	_Atomic int64_t position;
	_Atomic bool *paused; /* by system */
	struct unsent *unsent;
	_Atomic bool *crowded; /* by system: more waits than its backlog limits say; the delivery engine sets it */
	bool *paused_now;      /* the writer's, ahead of the commit */
	pthread_mutex_t secret_lock;
	struct secretbox_key secret_key; /* guarded, with the next */
	bool has_secret_key;
	struct metric *metric_stale[CONFIG_CHANNELS_MAX]; /* NULL: the channel has no max age */
	struct metric *metric_away[CONFIG_CHANNELS_MAX];  /* NULL: it has no policy */
	struct metric *metric_batches, *metric_apply, *metric_commit, *metric_wait, *metric_write, *metric_sync,
	    *metric_queue, *metric_commands[COMMAND_TYPES];
};

/* A message as it goes to the sink; payload is packed. NULL if it cannot be unpacked. */
struct message *message_new(int64_t seq, int64_t at, struct str source, struct str endpoint, struct str correlation_id,
			    struct str headers, struct str payload);

/* load.c */
enum rc state_load(struct hub *h, struct err *e) MUST_CHECK;
void state_done(struct state *s);

/* apply.c: one command in the open batch; sets c->answer. */
void apply_command(struct hub *h, struct command *c);

/* answer.c */
struct answer answer_json(int status, struct str body);
/* An object of texts: name, struct str, ... NULL; empty ones are left out. */
struct answer answer_fields(struct arena *a, int status, ...) __attribute__((sentinel));
/* A problem with a detail, and a pointer into the request if e has one. */
struct answer answer_problem(struct arena *a, int status, const struct err *e);
/* The item of an array: a good answer as it is, a refusal with its status. */
void answer_write_item(struct json_writer *w, const struct answer *a);
struct answer answer_error(struct arena *a, int status, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);
int answer_status_of(enum rc rc);

/* apply_inbox.c: the inbox row and its fate, for commands from /v1 and from messages. */
/* The first answer, if this command's Idempotency-Key was seen: true, and the command is answered. */
bool inbox_replayed(struct hub *h, struct command *c);
/* A business result: writes the row of a /v1 command (with its answer if it has a key), or the item's share of its
 * message's fate. ref: what was made; may be empty. */
void inbox_settle(struct hub *h, struct command *c, enum fate fate, struct str natural_key, struct str detail,
		  struct str ref);
void apply_message_accept(struct hub *h, struct command *c);
void apply_message_dead(struct hub *h, struct command *c);

/* apply_order.c, apply_stock.c, apply_delivery.c */
void apply_order_capture(struct hub *h, struct command *c);
void apply_order_cancel(struct hub *h, struct command *c);
void apply_stock_move(struct hub *h, struct command *c);
void apply_shipment(struct hub *h, struct command *c);
void apply_hold(struct hub *h, struct command *c);
void apply_hold_commit(struct hub *h, struct command *c);
void apply_hold_void(struct hub *h, struct command *c);
void apply_record(struct hub *h, struct command *c);
/* Of a delivery that is made or opened again. */
enum delivery_priority system_priority(const struct hub *h, uint32_t system, unsigned operation);
void apply_delivery_start(struct hub *h, struct command *c);
void apply_delivery_result(struct hub *h, struct command *c);
void apply_system_pause(struct hub *h, struct command *c, bool pause);
void apply_system_note(struct hub *h, struct command *c);

/* serials.c: reads what the registry has of the serial numbers that a movement names, or that a reversal of movement
 * seq puts back, into the batch's book. Nothing is read while no item has serial numbers. */
enum rc serials_fetch(struct hub *h, const struct movement *m, struct err *e) MUST_CHECK;
enum rc serials_fetch_undo(struct hub *h, int64_t seq, int64_t occurred_at, struct err *e) MUST_CHECK;
/* After the step: nobody else closes in this batch what it has closed. */
void serials_closed(struct hub *h);

/* apply_reverse.c: finds what is taken back and takes it back. RC_NOT_FOUND "movement_not_found". */
struct movement_result;
enum rc reverse_movement(struct hub *h, struct command *c, const struct movement *m, struct movement_result *out,
			 struct err *e) MUST_CHECK;

/* apply_subscription.c */
void apply_subscription_create(struct hub *h, struct command *c);
void apply_subscription_change(struct hub *h, struct command *c);
void apply_subscription_delete(struct hub *h, struct command *c);
void apply_subscription_rotate(struct hub *h, struct command *c);
void apply_subscription_replay(struct hub *h, struct command *c);
void apply_subscription_test(struct hub *h, struct command *c);
/* What an attempt says about the subscription. */
void subscription_note(struct hub *h, const struct delivery_result *r);
/* The next events that were asked for again: a bounded number, for one subscription. */
void subscription_step_replay(struct hub *h);
/* apply_reconcile.c */
void apply_reconcile_begin(struct hub *h, struct command *c);
void apply_reconcile_drift(struct hub *h, struct command *c);
void apply_reconcile_end(struct hub *h, struct command *c);
void apply_reconcile_cancel(struct hub *h, struct command *c);

/* apply_repair.c: what operators do */
/* The index by which a system or a subscription goes. false: there is none of that name. */
bool system_by_name(const struct hub *h, struct str name, uint32_t *system);
void apply_delivery_run(struct hub *h, struct command *c);
void apply_delivery_cancel(struct hub *h, struct command *c);
/* May the delivery be another one's by now than the engine believes? Cheap. */
bool delivery_cancelled(const struct hub *h, int64_t seq);
bool batch_touched(const struct hub *h, enum touched what, int64_t seq);
void batch_touch(struct hub *h, enum touched what, int64_t seq);

/* apply_dead_letter.c */
void apply_dead_letter_edit(struct hub *h, struct command *c);
void apply_dead_letter_replay(struct hub *h, struct command *c);
void apply_dead_letter_discard(struct hub *h, struct command *c);
/* Replays one row of R_DEAD_LETTER. RC_CONFLICT, RC_NOT_FOUND, RC_INVALID: it cannot be; nothing was changed. */
enum rc dead_letter_replay(struct hub *h, struct arena *a, const struct store_value *row, struct str job,
			   struct err *e) MUST_CHECK;
enum rc dead_letter_discard(struct hub *h, const struct store_value *row, struct str reason, struct err *e) MUST_CHECK;
/* The trace key of a delivery, and of an object that a system sent. */
struct str dead_letter_key(struct txn *t, struct str system, const char *what, struct str key);
/* Notes that an open dead letter has this key. */
void dead_key_add(struct hub *h, struct str key);
/* This business object went through: older dead letters about it are closed. */
void dead_letters_succeeded(struct hub *h, struct str system, const char *what, struct str key);
enum rc dead_keys_load(struct hub *h, struct err *e) MUST_CHECK;
void dead_keys_free(struct hub *h);
/* The message again, with this packed payload, as a new row of the inbox. */
void message_again(struct hub *h, const struct store_value *inbox, struct str payload);

/* apply_fence.c */
void apply_ring_fences(struct hub *h, struct command *c);

/* apply_exception.c */
void apply_exception_assign(struct hub *h, struct command *c);
void apply_exception_resolve(struct hub *h, struct command *c);

/* retention.c: a slice of what is old enough to be forgotten. */
void retention_run(struct hub *h);

/* May this source change what is of this record? -1: anybody may. */
bool owns_record(const struct hub *h, int16_t record, struct str source);

#endif
