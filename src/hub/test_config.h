/* For *_test.c only: a folder of each test with a crossdock.yaml, which is good or has findings. */
#ifndef HUB_TEST_CONFIG_H
#define HUB_TEST_CONFIG_H

#include "base/test.h"
#include "hub/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static struct arena arena;

static inline const char *path_of(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static inline void write_config(const char *text)
{
	FILE *f = fopen(path_of("crossdock.yaml"), "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/crossdock-config-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	arena_init(&arena, 64u << 20);
	unsetenv("CROSSDOCK_SECRET_KEY");
	setenv("TEST_PORT", "9001", 1);
	unsetenv("TEST_UNSET");
	return 0;
}

static inline int tear_down(void **state)
{
	static const char *const names[] = {"crossdock.yaml", "secrets.enc", "secret.key"};
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		unlink(path_of(names[i]));
	rmdir(folder);
	arena_done(&arena);
	return 0;
}

static inline struct config *load_good(const char *text)
{
	struct findings f;
	struct config *c = NULL;

	write_config(text);
	findings_init(&f, &arena);
	enum rc rc = config_load(folder, CD_SOURCE_DIR, &c, &f);
	for (size_t i = 0; i < f.count; i++)
		print_error("%s:%u: %s [%s]\n", f.list[i].pointer, f.list[i].line, f.list[i].detail, f.list[i].code);
	assert_int_equal(rc, RC_OK);
	return c;
}

static inline void load_bad(const char *text, struct findings *f)
{
	struct config *c = NULL;

	write_config(text);
	findings_init(f, &arena);
	if (config_load(folder, CD_SOURCE_DIR, &c, f) != RC_INVALID)
		print_error("not refused:\n%s\n", text);
	assert_null(c);
}

/* Line 1 to 4 of most files. */
#define HEAD                                                                                                           \
	"tenants:\n"                                                                                                   \
	"  acme:\n"                                                                                                    \
	"    locations: {east: {}, west: {safety_stock: \"2\"}}\n"                                                     \
	"    systems:\n"
#define SHOP "      shop: {connector: canonical, url: \"http://127.0.0.1:9001\", roles: [channel]}\n"
#define ERP  "      erp: {connector: canonical, url: \"http://127.0.0.1:9003\", roles: [erp]}\n"
#define WMS                                                                                                            \
	"      wms: {connector: canonical, url: \"http://127.0.0.1:9004\", roles: [warehouse], locations: [east, "     \
	"west]}\n"

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
