/*
 * What strangers say of where to send, and when: the first byte chooses. A subscription's URL that is not refused names
 * no address that is not public; what is shown of it holds nothing of its query.
 */
#include "base/address.h"
#include "base/clock.h"
#include "connect/ratelimit.h"
#include "hub/webhook_secret.h"
#include "hub/webhook_url.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_address(struct str text)
{
	const struct address_policy none = {0};
	struct address a;

	if (address_parse(text, &a))
		assert(!address_allowed(&none, &a) || address_is_public(&a));
}

static void try_range(struct str text)
{
	struct address_range r;

	if (address_range_parse(text, &r))
		assert(r.bits <= 128);
}

static void try_url(struct str text)
{
	static const struct config_webhooks rules = {.http = true};
	const char *wrong = webhook_url_wrong(text, &rules);
	const char *query;
	struct arena a;

	if (wrong) {
		assert(wrong[0]);
		return;
	}
	arena_init(&a, 1u << 20);
	struct str shown = webhook_url_shown(text, &a);
	query = memchr(text.p, '?', text.n);
	assert(shown.n <= text.n + 4);
	if (query) {
		const char *hidden = memchr(shown.p, '?', shown.n);

		assert(hidden && str_is((struct str){hidden, shown.n - (size_t)(hidden - shown.p)}, "?***"));
	}
	arena_done(&a);
}

/* Three fields with zeros between. */
static void try_limits(struct str text)
{
	struct http_answer answer = {.status = 200};
	struct str *fields[] = {&answer.rate_limit, &answer.rate_remaining, &answer.rate_reset};

	for (size_t i = 0; i < 3 && text.p; i++) {
		const char *end = text.n ? memchr(text.p, '\0', text.n) : NULL;
		size_t n = end ? (size_t)(end - text.p) : text.n;

		*fields[i] = (struct str){text.p, n};
		text = end ? (struct str){end + 1, text.n - n - 1} : STR_NONE;
	}
	assert(ratelimit_wait_ms(&answer) >= 0);
}

static void try_secret(struct str text)
{
	struct webhook_key key;

	(void)webhook_secret_parse(text, &key);
}

static void try_duration(struct str text)
{
	int64_t ms;

	if (duration_parse(text, &ms))
		assert(ms >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct str) = {try_address, try_range,  try_url,
						    try_limits,  try_secret, try_duration};

	if (size < 2)
		return 0;
	tries[data[0] % (sizeof(tries) / sizeof(tries[0]))]((struct str){(const char *)data + 1, size - 1});
	return 0;
}
