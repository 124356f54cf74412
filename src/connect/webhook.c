#include "connect/webhook.h"

#include "backbone/subscription.h"
#include "connect/headers.h"
#include "connect/record.h"
#include "hub/query.h"
#include "hub/webhook_secret.h"
#include "hub/webhook_url.h"

#include <stdio.h>

#define TIMEOUT_MS      20000
#define RETRY_AFTER_MAX 86400
#define HEADERS_MAX     8

struct pack *webhook_pack(void)
{
	static struct pack pack = {
	    .name = STR("webhook"),
	    .version = STR("1"),
	    .operations = {[OP_EVENT] = {.op = OP_EVENT, .present = true, .idempotent = true, .timeout_ms = TIMEOUT_MS},
			   [OP_EVENT_REPLAY] =
			       {.op = OP_EVENT_REPLAY, .present = true, .idempotent = true, .timeout_ms = TIMEOUT_MS}},
	    .signature = STR("none"),
	};
	return &pack;
}

static void end(struct attempt *a, enum outcome outcome, struct str detail)
{
	a->ended = true;
	a->outcome = outcome;
	a->detail = record_text(&a->arena, detail, RECORD_TEXT_MAX);
}

static void cancel(struct attempt *a, const char *detail)
{
	a->cancelled = true;
	end(a, OUTCOME_CONFIGURATION, str_from(detail));
}

static enum rc put_headers(struct attempt *a, const struct subscription *s, struct str id, int64_t now_ms,
			   struct err *e)
{
	struct http_header *list = arena_array(&a->arena, struct http_header, HEADERS_MAX);
	char *stamp = arena_printf(&a->arena, "%lld", (long long)(now_ms / 1000));
	char *signatures = arena_alloc(&a->arena, WEBHOOK_SIGNATURES_TEXT), trace[TRACEPARENT_TEXT];
	struct webhook_keys keys;
	struct secretbox_key key;
	size_t n = 0;

	if (!list || !stamp || !signatures)
		return err_set(e, RC_LIMIT, "delivery_too_large", "the request does not fit into memory");
	enum rc rc = hub_secret_key(a->hub, &key, e);
	if (rc == RC_OK)
		rc = webhook_keys_open(s->secrets, &key, &a->arena, &keys, e);
	secret_wipe(&key, sizeof(key));
	if (rc != RC_OK)
		return rc;
	rc = webhook_keys_sign(&keys, &a->arena, id, now_ms, a->request.body, signatures);
	secret_wipe(&keys, sizeof(keys));
	traceparent_derive(a->delivery.correlation_id, a->delivery.delivery_id, trace);
	list[n++] = (struct http_header){STR("Content-Type"), STR("application/cloudevents+json")};
	list[n++] = (struct http_header){STR("webhook-id"), id};
	list[n++] = (struct http_header){STR("webhook-timestamp"), str_from(stamp)};
	list[n++] = (struct http_header){STR("webhook-signature"), str_from(signatures)};
	list[n++] = (struct http_header){STR("Correlation-Id"), a->delivery.correlation_id};
	list[n++] = (struct http_header){STR("traceparent"), arena_copy(&a->arena, str_from(trace))};
	if (a->head.operation == OP_EVENT_REPLAY)
		list[n++] = (struct http_header){STR("Crossdock-Replay"), STR("true")};
	a->request.headers = list;
	a->request.header_count = n;
	return rc;
}

static enum rc make_request(struct attempt *a, struct store_reader *r, const struct subscription *s, int64_t now_ms,
			    struct err *e)
{
	const struct config_webhooks *w = &hub_config(a->hub)->webhooks;
	struct query q = {.hub = a->hub, .reader = r, .arena = &a->arena};
	struct str id;
	struct buf body;

	buf_init(&body, 4 * (size_t)DOCUMENT_BYTES_MAX);
	enum rc rc = query_event(&q, a->delivery.event, &id, &body, e);
	if (rc == RC_OK) {
		int64_t timeout = a->system->delivery.timeout_ms;
		a->request = (struct http_request){
		    .method = STR("POST"),
		    .url = s->url,
		    .body = arena_copy(&a->arena, buf_str(&body)),
		    .timeout_ms = timeout ? timeout : TIMEOUT_MS,
		    .connect_timeout_ms = ATTEMPT_CONNECT_MS,
		    .addresses = &w->addresses,
		};
		rc = a->request.body.p
			 ? put_headers(a, s, id, now_ms, e)
			 : err_set(e, RC_LIMIT, "delivery_too_large", "the event does not fit into memory");
	}
	buf_done(&body);
	return rc;
}

/* For a person to read, and so without the query of the URL: it may well be a secret. */
static struct str request_text(struct attempt *a)
{
	struct http_request shown = a->request;

	shown.url = webhook_url_shown(shown.url, &a->arena);
	return record_packed(&a->arena, record_request(&a->arena, a->system, &shown));
}

enum rc webhook_render(struct attempt *a, struct store_reader *r, int64_t now_ms, struct err *e)
{
	struct subscription s;
	struct err cause = ERR_NONE;
	enum rc rc = delivery_load(r, &a->arena, a->head.seq, &a->delivery, e);

	if (rc != RC_OK)
		return rc;
	rc = subscription_load(r, &a->arena, subscription_seq(a->head.system), &s, &cause);
	if (rc == RC_NOT_FOUND || (rc == RC_OK && s.state == SUBSCRIPTION_DELETED)) {
		a->gone = true;
		cancel(a, "the subscription was deleted");
		return RC_OK;
	}
	if (rc == RC_OK && s.state == SUBSCRIPTION_DISABLED) {
		cancel(a, "the subscription is disabled");
		return RC_OK;
	}
	const char *wrong = rc == RC_OK ? webhook_url_wrong(s.url, &hub_config(a->hub)->webhooks) : NULL;
	if (wrong)
		rc = err_set(&cause, RC_DENIED, "url_not_allowed", "not sent: the rules for URLs have changed. %s",
			     wrong);
	if (rc == RC_OK)
		rc = make_request(a, r, &s, now_ms, &cause);
	if (rc == RC_IO || rc == RC_RETRY) {
		if (e)
			*e = cause;
		return rc;
	}
	if (rc == RC_OK)
		a->request_text = request_text(a);
	else
		end(a, OUTCOME_TECHNICAL, str_from(cause.detail));
	return RC_OK;
}

static int64_t retry_after_ms(struct str text)
{
	int64_t seconds = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return 0;
		seconds = seconds * 10 + (text.p[i] - '0');
		if (seconds > RETRY_AFTER_MAX)
			seconds = RETRY_AFTER_MAX;
	}
	return seconds * 1000;
}

void webhook_classify(struct attempt *a)
{
	const struct http_answer *t = &a->transfer;
	char detail[32];

	if (t->status == 0) {
		end(a, t->sent ? OUTCOME_UNKNOWN : OUTCOME_TECHNICAL, t->error);
		return;
	}
	if (t->status / 100 == 2) {
		end(a, OUTCOME_DELIVERED, STR_NONE);
		return;
	}
	snprintf(detail, sizeof(detail), "it answered %d", t->status);
	if (t->status == 429 || t->status == 503) {
		end(a, OUTCOME_THROTTLED, str_from(detail));
		a->retry_after_ms = retry_after_ms(t->retry_after);
		return;
	}
	end(a, OUTCOME_TECHNICAL, str_from(detail));
}
