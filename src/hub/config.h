/*
 * The configuration: crossdock.yaml and the packs it names, loaded, checked and immutable (counted).
 *
 * Checked against schemas/config/v1.json, so that an unknown key is an error with its line; then names are resolved
 * (a channel's locations, a record's system) and packs loaded. All findings are reported, not the first only.
 * ${env:NAME} and ${secret:NAME} are resolved when it is loaded; a value that came from a secret is never written out.
 */
#ifndef HUB_CONFIG_H
#define HUB_CONFIG_H

#include "backbone/outbox.h"
#include "base/decimal.h"
#include "mediate/pack.h"
#include "model/movement.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_TENANTS_MAX   1000
#define CONFIG_SYSTEMS_MAX   1000  /* of one tenant */
#define CONFIG_LOCATIONS_MAX 256
#define CONFIG_CHANNELS_MAX  64

enum role { ROLE_CHANNEL = 1, ROLE_ERP = 2, ROLE_WAREHOUSE = 4, ROLE_CRM = 8, ROLE_SUPPLIER = 16 };

struct config_location {
	struct str name;
	qty_t safety_stock;
	uint16_t index;
	int16_t warehouse; /* index of the system that ships from here, -1: none */
};

struct config_delivery {
	uint32_t slots;            /* transfers at once; default 4 */
	int64_t retry_base_ms;     /* default 1,000 */
	int64_t retry_max_ms;      /* default 300,000 */
	int64_t give_up_after_ms;  /* total age, then dead letter; default 3 days */
	int64_t confirm_after_ms;  /* 0: the pack's (30 s) */
	int64_t timeout_ms;        /* 0: the pack's */
	uint32_t queue_max;        /* heads kept in memory; the rest waits in the store; default 10,000 */
};

struct config_system {
	struct str name, url;
	struct pack *pack;
	unsigned roles; /* enum role */
	uint16_t index;
	struct str secret;           /* Standard Webhooks secret, decoded bytes; empty: none */
	struct str bearer;           /* Authorization: Bearer, if the system wants one; empty: none */
	const struct json *settings; /* for the pack's mappings; an object, secrets resolved: never log it */
	struct config_delivery delivery;
	uint16_t *locations; /* of a warehouse */
	size_t location_count;
};

struct config_channel {
	struct str name;       /* the system's name */
	uint16_t system;       /* index */
	uint16_t *locations;   /* in order of preference */
	size_t location_count;
	int32_t share_ppm;     /* share(c): 1,000,000 is all */
	qty_t buffer, cap, minimum, backorder; /* cap -1: none */
	bool strict;           /* safety, share, buffer and cap bind holds as well */
	int64_t hold_ttl_ms;   /* default of a reservation; 900,000 */
};

struct config_limits {
	uint32_t body_bytes;        /* default 1 MiB: 413 */
	uint32_t header_bytes;      /* default 16 KiB */
	uint32_t json_depth;        /* default 64 */
	uint32_t connections;       /* default 1,024 */
	uint32_t connections_per_ip; /* default 256 */
	int64_t request_ms;         /* a request has arrived whole in this time, or the connection is closed; default 30,000 */
	int64_t idle_ms;            /* default 60,000 */
	uint32_t queue;             /* commands waiting for a tenant's writer; then 503; default 10,000 */
	uint32_t batch;             /* commands in one transaction; default 1,000 */
	uint32_t requests_per_s;    /* of one key; 0: no limit (default) */
	uint32_t stream_clients;    /* SSE; default 100 */
	uint32_t items;             /* SKUs of a tenant; default 5,000,000 */
	uint32_t open_orders;       /* of a tenant; default 1,000,000 */
	uint32_t holds;             /* live reservations of a tenant; default 1,000,000 */
};

struct config_tenant {
	struct str name; /* [a-z][a-z0-9_]{0,39} */
	enum sku_case sku_case; /* sku_case: upper | as-is (default) */
	struct config_location *locations;
	size_t location_count;
	struct config_system *systems;
	size_t system_count;
	struct config_channel *channels;
	size_t channel_count;
	/* records: index of the system that is the record, -1: any */
	int16_t record_stock, record_price, record_customer, record_item;
	bool has_order_process;
};

struct config {
	struct str listen;       /* "127.0.0.1:8080" */
	struct str store;        /* "sqlite" or "postgresql://..." */
	struct str folder;       /* DIR */
	uint32_t listener_threads; /* default 2 */
	uint32_t mediation_threads; /* default 2 */
	uint32_t writer_threads;   /* default 1 */
	struct config_limits limits;
	struct config_tenant *tenants;
	size_t tenant_count;
	struct schema_registry *schemas;
	/* private: memory and count */
	struct arena *arena;
	int references;
};

/* share: folder that holds schemas/ and connectors/ as shipped; DIR/connectors and DIR/schemas come first. */
enum rc config_load(const char *folder, const char *share, struct config **out, struct findings *f) MUST_CHECK;
struct config *config_ref(struct config *c);
void config_unref(struct config *c);

const struct config_tenant *config_find_tenant(const struct config *c, struct str name);
const struct config_system *config_find_system(const struct config_tenant *t, struct str name); /* or NULL */
const struct config_channel *config_find_channel(const struct config_tenant *t, struct str name);
const struct config_location *config_find_location(const struct config_tenant *t, struct str name);

#endif
