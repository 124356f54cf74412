#include "hub/config.h"

#include "base/hash.h"
#include "hub/share.h"
#include "hub/test_config.h"

#include <sys/stat.h>

static void check_limits(const struct config_limits *m, const int64_t expected[14])
{
	const int64_t have[] = {
	    m->body_bytes,     m->header_bytes, m->json_depth,  m->connections, m->connections_per_ip,
	    m->request_ms,     m->idle_ms,      m->queue,       m->batch,       m->requests_per_s,
	    m->stream_clients, m->items,        m->open_orders, m->holds};
	assert_memory_equal(have, expected, sizeof(have));
}

static void check_delivery(const struct config_delivery *d, const int64_t expected[7])
{
	const int64_t have[] = {
	    d->slots,      d->retry_base_ms, d->retry_max_ms, d->give_up_after_ms, d->confirm_after_ms,
	    d->timeout_ms, d->queue_max};
	assert_memory_equal(have, expected, sizeof(have));
}

static void test_delivery_policies(void **state)
{
	(void)state;
	struct config *c = load_good(
	    "tenants:\n"
	    "  acme:\n"
	    "    locations: {east: {}}\n"
	    "    delivery: {rate: 600/m, breaker: {samples: 7}, operations: {price: {priority: normal, retry: [1s]}}}\n"
	    "    systems:\n"
	    "      shop:\n"
	    "        connector: canonical\n"
	    "        url: http://h\n"
	    "        roles: [channel]\n"
	    "        delivery:\n"
	    "          burst: 9\n"
	    "          catch_up_rate: 5/s\n"
	    "          breaker: {window: 20s, failures: 75%, open: 3s, probes: 2}\n"
	    "          backlog: {count: 10, bytes: 5000000000, age: 2h}\n"
	    "          maintenance:\n"
	    "            - {days: [mon, sun], from: \"22:30\", to: \"24:00\", zone: Europe/Berlin}\n"
	    "            - {from: \"2026-01-01T00:00:00Z\", to: \"2026-01-01T02:00:00Z\"}\n"
	    "          operations: {price: {on_failure: latest_wins}, stock.transactions: {batch: {count: 5}}}\n"
	    "      erp: {connector: canonical, url: \"http://h\", roles: [erp]}\n");
	const struct config_system *shop = &c->tenants[0].systems[0], *erp = &c->tenants[0].systems[1];
	const struct config_delivery *d = &shop->delivery;
	assert_int_equal(d->rate.count, 600);
	assert_int_equal(d->rate.per_ms, 60000);
	assert_int_equal(d->burst, 9);
	assert_int_equal(d->catch_up_rate.count, 5);
	assert_int_equal(d->breaker.window_ms, 20000);
	assert_int_equal(d->breaker.samples, 7);
	assert_int_equal(d->breaker.percent, 75);
	assert_int_equal(d->breaker.open_ms, 3000);
	assert_int_equal(d->breaker.probes, 2);
	assert_int_equal(d->backlog.count, 10);
	assert_int_equal(d->backlog.bytes, 5000000000);
	assert_int_equal(d->backlog.age_ms, 7200000);
	assert_int_equal(d->maintenance.count, 2);
	assert_int_equal(d->maintenance.windows[0].days, 1 | 64);
	assert_int_equal(d->maintenance.windows[0].from_min, 22 * 60 + 30);
	assert_int_equal(d->maintenance.windows[0].to_min, 24 * 60);
	assert_null(d->maintenance.windows[1].zone);
	/* The system's word over the tenant's, over the pack's. */
	const struct operation_policy *price = config_operation(shop, OP_PRICE);
	assert_int_equal(price->priority, PRIORITY_NORMAL);
	assert_int_equal(price->on_failure, ON_FAILURE_LATEST);
	assert_int_equal(price->delay_count, 1);
	assert_int_equal(config_operation(shop, OP_STOCK_TRANSACTIONS)->batch_count, 5);
	assert_int_equal(config_operation(erp, OP_STOCK_TRANSACTIONS)->batch_count, 200);
	assert_int_equal(config_operation(erp, OP_PRICE)->on_failure, ON_FAILURE_BLOCK);
	assert_int_equal(config_operation(erp, OP_ORDER_POST)->priority, PRIORITY_EXPEDITED);
	assert_int_equal(config_operation(erp, OP_ITEM)->priority, PRIORITY_BULK);
	assert_int_equal(erp->delivery.maintenance.count, 0);
	config_unref(c);
}

static void test_the_contracts_example(void **state)
{
	struct config *c =
	    load_good("listen: 127.0.0.1:8080\n"
		      "store: sqlite\n" HEAD SHOP
		      "      portal: {connector: canonical, url: \"http://h:9002/\", roles: [channel]}\n" ERP WMS
		      "    channels:\n"
		      "      shop:   {locations: [east, west], share: 100%, buffer: \"0\"}\n"
		      "      portal: {locations: [east], share: 50%, buffer: \"1\", cap: \"100\"}\n"
		      "    records: {stock: wms, price: erp, customer: erp, item: erp}\n"
		      "    processes: {order: order-to-cash}\n");
	(void)state;

	const struct config_tenant *t = config_find_tenant(c, STR("acme"));
	assert_non_null(t);
	assert_null(config_find_tenant(c, STR("other")));
	assert_int_equal(t->location_count, 2);
	assert_int_equal(config_find_location(t, STR("west"))->safety_stock, 2 * QTY_ONE);
	assert_int_equal(t->locations[0].warehouse, 3);
	assert_int_equal(t->locations[1].warehouse, 3);
	assert_int_equal(t->system_count, 4);
	assert_int_equal(config_find_system(t, STR("wms"))->roles, ROLE_WAREHOUSE);
	assert_int_equal(config_find_system(t, STR("wms"))->location_count, 2);
	assert_true(str_is(config_find_system(t, STR("portal"))->url, "http://h:9002"));
	assert_true(str_is(t->systems[0].pack->name, "canonical"));
	assert_int_equal(t->channel_count, 2);
	const struct config_channel *portal = config_find_channel(t, STR("portal"));
	assert_int_equal(portal->system, 1);
	assert_int_equal(portal->share_ppm, 500000);
	assert_int_equal(portal->buffer, QTY_ONE);
	assert_int_equal(portal->cap, 100 * QTY_ONE);
	assert_int_equal(portal->location_count, 1);
	assert_int_equal(config_find_channel(t, STR("shop"))->cap, -1);
	assert_int_equal(config_find_channel(t, STR("shop"))->share_ppm, 1000000);
	assert_int_equal(t->record_stock, 3);
	assert_int_equal(t->record_price, 2);
	assert_int_equal(t->record_customer, 2);
	assert_int_equal(t->record_item, 2);
	assert_true(t->has_order_process);
	config_unref(c);
}

static void test_defaults(void **state)
{
	struct config *c = load_good(HEAD SHOP ERP);
	(void)state;

	assert_true(str_is(c->listen, "127.0.0.1:8080"));
	assert_true(str_is(c->store, "sqlite"));
	assert_true(str_is(c->folder, folder));
	assert_int_equal(c->listener_threads, 2);
	assert_int_equal(c->mediation_threads, 2);
	assert_int_equal(c->writer_threads, 1);
	check_limits(&c->limits, (const int64_t[]){1u << 20, 16384, 64, 1024, 256, 30000, 60000, 10000, 1000, 0, 100,
						   5000000, 1000000, 1000000});
	const struct config_tenant *t = &c->tenants[0];
	check_delivery(&t->systems[0].delivery, (const int64_t[]){4, 1000, 300000, 259200000, 0, 0, 10000});
	assert_int_equal(t->systems[0].settings->type, JSON_OBJECT);
	assert_int_equal(t->systems[0].secret.n, 0);
	assert_int_equal(t->systems[0].bearer.n, 0);
	assert_int_equal(t->sku_case, SKU_AS_IS);
	assert_int_equal(t->locations[0].warehouse, -1);
	assert_int_equal(t->record_stock, -1);
	assert_false(t->has_order_process);
	/* A channel without an entry sells from all locations. */
	assert_int_equal(t->channel_count, 1);
	assert_int_equal(t->channels[0].location_count, 2);
	assert_int_equal(t->channels[0].share_ppm, 1000000);
	assert_int_equal(t->channels[0].hold_ttl_ms, 900000);
	assert_int_equal(t->channels[0].linger_ms, 20);
	assert_false(t->channels[0].strict);
	struct config *again = config_ref(c);
	config_unref(c);
	assert_int_equal(again->tenant_count, 1);
	config_unref(again);
}

static void test_every_key(void **state)
{
	struct config *c = load_good(
	    "listen: \"[::1]:0\"\n"
	    "store: postgresql://db/crossdock\n"
	    "threads: {listeners: 3, mediation: 4, writers: 5}\n"
	    "limits:\n"
	    "  body_bytes: 2048\n"
	    "  header_bytes: 4096\n"
	    "  json_depth: 32\n"
	    "  connections: 7\n"
	    "  connections_per_ip: 6\n"
	    "  request: 5s\n"
	    "  idle: 2m\n"
	    "  queue: 11\n"
	    "  batch: 12\n"
	    "  requests_per_s: 13\n"
	    "  stream_clients: 14\n"
	    "  items: 15\n"
	    "  open_orders: 16\n"
	    "  holds: 17\n"
	    "tenants:\n"
	    "  t_1:\n"
	    "    sku_case: upper\n"
	    "    locations: {a: {safety_stock: 1.5, zones: [GB, IE-D], latitude: \"53.48\", longitude: \"-2.24\",\n"
	    "                    cost: {GB: 4.5, \"*\": 9}}, b: {}}\n"
	    "    delivery: {slots: 2, retry_base: 50ms, retry_max: 1h, queue: 100}\n"
	    "    systems:\n"
	    "      shop:\n"
	    "        connector: canonical\n"
	    "        url: https://shop.example/base\n"
	    "        roles: [channel, crm, supplier]\n"
	    "        bearer: token-1\n"
	    "        webhook_secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n"
	    "        delivery: {slots: 9, give_up_after: 2d, confirm_after: 3s, timeout: 4s}\n"
	    "    channels:\n"
	    "      shop: {locations: [b, a], share: 12.5%, buffer: 1, cap: 2, minimum: 3, "
	    "backorder: \"4.5\", strict: true,\n"
	    "             inbound: {horizon: 3d, cap: \"100\"}, max_age: 2h, when_stale: zero,\n"
	    "             threshold: \"50\", max_wait: 6m, provisional: 7m,\n"
	    "             when_erp_away: {over_limit: refuse, max_quantity: \"3\", max_share: 20%, max_age: 4h,\n"
	    "                             max_value: {GBP: \"99.5\", EUR: \"1\"}, silent_after: 30m},\n"
	    "             hold_ttl: 20s, linger: 1s, allocation: nearest, split: false,\n"
	    "             split_kits: true, substitute: true, discontinued: hold, consigned: [globex, acme]}\n");
	(void)state;

	assert_true(str_is(c->listen, "[::1]:0"));
	assert_true(str_is(c->store, "postgresql://db/crossdock"));
	assert_int_equal(c->listener_threads, 3);
	assert_int_equal(c->mediation_threads, 4);
	assert_int_equal(c->writer_threads, 5);
	check_limits(&c->limits, (const int64_t[]){2048, 4096, 32, 7, 6, 5000, 120000, 11, 12, 13, 14, 15, 16, 17});
	const struct config_tenant *t = &c->tenants[0];
	assert_int_equal(t->sku_case, SKU_UPPER);
	assert_int_equal(t->locations[0].safety_stock, 15000);
	const struct config_system *s = &t->systems[0];
	check_delivery(&s->delivery, (const int64_t[]){9, 50, 3600000, 172800000, 3000, 4000, 100});
	assert_int_equal(s->roles, ROLE_CHANNEL | ROLE_CRM | ROLE_SUPPLIER);
	assert_true(str_is(s->bearer, "token-1"));
	assert_true(str_is(s->secret, "012345678901234567890123"));
	const struct config_channel *ch = &t->channels[0];
	assert_int_equal(ch->location_count, 2);
	assert_int_equal(ch->locations[0], 1);
	assert_int_equal(ch->locations[1], 0);
	assert_int_equal(ch->share_ppm, 125000);
	assert_int_equal(ch->buffer, QTY_ONE);
	assert_int_equal(ch->cap, 2 * QTY_ONE);
	assert_int_equal(ch->minimum, 3 * QTY_ONE);
	assert_int_equal(ch->backorder, 45000);
	assert_int_equal(ch->inbound_horizon_ms, 3 * 86400000);
	assert_int_equal(ch->inbound_cap, 100 * QTY_ONE);
	assert_int_equal(ch->max_age_ms, 7200000);
	assert_true(ch->stale_zero);
	assert_int_equal(ch->threshold, 50 * QTY_ONE);
	assert_int_equal(ch->away.over_limit, AWAY_REFUSE);
	assert_int_equal(ch->away.max_quantity, 3 * QTY_ONE);
	assert_int_equal(ch->away.max_share_ppm, 200000);
	assert_int_equal(ch->away.max_value_count, 2);
	assert_true(str_is(ch->away.max_value[0].currency, "GBP"));
	assert_int_equal(decimal_compare(ch->away.max_value[0].amount, (struct decimal){995, 1}), 0);
	assert_int_equal(ch->away.max_age_ms, 4 * 3600000);
	assert_int_equal(ch->away.silent_after_ms, 1800000);
	assert_int_equal(ch->max_wait_ms, 360000);
	assert_int_equal(ch->provisional_ms, 420000);
	assert_true(ch->strict);
	assert_int_equal(ch->hold_ttl_ms, 20000);
	assert_int_equal(ch->linger_ms, 1000);
	assert_int_equal(ch->allocation, ALLOCATION_NEAREST);
	assert_true(ch->unsplit);
	assert_true(ch->split_kits);
	assert_true(ch->substitute);
	assert_int_equal(ch->discontinued, DISCONTINUED_HOLD);
	assert_int_equal(t->owner_count, 2);
	assert_int_equal(ch->owner_count, 2);
	assert_int_equal(ch->owners[0], config_consignor(t, STR("globex")));
	assert_int_equal(ch->owners[1], config_consignor(t, STR("acme")));
	assert_int_equal(ch->consignors, 1 << 1 | 1 << 2);
	assert_int_equal(config_consignor(t, STR("other")), CONSIGNOR_ANY);
	const struct config_location *l = &t->locations[0];
	assert_true(l->has_point && !t->locations[1].has_point);
	assert_int_equal(l->latitude, 53480000);
	assert_int_equal(l->longitude, -2240000);
	assert_int_equal(l->zone_count, 2);
	assert_true(str_is(l->zones[1], "IE-D"));
	assert_int_equal(l->cost_count, 2);
	assert_int_equal(l->costs[0].cost, 45000);
	assert_true(str_is(l->costs[1].zone, "*"));
	config_unref(c);
}

static void test_every_error_has_its_line(void **state)
{
	static const struct {
		const char *text, *code, *pointer;
		uint32_t line;
	} cases[] = {
	    {"listen: [\n", "invalid_yaml", "", 0},
	    {"listen: x\nlisten: y\n", "duplicate_member", "", 2},
	    {"listen: 127.0.0.1:8080\n", "required", "#", 1},
	    {"tenants: {}\n", NULL, "#/tenants", 1},
	    {"bogus: 1\n" HEAD SHOP, "unknown_field", "#/bogus", 1},
	    {"listen: nowhere\n" HEAD SHOP, "bad_address", "#/listen", 1},
	    {"listen: 127.0.0.1:99999\n" HEAD SHOP, "bad_address", "#/listen", 1},
	    {"store: mysql://x\n" HEAD SHOP, "bad_store", "#/store", 1},
	    {"threads:\n  writers: 0\n" HEAD SHOP, NULL, "#/threads/writers", 2},
	    {"limits:\n  queue: 1\n  body_bytes: big\n" HEAD SHOP, "wrong_type", "#/limits/body_bytes", 3},
	    {"limits: {request: 30}\n" HEAD SHOP, "wrong_type", "#/limits/request", 1},
	    {"tenants:\n  Acme: {locations: {}}\n", "wrong_field_name", "#/tenants/Acme", 2},
	    {HEAD SHOP "    colour: red\n", "unknown_field", "#/tenants/acme/colour", 6},
	    {HEAD SHOP "    sku_case: lower\n", NULL, "#/tenants/acme/sku_case", 6},
	    {HEAD "      shop: {connector: canonical, roles: [channel]}\n", "required", "#/tenants/acme/systems/shop",
	     5},
	    {HEAD "      shop: {connector: nosuch, url: \"http://h\", roles: [channel]}\n", "unknown_connector",
	     "#/tenants/acme/systems/shop/connector", 5},
	    {HEAD "      shop:\n        connector: canonical\n        url: ftp://h\n        roles: [channel]\n",
	     "bad_url", "#/tenants/acme/systems/shop/url", 7},
	    {HEAD "      shop: {connector: canonical, url: \"http://u:p@h\", roles: [channel]}\n", "bad_url",
	     "#/tenants/acme/systems/shop/url", 5},
	    {HEAD "      shop: {connector: canonical, url: \"http://h\", roles: [boss]}\n", NULL,
	     "#/tenants/acme/systems/shop/roles/0", 5},
	    {HEAD "      shop:\n        connector: canonical\n        url: http://h\n        roles: [channel]\n"
		  "        webhook_secret: whsec_short\n",
	     "bad_webhook_secret", "#/tenants/acme/systems/shop/webhook_secret", 9},
	    {HEAD "      shop:\n        connector: canonical\n        url: http://h\n        roles: [channel]\n"
		  "        bearer: \"two words\"\n",
	     "bad_bearer", "#/tenants/acme/systems/shop/bearer", 9},
	    {HEAD "      sub_7: {connector: canonical, url: \"http://h\", roles: [erp]}\n", "reserved_name",
	     "#/tenants/acme/systems/sub_7", 0},
	    {HEAD "      shop:\n        connector: canonical\n        url: http://h\n        roles: [channel]\n"
		  "        settings:\n          nonsense: 1\n",
	     "unknown_field", "#/tenants/acme/systems/shop/settings", 10},
	    {HEAD "      shop:\n        connector: canonical\n        url: http://h\n        roles: [channel]\n"
		  "        delivery: {retry_base: 2m, retry_max: 1m}\n",
	     "bad_retry", "#/tenants/acme/systems/shop/delivery", 9},
	    {HEAD "      shop:\n        connector: canonical\n        url: http://h\n        roles: [channel]\n"
		  "        delivery: {operations: {order.status: {priority: bulk}}}\n",
	     "mixed_priorities", "#/tenants/acme/systems/shop/delivery/operations", 9},
	    {HEAD "      shop:\n        connector: canonical\n        url: http://h\n        roles: [channel]\n"
		  "        delivery: {maintenance: [{days: [sat], from: \"22:00\", to: \"23:61\"}]}\n",
	     "bad_maintenance", "#/tenants/acme/systems/shop/delivery/maintenance", 9},
	    {HEAD "      shop: {connector: canonical, url: \"http://${env:TEST_UNSET}\", roles: [channel]}\n",
	     "env_unset", "#/tenants/acme/systems/shop/url", 5},
	    {HEAD "      shop: {connector: canonical, url: \"http://${secret:NONE}\", roles: [channel]}\n",
	     "secret_unset", "#/tenants/acme/systems/shop/url", 5},
	    {HEAD "      shop: {connector: canonical, url: \"http://${file:X}\", roles: [channel]}\n", "bad_reference",
	     "#/tenants/acme/systems/shop/url", 5},
	    {HEAD "      shop: {connector: canonical, url: \"http://h\", roles: [channel], locations: [east]}\n",
	     "not_a_warehouse", "#/tenants/acme/systems/shop/locations", 5},
	    {HEAD "      wms: {connector: canonical, url: \"http://h\", roles: [warehouse]}\n",
	     "warehouse_without_locations", "#/tenants/acme/systems/wms/locations", 5},
	    {HEAD "      wms: {connector: canonical, url: \"http://h\", roles: [warehouse], locations: [north]}\n",
	     "unknown_location", "#/tenants/acme/systems/wms/locations", 5},
	    {HEAD WMS "      w2: {connector: canonical, url: \"http://h\", roles: [warehouse], locations: [west]}\n",
	     "location_taken", "#/tenants/acme/systems/w2/locations", 6},
	    {HEAD SHOP "    channels:\n      shop: {}\n      market: {}\n", "unknown_system",
	     "#/tenants/acme/channels/market", 8},
	    {HEAD ERP "    channels:\n      erp: {}\n", "not_a_channel", "#/tenants/acme/channels/erp", 7},
	    {HEAD SHOP "    channels:\n      shop: {locations: [north]}\n", "unknown_location",
	     "#/tenants/acme/channels/shop/locations", 7},
	    {HEAD SHOP "    channels:\n      shop:\n        share: 101%\n", "bad_share",
	     "#/tenants/acme/channels/shop/share", 8},
	    {HEAD SHOP "    channels:\n      shop:\n        share: half\n", NULL, "#/tenants/acme/channels/shop/share",
	     8},
	    {HEAD SHOP "    channels:\n      shop:\n        buffer: -1\n", NULL, "#/tenants/acme/channels/shop/buffer",
	     8},
	    {HEAD SHOP "    channels:\n      shop:\n        cap: 1.23456\n", NULL, "#/tenants/acme/channels/shop/cap",
	     8},
	    {HEAD SHOP "    channels:\n      shop:\n        hold_ttl: 0s\n", "bad_duration",
	     "#/tenants/acme/channels/shop/hold_ttl", 8},
	    {HEAD SHOP "    channels:\n      shop:\n        allocation: dice\n", NULL,
	     "#/tenants/acme/channels/shop/allocation", 8},
	    {"tenants:\n  acme:\n    locations: {a: {latitude: \"91\", longitude: \"0\"}}\n", "bad_degrees",
	     "#/tenants/acme/locations/a/latitude", 3},
	    {"tenants:\n  acme:\n    locations: {a: {zones: [Britain]}}\n", NULL, "#/tenants/acme/locations/a/zones/0",
	     3},
	    {HEAD SHOP "    records: {stock: wms}\n", "unknown_system", "#/tenants/acme/records/stock", 6},
	    {HEAD SHOP "    records: {colour: shop}\n", "unknown_field", "#/tenants/acme/records/colour", 6},
	    {HEAD SHOP "    processes: {order: other}\n", NULL, "#/tenants/acme/processes/order", 6},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct findings f;
		char pointer[256];
		load_bad(cases[i].text, &f);
		snprintf(pointer, sizeof(pointer), "%s/crossdock.yaml%s", folder, cases[i].pointer);
		const struct finding *g = &f.list[0];
		bool good = f.count == 1 && (!cases[i].code || strcmp(g->code, cases[i].code) == 0) &&
			    (!cases[i].line || g->line == cases[i].line) &&
			    strncmp(g->pointer, pointer, strlen(pointer)) == 0;
		for (size_t k = 0; !good && k < f.count; k++)
			print_error("case %zu: %s:%u: %s [%s]\n", i, f.list[k].pointer, f.list[k].line,
				    f.list[k].detail, f.list[k].code);
		assert_true(good);
	}
}

static void test_all_findings_are_reported(void **state)
{
	struct findings f;
	(void)state;

	load_bad("listen: nowhere\n"
		 "bogus: 1\n" HEAD "      shop: {connector: nosuch, url: \"ftp://x\", roles: [channel]}\n"
		 "    records: {stock: wms, item: pim}\n",
		 &f);
	assert_int_equal(f.count, 6);
}

static void write_schema(const char *type, const char *json)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/schemas", folder);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/schemas/%s", folder, type);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/schemas/%s/v1.json", folder, type);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(json, f);
	fclose(f);
}

static void remove_schema(const char *type)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/schemas/%s/v1.json", folder, type);
	unlink(path);
	snprintf(path, sizeof(path), "%s/schemas/%s", folder, type);
	rmdir(path);
	rmdir(path_of("schemas"));
}

static void test_own_schemas_are_added(void **state)
{
	const struct json number = {.type = JSON_NUMBER, .count = 1, .text = "1"};
	struct findings f;
	(void)state;

	write_schema("gauge", "{\"$id\":\"https://crossdock.dev/schemas/gauge/v1.json\",\"type\":\"number\"}");
	struct config *c = load_good(HEAD SHOP);
	findings_init(&f, &arena);
	assert_int_equal(schema_validate(schema_find(c->schemas, "gauge", 1), &number, SCHEMA_STRICT, &f, NULL), RC_OK);
	assert_int_equal(schema_validate(schema_find(c->schemas, "order", 1), &number, SCHEMA_STRICT, &f, NULL),
			 RC_INVALID);
	config_unref(c);
	write_schema("gauge", "{\"type\":");
	load_bad(HEAD SHOP, &f);
	assert_int_equal(f.count, 1);
	assert_non_null(strstr(f.list[0].pointer, "gauge/v1.json"));
	remove_schema("gauge");
	write_schema("item", "{\"type\":\"number\"}");
	load_bad(HEAD SHOP, &f);
	assert_int_equal(f.count, 1);
	assert_string_equal(f.list[0].code, "schema_exists");
	assert_non_null(strstr(f.list[0].pointer, folder));
	remove_schema("item");
}

static void test_a_folder_without_a_file(void **state)
{
	struct findings f;
	struct config *c = NULL;
	(void)state;

	unlink(path_of("crossdock.yaml"));
	findings_init(&f, &arena);
	assert_int_equal(config_load(folder, CD_SOURCE_DIR, &c, &f), RC_INVALID);
	assert_int_equal(f.count, 1);
	assert_string_equal(f.list[0].code, "config_missing");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {{"127.0.0.1:8080", true}, {"[::1]:80", true}, {"localhost:0", true},
		     {"0.0.0.0:65535", true},  {"", false},        {":80", false},
		     {"host", false},          {"host:", false},   {"host:65536", false},
		     {"host:8a", false},       {"::1:80", false},  {"h:000080", false}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(config_listen_ok(str_from(cases[i].text)), cases[i].good);
}

static void test_share_is_found_from_a_build_folder(void **state)
{
	const char *share = NULL;
	struct err e = ERR_NONE;
	(void)state;

	assert_int_equal(share_find_from(CD_SOURCE_DIR "/build/dev", &arena, &share, &e), RC_OK);
	assert_string_equal(share, CD_SOURCE_DIR);
	assert_int_equal(share_find_from(folder, &arena, &share, &e), RC_NOT_FOUND);
	assert_string_equal(e.code, "share_not_found");
	setenv("CROSSDOCK_SHARE", folder, 1);
	e = ERR_NONE;
	assert_int_equal(share_find(&arena, &share, &e), RC_NOT_FOUND);
	setenv("CROSSDOCK_SHARE", CD_SOURCE_DIR, 1);
	assert_int_equal(share_find(&arena, &share, &e), RC_OK);
	assert_string_equal(share, CD_SOURCE_DIR);
	unsetenv("CROSSDOCK_SHARE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_contracts_example),
	    TEST(test_delivery_policies),
	    TEST(test_defaults),
	    TEST(test_every_key),
	    TEST(test_every_error_has_its_line),
	    TEST(test_all_findings_are_reported),
	    TEST(test_own_schemas_are_added),
	    TEST(test_a_folder_without_a_file),
	    TEST(test_addresses),
	    TEST(test_share_is_found_from_a_build_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
