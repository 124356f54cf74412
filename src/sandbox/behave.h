/*
 * How a sandbox system behaves: rules that are switched on and off while it runs. Pure: time comes in, chance is
 * seeded.
 *
 *     {"mode":"slow","ms":200}                     answers late
 *     {"mode":"down"}                              503; with "close":true it hangs up instead
 *     {"mode":"refuse"}                            422, with a reason
 *     {"mode":"throttle","retry_after":2}          429
 *     {"mode":"lose_answers","every":10}           does what it is asked, then hangs up without an answer
 *     {"mode":"duplicate"}                         sends each of its own messages twice
 *     {"mode":"reorder"}                           sends its own messages of different keys in another order
 *     {"mode":"flap","up_ms":2000,"down_ms":500}   up and down in turn
 *     {"mode":"unauthorized"}                      401
 *     {"mode":"ok"}                                forgets all rules
 *
 * Each also takes "every": only each n-th request; "probability": from 0 to 1, only so many; "seed"; and "add":true,
 * which keeps the rules there are (RULES_MAX at most) instead of replacing them.
 */
#ifndef SANDBOX_BEHAVE_H
#define SANDBOX_BEHAVE_H

#include "base/buf.h"
#include "format/json.h"

#include <stdbool.h>
#include <stdint.h>

#define BEHAVE_RULES_MAX 8

enum behave_mode {
	BEHAVE_SLOW,
	BEHAVE_DOWN,
	BEHAVE_REFUSE,
	BEHAVE_THROTTLE,
	BEHAVE_LOSE_ANSWERS,
	BEHAVE_DUPLICATE,
	BEHAVE_REORDER,
	BEHAVE_FLAP,
	BEHAVE_UNAUTHORIZED,
	BEHAVE_MODES
};

struct behave_rule {
	enum behave_mode mode;
	int64_t ms, up_ms, down_ms, retry_after_s;
	int64_t every;           /* 0: chance decides */
	int64_t probability_ppm; /* 1,000,000: always */
	bool close;
	int64_t since_ms, seen;
};

struct behave {
	struct behave_rule rules[BEHAVE_RULES_MAX];
	size_t count;
	uint64_t random;
};

/* What to do with one request. status 0 and not hang_up: handle it. */
struct behave_verdict {
	int64_t delay_ms;
	int status;
	int64_t retry_after_s;
	bool hang_up;     /* before doing anything */
	bool lose_answer; /* after doing it */
	const char *detail;
};

void behave_init(struct behave *b, uint64_t seed);
/* RC_INVALID "unknown_mode", "bad_behaviour"; RC_LIMIT "too_many_rules". Then nothing has changed. */
enum rc behave_set(struct behave *b, const struct json *rule, int64_t now_ms, struct err *e) MUST_CHECK;
/* "mode" or "mode,name=number,...", as on the command line. */
enum rc behave_set_text(struct behave *b, const char *text, int64_t now_ms, struct err *e) MUST_CHECK;

struct behave_verdict behave_request(struct behave *b, int64_t now_ms);
/* For a message of its own: should it go twice, should another go before it? */
bool behave_duplicates(struct behave *b);
bool behave_reorders(struct behave *b);
/* [{"mode":...},...] */
void behave_write(const struct behave *b, struct json_writer *w);

#endif
