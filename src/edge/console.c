#include "edge/console.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "edge/exchange.h"
#include "edge/handlers.h"
#include "observe/log.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define FILES_MAX 2000
#define BYTES_MAX ((size_t)64 << 20)
#define DEPTH_MAX 8

#define POLICY                                                                                                         \
	"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src "     \
	"'self'; "                                                                                                     \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct file {
	char *name; /* "assets/app.js" */
	struct str bytes;
	const char *type;
	char tag[20];
};

struct console {
	struct map files;
	size_t bytes;
};

static const char *type_of(const char *name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
	    {".html", "text/html; charset=utf-8"},
	    {".js", "text/javascript; charset=utf-8"},
	    {".css", "text/css; charset=utf-8"},
	    {".json", "application/json"},
	    {".map", "application/json"},
	    {".svg", "image/svg+xml"},
	    {".png", "image/png"},
	    {".ico", "image/x-icon"},
	    {".woff2", "font/woff2"},
	    {".txt", "text/plain; charset=utf-8"},
	    {".webmanifest", "application/manifest+json"},
	};
	size_t n = strlen(name);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t m = strlen(types[i].ending);
		if (n > m && strcmp(name + n - m, types[i].ending) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

static void file_load(struct console *c, const char *path, const char *name, size_t size)
{
	FILE *in = fopen(path, "rb");
	char *bytes = mem_alloc(size);
	if (!in || c->bytes + size > BYTES_MAX || c->files.count == FILES_MAX || fread(bytes, 1, size, in) != size) {
		log_warn("edge", "a file of the console is left out", LOG_TEXT("file", name));
		free(bytes);
	} else {
		static const struct hash_key key = {{0}};
		struct file *f = mem_zalloc(1, sizeof(*f));
		f->name = strdup(name);
		f->bytes = (struct str){bytes, size};
		f->type = type_of(name);
		snprintf(f->tag, sizeof(f->tag), "\"%016llx\"", (unsigned long long)hash64(&key, f->bytes));
		c->bytes += size;
		if (!f->name || map_put(&c->files, str_from(f->name), f) != RC_OK)
			abort();
	}
	if (in)
		fclose(in);
}

static void folder_load(struct console *c, const char *folder, const char *prefix, int depth)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	while (d && (entry = readdir(d))) {
		char path[2048], name[1024];
		struct stat info;
		if (entry->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path) ||
		    snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name) >= (int)sizeof(name) - 1 ||
		    lstat(path, &info) != 0)
			continue;
		if (S_ISREG(info.st_mode)) {
			file_load(c, path, name, (size_t)info.st_size);
		} else if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX) {
			char below[sizeof(name) + 1];
			snprintf(below, sizeof(below), "%s/", name);
			folder_load(c, path, below, depth + 1);
		}
	}
	if (d)
		closedir(d);
}

/* Built inside the source tree, or installed. false: there is none. */
static bool folder_find(const char *share, char *out, size_t room)
{
	static const char *const places[] = {"console/dist", "console"};
	for (size_t i = 0; share && i < sizeof(places) / sizeof(places[0]); i++) {
		struct stat info;
		char program[2100];
		if (snprintf(out, room, "%s/%s", share, places[i]) >= (int)room)
			return false;
		snprintf(program, sizeof(program), "%s/app.js", out);
		if (stat(program, &info) == 0)
			return true;
	}
	return false;
}

struct console *console_load(const char *share)
{
	char path[2048];
	if (!folder_find(share, path, sizeof(path)))
		return NULL;
	struct console *c = mem_zalloc(1, sizeof(*c));
	map_init(&c->files, FILES_MAX);
	folder_load(c, path, "", 0);
	return c;
}

void console_free(struct console *c)
{
	size_t at = 0;
	struct str name;
	struct file *f;
	if (!c)
		return;
	while ((f = map_next(&c->files, &at, &name))) {
		free(f->name);
		free((char *)(uintptr_t)f->bytes.p);
		free(f);
	}
	map_done(&c->files);
	free(c);
}

static enum server_next redirect(struct exchange *x)
{
	const struct server_field fields[] = {{"Location", STR("/console/")}, {"Cache-Control", STR("no-store")}};
	return exchange_answer_as(x, 302, "text/plain", STR_NONE, fields, 2);
}

enum server_next console_root(struct exchange *x)
{
	return redirect(x);
}

enum server_next console_home(struct exchange *x)
{
	return redirect(x);
}

/* A path without a '.' in its last part is a page of the console: the program in the browser knows it. */
enum server_next console_file(struct exchange *x)
{
	struct console *c = x->edge->console;
	struct str name = x->params[0];
	const char *slash = name.n ? memrchr(name.p, '/', name.n) : NULL;
	const char *last = slash ? slash + 1 : name.p;
	if (name.n == 0 || !memchr(last, '.', (size_t)(name.p + name.n - last)))
		name = STR("index.html");
	const struct file *f = c ? map_get(&c->files, name) : NULL;
	if (!f)
		return exchange_refuse(x, "not_found", c ? "There is no such file." : "The console is not installed.");
	const struct server_field fields[] = {
	    {"ETag", str_from(f->tag)},
	    {"Cache-Control", STR("no-cache")},
	    {"Content-Security-Policy", STR(POLICY)},
	    {"X-Content-Type-Options", STR("nosniff")},
	    {"Referrer-Policy", STR("no-referrer")},
	};
	bool known = str_is(server_header(x->request, "If-None-Match"), f->tag);
	return exchange_answer_as(x, known ? 304 : 200, f->type, known ? STR_NONE : f->bytes, fields, 5);
}
