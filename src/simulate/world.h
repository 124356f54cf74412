/*
 * A simulated world: the real hub, store and delivery engine in one thread under a virtual clock, with everything
 * around them (network.c, receivers.c, senders.c) and the model that watches (follow.c). Inside src/simulate only.
 *
 * Nothing here looks at a real clock or draws a real random number, so a seed is a history.
 */
#ifndef SIMULATE_WORLD_H
#define SIMULATE_WORLD_H

#include "base/buf.h"
#include "connect/delivery.h"
#include "format/json.h"
#include "orchestrate/stock/serial.h"
#include "simulate/agenda.h"
#include "simulate/model.h"
#include "simulate/random.h"
#include "simulate/simulate.h"

#define WORLD_CALLS_MAX  4096
#define WORLD_EVENTS_MAX 40
#define WORLD_TEXT       200

/* The subscriber is no system of the configuration. */
enum world_system { SYSTEM_SHOP, SYSTEM_PORTAL, SYSTEM_ERP, SYSTEM_WMS, WORLD_SYSTEMS, SUBSCRIBER = WORLD_SYSTEMS };
#define WORLD_RECEIVERS (WORLD_SYSTEMS + 1)
#define WORLD_HEARD_MAX 16384 /* events of the subscriber, by position */

/* How bad this seed's world is; chances in a thousand. */
struct weather {
	int lose, repeat, slow, refuse, crash, disk, clock, outage;
	int delay_ms; /* typical, one way */
};

/* ---- what is sent to the hub ---- */

enum call_kind {
	CALL_ORDER,
	CALL_ORDER_MESSAGE, /* through the inbox, as a webhook comes */
	CALL_CANCEL,
	CALL_MOVEMENT,
	CALL_SHIPMENT,
	CALL_HOLD,
	CALL_VOID,
	CALL_COMMIT,
	CALL_ITEM,
	CALL_FENCES,
	CALL_SUBSCRIBE,
	CALL_PAUSE,
	CALL_RESUME,
	CALL_RECONCILE,
};

/* One request of a client that goes on until it has its answer. */
struct call {
	enum call_kind kind;
	int number; /* of the order, fact or reservation; index of the system of a pause */
	int order;  /* of an order: the reservation that is committed to it afterwards; of a part: the order's number */
	struct str document, key, source;
	int attempts;
	bool acknowledged; /* the hub said 2xx, whether or not the client heard of it */
	bool answered;     /* the client has heard something final */
	bool part;         /* of a reservation, with more to come */
	bool unchecked;    /* in the list of what was acknowledged in this round */
	int status;
	char id[64]; /* of what was made */
};

/* ---- receivers ---- */

struct shown {
	int available;
	int64_t version;
};

struct posted {
	char order_id[40], number[16], key[40];
	bool cancelled;
};

/* One that has a number. */
struct unit {
	int place;                  /* -1: it is not there */
	bool picked, shipped, lost; /* lost: booked out */
	int last;                   /* the fact that was told of it last */
};

struct receiver {
	bool keyed;    /* remembers idempotency keys */
	bool compares; /* a shop that refuses a number whose `expected` it does not show */
	bool sells;    /* a shop that takes its own sales off what it shows */
	int64_t away_until;
	struct map keys;  /* struct arrival by idempotency key */
	struct map lanes; /* struct lane_seen by ordering key */
	struct shown shown[MODEL_PRODUCTS];
	struct posted *posted; /* orders of the ERP, shipment requests of the warehouse */
	size_t posted_count, posted_room;
};

/* ---- the network to them ---- */

struct transfer;

struct network {
	struct transport transport;
	struct world *world;
	struct transfer *ended, **ended_last; /* to be given back by run */
};

struct world {
	struct dice dice;
	struct weather weather;
	uint32_t features;
	enum simulate_mutation mutation;
	bool mutated;                       /* it was done */
	bool calm;                          /* nothing goes wrong any more */
	int64_t now, skew, started, latest; /* latest: that the clock has shown */
	struct clock clock;
	uint32_t step;

	const struct config *config;
	struct config_tenant *tenant;
	const char *url;
	struct fault_server *server; /* of the store; NULL: SQLite */
	struct hub *hub;             /* NULL: down */
	struct store_reader *reader;
	struct delivery_engine *engine;
	struct delivery_hub *engine_hub;
	struct reconciler *reconciler;            /* NULL: a world without */
	int64_t hub_at, engine_at, reconciler_at; /* when they want to be run */
	int64_t idle_ms;                          /* see note_sleep */
	uint64_t followed;                        /* writes of the disk when the log was read last */
	uint32_t epoch;                           /* of the process: what it had in memory is of this one */
	int64_t disk_until;                       /* a fault of the disk ends */
	bool plan_cuts;                           /* the disk's fault is a power cut */
	int crashes;

	struct arena arena; /* of the seed: calls, packets, what receivers keep */
	struct agenda agenda;
	struct network network;
	struct receiver receivers[WORLD_RECEIVERS];
	unsigned char event_heard[WORLD_HEARD_MAX];
	const char *names[WORLD_RECEIVERS];
	int physical[MODEL_ITEMS][MODEL_PLACES]; /* what really lies in the warehouse */
	struct unit units[MODEL_SERIALS];        /* by serial number */
	bool mistakes;                           /* the warehouse names wrong ones */
	int settled[MODEL_OWNERS][MODEL_ITEMS];  /* shipments of their stock that the ERP has heard of */
	bool settles[MODEL_FACTS];               /* it has heard of this shipment */
	int asked[MODEL_ORDERS][MODEL_ITEMS];    /* of the warehouse, by order */
	int picked[MODEL_ORDERS][MODEL_ITEMS];   /* by the warehouse, and not shipped */
	struct call calls[WORLD_CALLS_MAX];
	int call_count;
	struct errand *errands; /* commands that are with the hub */
	int unchecked;          /* calls that are */
	struct model *model;
	struct buf text;
	struct arena scratch;

	FILE *trace;
	uint64_t trace_hash;
	char last[WORLD_EVENTS_MAX][WORLD_TEXT];
	uint32_t last_count;
	struct simulate_counts counts;
	char broken[400];
};

static inline bool world_has(const struct world *w, enum simulate_feature f)
{
	return w->features >> f & 1;
}

/* choose.c: what kind of world a seed is. */
void choose_world(struct world *w, const struct simulate_options *o, struct model_policy *policy);

/* world.c */
void world_say(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
void world_break(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
static inline bool world_is_broken(const struct world *w)
{
	return w->broken[0] != '\0';
}
/* In the seed's arena, with ' for ". */
struct str world_text(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
bool world_start(struct world *w); /* false: the hub did not come up, or has broken a promise */
enum ending { END_KILL, END_POWER_CUT, END_STOP };
void world_stop(struct world *w, enum ending how);
void world_restart_in(struct world *w, int64_t ms);
/* Runs hub and engine until they have nothing to do now; the model looks after every commit. */
void world_pump(struct world *w);
/* Lets virtual time pass. */
void world_pass(struct world *w, int64_t ms);
void world_later(struct world *w, int64_t ms, void (*run)(struct world *w, void *arg), void *arg);
/* Runs t at once if it would run this. */
void world_drop_later(struct world *w, struct task *t, void (*run)(struct world *w, void *arg));
static inline int64_t world_wall(const struct world *w)
{
	return w->now + w->skew;
}

/* follow.c */
/* What the log has got by one commit, and what memory says. */
void follow(struct world *w);
/* The whole log again: it has not changed. */
void follow_all(struct world *w);

/* clients.c */
struct call *call_new(struct world *w, enum call_kind kind, int number, struct str document);
void call_send(struct world *w, struct call *c, int64_t in_ms);
void calls_forget(struct world *w); /* the hub is down: what it had is gone */
void calls_check(struct world *w);  /* what was acknowledged is there */
void world_message(struct world *w, struct message *m);
void messages_drop(struct world *w); /* at the end of all */

/* requests.c */
struct command *request_canonical(struct world *w, const char *type, struct str source, const struct json *document,
				  int64_t message_seq);
struct command *request_command(struct world *w, const struct call *call, const struct json *doc); /* NULL: it is bad */
void request_mutate(struct world *w, const struct call *call, struct command *c);

/* network.c */
void network_init(struct world *w);
int64_t network_delay(struct world *w);

/* receivers.c */
struct wire_request {
	enum world_system system;
	struct str method, path, query, key, body;
	int64_t seq;   /* of the delivery */
	uint64_t lane; /* its ordering key */
	uint8_t operation;
};
struct wire_answer {
	int status;
	struct str body;
	int retry_after_s; /* 0: not said */
};
void receivers_init(struct world *w);
/* Some orders the ERP's people do not want; the same ones always. */
bool receiver_refuses(int number);
void receivers_done(struct world *w);
void receive(struct world *w, const struct wire_request *r, bool late, struct wire_answer *a);

/* senders.c */
void send_something(struct world *w);
void send_first(struct world *w); /* stock to begin with */
void send_after_hold(struct world *w, const struct call *hold);
void send_commit(struct world *w, const struct call *order);
void send_after_part(struct world *w, const struct call *part);

struct model_fact *fact_new(struct world *w, enum movement_type type, int *number); /* NULL: there are enough */
void send_fact(struct world *w, const struct model_fact *f, int number, struct str order_id, int64_t in_ms);

void send_subscription(struct world *w);

/* parcels.c */
void send_shipment(struct world *w, struct str order_id, const struct json *lines); /* a warehouse was asked to */

/* goods.c: lots, owners, cases, goods on their way, what is taken back. */
/* More members of a line, or of the document. */
const char *goods_line(struct world *w, const struct model_fact *f, const struct model_line *l);
const char *goods_document(struct world *w, const struct model_fact *f, int number);
bool send_goods(struct world *w); /* false: this world has none, or nothing to do with them */
/* An item's record, the same in all of a seed. */
struct str goods_record(struct world *w, int product);
bool goods_scarce(const struct world *w, int item);
/* So that there is some of each owner's. */
void goods_consign(struct world *w, int n);
bool goods_countable(const struct world *w, int item);
int goods_blurred(const struct world *w); /* items that are never counted exactly, by bit */

/* serials.c */
bool send_serials(struct world *w); /* false: not now */
void serials_pack(struct world *w, struct model_line *l);
void serials_leave(struct world *w, const struct model_fact *f, int number);
/* False: something was told of them since. */
bool serials_reverse(struct world *w, int number);
/* Those of which something was told since the last time, or all: the hub has them where they are. */
void check_serials(struct world *w, bool all);
void check_serials_end(struct world *w);

/* reports.c */
bool send_report(struct world *w); /* false: not now */
bool report_under_way(const struct world *w);
void report_heard(struct world *w, struct call *c);
/* True: the warehouse never tells it. It may tell another one instead, or besides. */
bool report_forgets(struct world *w, const struct model_fact *f, int number);
void check_reported(struct world *w);

/* faults.c */
void fault_something(struct world *w);
void faults_end(struct world *w);

/* ending.c: nothing goes wrong any more, and all systems have to agree. */
void check_ending(struct world *w);

#endif
