/*
 * The cache is a table of small sets, found by the hash of the secret (which is random, so the sets fill evenly); in a
 * set the entry that was looked up first goes first. A flood of bad keys evicts only refusals while a set has one. An
 * entry keeps its rate bucket when it is looked up again; one lock guards all, it is held for a few loads and stores.
 */
#include "edge/auth.h"

#include "base/hash.h"
#include "base/mem.h"
#include "observe/log.h"

#include <pthread.h>
#include <strings.h>

#define SETS       1024
#define WAYS       4
#define SECRET_LEN 43

struct entry {
	bool used, good, revoked;
	unsigned char hash[32];
	int64_t until_ns; /* looked up again after this */
	struct principal principal;
	int64_t bucket_ns; /* the bucket was filled up to here */
	double tokens;
};

struct auth {
	struct node *node;
	struct readers *readers;
	uint32_t per_s;
	pthread_mutex_t lock;
	struct entry sets[SETS][WAYS];
};

static const char *const names[] = {
#define SCOPE(id, name, what) name,
#include "edge/scopes.def"
#undef SCOPE
};

const char *scope_name(enum scope s)
{
	return names[s];
}

unsigned scopes_parse(struct str text)
{
	unsigned bits = 0;
	for (size_t i = 0; i < text.n;) {
		size_t start = i;
		while (i < text.n && text.p[i] != ' ' && text.p[i] != ',')
			i++;
		for (size_t s = 0; s < SCOPES; s++)
			if (str_is((struct str){text.p + start, i - start}, names[s]))
				bits |= 1u << s;
		i++;
	}
	return bits & SCOPE_ADMIN ? (1u << SCOPES) - 1 : bits;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool auth_key_parse(struct str key, struct str *tenant, struct str *secret)
{
	if (key.n < 3 + 1 + 1 + SECRET_LEN || key.n > 3 + 40 + 1 + SECRET_LEN || memcmp(key.p, "cd_", 3) != 0)
		return false;
	*secret = (struct str){key.p + key.n - SECRET_LEN, SECRET_LEN};
	*tenant = (struct str){key.p + 3, key.n - 3 - 1 - SECRET_LEN};
	if (key.p[3 + tenant->n] != '_')
		return false;
	for (size_t i = 0; i < SECRET_LEN; i++)
		if (!is_alnum(secret->p[i]))
			return false;
	return true;
}

bool auth_bearer(struct str header, struct str *key)
{
	if (header.n < 7 || strncasecmp(header.p, "Bearer ", 7) != 0)
		return false;
	*key = (struct str){header.p + 7, header.n - 7};
	while (key->n && key->p[0] == ' ')
		*key = (struct str){key->p + 1, key->n - 1};
	return key->n > 0;
}

struct auth *auth_new(struct node *node, struct readers *readers, uint32_t requests_per_s)
{
	struct auth *a = mem_zalloc(1, sizeof(*a));
	a->node = node;
	a->readers = readers;
	a->per_s = requests_per_s;
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static struct entry *find(struct auth *a, const struct hub *hub, const unsigned char hash[32])
{
	uint32_t set;
	memcpy(&set, hash, sizeof(set));
	for (size_t i = 0; i < WAYS; i++) {
		struct entry *e = &a->sets[set % SETS][i];
		if (e->used && e->principal.hub == hub && hash_equal(e->hash, hash, 32))
			return e;
	}
	return NULL;
}

/* The one to overwrite: an empty one, else the oldest refusal, else the oldest. */
static struct entry *victim(struct auth *a, const unsigned char hash[32])
{
	uint32_t set;
	memcpy(&set, hash, sizeof(set));
	struct entry *best = &a->sets[set % SETS][0];
	for (size_t i = 1; i < WAYS && best->used; i++) {
		struct entry *e = &a->sets[set % SETS][i];
		if (!e->used || (e->good != best->good ? !e->good : e->until_ns < best->until_ns))
			best = e;
	}
	return best;
}

static void copy_text(char out[AUTH_TEXT_MAX + 1], struct str s)
{
	size_t n = s.n < AUTH_TEXT_MAX ? s.n : AUTH_TEXT_MAX;
	if (n)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

/* From the store. */
static enum rc look_up(struct auth *a, struct hub *hub, const unsigned char hash[32], struct entry *out, struct err *e)
{
	struct store_reader *reader;
	struct store_value row[5];
	struct arena arena;
	enum rc rc = readers_take(a->readers, hub, &reader, e);
	if (rc != RC_OK)
		return rc;
	arena_init(&arena, 16 * 1024);
	const struct store_value arg = SV_BLOB(((struct str){(const char *)hash, 32}));
	struct err cause = ERR_NONE;
	rc = store_read_one(reader, R_API_KEY_BY_SECRET, &arg, 1, &arena, row, &cause);
	*out = (struct entry){.used = true, .principal.hub = hub};
	memcpy(out->hash, hash, 32);
	if (rc == RC_OK) {
		out->revoked = row[4].type != STORE_NULL;
		out->good = !out->revoked;
		out->principal.scopes = scopes_parse(row[1].bytes);
		copy_text(out->principal.id, row[0].bytes);
		copy_text(out->principal.system, row[2].type == STORE_NULL ? STR_NONE : row[2].bytes);
	} else if (rc != RC_NOT_FOUND) {
		err_set(e, RC_RETRY, "store_unavailable", "The store cannot be read now.");
		log_err(LOG_ERROR, "edge", "a key cannot be looked up", &cause);
	}
	readers_give(a->readers, hub, reader, rc != RC_OK && rc != RC_NOT_FOUND);
	arena_done(&arena);
	return rc == RC_OK || rc == RC_NOT_FOUND ? RC_OK : RC_RETRY;
}

/* With the lock: takes one token. */
static enum rc take_token(const struct auth *a, struct entry *n, int64_t now_ns, struct auth_rate *rate)
{
	*rate = (struct auth_rate){.limit = a->per_s};
	if (a->per_s == 0)
		return RC_OK;
	n->tokens += (double)(now_ns - n->bucket_ns) * 1e-9 * a->per_s;
	if (n->tokens > a->per_s || n->bucket_ns == 0)
		n->tokens = a->per_s;
	n->bucket_ns = now_ns;
	if (n->tokens < 1) {
		rate->wait_s = 1;
		return RC_LIMIT;
	}
	n->tokens -= 1;
	rate->left = (uint32_t)n->tokens;
	return RC_OK;
}

/* With the lock. */
static enum rc judge(struct auth *a, struct entry *n, int64_t now_ns, struct principal *out, struct auth_rate *rate,
		     struct err *e)
{
	if (n->revoked)
		return err_set(e, RC_DENIED, "key_revoked", "The key has been revoked.");
	if (!n->good)
		return err_set(e, RC_DENIED, "unauthorized", "The key is not known.");
	*out = n->principal;
	if (take_token(a, n, now_ns, rate) != RC_OK)
		return err_set(e, RC_LIMIT, "rate_limited", "The key may send %u requests a second.", a->per_s);
	return RC_OK;
}

enum rc auth_check(struct auth *a, struct str key, struct principal *out, struct auth_rate *rate, struct err *e)
{
	struct str tenant, secret;
	unsigned char hash[32];
	struct hub *hub = auth_key_parse(key, &tenant, &secret) ? node_find(a->node, tenant) : NULL;
	*rate = (struct auth_rate){0};
	if (!hub)
		return err_set(e, RC_DENIED, "unauthorized", "The key is not known.");
	hash_secret(secret, hash);
	int64_t now = clock_mono_ns(node_clock(a->node));
	pthread_mutex_lock(&a->lock);
	struct entry *n = find(a, hub, hash);
	if (n && now < n->until_ns) {
		enum rc rc = judge(a, n, now, out, rate, e);
		pthread_mutex_unlock(&a->lock);
		return rc;
	}
	pthread_mutex_unlock(&a->lock);

	struct entry fresh;
	enum rc rc = look_up(a, hub, hash, &fresh, e);
	if (rc != RC_OK)
		return rc;
	fresh.until_ns = now + (fresh.good ? AUTH_FRESH_MS : AUTH_REFUSED_MS) * (int64_t)1000000;
	pthread_mutex_lock(&a->lock);
	n = find(a, hub, hash);
	if (n) {
		fresh.bucket_ns = n->bucket_ns;
		fresh.tokens = n->tokens;
	} else {
		n = victim(a, hash);
	}
	*n = fresh;
	rc = judge(a, n, now, out, rate, e);
	pthread_mutex_unlock(&a->lock);
	return rc;
}
