/*
 * UUID version 7 (RFC 9562, section 5.7), monotonic within one source (method 1: a 12-bit counter in rand_a, seeded at
 * random each millisecond and carried into the timestamp when it runs over).
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT 36

struct uuid {
	unsigned char b[16];
};

/* Where ids come from. random fills n bytes: random_bytes in production, a seeded generator in a simulation. */
struct uuid_source {
	void (*random)(void *ctx, void *p, size_t n);
	void *ctx;
	int64_t last_ms;
	uint16_t counter;
};

void uuid_source_init(struct uuid_source *s); /* the system's random numbers */
struct uuid uuid_make(struct uuid_source *s, int64_t now_ms);
/* Lower case with hyphens and a NUL. */
void uuid_format(struct uuid u, char out[UUID_TEXT + 1]);
bool uuid_parse(struct str text, struct uuid *out);

#endif
