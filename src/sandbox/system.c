#include "sandbox/system.h"

#include "base/clock.h"
#include "base/mem.h"
#include "edge/uri.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE_DEFAULT   100
#define PAGE_MAX       10000
#define RETRY_FIRST_MS 50
#define RETRY_LAST_MS  2000

struct remembered {
	struct str key, body;
	struct hash128 print;
	int status;
};

static const char *const problem_names[] = {
#define SYSTEM_PROBLEM_NAME(id, name) name,
    SYSTEM_PROBLEMS(SYSTEM_PROBLEM_NAME)
#undef SYSTEM_PROBLEM_NAME
};

struct system *system_new(const struct system_kind *kind, const char *name, uint64_t seed, void *book_template,
			  size_t book_size)
{
	struct system *s = mem_zalloc(1, sizeof(*s));
	s->kind = kind;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	pthread_mutex_init(&s->lock, NULL);
	arena_init(&s->arena, SYSTEM_BYTES_MAX);
	arena_init(&s->scratch, (size_t)SYSTEM_BODY_MAX * 16);
	behave_init(&s->behave, seed);
	map_init(&s->keys, SYSTEM_ENTRIES_MAX);
	s->log = mem_zalloc(SYSTEM_LOG_MAX, sizeof(*s->log));
	s->book = mem_alloc(book_size);
	memcpy(s->book, book_template, book_size);
	return s;
}

void system_free(struct system *s)
{
	if (!s)
		return;
	s->kind->done(s);
	free(s->book);
	while (s->outbox) {
		struct system_message *m = s->outbox;
		s->outbox = m->next;
		free((char *)m->body.p);
		free(m);
	}
	for (size_t i = 0; i < s->problem_detail_count; i++)
		free(s->problem_details[i]);
	free(s->log);
	map_done(&s->keys);
	arena_done(&s->scratch);
	arena_done(&s->arena);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void system_problem(struct system *s, enum system_problem p, const char *format, ...)
{
	s->problems[p]++;
	if (s->problem_detail_count == SYSTEM_PROBLEMS_MAX)
		return;
	char detail[256], *kept;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	if (asprintf(&kept, "%s: %s", problem_names[p], detail) >= 0)
		s->problem_details[s->problem_detail_count++] = kept;
}

void system_refuse(struct system_answer *a, int status, const char *code, const char *detail)
{
	struct json_writer w;
	buf_reset(&a->body);
	a->status = status;
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key_text(&w, "type", STR("about:blank"));
	jw_key_int(&w, "status", status);
	jw_key_text(&w, "code", str_from(code));
	jw_key_text(&w, "detail", str_from(detail));
	jw_object_end(&w);
}

const struct json *system_body(struct system *s, const struct system_request *r, struct system_answer *a)
{
	static const struct json_limits limits = {.bytes = SYSTEM_BODY_MAX, .depth = 64, .nodes = 2000000};
	struct json *j;
	struct err e = ERR_NONE;
	if (json_parse(&s->scratch, r->body, &limits, &j, &e) == RC_OK && j->type == JSON_OBJECT)
		return j;
	system_problem(s, PROBLEM_BAD_BODY, STR_FMT " " STR_FMT ": %s", STR_ARG(r->method), STR_ARG(r->path), e.detail);
	system_refuse(a, 400, "bad_body", "The body is not a JSON object.");
	return NULL;
}

struct str system_keep(struct system *s, struct str text)
{
	struct str kept = arena_copy(&s->arena, text);
	if (!kept.p)
		s->full = true;
	return kept;
}

bool system_put(struct system *s, struct map *m, struct str key, void *value, struct system_answer *a)
{
	if (!s->full && value && key.p && map_put(m, key, value) == RC_OK)
		return true;
	s->full = true;
	system_refuse(a, 507, "sandbox_full", "The sandbox system can hold no more.");
	return false;
}

struct str system_query(struct system *s, const struct system_request *r, const char *name)
{
	size_t at = 0;
	struct str n, v, decoded;
	while (uri_query_next(r->query, &at, &n, &v))
		if (str_is(n, name) && uri_decode(&s->scratch, v, true, &decoded, NULL) == RC_OK)
			return decoded;
	return STR_NONE;
}

bool system_post(const struct system_request *r, const char *path)
{
	return str_is(r->method, "POST") && str_is(r->path, path);
}

bool system_get(const struct system_request *r, const char *path)
{
	return str_is(r->method, "GET") && str_is(r->path, path);
}

static size_t number_of(struct str text, size_t otherwise)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n && i < 9; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return otherwise;
		n = n * 10 + (size_t)(text.p[i] - '0');
	}
	return text.n ? n : otherwise;
}

void system_page(struct system *s, const struct system_request *r, struct system_answer *a, size_t count,
		 void (*write)(void *ctx, size_t i, struct json_writer *w), void *ctx)
{
	size_t from = number_of(system_query(s, r, "cursor"), 0);
	size_t limit = number_of(system_query(s, r, "limit"), PAGE_DEFAULT);
	size_t end = from + (limit && limit < PAGE_MAX ? limit : PAGE_MAX);
	struct json_writer w;
	char next[24];
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key_time(&w, "as_of", s->now_ms);
	jw_key(&w, "items");
	jw_array(&w);
	for (; from < count && from < end; from++)
		write(ctx, from, &w);
	jw_array_end(&w);
	jw_key(&w, "next_cursor");
	if (from < count)
		jw_text(&w, (struct str){next, (size_t)snprintf(next, sizeof(next), "%zu", from)});
	else
		jw_null(&w);
	jw_object_end(&w);
	a->status = 200;
}

/* ---- what every system shows of itself ---- */

static void write_state(struct system *s, struct system_answer *a)
{
	struct json_writer w;
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key_text(&w, "system", str_from(s->name));
	jw_key_text(&w, "kind", str_from(s->kind->name));
	jw_key_int(&w, "requests", (int64_t)s->requests);
	jw_key_int(&w, "replayed", (int64_t)s->replayed);
	jw_key_int(&w, "lost_answers", (int64_t)s->lost_answers);
	jw_key_int(&w, "messages_sent", (int64_t)s->sent);
	jw_key_int(&w, "messages_refused", (int64_t)s->refused);
	jw_key_int(&w, "messages_waiting", (int64_t)(s->outbox_count + s->in_flight));
	jw_key(&w, "behaviour");
	behave_write(&s->behave, &w);
	jw_key(&w, "problems");
	jw_object(&w);
	for (size_t i = 0; i < PROBLEM_COUNT; i++)
		if (s->problems[i])
			jw_key_int(&w, problem_names[i], s->problems[i]);
	jw_object_end(&w);
	jw_key(&w, "problem_details");
	jw_array(&w);
	for (size_t i = 0; i < s->problem_detail_count; i++)
		jw_text(&w, str_from(s->problem_details[i]));
	jw_array_end(&w);
	s->kind->state(s, &w);
	jw_object_end(&w);
	if (buf_ok(&a->body))
		a->status = 200;
	else
		system_refuse(a, 507, "sandbox_full", "The state is larger than one answer may be.");
}

static void write_log(struct system *s, struct system_answer *a)
{
	struct json_writer w;
	uint64_t first = s->requests > SYSTEM_LOG_MAX ? s->requests - SYSTEM_LOG_MAX : 0;
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key_int(&w, "forgotten", (int64_t)first);
	jw_key(&w, "items");
	jw_array(&w);
	for (uint64_t i = first; i < s->requests; i++) {
		const struct system_log_entry *l = &s->log[i % SYSTEM_LOG_MAX];
		jw_object(&w);
		jw_key_time(&w, "at", l->at);
		jw_key_text(&w, "method", str_from(l->method));
		jw_key_text(&w, "path", str_from(l->path));
		jw_opt_text(&w, "idempotency_key", str_from(l->key));
		jw_key_int(&w, "status", l->status);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	a->status = 200;
}

static void control(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct err e = ERR_NONE;
	if (str_is(r->method, "GET") && str_is(r->path, "/_state")) {
		write_state(s, a);
	} else if (str_is(r->method, "GET") && str_is(r->path, "/_log")) {
		write_log(s, a);
	} else if (system_post(r, "/_behave")) {
		const struct json *rule = system_body(s, r, a);
		if (!rule)
			return;
		if (behave_set(&s->behave, rule, s->now_ms, &e)) {
			system_refuse(a, 400, e.code, e.detail);
			return;
		}
		buf_add_z(&a->body, "{}");
		a->status = 200;
	} else if (s->kind->control) {
		s->kind->control(s, r, a);
	} else {
		system_refuse(a, 404, "not_found", "There is _state, _log and _behave.");
	}
}

enum rc system_behave(struct system *s, const char *text, int64_t now_ms, struct err *e)
{
	pthread_mutex_lock(&s->lock);
	enum rc rc = behave_set_text(&s->behave, text, now_ms, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- a request ---- */

static void copy_text(char *to, size_t room, struct str s)
{
	(void)snprintf(to, room, STR_FMT, STR_ARG(s));
}

static struct system_log_entry *log_request(struct system *s, const struct system_request *r)
{
	struct system_log_entry *l = &s->log[s->requests++ % SYSTEM_LOG_MAX];
	l->at = s->now_ms;
	copy_text(l->method, sizeof(l->method), r->method);
	copy_text(l->path, sizeof(l->path), r->path);
	copy_text(l->key, sizeof(l->key), r->idempotency_key);
	return l;
}

static struct hash128 fingerprint(const struct system_request *r)
{
	struct hash128 path = hash128(hash_process_key(), r->path), body = hash128(hash_process_key(), r->body);
	return (struct hash128){path.high * 31 + body.high, path.low * 31 + body.low};
}

static void remember(struct system *s, const struct system_request *r, const struct system_answer *a)
{
	struct remembered *m = arena_new(&s->arena, struct remembered);
	if (!m) {
		s->full = true;
		return;
	}
	*m = (struct remembered){.key = system_keep(s, r->idempotency_key),
				 .body = system_keep(s, buf_str(&a->body)),
				 .print = fingerprint(r),
				 .status = a->status};
	if (!m->key.p || map_put(&s->keys, m->key, m))
		s->full = true;
}

static void handle_once(struct system *s, const struct system_request *r, struct system_answer *a)
{
	bool post = str_is(r->method, "POST");
	if (post && r->idempotency_key.n == 0)
		system_problem(s, PROBLEM_NO_KEY, STR_FMT, STR_ARG(r->path));
	if (post && r->correlation_id.n == 0)
		system_problem(s, PROBLEM_NO_CORRELATION, STR_FMT, STR_ARG(r->path));
	const struct remembered *m = post && r->idempotency_key.n ? map_get(&s->keys, r->idempotency_key) : NULL;
	if (m && hash128_eq(m->print, fingerprint(r))) {
		s->replayed++;
		a->status = m->status;
		buf_add_str(&a->body, m->body);
		return;
	}
	if (m) {
		system_problem(s, PROBLEM_KEY_REUSED, STR_FMT " key " STR_FMT, STR_ARG(r->path),
			       STR_ARG(r->idempotency_key));
		system_refuse(a, 422, "idempotency_key_reused", "This key came with another payload before.");
		return;
	}
	s->kind->handle(s, r, a);
	if (post && r->idempotency_key.n && a->status >= 200 && a->status < 300)
		remember(s, r, a);
}

void system_handle(struct system *s, const struct system_request *r, int64_t now_ms, struct system_answer *a)
{
	pthread_mutex_lock(&s->lock);
	s->now_ms = now_ms;
	arena_reset(&s->scratch);
	if (r->path.n > 1 && r->path.p[1] == '_') {
		control(s, r, a);
		pthread_mutex_unlock(&s->lock);
		return;
	}
	struct system_log_entry *entry = log_request(s, r);
	struct behave_verdict v = behave_request(&s->behave, now_ms);
	a->delay_ms = v.delay_ms;
	a->hang_up = v.hang_up;
	if (v.status) {
		system_refuse(a, v.status, "on_request", v.detail);
		a->retry_after_s = v.retry_after_s;
	} else if (!v.hang_up) {
		handle_once(s, r, a);
		a->hang_up = v.lose_answer;
		s->lost_answers += v.lose_answer;
	}
	entry->status = a->hang_up ? 0 : a->status;
	pthread_mutex_unlock(&s->lock);
}

/* ---- its own messages ---- */

static void enqueue(struct system *s, struct system_message *m)
{
	struct system_message **at = &s->outbox;
	while (*at && (*at)->due_ms <= m->due_ms)
		at = &(*at)->next;
	m->next = *at;
	*at = m;
	s->outbox_count++;
}

void system_send(struct system *s, const char *type, struct str key, struct str body, int64_t due_ms)
{
	struct system_message *m = mem_zalloc(1, sizeof(*m));
	char *copy = mem_alloc(body.n);
	memcpy(copy, body.p, body.n);
	*m = (struct system_message){.system = s, .due_ms = due_ms, .type = type, .body = {copy, body.n}};
	copy_text(m->key, sizeof(m->key), key);
	m->copies = behave_duplicates(&s->behave) ? 2 : 1;
	enqueue(s, m);
}

/* The first that is due, or the next with another key when it is to be reordered. */
static struct system_message **choose(struct system *s, int64_t now_ms)
{
	struct system_message *first = s->outbox;
	if (!first || first->due_ms > now_ms)
		return NULL;
	if (!behave_reorders(&s->behave))
		return &s->outbox;
	for (struct system_message **at = &first->next; *at && (*at)->due_ms <= now_ms; at = &(*at)->next)
		if (strcmp((*at)->key, first->key) != 0)
			return at;
	return &s->outbox;
}

struct system_message *system_take(struct system *s, int64_t now_ms)
{
	pthread_mutex_lock(&s->lock);
	struct system_message **at = choose(s, now_ms), *m = NULL;
	if (at) {
		m = *at;
		*at = m->next;
		s->outbox_count--;
		s->in_flight++;
	}
	pthread_mutex_unlock(&s->lock);
	return m;
}

static bool worth_repeating(int status)
{
	return status == 0 || status == 409 || status == 429 || status >= 500;
}

void system_message_done(struct system_message *m, int status, int64_t now_ms)
{
	struct system *s = m->system;
	pthread_mutex_lock(&s->lock);
	s->in_flight--;
	if (s->watch && s->watch->message_sent)
		s->watch->message_sent(s->watch->ctx, m, status);
	bool good = status >= 200 && status < 300;
	s->sent += good;
	if (good)
		m->copies--;
	if (worth_repeating(status) || (good && m->copies > 0)) {
		int64_t wait = good ? 0 : (int64_t)RETRY_FIRST_MS << (m->attempts < 6 ? m->attempts : 6);
		m->attempts += !good;
		m->due_ms = now_ms + (wait < RETRY_LAST_MS ? wait : RETRY_LAST_MS);
		enqueue(s, m);
		m = NULL;
	} else if (!good) {
		s->refused++;
	}
	pthread_mutex_unlock(&s->lock);
	if (m) {
		free((char *)m->body.p);
		free(m);
	}
}

bool system_idle(struct system *s)
{
	pthread_mutex_lock(&s->lock);
	bool idle = !s->outbox && s->in_flight == 0;
	pthread_mutex_unlock(&s->lock);
	return idle;
}
