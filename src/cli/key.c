/*
 * API keys: cd_<tenant>_<secret>, the secret 43 letters and digits (256 bits). The store keeps hash_secret of the
 * secret part, so that nobody who reads the store can use a key.
 */
#include "base/hash.h"
#include "base/secretbox.h"
#include "cli/cli.h"
#include "edge/auth.h"
#include "format/json.h"
#include "hub/node.h"

#define SECRET_LETTERS 43
#define ID_LETTERS     16
#define SCOPES_MAX     512

struct key_options {
	const char *dir, *tenant, *scopes, *system;
	bool json;
};

/* n letters and digits, each as likely as the others. */
static void random_text(char *out, size_t n)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	for (size_t i = 0; i < n;) {
		unsigned char byte;
		random_bytes(&byte, 1);
		if (byte < 62 * 4)
			out[i++] = letters[byte % 62];
	}
	out[n] = '\0';
}

static bool scope_known(struct str name)
{
	for (int i = 0; i < SCOPES; i++)
		if (str_is(name, scope_name((enum scope)i)))
			return true;
	fprintf(stderr, "crossdock: there is no scope '" STR_FMT "'; there are", STR_ARG(name));
	for (int i = 0; i < SCOPES; i++)
		fprintf(stderr, " %s", scope_name((enum scope)i));
	fprintf(stderr, "\n");
	return false;
}

/* "a,b c" to "a b c"; false: a name is not one, or there is none. */
static bool scopes_read(const char *text, char out[SCOPES_MAX])
{
	size_t n = 0;

	while (*text) {
		size_t length = strcspn(text, ", ");
		struct str name = {text, length};
		text += length + (text[length] != 0);
		if (!length)
			continue;
		if (!scope_known(name) || n + length + 2 > SCOPES_MAX)
			return false;
		if (n)
			out[n++] = ' ';
		memcpy(out + n, name.p, length);
		n += length;
	}
	out[n] = '\0';
	return n > 0;
}

static enum rc tool_open(const struct config *c, struct str tenant, struct arena *a, struct store **out, struct err *e)
{
	struct store_options o;
	enum rc rc = node_store_options(c, tenant, a, &o, e);
	return rc == RC_OK ? store_tool_open(&o, out, e) : rc;
}

static void write_scopes(struct json_writer *w, struct str scopes)
{
	jw_key(w, "scopes");
	jw_array(w);
	while (scopes.n) {
		const char *space = memchr(scopes.p, ' ', scopes.n);
		size_t n = space ? (size_t)(space - scopes.p) : scopes.n;
		jw_text(w, (struct str){scopes.p, n});
		scopes = (struct str){scopes.p + n + (space != NULL), scopes.n - n - (space != NULL)};
	}
	jw_array_end(w);
}

static int print_key(const struct key_options *o, const char *id, const char *key, const char *scopes)
{
	struct json_writer w;
	struct buf out;

	if (!o->json) {
		printf("%s\n", key);
		fprintf(stderr, "The key %s (%s) is shown this once and kept nowhere.\n", id, scopes);
		return CLI_DONE;
	}
	buf_init(&out, 8192);
	jw_init(&w, &out);
	jw_object(&w);
	jw_key_text(&w, "id", str_from(id));
	jw_key_text(&w, "key", str_from(key));
	jw_key_text(&w, "tenant", str_from(o->tenant));
	write_scopes(&w, str_from(scopes));
	jw_opt_text(&w, "system", str_from(o->system));
	jw_object_end(&w);
	int code = cli_print(&out);
	if (out.p)
		secret_wipe(out.p, out.n);
	buf_done(&out);
	return code;
}

static int create(const struct key_options *o, const struct config *c, struct arena *a)
{
	char secret[SECRET_LETTERS + 1], letters[ID_LETTERS + 1], scopes[SCOPES_MAX];
	unsigned char hash[32];
	struct store *s = NULL;
	struct err e = ERR_NONE;

	if (!scopes_read(o->scopes, scopes))
		return cli_usage("key", "scopes are names such as orders:write, separated by commas");
	const struct config_tenant *t = config_find_tenant(c, str_from(o->tenant));
	if (!t) {
		fprintf(stderr, "crossdock: there is no tenant '%s'.\n", o->tenant);
		return CLI_FAILED;
	}
	if (o->system && !config_find_system(t, str_from(o->system))) {
		fprintf(stderr, "crossdock: the tenant '%s' has no system '%s'.\n", o->tenant, o->system);
		return CLI_FAILED;
	}
	random_text(secret, SECRET_LETTERS);
	random_text(letters, ID_LETTERS);
	hash_secret(str_from(secret), hash);
	const char *id = arena_printf(a, "key_%s", letters);
	const char *key = arena_printf(a, "cd_%s_%s", o->tenant, secret);
	const struct store_value values[] = {
	    SV_TEXT(str_from(id)),
	    SV_BLOB(((struct str){(const char *)hash, sizeof(hash)})),
	    SV_TEXT(str_from(scopes)),
	    SV_TEXT_OPT(str_from(o->system)),
	    SV_INT(clock_wall_ms(clock_system())),
	};
	enum rc rc = tool_open(c, t->name, a, &s, &e);
	if (rc == RC_OK)
		rc = store_tool_write(s, W_API_KEY, values, sizeof(values) / sizeof(values[0]), &e);
	store_close(s);
	int code = rc == RC_OK ? print_key(o, id, key, scopes) : cli_fail(&e);
	secret_wipe(secret, sizeof(secret));
	secret_wipe((char *)key, strlen(key));
	return code;
}

struct listing {
	struct json_writer *w;
	struct str tenant;
	bool json;
	struct str find; /* key id that is looked for, or empty */
	bool found;
};

static void print_row(const struct listing *l, const struct store_value *row)
{
	char at[TIME_TEXT];

	time_format(row[3].integer, at);
	if (!l->json) {
		printf("%-20.*s %-12.*s %-12.*s %s %-8s " STR_FMT "\n", STR_ARG(row[0].bytes), STR_ARG(l->tenant),
		       STR_ARG(row[2].bytes), at, row[4].type == STORE_NULL ? "active" : "revoked",
		       STR_ARG(row[1].bytes));
		return;
	}
	jw_object(l->w);
	jw_key_text(l->w, "id", row[0].bytes);
	jw_key_text(l->w, "tenant", l->tenant);
	write_scopes(l->w, row[1].bytes);
	jw_opt_text(l->w, "system", row[2].bytes);
	jw_key_time(l->w, "created_at", row[3].integer);
	if (row[4].type != STORE_NULL)
		jw_key_time(l->w, "revoked_at", row[4].integer);
	jw_object_end(l->w);
}

static enum rc list_row(void *ctx, const struct store_value *row, size_t count)
{
	struct listing *l = ctx;
	(void)count;

	if (l->find.n)
		l->found |= str_eq(row[0].bytes, l->find);
	else
		print_row(l, row);
	return RC_OK;
}

/* Calls list_row for every key of one tenant. */
static enum rc read_keys(struct store *s, struct listing *l, struct err *e)
{
	struct store_reader *r = NULL;
	enum rc rc = store_reader_open(s, &r, e);
	if (rc == RC_OK)
		rc = store_read(r, R_API_KEYS, NULL, 0, list_row, l, e);
	store_reader_close(r);
	return rc;
}

static bool wanted(const struct key_options *o, const struct config_tenant *t)
{
	return !o->tenant || str_is(t->name, o->tenant);
}

static int list(const struct key_options *o, const struct config *c, struct arena *a)
{
	struct err e = ERR_NONE;
	struct json_writer w;
	struct buf out;
	struct listing l = {.w = &w, .json = o->json};
	enum rc rc = RC_OK;
	int code = CLI_DONE;

	buf_init(&out, 64u << 20);
	jw_init(&w, &out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; rc == RC_OK && i < c->tenant_count; i++) {
		struct store *s = NULL;
		if (!wanted(o, &c->tenants[i]))
			continue;
		l.tenant = c->tenants[i].name;
		rc = tool_open(c, l.tenant, a, &s, &e);
		if (rc == RC_OK)
			rc = read_keys(s, &l, &e);
		store_close(s);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	if (rc != RC_OK)
		code = cli_fail(&e);
	else if (o->json)
		code = cli_print(&out);
	buf_done(&out);
	return code;
}

static int revoke(const struct key_options *o, const struct config *c, struct arena *a, const char *id)
{
	const struct store_value values[] = {SV_TEXT(str_from(id)), SV_INT(clock_wall_ms(clock_system()))};
	struct listing l = {.find = str_from(id)};
	struct err e = ERR_NONE;
	enum rc rc = RC_OK;

	for (size_t i = 0; rc == RC_OK && !l.found && i < c->tenant_count; i++) {
		struct store *s = NULL;
		if (!wanted(o, &c->tenants[i]))
			continue;
		rc = tool_open(c, c->tenants[i].name, a, &s, &e);
		if (rc == RC_OK)
			rc = read_keys(s, &l, &e);
		if (rc == RC_OK && l.found)
			rc = store_tool_write(s, W_API_KEY_REVOKE, values, 2, &e);
		store_close(s);
	}
	if (rc != RC_OK)
		return cli_fail(&e);
	if (!l.found) {
		fprintf(stderr, "crossdock: there is no key '%s'.\n", id);
		return CLI_FAILED;
	}
	printf(o->json ? "{\"id\":\"%s\",\"revoked\":true}\n" : "%s is revoked\n", id);
	return CLI_DONE;
}

int cli_key(int argc, char **argv)
{
	struct key_options o = {.dir = "."};
	struct cli_args args;
	const struct cli_option options[] = {{"dir", &o.dir, NULL},       {"tenant", &o.tenant, NULL},
					     {"scopes", &o.scopes, NULL}, {"system", &o.system, NULL},
					     {"json", NULL, &o.json},     {0}};

	if (!cli_parse(argc, argv, options, 2, &args))
		return CLI_USAGE;
	const char *verb = args.count ? args.positional[0] : "";
	bool is_create = strcmp(verb, "create") == 0 && args.count == 1;
	bool is_list = strcmp(verb, "list") == 0 && args.count == 1;
	bool is_revoke = strcmp(verb, "revoke") == 0 && args.count == 2;
	if (!is_create && !is_list && !is_revoke)
		return cli_usage(argv[0], "one of: create --tenant T --scopes S, list, revoke ID");
	if (is_create && (!o.tenant || !o.scopes))
		return cli_usage(argv[0], "create needs --tenant and --scopes");

	struct config *c = cli_config(o.dir);
	struct arena a;
	if (!c)
		return CLI_FAILED;
	arena_init(&a, 1u << 20);
	int code = is_create ? create(&o, c, &a) : is_list ? list(&o, c, &a) : revoke(&o, c, &a, args.positional[1]);
	arena_done(&a);
	config_unref(c);
	return code;
}
