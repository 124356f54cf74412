#include "cli/cli.h"
#include "format/json.h"
#include "hub/share.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PACKS_MAX 1000

struct pack_run {
	struct arena *arena;
	struct schema_registry *schemas;
	struct mediator *mediator;
	bool json;
	struct buf out;
	struct json_writer w;
	const char *folders[PACKS_MAX];
	size_t count;
	size_t passed, failed;
};

static bool is_pack(struct arena *a, const char *folder)
{
	struct stat s;
	const char *manifest = arena_printf(a, "%s/connector.yaml", folder);
	return manifest && stat(manifest, &s) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void add(struct pack_run *r, const char *folder)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(base_name(r->folders[i]), base_name(folder)) == 0)
			return;
	if (r->count < PACKS_MAX)
		r->folders[r->count++] = folder;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(base_name(*(const char *const *)a), base_name(*(const char *const *)b));
}

/* One's own come first and hide shipped ones of the same name. */
static void add_all(struct pack_run *r, const char *connectors)
{
	DIR *d = connectors ? opendir(connectors) : NULL;

	for (struct dirent *entry; d && (entry = readdir(d));) {
		const char *folder =
		    entry->d_name[0] == '.' ? NULL : arena_printf(r->arena, "%s/%s", connectors, entry->d_name);
		if (folder && is_pack(r->arena, folder))
			add(r, folder);
	}
	if (d)
		closedir(d);
	qsort(r->folders, r->count, sizeof(r->folders[0]), by_name);
}

static bool add_named(struct pack_run *r, const char *name, const char *dir, const char *share)
{
	const char *places[] = {name, arena_printf(r->arena, "%s/connectors/%s", dir, name),
				arena_printf(r->arena, "%s/connectors/%s", share, name)};
	for (size_t i = strchr(name, '/') ? 0 : 1; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i] && is_pack(r->arena, places[i])) {
			add(r, places[i]);
			return true;
		}
	fprintf(stderr, "crossdock: there is no connector '%s'.\n", name);
	return false;
}

static void run_one(struct pack_run *r, const char *folder)
{
	struct findings f;
	size_t passed = 0, failed = 0;

	findings_init(&f, r->arena);
	bool good =
	    pack_test(r->mediator, folder, r->schemas, &passed, &failed, &f) == RC_OK && failed == 0 && f.count == 0;
	if (!good && failed == 0)
		failed = 1;
	r->passed += passed;
	r->failed += failed;
	if (!r->json) {
		printf("%-6s %-20s passed %zu, failed %zu\n", good ? "ok" : "FAILED", base_name(folder), passed,
		       failed);
		cli_print_findings(stdout, &f);
		return;
	}
	jw_object(&r->w);
	jw_key_text(&r->w, "pack", str_from(base_name(folder)));
	jw_key_bool(&r->w, "ok", good);
	jw_key_int(&r->w, "passed", (int64_t)passed);
	jw_key_int(&r->w, "failed", (int64_t)failed);
	jw_key(&r->w, "findings");
	cli_write_findings(&r->w, &f);
	jw_object_end(&r->w);
}

static int run_all(struct pack_run *r)
{
	const struct mediator_limits limits = MEDIATOR_LIMITS_DEFAULT;
	int code = CLI_DONE;

	r->mediator = mediator_new(&limits);
	buf_init(&r->out, 16u << 20);
	jw_init(&r->w, &r->out);
	if (r->json) {
		jw_object(&r->w);
		jw_key(&r->w, "items");
		jw_array(&r->w);
	}
	for (size_t i = 0; i < r->count; i++)
		run_one(r, r->folders[i]);
	if (r->json) {
		jw_array_end(&r->w);
		jw_key_bool(&r->w, "ok", r->failed == 0);
		jw_object_end(&r->w);
		code = cli_print(&r->out);
	}
	buf_done(&r->out);
	mediator_free(r->mediator);
	return r->failed ? CLI_FAILED : code;
}

int cli_test(int argc, char **argv)
{
	const char *dir = ".", *share;
	struct cli_args args;
	struct arena a;
	struct err e = ERR_NONE;
	bool json = false, good = true;

	if (!cli_parse(argc, argv, (const struct cli_option[]){{"dir", &dir, NULL}, {"json", NULL, &json}, {0}},
		       CLI_POSITIONAL_MAX, &args))
		return CLI_USAGE;
	arena_init(&a, 256u << 20);
	struct pack_run *r = arena_new(&a, struct pack_run);
	r->arena = &a;
	r->json = json;
	enum rc rc = share_find(&a, &share, &e);
	if (rc == RC_OK)
		rc = config_schemas(dir, share, &r->schemas, &e);
	int code = CLI_FAILED;
	if (rc != RC_OK) {
		cli_fail(&e);
	} else {
		for (size_t i = 0; i < args.count; i++)
			good &= add_named(r, args.positional[i], dir, share);
		if (!args.count) {
			add_all(r, arena_printf(&a, "%s/connectors", dir));
			add_all(r, arena_printf(&a, "%s/connectors", share));
		}
		code = good ? run_all(r) : CLI_FAILED;
	}
	schema_registry_free(r->schemas);
	arena_done(&a);
	return code;
}
