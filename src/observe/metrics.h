/*
 * Metrics in the Prometheus text format (version 0.0.4). Families are rows of metrics.def; a series is a family with
 * one set of label values. Series are found or made once and then updated without a lock; they live as long as the
 * process. The number of series is bounded (METRICS_SERIES_MAX); past it updates go to a series named "overflow".
 */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include "base/buf.h"

#include <stdint.h>

#define METRICS_SERIES_MAX 4096

/* METRIC(id, kind, "crossdock_name", "label1,label2" or "", "help") */
enum metric_id {
#define METRIC(id, kind, name, labels, help) id,
#include "observe/metrics.def"
#undef METRIC
	METRIC_COUNT
};

struct metric;

/* label values in the family's order; as many as the family has labels. */
struct metric *metric_find(enum metric_id id, const char *const *values);
void metric_add(struct metric *m, int64_t n);         /* counter, gauge */
void metric_set(struct metric *m, int64_t v);         /* gauge */
void metric_observe_us(struct metric *m, int64_t us); /* histogram of durations; exported in seconds */
int64_t metric_value(const struct metric *m);         /* of a histogram: how many were observed */
/* The q-quantile (0 < q < 1) of a histogram in microseconds, from its buckets (at most 10% off). */
int64_t metric_quantile_us(const struct metric *m, double q);

void metrics_render(struct buf *out);

#endif
