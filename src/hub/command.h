/*
 * Commands: everything that can change a tenant, and the answer to it.
 *
 * A command owns an arena; everything it points to lives there. Whoever makes it fills it on its own thread (parsed,
 * validated, document compressed), gives it to hub_submit, and gets it back in `done`, on the writer's thread, after
 * the commit that holds its effects (or after the failure of that commit): done must be short and must not block. Then
 * it is the maker's again, to answer from and to free.
 */
#ifndef HUB_COMMAND_H
#define HUB_COMMAND_H

#include "backbone/inbox.h"
#include "backbone/outbox.h"
#include "base/arena.h"
#include "base/hash.h"
#include "hub/reconciliation.h"
#include "model/item.h"
#include "model/movement.h"
#include "model/order.h"

#include <stdbool.h>
#include <stdint.h>

enum command_type {
	COMMAND_ORDER_CAPTURE,  /* order */
	COMMAND_ORDER_CANCEL,   /* target: order id; reason */
	COMMAND_STOCK_MOVE,     /* movements */
	COMMAND_SHIPMENT,       /* shipment */
	COMMAND_HOLD,           /* holds */
	COMMAND_HOLD_COMMIT,    /* target: reservation id; order_id; hold_commit */
	COMMAND_HOLD_VOID,      /* target: reservation id */
	COMMAND_RECORD,         /* record: item, customer, price-list, invoice ... kept as an event with its document */
	COMMAND_MESSAGE_ACCEPT, /* message: raw bytes of a system, acknowledged and mediated later */
	COMMAND_MESSAGE_DEAD,   /* message_seq, reason: mediation failed for good */
	COMMAND_DELIVERY_START, /* starts */
	COMMAND_DELIVERY_RESULT, /* results */
	COMMAND_SYSTEM_PAUSE,    /* target: system */
	COMMAND_SYSTEM_RESUME,
	COMMAND_SYSTEM_NOTE,         /* target: system; note: an event about it */
	COMMAND_SUBSCRIPTION_CREATE, /* subscription: url, types, secret */
	COMMAND_SUBSCRIPTION_CHANGE, /* target: its id; url, types, enabled */
	COMMAND_SUBSCRIPTION_DELETE, /* target */
	COMMAND_SUBSCRIPTION_ROTATE, /* target; secret, keep_ms */
	COMMAND_SUBSCRIPTION_REPLAY, /* target; after */
	COMMAND_SUBSCRIPTION_TEST,   /* target */
	COMMAND_RECONCILE_BEGIN,     /* reconcile; target: system */
	COMMAND_RECONCILE_DRIFT,     /* drift: rows of a run, and what is done about them */
	COMMAND_RECONCILE_END,       /* reconcile_end */
	COMMAND_RECONCILE_CANCEL,    /* target: its id; reason */
	COMMAND_DELIVERY_RUN,        /* target: delivery id */
	COMMAND_DELIVERY_CANCEL,     /* target: delivery id; reason */
	COMMAND_DEAD_LETTER_EDIT,    /* target: dead letter; document: compress()ed payload; reason: its good answer */
	COMMAND_DEAD_LETTER_REPLAY,  /* target: dead letter */
	COMMAND_DEAD_LETTER_DISCARD, /* target: dead letter; reason */
	COMMAND_EXCEPTION_ASSIGN,    /* target: exception; reason: assignee, empty: nobody */
	COMMAND_EXCEPTION_RESOLVE,   /* target: exception; reason: resolution; action */
	COMMAND_JOB_START,           /* job: kind, params, total */
	COMMAND_JOB_PROGRESS,        /* target: job id; job; reason: of its end */
	COMMAND_JOB_CANCEL,          /* target: job id; reason */
	COMMAND_RING_FENCES,         /* fences */
	COMMAND_TYPES
};
const char *command_type_name(enum command_type t);

/* One movement of an array, answered by itself. */
struct command_movement {
	struct movement movement;
	uint64_t fingerprint; /* of its canonical JSON */
	struct str problem;   /* not empty: it was not valid; this JSON is its answer and it is not applied */
	int problem_status;
};

/* One reservation of an array, the same. */
struct command_hold {
	struct hold_request request;
	uint64_t fingerprint; /* of its canonical JSON; 0 without an id of the caller's */
	struct str problem;
	int problem_status;
};

struct command_fence {
	struct str sku;
	uint16_t channel, location;
	qty_t quantity;
};

struct delivery_start {
	int64_t seq;
	uint32_t system;
	uint8_t operation;
	uint32_t attempts;
	struct str order_id; /* may be empty */
	struct str batch;    /* the batch that it is sent with (DELIVERY_BATCH ...), or empty */
	bool superseded;     /* a newer one takes its place: it is not sent */
	bool go;             /* out: send it. false: it is cancelled or superseded, forget it */
};

struct delivery_result {
	int64_t seq;
	uint32_t system;
	uint8_t operation;
	uint32_t attempts; /* this one included */
	int64_t created_at;
	struct str delivery_id, key, order_id, correlation_id; /* of the delivery */
	enum outcome outcome;
	bool confirmed;  /* the outcome comes from a look-up */
	bool cancelled;  /* it was not tried: nobody wants it any more */
	bool unsent;     /* it was started and not sent: as if it had not been tried */
	int64_t next_at; /* technical, throttled, unknown, unauthorized: when again; 0: give up, dead letter */
	int64_t at, duration_us;
	int http_status;
	struct str external_id, detail;
	struct str request, response; /* capped, secrets masked, compress_text; may be empty */
	const struct json *stale;     /* availability: items the channel compared and refused, or NULL */
	enum delivery_status status;  /* out: what the delivery is now */
};

struct answer {
	int status;       /* HTTP; 2xx, or a problem */
	const char *code; /* of a problem, else NULL: static, stable, lower snake */
	struct str body;  /* JSON of a good answer, or of a problem: code, detail, errors, more; edge adds the rest */
	bool replayed;    /* the first answer again */
};

struct command {
	enum command_type type;
	struct arena arena;
	struct command *next; /* for whoever holds it */

	struct str correlation_id;    /* made if the caller gave none */
	struct str traceparent;       /* may be empty */
	struct str source;            /* the system that speaks, or the key's id; may be empty */
	struct str idempotency_key;   /* may be empty */
	uint64_t request_fingerprint; /* of method, route, caller and raw body; only with an idempotency key */
	uint64_t fingerprint;         /* of the canonical content (json_fingerprint) */
	int64_t message_seq;          /* inbox row it was mediated from; 0: none (a /v1 request) */
	int message_item;             /* position in that message, and how many there are: the last one sets its fate */
	int message_items;
	struct str document; /* compress()ed canonical JSON; may be empty */
	bool wait_decision;  /* Prefer: wait */
	bool refused;        /* COMMAND_MESSAGE_DEAD: the mapping refused it: rejected, not a dead letter */

	union {
		struct order order;
		struct {
			struct command_movement *items;
			size_t count;
			bool array; /* answered as {"items":[...]} */
		} movements;
		struct shipment shipment;
		struct {
			struct command_hold *items;
			size_t count;
			bool array; /* answered as {"items":[...]} */
		} holds;
		struct hold_commit hold_commit;
		struct {
			struct str type, id; /* "item", "SKU1" */
			struct str uom;      /* items: base unit */
			struct str rules;    /* items: item_record_write */
			struct item_record item;
		} record;
		struct {
			struct str endpoint, headers, natural_key;
			struct str payload; /* compress()ed */
		} message;
		struct {
			struct delivery_start *items;
			size_t count;
		} starts;
		struct {
			struct delivery_result *items;
			size_t count;
		} results;
		struct {
			const char *type; /* static; NULL: no event, only the state */
			struct str data;  /* a JSON object */
			struct str state; /* a name in meta that keeps value with it; empty: none */
			int64_t value;
		} note;
		struct {
			struct str url, types; /* types by spaces; empty: as they are */
			int enabled;           /* -1: as it is */
			struct str secret;     /* as text */
			int64_t keep_ms;       /* how long the secret before stays valid */
			int64_t after;         /* a position */
		} subscription;
		struct {
			bool given; /* the balances are sent to us; else they are read from the system */
			enum drift_reaction on_drift;
		} reconcile;
		struct {
			int64_t seq; /* of the reconciliation */
			struct str id;
			uint16_t system;
			struct drift_row *rows;
			size_t count;
		} drift;
		struct {
			int64_t seq;
			struct str id;
			bool failed;
			struct str summary; /* a JSON object */
			int64_t unraised;   /* differences beyond RECONCILIATION_RAISED_MAX */
		} reconcile_end;
		struct {
			struct command_fence *items;
			size_t count;
		} fences;
		struct {
			struct str kind, params; /* JSON object */
			int64_t position, done, failed, total;
			int status; /* enum job_status */
		} job;
	};
	struct str target, order_id, reason;
	struct str action; /* of a resolved exception: "release", "cancel", or empty */
	/* COMMAND_MESSAGE_DEAD: the object it is about, as the command for it would say; may be empty. */
	struct str natural_key;
	enum command_type natural_type;

	struct answer answer; /* set when done is called */
	void (*done)(struct command *c, void *ctx);
	void *ctx;
};

#define COMMAND_ARENA_MAX (32u << 20)

/* How canonical content is fingerprinted, whichever way it came. Fingerprints are stored: this never changes. */
extern const struct hash_key command_fingerprint_key;

struct command *command_new(enum command_type type);
/* Of COMMAND_HOLD: room for so many reservations. false: the arena is full. */
bool command_holds(struct command *c, size_t count, bool array) MUST_CHECK;
void command_free(struct command *c);

#endif
