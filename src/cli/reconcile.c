/*
 * crossdock reconcile: begins a reconciliation on a running server, gives it balances from a file, and shows what it
 * found. A file is read twice: whole, before anything is begun, so that one that is wrong in its last line does
 * nothing; then page by page. A server that has enough pages waiting says 503 to the next one, which is then sent
 * again.
 */
#include "base/clock.h"
#include "cli/balances.h"
#include "cli/cli.h"
#include "cli/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS         200
#define BACK_OFF_MS     20 /* doubled each time */
#define BACK_OFF_MAX_MS 2000
#define GIVE_UP_MS      300000 /* of one page */

struct plan {
	struct remote remote;
	const char *system, *file, *as_of, *on_drift;
	bool wait, csv;
	struct str text; /* of the file, mapped */
	int64_t rows;
	char instant[TIME_TEXT], id[64];
	bool bar, differs;
};

static void pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void clear_bar(const struct plan *p)
{
	if (p->bar)
		fprintf(stderr, "\r\033[K");
}

/* ---- the file ---- */

static enum rc map_file(struct plan *p, struct err *e)
{
	struct stat st;
	int fd = open(p->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		return err_set_at(e, RC_IO, "file_error", p->file, "%s", strerror(code));
	}
	void *at = S_ISREG(st.st_mode) && st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
							 : MAP_FAILED;
	close(fd);
	if (at == MAP_FAILED)
		return err_set_at(e, RC_INVALID, "file_error", p->file, "It is empty, or no regular file.");
	p->text = (struct str){at, (size_t)st.st_size};
	if (!p->as_of) {
		time_format((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000, p->instant);
		p->as_of = p->instant;
	}
	return RC_OK;
}

static enum rc check_file(struct plan *p, struct buf *page, struct err *e)
{
	struct balances b;
	bool last = false;
	enum rc rc = balances_open(&b, p->text, e);

	while (rc == RC_OK && !last)
		rc = balances_page(&b, p->as_of, page, &last, e);
	p->rows = b.rows;
	balances_done(&b);
	return rc;
}

/* Until it is taken. */
static enum rc send_page(struct plan *p, const struct buf *page, struct err *e)
{
	char path[160];
	const struct json *out;
	int64_t wait = BACK_OFF_MS, waited = 0;
	enum rc rc;

	(void)snprintf(path, sizeof(path), "/v1/reconciliations/%s/balances", p->id);
	for (;;) {
		arena_reset(&p->remote.arena);
		rc = client_call(p->remote.client, path, page, &p->remote.arena, &out, e);
		if (rc != RC_RETRY || waited > GIVE_UP_MS)
			return rc;
		*e = (struct err)ERR_NONE;
		pause_ms(wait);
		waited += wait;
		wait = wait * 2 < BACK_OFF_MAX_MS ? wait * 2 : BACK_OFF_MAX_MS;
	}
}

static enum rc send_file(struct plan *p, struct buf *page, struct err *e)
{
	struct balances b;
	bool last = false;
	enum rc rc = balances_open(&b, p->text, e);

	while (rc == RC_OK && !last) {
		rc = balances_page(&b, p->as_of, page, &last, e);
		if (rc == RC_OK)
			rc = send_page(p, page, e);
		if (p->bar)
			remote_bar(b.rows, p->rows);
	}
	clear_bar(p);
	balances_done(&b);
	return rc;
}

/* ---- the run ---- */

static bool begin(struct plan *p, struct buf *body)
{
	const struct json *j;
	struct json_writer w;
	struct str id;

	buf_reset(body);
	jw_init(&w, body);
	jw_object(&w);
	jw_key_text(&w, "system", str_from(p->system));
	if (p->file)
		jw_key_text(&w, "balances", STR("given"));
	if (p->on_drift)
		jw_key_text(&w, "on_drift", str_from(p->on_drift));
	jw_object_end(&w);
	j = remote_ask(&p->remote, "/v1/reconciliations", body);
	if (!j)
		return false;
	id = json_get_text(j, "reconciliation_id");
	(void)snprintf(p->id, sizeof(p->id), STR_FMT, STR_ARG(id));
	return true;
}

/* The run when it has ended; NULL: it could not be asked for. */
static const struct json *follow(struct plan *p)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/v1/reconciliations/%s", p->id);
	for (;;) {
		arena_reset(&p->remote.arena);
		const struct json *run = remote_ask(&p->remote, path, NULL), *progress = json_get(run, "progress");
		struct str state = json_get_text(progress, "state");
		if (!run || !str_is(json_get_text(run, "status"), "running")) {
			clear_bar(p);
			return run;
		}
		if (p->bar)
			fprintf(stderr, "\r\033[K%.*s: %" PRId64 " compared, %" PRId64 " differ", (int)state.n,
				state.n ? state.p : "", remote_number(progress, "compared"),
				remote_number(progress, "differences"));
		pause_ms(LOOK_MS);
	}
}

/* ---- what differs ---- */

static const struct {
	const char *name;
	int width; /* of the table; 0: not in it */
} columns[] = {{"sku", 20},  {"location", 12}, {"lot", 10},    {"theirs", 12}, {"ours", 12},
	       {"as_of", 0}, {"class", 12},    {"action", 10}, {"detail", 1}};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void print_csv_field(struct str s)
{
	bool quoted =
	    s.n && (memchr(s.p, '"', s.n) || memchr(s.p, ',', s.n) || memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n));

	if (quoted)
		putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			putchar('"');
		putchar(s.p[i]);
	}
	if (quoted)
		putchar('"');
}

static void print_row(const struct plan *p, const struct json *row, bool first)
{
	if (p->remote.json) {
		if (!first)
			putchar(',');
		struct buf b;
		buf_init(&b, 1u << 20);
		json_write(&b, row);
		fwrite(b.p, 1, b.n, stdout);
		buf_done(&b);
		return;
	}
	for (size_t c = 0; c < COLUMNS; c++) {
		struct str s = json_get_text(row, columns[c].name);
		if (p->csv) {
			if (c)
				putchar(',');
			print_csv_field(s);
		} else if (columns[c].width) {
			printf("%-*.*s%s", columns[c].width, (int)s.n, s.n ? s.p : "", c + 1 < COLUMNS ? "  " : "");
		}
	}
	fputs(p->csv ? "\r\n" : "\n", stdout);
}

static void print_head(const struct plan *p)
{
	for (size_t c = 0; c < COLUMNS; c++) {
		if (p->csv)
			printf("%s%s", c ? "," : "", columns[c].name);
		else if (columns[c].width)
			printf("%-*s%s", columns[c].width, columns[c].name, c + 1 < COLUMNS ? "  " : "");
	}
	fputs(p->csv ? "\r\n" : "\n", stdout);
}

/* A difference that counts for the exit code: not explained, and beyond the tolerance. */
static bool counts(const struct json *row)
{
	return !str_is(json_get_text(row, "class"), "late") && !str_is(json_get_text(row, "action"), "tolerated");
}

static bool print_drift(struct plan *p)
{
	char path[256], cursor[64] = "";
	bool first = true;

	for (;;) {
		(void)snprintf(path, sizeof(path), "/v1/reconciliations/%s/drift?limit=1000%s", p->id, cursor);
		arena_reset(&p->remote.arena);
		const struct json *j = remote_ask(&p->remote, path, NULL), *items = json_get(j, "items");
		struct str next = json_get_text(j, "next_cursor");
		if (!j)
			return false;
		for (uint32_t i = 0; json_is(items, JSON_ARRAY) && i < items->count; i++) {
			if (first && !p->remote.json)
				print_head(p);
			print_row(p, &items->items[i], first);
			p->differs |= counts(&items->items[i]);
			first = false;
		}
		if (!next.n)
			break;
		(void)snprintf(cursor, sizeof(cursor), "&cursor=" STR_FMT, STR_ARG(next));
	}
	if (first && p->csv)
		print_head(p);
	return true;
}

/* One object: the run's members, and with "drift" all that differs. */
static void print_open(const struct json *run)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	json_write(&b, run);
	fwrite(b.p, 1, b.n - 1, stdout);
	fputs(",\"drift\":[", stdout);
	buf_done(&b);
}

static void print_summary(const struct json *summary)
{
	printf("%" PRId64 " compared, %" PRId64 " equal\n", remote_number(summary, "compared"),
	       remote_number(summary, "equal"));
}

static int show(struct plan *p, const struct json *run)
{
	const struct json *summary = json_get(run, "summary");
	struct str reason = json_get_text(summary, "reason");
	bool failed = !str_is(json_get_text(run, "status"), "done");

	if (failed)
		fprintf(stderr, "crossdock: the reconciliation has failed: %.*s\n", (int)reason.n,
			reason.n ? reason.p : "");
	if (failed && !p->remote.json)
		return CLI_FAILED;
	if (p->remote.json)
		print_open(run);
	else if (!p->csv)
		print_summary(summary);
	if (!print_drift(p))
		return CLI_FAILED;
	if (p->remote.json)
		fputs("]}\n", stdout);
	if (fflush(stdout) != 0 || ferror(stdout))
		return CLI_FAILED;
	return failed || p->differs ? CLI_FAILED : CLI_DONE;
}

static int run_it(struct plan *p)
{
	struct err e = ERR_NONE;
	const struct json *run;
	struct buf page;
	enum rc rc = RC_OK;
	int code = CLI_FAILED;

	buf_init(&page, 1u << 20);
	if (p->file)
		rc = map_file(p, &e);
	if (rc == RC_OK && p->file)
		rc = check_file(p, &page, &e);
	if (rc == RC_OK && !begin(p, &page))
		goto done;
	if (rc == RC_OK && p->file)
		rc = send_file(p, &page, &e);
	if (rc != RC_OK) {
		cli_fail(&e);
		goto done;
	}
	if (!p->wait && !p->file) {
		printf(p->remote.json ? "{\"reconciliation_id\":\"%s\"}\n" : "reconciliation %s has begun\n", p->id);
		code = CLI_DONE;
		goto done;
	}
	run = follow(p);
	if (run)
		code = show(p, run);
done:
	buf_done(&page);
	if (p->text.n)
		munmap((void *)(uintptr_t)p->text.p, p->text.n);
	return code;
}

static int cancel(struct plan *p, const char *id)
{
	const struct json *j;
	struct buf body;
	char path[320];

	if (strlen(id) > 255 || strspn(id, "0123456789abcdef-") != strlen(id))
		return cli_usage("reconcile", "--cancel takes the id of a reconciliation");
	(void)snprintf(path, sizeof(path), "/v1/reconciliations/%s/cancel", id);
	buf_init(&body, 16);
	buf_add_z(&body, "{}");
	j = remote_ask(&p->remote, path, &body);
	buf_done(&body);
	if (!j)
		return CLI_FAILED;
	printf(p->remote.json ? "{\"reconciliation_id\":\"%s\",\"status\":\"cancelled\"}\n"
			      : "reconciliation %s is cancelled\n",
	       id);
	return CLI_DONE;
}

int cli_reconcile(int argc, char **argv)
{
	struct plan p = {.bar = isatty(STDERR_FILENO)};
	const char *ending = NULL;
	const struct cli_option options[] = {{"url", &p.remote.url, NULL},    {"key", &p.remote.key, NULL},
					     {"json", NULL, &p.remote.json},  {"csv", NULL, &p.csv},
					     {"file", &p.file, NULL},         {"as-of", &p.as_of, NULL},
					     {"on-drift", &p.on_drift, NULL}, {"wait", NULL, &p.wait},
					     {"cancel", &ending, NULL},       {0}};
	struct cli_args args;
	int64_t instant;

	if (!cli_parse(argc, argv, options, 1, &args))
		return CLI_USAGE;
	if (ending && (args.count || p.file || p.on_drift || p.wait))
		return cli_usage(argv[0], "--cancel goes alone");
	if (ending)
		return remote_open(&p.remote, argv[0]) ? remote_close(&p.remote, cancel(&p, ending)) : CLI_USAGE;
	if (args.count != 1)
		return cli_usage(argv[0], "which system?");
	if (p.remote.json && p.csv)
		return cli_usage(argv[0], "--json or --csv, not both");
	if (p.as_of && (!p.file || time_parse(str_from(p.as_of), &instant, NULL) != RC_OK))
		return cli_usage(argv[0], "--as-of is a time like 2026-03-01T02:00:00Z, of a --file");
	if (p.on_drift && strcmp(p.on_drift, "report") != 0 && strcmp(p.on_drift, "raise") != 0 &&
	    strcmp(p.on_drift, "correct") != 0)
		return cli_usage(argv[0], "--on-drift is report, raise or correct");
	p.system = args.positional[0];
	if (!remote_open(&p.remote, argv[0]))
		return CLI_USAGE;
	return remote_close(&p.remote, run_it(&p));
}
