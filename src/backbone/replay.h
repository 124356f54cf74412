/*
 * Which positions of the log are still to be sent again to a subscription. Pure.
 *
 * A replay goes through its range from below. One that is asked for while another runs is merged with it: what has been
 * queued since the first of them began is not queued again, so what is left may be several ranges. When all of it has
 * been delivered, whoever knows that forgets what was asked for. Positions are of the events after `after`, up to and
 * with `through`.
 */
#ifndef BACKBONE_REPLAY_H
#define BACKBONE_REPLAY_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_RANGES_MAX 8
#define REPLAY_TEXT_MAX   512

struct replay_range {
	int64_t after, through;
};

struct replay_ranges {
	struct replay_range asked; /* everything that was asked for since it began; empty: none runs */
	struct replay_range left[REPLAY_RANGES_MAX]; /* apart, ascending, not empty */
	size_t count;
};

/* What is behind `after`, as far as `through`, the end of the log now. false: too many ranges would be left; nothing
 * is changed. */
bool replay_ask(struct replay_ranges *r, int64_t after, int64_t through);
/* All of the first range up to this position has been queued. */
void replay_reached(struct replay_ranges *r, int64_t position);

/* As it is stored: "0-90 12-40 60-90", what was asked for and what is left; empty: nothing. */
struct str replay_format(const struct replay_ranges *r, char out[REPLAY_TEXT_MAX]);
bool replay_parse(struct str text, struct replay_ranges *out); /* false: it makes no sense */

#endif
