#include "cli/cli.h"
#include "format/json.h"
#include "hub/share.h"

#include <dirent.h>

/* The packs of DIR/connectors that no system names yet are checked as well. */
static void check_own_packs(struct arena *a, const char *folder, const struct config *c, struct findings *f)
{
	const char *connectors = arena_printf(a, "%s/connectors", folder);
	DIR *d = connectors ? opendir(connectors) : NULL;

	for (struct dirent *entry; d && (entry = readdir(d));) {
		struct pack *p = NULL;
		bool named = entry->d_name[0] == '.';
		for (size_t i = 0; i < c->tenant_count; i++)
			for (size_t k = 0; k < c->tenants[i].system_count; k++)
				named |= str_is(c->tenants[i].systems[k].pack->name, entry->d_name);
		const char *path = named ? NULL : arena_printf(a, "%s/%s", connectors, entry->d_name);
		if (path && pack_load(path, c->schemas, &p, f) == RC_OK)
			pack_unref(p);
	}
	if (d)
		closedir(d);
}

static int report(const char *folder, const struct config *c, const struct findings *f, bool json)
{
	bool good = c && f->count + f->more == 0;
	size_t systems = 0;

	if (json) {
		struct json_writer w;
		struct buf out;
		buf_init(&out, 4u << 20);
		jw_init(&w, &out);
		jw_object(&w);
		jw_key_bool(&w, "ok", good);
		jw_key(&w, "findings");
		cli_write_findings(&w, f);
		jw_object_end(&w);
		int printed = cli_print(&out);
		buf_done(&out);
		return printed == CLI_DONE && good ? CLI_DONE : CLI_FAILED;
	}
	cli_print_findings(stdout, f);
	if (!good)
		return CLI_FAILED;
	for (size_t i = 0; i < c->tenant_count; i++)
		systems += c->tenants[i].system_count;
	printf("%s is good: tenants %zu, systems %zu\n", folder, c->tenant_count, systems);
	return CLI_DONE;
}

int cli_check(int argc, char **argv)
{
	struct cli_args args;
	bool json = false;
	struct config *c = NULL;
	struct err e = ERR_NONE;
	struct findings f;
	struct arena a;
	const char *share;

	if (!cli_parse(argc, argv, (const struct cli_option[]){{"json", NULL, &json}, {0}}, 1, &args))
		return CLI_USAGE;
	const char *folder = args.count ? args.positional[0] : ".";
	arena_init(&a, 64u << 20);
	findings_init(&f, &a);
	int code = CLI_FAILED;
	if (share_find(&a, &share, &e) != RC_OK) {
		cli_fail(&e);
	} else {
		if (config_load(folder, share, &c, &f) == RC_OK)
			check_own_packs(&a, folder, c, &f);
		code = report(folder, c, &f, json);
	}
	config_unref(c);
	arena_done(&a);
	return code;
}
