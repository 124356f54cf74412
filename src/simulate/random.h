/* The chance of a simulation: a sequence that its seed decides (SplitMix64; Steele, Lea and Flood, 2014). */
#ifndef SIMULATE_RANDOM_H
#define SIMULATE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t dice_next(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* from and to are possible. */
static inline int dice_between(struct dice *d, int from, int to)
{
	return from + (int)(dice_next(d) % (uint64_t)(to - from + 1));
}

static inline bool dice_chance(struct dice *d, int in_thousand)
{
	return (int)(dice_next(d) % 1000) < in_thousand;
}

#endif
