/*
 * Log-linear counts of durations: every power of two is cut into 128 equal parts, so a quantile is at most 0.8 % too
 * high. One thread at a time.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_PART_BITS 7
#define HISTOGRAM_PARTS     (1u << HISTOGRAM_PART_BITS)
#define HISTOGRAM_BUCKETS   ((64 - HISTOGRAM_PART_BITS + 1) * HISTOGRAM_PARTS)

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count;
	int64_t max;
};

void histogram_add(struct histogram *h, int64_t ns);
/* q from 0 to 1; the upper end of the bucket, never above the largest value. 0 if there is none. */
int64_t histogram_quantile(const struct histogram *h, double q);

#endif
