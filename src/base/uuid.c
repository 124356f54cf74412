#include "base/uuid.h"

#include "base/hash.h"

#define COUNTER_MAX  0x0fffu
#define COUNTER_SEED 0x07ffu /* a new millisecond starts in the lower half: 2,048 ids before it can run over */

static _Thread_local unsigned char pool[1000];
static _Thread_local size_t pool_left;

/* The system is asked for many ids at once: a call for each would cost more than the id. */
static void random_system(void *ctx, void *p, size_t n)
{
	(void)ctx;
	if (pool_left < n) {
		random_bytes(pool, sizeof(pool));
		pool_left = sizeof(pool);
	}
	pool_left -= n;
	memcpy(p, pool + pool_left, n);
}

void uuid_source_init(struct uuid_source *s)
{
	*s = (struct uuid_source){.random = random_system};
	pool_left = 0; /* a simulation begins with its own seed */
}

struct uuid uuid_make(struct uuid_source *s, int64_t now_ms)
{
	unsigned char r[10];
	s->random(s->ctx, r, sizeof(r));
	uint16_t seed = (uint16_t)((unsigned)(r[8] << 8 | r[9]) & COUNTER_SEED);
	if (now_ms > s->last_ms) {
		s->last_ms = now_ms;
		s->counter = seed;
	} else if (s->counter < COUNTER_MAX) {
		s->counter++;
	} else {
		s->last_ms++;
		s->counter = seed;
	}
	uint64_t ms = (uint64_t)s->last_ms;
	struct uuid u;
	for (int i = 0; i < 6; i++)
		u.b[i] = (unsigned char)(ms >> (40 - 8 * i));
	u.b[6] = (unsigned char)(0x70u | s->counter >> 8);
	u.b[7] = (unsigned char)s->counter;
	memcpy(u.b + 8, r, 8);
	u.b[8] = (unsigned char)(0x80u | (r[0] & 0x3fu));
	return u;
}

void uuid_format(struct uuid u, char out[UUID_TEXT + 1])
{
	static const char hex[] = "0123456789abcdef";
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex[u.b[i] >> 4];
		*out++ = hex[u.b[i] & 15];
	}
	*out = '\0';
}

bool uuid_parse(struct str text, struct uuid *out)
{
	if (text.n != UUID_TEXT)
		return false;
	const char *p = text.p;
	struct uuid u;
	for (int i = 0; i < 16; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
			return false;
		int high = str_hex_digit(p[0]), low = str_hex_digit(p[1]);
		if (high < 0 || low < 0)
			return false;
		u.b[i] = (unsigned char)(high << 4 | low);
		p += 2;
	}
	*out = u;
	return true;
}
