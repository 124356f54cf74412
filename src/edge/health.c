#include "edge/exchange.h"
#include "edge/handlers.h"
#include "observe/metrics.h"

#define METRICS_BYTES_MAX ((size_t)16 << 20)

enum server_next healthz(struct exchange *x)
{
	return exchange_answer(x, 200, STR("{\"status\":\"ok\"}"), NULL, 0);
}

enum server_next readyz(struct exchange *x)
{
	if (node_ready(x->edge->node))
		return exchange_answer(x, 200, STR("{\"status\":\"ready\"}"), NULL, 0);
	return exchange_refuse(x, "not_ready", "A store cannot commit now.");
}

enum server_next metrics(struct exchange *x)
{
	struct buf out;
	const struct server_field fields[] = {{"Cache-Control", STR("no-store")},
					      {"Correlation-Id", x->correlation_id}};
	buf_init(&out, METRICS_BYTES_MAX);
	metrics_render(&out);
	enum server_next next =
	    exchange_answer_as(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out), fields, 2);
	buf_done(&out);
	return next;
}

#ifdef CD_TEST_HOOKS
/* Moves the wall clock on, so that tests need not wait. */
enum server_next test_clock(struct exchange *x)
{
	struct err e = ERR_NONE;
	const struct json *doc;
	int64_t ms;
	if (!x->request->loopback)
		return exchange_refuse(x, "unknown_route", "There is no such route.");
	if (exchange_document(x, x->request->arena, &doc, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!json_int(json_get(doc, "advance_ms"), &ms) || ms < 0)
		return exchange_wrong(x, "validation_failed", "/advance_ms", "A whole number of milliseconds.");
	clock_test_advance(ms);
	return exchange_answer(x, 200, STR("{\"advanced\":true}"), NULL, 0);
}
#endif
