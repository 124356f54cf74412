/*
 * The configuration: crossdock.yaml and the packs it names, loaded, checked and immutable (counted).
 *
 * Checked against schemas/config/v1.json, so that an unknown key is an error with its line; then names are resolved
 * (a channel's locations, a record's system) and packs loaded. All findings are reported, not the first only.
 * ${env:NAME} and ${secret:NAME} are resolved when it is loaded; a value that came from a secret is never written out.
 */
#ifndef HUB_CONFIG_H
#define HUB_CONFIG_H

#include "base/address.h"
#include "orchestrate/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct config_limits {
	uint32_t body_bytes;         /* default 1 MiB: 413 */
	uint32_t header_bytes;       /* default 16 KiB */
	uint32_t json_depth;         /* default 64 */
	uint32_t connections;        /* default 1,024 */
	uint32_t connections_per_ip; /* default 256 */
	int64_t request_ms; /* a request has arrived whole in this time, or the connection is closed; default 30,000 */
	int64_t idle_ms;    /* default 60,000 */
	uint32_t queue;     /* commands waiting for a tenant's writer; then 503; default 10,000 */
	uint32_t batch;     /* commands in one transaction; default 1,000 */
	uint32_t requests_per_s; /* of one key; 0: no limit (default) */
	uint32_t stream_clients; /* SSE; default 100 */
	uint32_t items;          /* SKUs of a tenant; default 5,000,000 */
	uint32_t open_orders;    /* of a tenant; default 1,000,000 */
	uint32_t holds;          /* live reservations of a tenant; default 1,000,000 */
	uint32_t subscriptions;  /* of a tenant; default 1,000 */
};

/* What the urls of subscriptions may be, which callers of the API give. */
struct config_webhooks {
	struct address_policy addresses;
	bool http;                 /* http:// as well; default no */
	int64_t disable_after_ms;  /* every attempt has failed for so long; default 5 days */
	uint32_t disable_attempts; /* and these many were made; default 10 */
};

struct config {
	struct str listen;          /* "127.0.0.1:8080" */
	struct str store;           /* "sqlite" or "postgresql://..." */
	struct str folder;          /* DIR */
	uint32_t listener_threads;  /* default 2 */
	uint32_t mediation_threads; /* default 2 */
	uint32_t writer_threads;    /* default 1 */
	struct config_limits limits;
	struct config_webhooks webhooks;
	struct config_tenant *tenants;
	size_t tenant_count;
	struct schema_registry *schemas;
	/* private: memory and count */
	struct arena *arena;
	int references;
};

/* share: folder that holds schemas/ and connectors/ as shipped; DIR/connectors comes first, DIR/schemas adds types and
 * versions. A finding's pointer is FILE or FILE#POINTER. RC_INVALID with findings. */
enum rc config_load(const char *folder, const char *share, struct config **out, struct findings *f) MUST_CHECK;
/* The schemas alone, as config_load has them. err.where is the file. */
enum rc config_schemas(const char *folder, const char *share, struct schema_registry **out, struct err *e) MUST_CHECK;
/* HOST:PORT, with an IPv6 address in brackets. */
bool config_listen_ok(struct str listen);
struct config *config_ref(struct config *c);
void config_unref(struct config *c);

const struct config_tenant *config_find_tenant(const struct config *c, struct str name);
const struct config_system *config_find_system(const struct config_tenant *t, struct str name); /* or NULL */
const struct config_channel *config_find_channel(const struct config_tenant *t, struct str name);

#endif
