#include "histogram.h"

static size_t bucket_of(uint64_t v)
{
	if (v < HISTOGRAM_PARTS)
		return v;
	unsigned shift = 63u - (unsigned)__builtin_clzll(v) - HISTOGRAM_PART_BITS;
	return (size_t)(shift + 1) * HISTOGRAM_PARTS + (v >> shift) - HISTOGRAM_PARTS;
}

static int64_t bucket_end(size_t i)
{
	if (i < HISTOGRAM_PARTS)
		return (int64_t)i;
	unsigned shift = (unsigned)(i / HISTOGRAM_PARTS) - 1;
	return (int64_t)((((uint64_t)(i % HISTOGRAM_PARTS) + HISTOGRAM_PARTS + 1) << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	h->buckets[bucket_of((uint64_t)ns)]++;
	h->count++;
	if (ns > h->max)
		h->max = ns;
}

int64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t seen = 0, wanted = (uint64_t)(q * (double)h->count);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen > wanted || seen == h->count)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}
