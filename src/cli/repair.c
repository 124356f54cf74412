/*
 * The verbs of an operator: trace, dead-letters, replay. They ask a running server over its API, with a key from --key
 * or CROSSDOCK_KEY.
 */
#include "cli/cli.h"
#include "cli/remote.h"
#include "format/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 200 /* between two looks at a job */

/* Texts of a document end where they say: print them by length. */
static void print_text(const struct json *j, const char *name, int width)
{
	struct str s = json_get_text(j, name);

	printf("%-*.*s  ", width, (int)s.n, s.n ? s.p : "");
}

/* ---- jobs ---- */

static void draw(const struct json *progress)
{
	remote_bar(remote_number(progress, "done") + remote_number(progress, "failed"),
		   remote_number(progress, "total"));
}

/* Until the job has ended. */
static int follow(struct remote *r, const struct json *started)
{
	const char *path;
	struct str id = json_get_text(started, "job_id");
	bool bar = isatty(STDERR_FILENO);
	const struct json *job;

	path = arena_printf(&r->arena, "/v1/jobs/" STR_FMT, STR_ARG(id));
	for (;;) {
		job = remote_ask(r, path, NULL);
		if (!job)
			return CLI_FAILED;
		if (bar)
			draw(json_get(job, "progress"));
		if (!str_is(json_get_text(job, "status"), "running"))
			break;
		nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
	}
	if (bar)
		fputc('\n', stderr);
	if (r->json) {
		remote_print(job);
	} else {
		const struct json *progress = json_get(job, "progress");
		struct str status = json_get_text(job, "status"), error = json_get_text(job, "error");
		printf("%.*s: %" PRId64 " done, %" PRId64 " failed, of %" PRId64 "%s%.*s\n", (int)status.n, status.p,
		       remote_number(progress, "done"), remote_number(progress, "failed"),
		       remote_number(progress, "total"), error.n ? ": " : "", (int)error.n, error.n ? error.p : "");
	}
	return str_is(json_get_text(job, "status"), "done") && remote_number(json_get(job, "progress"), "failed") == 0
		   ? CLI_DONE
		   : CLI_FAILED;
}

/* ---- trace ---- */

int cli_trace(int argc, char **argv)
{
	struct remote r = {0};
	const struct cli_option options[] = {
	    {"url", &r.url, NULL}, {"key", &r.key, NULL}, {"json", NULL, &r.json}, {0}};
	struct cli_args args;
	const struct json *j;

	if (!cli_parse(argc, argv, options, 1, &args))
		return CLI_USAGE;
	if (args.count != 1)
		return cli_usage(argv[0], "which correlation id?");
	if (!remote_open(&r, argv[0]))
		return CLI_USAGE;
	j = remote_ask(&r, arena_printf(&r.arena, "/v1/trace/%s", remote_encoded(&r.arena, args.positional[0])), NULL);
	if (!j)
		return remote_close(&r, CLI_FAILED);
	if (r.json)
		return remote_close(&r, remote_print(j));
	const struct json *entries = json_get(j, "entries");
	for (uint32_t i = 0; json_is(entries, JSON_ARRAY) && i < entries->count; i++) {
		struct str summary = json_get_text(&entries->items[i], "summary");
		print_text(&entries->items[i], "at", 24);
		print_text(&entries->items[i], "kind", 9);
		printf("%.*s\n", (int)summary.n, summary.n ? summary.p : "");
	}
	return remote_close(&r, CLI_DONE);
}

/* ---- dead letters ---- */

struct dead_letters {
	struct remote remote;
	const char *system, *class_, *operation, *status, *from, *to, *reason;
	bool all;
};

static int list_dead_letters(struct dead_letters *d)
{
	struct arena *a = &d->remote.arena;
	const char *cursor = "";
	const struct json *j, *items, *next;

	do {
		const char *path =
		    arena_printf(a, "/v1/dead-letters?limit=1000&status=%s%s%s%s%s%s%s%s",
				 remote_encoded(a, d->status ? d->status : "open"), d->system ? "&system=" : "",
				 d->system ? remote_encoded(a, d->system) : "", d->class_ ? "&class=" : "",
				 d->class_ ? remote_encoded(a, d->class_) : "", d->operation ? "&operation=" : "",
				 d->operation ? remote_encoded(a, d->operation) : "", cursor);
		j = remote_ask(&d->remote, path, NULL);
		if (!j)
			return CLI_FAILED;
		items = json_get(j, "items");
		for (uint32_t i = 0; json_is(items, JSON_ARRAY) && i < items->count; i++) {
			struct str reason = json_get_text(&items->items[i], "reason");
			if (d->remote.json) {
				remote_print(&items->items[i]);
				continue;
			}
			print_text(&items->items[i], "id", 36);
			print_text(&items->items[i], "at", 24);
			print_text(&items->items[i], "system", 10);
			print_text(&items->items[i], "class", 13);
			printf("%.*s\n", (int)reason.n, reason.n ? reason.p : "");
		}
		next = json_get(j, "next_cursor");
		if (json_is(next, JSON_STRING))
			cursor = arena_printf(a, "&cursor=" STR_FMT, STR_ARG(json_text(next)));
	} while (json_is(next, JSON_STRING));
	return CLI_DONE;
}

static void print_part(const char *title, const struct json *j, const char *name)
{
	struct str s = json_get_text(j, name);
	if (s.n)
		printf("\n%s\n%.*s\n", title, (int)s.n, s.p);
}

static int show_dead_letter(struct dead_letters *d, const char *id)
{
	static const char *const facts[] = {"id",        "status", "class",          "kind",   "system",
					    "operation", "at",     "correlation_id", "reason", "note"};
	struct remote *r = &d->remote;
	const struct json *j =
	    remote_ask(r, arena_printf(&r->arena, "/v1/dead-letters/%s", remote_encoded(&r->arena, id)), NULL);
	const struct json *attempts = json_get(j, "attempts");

	if (!j)
		return CLI_FAILED;
	if (r->json)
		return remote_print(j);
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		struct str s = json_get_text(j, facts[i]);
		if (s.n)
			printf("%-15s %.*s\n", facts[i], (int)s.n, s.p);
	}
	print_part("message", json_get(j, "message"), "payload");
	print_part("payload", j, "payload");
	print_part("edited", json_get(j, "edit"), "payload");
	for (uint32_t i = 0; json_is(attempts, JSON_ARRAY) && i < attempts->count; i++) {
		printf("\nattempt %" PRId64 "  ", remote_number(&attempts->items[i], "number"));
		print_text(&attempts->items[i], "at", 24);
		print_text(&attempts->items[i], "outcome", 1);
		printf("\n");
		print_part("request", &attempts->items[i], "request");
		print_part("response", &attempts->items[i], "response");
	}
	return CLI_DONE;
}

static int said(struct remote *r, const struct json *j)
{
	if (!j)
		return CLI_FAILED;
	if (r->json)
		return remote_print(j);
	struct str status = json_get_text(j, "status");
	printf("%.*s\n", (int)status.n, status.n ? status.p : "");
	return CLI_DONE;
}

/* One, or all that fit. reason: of a discard; NULL: a replay. */
static int end_dead_letters(struct dead_letters *d, const char *id, const char *reason)
{
	const struct {
		const char *name, *value;
	} filter[] = {
	    {"system", d->system}, {"class", d->class_}, {"operation", d->operation}, {"from", d->from}, {"to", d->to}};
	struct remote *r = &d->remote;
	const char *verb = reason ? "discard" : "replay";
	const struct json *j;
	struct json_writer w;
	struct buf body;

	buf_init(&body, 64 << 10);
	jw_init(&w, &body);
	jw_object(&w);
	if (!id) {
		jw_key(&w, "filter");
		jw_object(&w);
		for (size_t i = 0; i < sizeof(filter) / sizeof(filter[0]); i++)
			jw_opt_text(&w, filter[i].name, str_from(filter[i].value));
		jw_object_end(&w);
	}
	if (reason)
		jw_key_text(&w, "reason", str_from(reason));
	jw_object_end(&w);
	j = remote_ask(r,
		       id ? arena_printf(&r->arena, "/v1/dead-letters/%s/%s", remote_encoded(&r->arena, id), verb)
			  : arena_printf(&r->arena, "/v1/dead-letters/%s", verb),
		       &body);
	buf_done(&body);
	if (id || !j)
		return said(r, j);
	return follow(r, j);
}

int cli_dead_letters(int argc, char **argv)
{
	struct dead_letters d = {0};
	const struct cli_option options[] = {
	    {"url", &d.remote.url, NULL}, {"key", &d.remote.key, NULL}, {"json", NULL, &d.remote.json},
	    {"system", &d.system, NULL},  {"class", &d.class_, NULL},   {"operation", &d.operation, NULL},
	    {"status", &d.status, NULL},  {"from", &d.from, NULL},      {"to", &d.to, NULL},
	    {"reason", &d.reason, NULL},  {"all", NULL, &d.all},        {0}};
	struct cli_args args;
	int code;

	if (!cli_parse(argc, argv, options, 2, &args))
		return CLI_USAGE;
	const char *what = args.count > 0 ? args.positional[0] : "", *id = args.count > 1 ? args.positional[1] : NULL;
	bool list = strcmp(what, "list") == 0, show = strcmp(what, "show") == 0, replay = strcmp(what, "replay") == 0;
	if (!list && !show && !replay && strcmp(what, "discard") != 0)
		return cli_usage(argv[0], "say list, show, replay or discard");
	if (list ? id != NULL : show ? !id : !id == !d.all)
		return cli_usage(argv[0], list   ? "a list takes no ID"
					  : show ? "say which: an ID"
						 : "say which: an ID, or --all");
	if (!list && !show && !replay && !d.reason)
		return cli_usage(argv[0], "say why: --reason TEXT");
	if (!remote_open(&d.remote, argv[0]))
		return CLI_USAGE;
	code = list   ? list_dead_letters(&d)
	       : show ? show_dead_letter(&d, id)
		      : end_dead_letters(&d, id, replay ? NULL : d.reason);
	return remote_close(&d.remote, code);
}

/* ---- replay ---- */

static void write_operations(struct json_writer *w, const char *names)
{
	jw_key(w, "operations");
	jw_array(w);
	for (size_t n; *names; names += n + (names[n] == ',')) {
		n = strcspn(names, ",");
		if (n)
			jw_text(w, (struct str){names, n});
	}
	jw_array_end(w);
}

int cli_replay(int argc, char **argv)
{
	struct remote r = {0};
	const char *after = NULL, *from = NULL, *operations = NULL;
	bool dry_run = false, new_ids = false;
	const struct cli_option options[] = {
	    {"url", &r.url, NULL},       {"key", &r.key, NULL},       {"json", NULL, &r.json},
	    {"after", &after, NULL},     {"from", &from, NULL},       {"operations", &operations, NULL},
	    {"dry-run", NULL, &dry_run}, {"new-ids", NULL, &new_ids}, {0}};
	struct cli_args args;
	const struct json *j;
	struct json_writer w;
	struct buf body;

	if (!cli_parse(argc, argv, options, 1, &args))
		return CLI_USAGE;
	if (args.count != 1 || !after == !from)
		return cli_usage(argv[0], "say the system, and --after POSITION or --from TIME");
	if (after && (!*after || strspn(after, "0123456789") != strlen(after) || strlen(after) > 18))
		return cli_usage(argv[0], "--after is a position of the event log");
	if (!remote_open(&r, argv[0]))
		return CLI_USAGE;
	buf_init(&body, 64 << 10);
	jw_init(&w, &body);
	jw_object(&w);
	if (after)
		jw_key_int(&w, "after", strtoll(after, NULL, 10));
	else
		jw_key_text(&w, "from", str_from(from));
	if (operations)
		write_operations(&w, operations);
	jw_key_bool(&w, "dry_run", dry_run);
	jw_key_bool(&w, "new_ids", new_ids);
	jw_object_end(&w);
	j = remote_ask(
	    &r, arena_printf(&r.arena, "/v1/systems/%s/replay", remote_encoded(&r.arena, args.positional[0])), &body);
	buf_done(&body);
	if (!j)
		return remote_close(&r, CLI_FAILED);
	if (!dry_run)
		return remote_close(&r, follow(&r, j));
	if (r.json)
		return remote_close(&r, remote_print(j));
	printf("%" PRId64 " deliveries would be sent again\n", remote_number(j, "deliveries"));
	return remote_close(&r, CLI_DONE);
}
