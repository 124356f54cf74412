#include "connect/ratelimit.h"

#define SECONDS_MAX 86400

static struct str trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct str){s.p + 1, s.n - 1};
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Up to a separator that is not in quotes; *rest is behind it. */
static struct str part(struct str s, char separator, struct str *rest)
{
	bool quoted = false;
	size_t i = 0;
	*rest = STR_NONE;
	if (!s.p)
		return STR_NONE;
	for (; i < s.n && (quoted || s.p[i] != separator); i++)
		if (s.p[i] == '"')
			quoted = !quoted;
	if (i < s.n)
		*rest = (struct str){s.p + i + 1, s.n - i - 1};
	return trim((struct str){s.p, i});
}

/* Digits; what follows a point is cut. -1: none. */
static int64_t number(struct str s)
{
	int64_t n = 0;
	size_t i = 0;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		n = n < SECONDS_MAX * (int64_t)1000 ? n * 10 + (s.p[i] - '0') : n;
	return i && (i == s.n || s.p[i] == '.' || s.p[i] == ';') ? n : -1;
}

struct said {
	int64_t left, reset_s; /* -1: not said */
};

/* name=value */
static void note(struct said *s, struct str text)
{
	struct str value, name = part(text, '=', &value);
	value = trim(value);
	if (str_is(name, "r") || str_is(name, "remaining"))
		s->left = number(value);
	else if (str_is(name, "t") || str_is(name, "reset"))
		s->reset_s = number(value);
}

static int64_t wait_of(struct said s)
{
	if (s.left != 0 || s.reset_s <= 0)
		return 0;
	return (s.reset_s < SECONDS_MAX ? s.reset_s : SECONDS_MAX) * 1000;
}

static int64_t wait_of_field(struct str field)
{
	bool items = memchr(field.p ? field.p : "", ';', field.n) != NULL;
	struct said whole = {-1, -1};
	int64_t most = 0;
	for (struct str rest = field; rest.n;) {
		struct str one = part(rest, ',', &rest);
		struct said s = {-1, -1};
		if (!items)
			note(&whole, one);
		while (items && one.n)
			note(&s, part(one, ';', &one));
		most = wait_of(s) > most ? wait_of(s) : most;
	}
	return wait_of(whole) > most ? wait_of(whole) : most;
}

int64_t ratelimit_wait_ms(const struct http_answer *a)
{
	int64_t most = wait_of_field(a->rate_limit);
	int64_t old = wait_of((struct said){number(trim(a->rate_remaining)), number(trim(a->rate_reset))});
	return old > most ? old : most;
}
