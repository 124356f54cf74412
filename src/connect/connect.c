#include "connect/connect.h"

#include "base/mem.h"
#include "connect/inbound.h"
#include "connect/reconcile.h"

struct connect_hub {
	struct connect *connect;
	struct delivery_hub *delivery;
	struct inbound_hub *inbound;
};

struct connect {
	struct connect_options options;
	struct delivery_engine *delivery;
	struct inbound_engine *inbound;
	struct reconciler *reconciler;
	struct connect_hub *hubs;
};

static void on_deliveries(void *ctx, struct hub *h, const struct delivery_head *heads, size_t count)
{
	struct connect_hub *c = ctx;
	(void)h;
	delivery_heads(c->delivery, heads, count);
}

static void on_changes(void *ctx, struct hub *h, const struct delivery_change *changes, size_t count)
{
	struct connect_hub *c = ctx;
	(void)h;
	delivery_changes(c->delivery, changes, count);
}

static void on_message(void *ctx, struct hub *h, struct message *m)
{
	struct connect_hub *c = ctx;
	(void)h;
	inbound_message(c->inbound, m);
}

static void on_reconciliation(void *ctx, struct hub *h)
{
	const struct connect *c = ((struct connect_hub *)ctx)->connect;
	(void)h;
	reconciler_wake(c->reconciler);
}

static void on_events(void *ctx, struct hub *h, int64_t position)
{
	const struct connect *c = ((struct connect_hub *)ctx)->connect;
	if (c->options.events)
		c->options.events(c->options.ctx, h, position);
}

enum rc connect_start(struct node *n, const struct connect_options *o, struct connect **out, struct err *e)
{
	struct connect *c = mem_zalloc(1, sizeof(*c));
	c->options = *o;
	c->hubs = mem_zalloc(node_tenants(n), sizeof(struct connect_hub));
	enum rc rc = delivery_start(n, &c->delivery, e);
	if (rc == RC_OK)
		rc = inbound_start(n, &c->inbound, e);
	for (size_t i = 0; i < node_tenants(n) && rc == RC_OK; i++) {
		struct connect_hub *h = &c->hubs[i];
		*h = (struct connect_hub){c, delivery_hub_of(c->delivery, i), inbound_hub_of(c->inbound, i)};
		hub_set_sinks(node_hub(n, i), &(struct hub_sinks){.ctx = h,
								  .deliveries = on_deliveries,
								  .message = on_message,
								  .reconciliation = on_reconciliation,
								  .events = on_events,
								  .changes = on_changes});
		rc = hub_resume(node_hub(n, i), e);
	}
	if (rc == RC_OK)
		rc = reconciler_start(n, &c->reconciler, e);
	if (rc != RC_OK) {
		connect_stop(c);
		connect_free(c);
		return rc;
	}
	*out = c;
	return RC_OK;
}

void connect_stop(struct connect *c)
{
	if (!c)
		return;
	reconciler_stop(c->reconciler);
	inbound_stop(c->inbound);
	delivery_stop(c->delivery, c->options.stop_ms ? c->options.stop_ms : DELIVERY_STOP_MS);
}

void connect_free(struct connect *c)
{
	if (!c)
		return;
	reconciler_free(c->reconciler);
	inbound_free(c->inbound);
	delivery_free(c->delivery);
	free(c->hubs);
	free(c);
}

bool connect_delivery(struct connect *c, const struct hub *h, uint32_t system, struct delivery_view *out)
{
	return delivery_snapshot(c->delivery, h, system, out);
}

struct reconciler *connect_reconciler(struct connect *c)
{
	return c->reconciler;
}
