/*
 * Any script on any document: the script, a NUL, the document. Whatever it does, the call ends with a code, what it
 * returns is JSON that can be written and read, a second run gives the same bytes, and a good mapping in the same state
 * still works.
 */
#include "mediate/mediator.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RUNS_PER_STATE 500

static struct mediator *mediator;
static struct mapping *good;

static void make_state(void)
{
	static unsigned runs;
	struct err e = ERR_NONE;
	if (runs++ % RUNS_PER_STATE)
		return;
	mediator_free(mediator); /* asserts that nothing is left */
	mediator = mediator_new(&(struct mediator_limits){4u << 20, 200000, 2000, 256u << 10});
	assert(mediator);
	if (!good) {
		enum rc rc = mapping_compile(
		    "good.lua", STR("function f(doc) return {n = #doc, d = doc, l = ('x'):upper()} end"), &good, &e);
		assert(rc == RC_OK);
	}
}

static void check_good(struct arena *a)
{
	struct err e = ERR_NONE;
	struct json *doc, *out;
	struct buf text;
	buf_init(&text, 1000);
	enum rc rc = json_parse(a, STR("[1,2.50]"), NULL, &doc, &e);
	assert(rc == RC_OK);
	rc = mediator_call(mediator, good, "f", doc, a, &out, &e);
	assert(rc == RC_OK);
	json_write(&text, out);
	assert(str_is(buf_str(&text), "{\"d\":[1,2.50],\"l\":\"X\",\"n\":2}"));
	buf_done(&text);
}

static enum rc run(struct mapping *map, const struct json *doc, struct arena *a, struct buf *text)
{
	struct err e = ERR_NONE;
	struct json *out, *again;
	enum rc rc = mediator_call(mediator, map, "f", doc, a, &out, &e);
	assert(rc == e.rc && (rc == RC_OK || rc == RC_INVALID || rc == RC_LIMIT || rc == RC_REJECT));
	assert((rc == RC_OK) == (out != NULL) && (rc == RC_OK) == (e.code[0] == '\0'));
	if (rc != RC_OK)
		return rc;
	json_write(text, out);
	assert(buf_ok(text));
	rc = json_parse(a, buf_str(text), &(struct json_limits){64u << 20, 130, 4000000}, &again, &e);
	assert(rc == RC_OK && json_equal(out, again));
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *script = (const char *)data, *zero = size ? memchr(script, '\0', size) : NULL;
	struct str text = {script, zero ? (size_t)(zero - script) : size};
	struct str document =
	    zero ? (struct str){zero + 1, size - text.n - 1} : STR("{\"id\":\"1\",\"lines\":[{\"q\":\"2\"},{}]}");
	struct mapping *map = NULL;
	struct err e = ERR_NONE;
	struct arena a;
	struct buf first, second;
	struct json *doc;
	make_state();
	arena_init(&a, 64u << 20);
	buf_init(&first, 16u << 20);
	buf_init(&second, 16u << 20);
	if (json_parse(&a, document, NULL, &doc, &e) == RC_OK && mapping_compile("fuzz.lua", text, &map, &e) == RC_OK) {
		enum rc rc = run(map, doc, &a, &first), again = run(map, doc, &a, &second);
		if (rc == RC_OK && again == RC_OK)
			assert(str_eq(buf_str(&first), buf_str(&second)));
		check_good(&a);
	}
	mapping_unref(map);
	buf_done(&second);
	buf_done(&first);
	arena_done(&a);
	return 0;
}
