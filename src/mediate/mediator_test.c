/* Mappings: what scripts see, what comes out, and how they fail. */
#include "mediate/mediator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char input[] =
    "{\"id\":\"A1\",\"big\":9223372036854775807,\"bigger\":18446744073709551616,\"price\":2.50,\"rate\":1.5e3,\"none\":"
    "null,"
    "\"yes\":true,\"customer\":{\"external_id\":\"C1\",\"a/b~c\":{\"x\":1}},\"lines\":[{\"sku\":\"S1\",\"qty\":\"2\"},"
    "{\"sku\":\"S2\",\"qty\":\"0.5\"}],\"empty\":[],\"zero\":0.10}";

struct run {
	enum rc rc;
	struct err e;
	char text[4000]; /* the result */
};

static struct mediator *mediator;

static struct run run_script(struct mediator *m, const char *script)
{
	struct run r = {.e = ERR_NONE};
	struct arena a;
	struct json *argument, *out;
	struct mapping *map;
	struct buf text;
	arena_init(&a, 4u << 20);
	buf_init(&text, sizeof(r.text) - 1);
	assert_int_equal(json_parse(&a, str_from(input), NULL, &argument, &r.e), RC_OK);
	r.rc = mapping_compile("test.lua", str_from(script), &map, &r.e);
	if (r.rc == RC_OK) {
		r.rc = mediator_call(m, map, "f", argument, &a, &out, &r.e);
		mapping_unref(map);
	}
	if (r.rc == RC_OK) {
		json_write(&text, out);
		assert_true(buf_ok(&text));
		memcpy(r.text, text.p, text.n);
	}
	buf_done(&text);
	arena_done(&a);
	return r;
}

/* The body of f(doc), and the result as JSON. */
static void test_values(void **state)
{
	static const struct {
		const char *body, *result;
	} rows[] = {
	    /* the document */
	    {"return doc.lines", "[{\"sku\":\"S1\",\"qty\":\"2\"},{\"sku\":\"S2\",\"qty\":\"0.5\"}]"},
	    {"return {doc.id, #doc.lines, doc.lines[2].sku, doc.yes}", "[\"A1\",2,\"S2\",true]"},
	    {"return {type(doc), type(doc.lines), type(doc.price), type(doc.none), type(doc.id), type({})}",
	     "[\"object\",\"array\",\"decimal\",\"null\",\"string\",\"table\"]"},
	    {"return {doc.none == null, doc.customer == doc.customer}", "[true,true]"},
	    {"return {opt(doc, 'customer', 'external_id'), opt(doc, 'lines', 2, 'sku')}", "[\"C1\",\"S2\"]"},
	    {"return {a = opt(doc, 'none') == nil, b = opt(doc, 'nobody', 'x') == nil, c = opt(doc, 'id', 'x') == nil,"
	     " d = opt(doc, 'lines', 3) == nil, e = opt({x = {y = 4}}, 'x', 'y')}",
	     "{\"a\":true,\"b\":true,\"c\":true,\"d\":true,\"e\":4}"},
	    {"local t = {} for line, i in each(doc.lines) do t[i] = line.sku end return t", "[\"S1\",\"S2\"]"},
	    {"local t = {} for i, line in ipairs(doc.lines) do t[i] = line.sku end return t", "[\"S1\",\"S2\"]"},
	    {"local n = 0 for _ in each(opt(doc, 'nothing')) do n = n + 1 end return {n}", "[0]"},
	    {"local t = {} for k in pairs(doc) do t[#t + 1] = k end return table.concat(t, ' ')",
	     "\"id big bigger price rate none yes customer lines empty zero\""},
	    /* numbers */
	    {"return {doc.big, doc.bigger, doc.price, doc.rate, doc.zero}",
	     "[9223372036854775807,18446744073709551616,2.50,1.5e3,0.10]"},
	    {"return {doc.big - 1, -doc.big - 1}", "[9223372036854775806,-9223372036854775808]"},
	    {"return {doc.price * 3, doc.price + 1, 1 - doc.price, -doc.price, doc.rate + 1}",
	     "[7.50,3.50,-1.50,-2.50,1501]"},
	    {"return {tostring(decimal('0.1') + decimal('0.2')), decimal('0.1') + decimal('0.2') == decimal('0.30')}",
	     "[\"0.3\",true]"},
	    {"return {tostring(decimal('2.675'):round(2)), tostring(decimal('2.665'):round(2, 'half_even')),"
	     " tostring(decimal('-2.679'):round(2, 'down')), tostring(decimal('-2.671'):round(2, 'floor'))}",
	     "[\"2.68\",\"2.66\",\"-2.67\",\"-2.68\"]"},
	    {"return {tostring(decimal_div(1, 3, 4)), tostring(decimal_div(decimal('-2'), 3, 2)),"
	     " tostring(decimal_div('10.00' and decimal('10.00'), decimal('0.25'), 0)), tostring(decimal_div(5, 2, 0, "
	     "'half_even'))}",
	     "[\"0.3333\",\"-0.67\",\"40\",\"2\"]"},
	    {"return {decimal(3, 2):text(), decimal('7.00'):integer(), decimal('2.500'):shortest():text(), "
	     "decimal('-1'):abs():text()}",
	     "[\"3.00\",7,\"2.5\",\"1\"]"},
	    {"return {decimal('2') < decimal('10'), decimal('2.0') <= 2, 3 > decimal('2.9'), decimal('1') == "
	     "decimal('1.00')}",
	     "[true,true,true,true]"},
	    {"return {tonumber('12'), tonumber('2.50'), tonumber('x') == nil, tonumber('999999999999999999')}",
	     "[12,2.50,true,999999999999999999]"},
	    {"return {tonumber('007'), tonumber('-9223372036854775808'), tonumber('9223372036854775808') == nil, "
	     "tonumber('0x10') == nil,"
	     " tonumber('1e3') == nil, decimal('-000012.50'), decimal('000')}",
	     "[7,-9223372036854775808,true,true,true,-12.50,0]"},
	    {"return {is_decimal('1.5'), is_decimal('1,5'), is_decimal(3), is_decimal(doc.bigger)}",
	     "[true,false,true,false]"},
	    {"return {7 // 2, 7 % 2, 1 << 40, math.max(3, 9), math.mininteger}",
	     "[3,1,1099511627776,9,-9223372036854775808]"},
	    {"return 'GBP ' .. decimal('1.50') .. ' ' .. 3", "\"GBP 1.50 3\""},
	    /* results */
	    {"return {b = 1, a = {z = 1, y = 2}, c = null}", "{\"a\":{\"y\":2,\"z\":1},\"b\":1,\"c\":null}"},
	    {"return {{}, array{}, array{1, 2}, doc.empty, array()}", "[{},[],[1,2],[],[]]"},
	    {"local c = copy(doc) c.lines[1].sku = 'X' c.extra = {1} return {c.lines, c.extra, c.empty, "
	     "doc.lines[1].sku}",
	     "[[{\"qty\":\"2\",\"sku\":\"X\"},{\"qty\":\"0.5\",\"sku\":\"S2\"}],[1],[],\"S1\"]"},
	    {"return merge(doc.lines[1], {qty = '3', b = 1, a = 2})", "{\"sku\":\"S1\",\"qty\":\"3\",\"a\":2,\"b\":1}"},
	    {"local m = merge(doc.lines[1], {x = doc.customer}) return {m.x.external_id, opt(m, 'nope') == nil}",
	     "[\"C1\",true]"},
	    {"return without(doc.lines[1], 'qty', 'nothing')", "{\"sku\":\"S1\"}"},
	    {"return null", "null"},
	    {"return false", "false"},
	    /* text */
	    {"return {('abc'):upper(), ('a-b-c'):split('-'), ('  x '):trim(), ('x'):rep(3, ','), ('abc'):sub(2), "
	     "('abc'):find('c')}",
	     "[\"ABC\",[\"a\",\"b\",\"c\"],\"x\",\"x,x,x\",\"bc\",3,3]"},
	    {"return {string.format('%05d|%s|%-3s|', 42, decimal('1.50'), 'a'), ('abc'):starts('ab'), "
	     "('abc'):ends('x')}",
	     "[\"00042|1.50|a  |\",true,false]"},
	    {"return {utf8.len('h\\u{e9}llo'), utf8.sub('h\\u{e9}llo', 2, 3), utf8.sub('abc', 5), utf8.char(233)}",
	     "[5,\"\xc3\xa9l\",\"\",\"\xc3\xa9\"]"},
	    {"return {re.match('SO-2026-17', '^SO-(\\\\d{4})-(\\\\d+)$')}", "[\"2026\",\"17\"]"},
	    {"return {re.match('abc', 'b.'), re.match('abc', 'x') == nil, re.test('abc', '^a')}", "[\"bc\",true,true]"},
	    {"return {re.gsub('2026-03-01', '(\\\\d+)-(\\\\d+)-(\\\\d+)', '$3.$2.$1 $$')}", "[\"01.03.2026 $\",1]"},
	    {"return {re.gsub('h\\u{e9}y', '', '.')}", "[\".h.\xc3\xa9.y.\",4]"},
	    {"return re.split('a1b22c', '\\\\d+')", "[\"a\",\"b\",\"c\"]"},
	    {"return {instant('2026-03-01T13:00:00+01:00')}", "[\"2026-03-01T12:00:00.000Z\"]"},
	    /* lists */
	    {"local t = {3, 1, 2} table.sort(t) table.insert(t, 4) table.insert(t, 1, 0) return {t, table.remove(t), "
	     "table.remove(t, 1), t}",
	     "[[1,2,3],4,0,[1,2,3]]"},
	    {"local t = {'b', 'a', 'c'} table.sort(t, function(a, b) return a > b end) return t",
	     "[\"c\",\"b\",\"a\"]"},
	    {"local t = {} for i = 1, 100 do t[i] = {i % 7, i} end table.sort(t, function(a, b) return a[1] < b[1] "
	     "end)\n"
	     "local ok = true for i = 2, 100 do ok = ok and (t[i - 1][1] < t[i][1] or t[i - 1][2] < t[i][2]) end "
	     "return {ok}",
	     "[true]"},
	    {"return {pcall(function() error('x', 0) end)}", "[false,\"x\"]"},
	    /* more arguments than a function takes, or than a call has room for by itself */
	    {"return {('a-b'):split('-', 'x', 'y'), ('abc'):find('b', 1, 2), ('x'):rep(2, '', 3), ('x '):trim(1, 2), "
	     "utf8.len('x', 1)}",
	     "[[\"a\",\"b\"],2,\"xx\",\"x\",1]"},
	    {"local p, t = {}, 'end' for i = 1, 200 do p[i] = 1 t = {t} end return {opt(t, table.unpack(p))}",
	     "[\"end\"]"},
	    {"local p = {} for i = 1, 200 do p[i] = 'x' end return {select('#', pcall(table.unpack, p)), opt(doc, "
	     "table.unpack(p)) == nil,"
	     " #string.format(('%s'):rep(200), table.unpack(p)), math.max(table.unpack({1, 2, 3}))}",
	     "[201,true,200,3]"},
	    {"local p = {} for i = 1, 200 do p[i] = 'x' end return {without(doc.lines[1], table.unpack(p)), array({}, "
	     "table.unpack(p)),"
	     " re.split('a1b', '1', table.unpack(p)), re.gsub('a', 'a', 'b', table.unpack(p))}",
	     "[{\"sku\":\"S1\",\"qty\":\"2\"},[],[\"a\",\"b\"],\"b\",1]"},
	    {"local n = 0 for a, b in each(doc.lines, 1, 2, 3) do n = n + b end for a in ipairs(doc.lines, 9, 9) do n "
	     "= n + a end\n"
	     "for k in pairs({a = 1}, 2, 3) do n = n + 1 end return {n, opt(null) == nil, decimal(1, 2, 'down', 4), "
	     "decimal_div(1, 2, 1, 'down', 4)}",
	     "[7,true,1.00,0.5]"},
	    {"return {select('#', table.unpack({1, 2, 3}))}", "[3]"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char script[2000];
		snprintf(script, sizeof(script), "function f(doc) %s end", rows[i].body);
		struct run r = run_script(mediator, script);
		if (r.rc != RC_OK || strcmp(r.text, rows[i].result) != 0)
			print_error("%s\n  %s %s\n", rows[i].body, r.text, r.e.detail);
		assert_int_equal(r.rc, RC_OK);
		assert_string_equal(r.text, rows[i].result);
	}
}

static void test_failures(void **state)
{
	static const struct {
		const char *body, *code, *where, *detail; /* detail: a part of it */
	} rows[] = {
	    {"return doc.customer.id", "mapping_failed", "/customer/id", "test.lua:1: missing /customer/id"},
	    {"return doc.customer['a/b~c'].y", "mapping_failed", "/customer/a~1b~0c/y", "missing /customer/a~1b~0c/y"},
	    {"return doc.lines[2].lot", "mapping_failed", "/lines/1/lot", "missing"},
	    {"return doc.lines[3]", "mapping_failed", "/lines/2", "missing /lines/2"},
	    {"pcall(function() return doc.nothing end) error('another')", "mapping_failed", "", "another"},
	    {"return doc.none.x", "mapping_failed", "", "cannot read \"x\" of null"},
	    {"return doc.id.x", "mapping_failed", "", "cannot read \"x\" of text"},
	    {"doc.id = 1", "mapping_failed", "", "read-only"},
	    {"new_global = 1", "mapping_failed", "", "a \"local\" missing for \"new_global\""},
	    {"f = 1", "mapping_failed", "", "globals are read-only"},
	    {"string.rep = 1", "mapping_failed", "", "libraries are read-only"},
	    {"table.insert(string, 1)", "mapping_failed", "", "library"},
	    {"return 1 / 2", "mapping_failed", "", "binary float"},
	    {"return {a = {1.5}}", "mapping_failed", "/a/0", "binary float"},
	    {"return {a = {x = print, y = tostring}}", "mapping_failed", "/a/y", "function"},
	    {"return {1, nil, 3}", "mapping_failed", "", "holes"},
	    {"return {1, x = 2}", "mapping_failed", "", "neither a list"},
	    {"local t = {} t.t = t return t", "mapping_failed", NULL, "too deep"},
	    {"local m = doc for i = 1, 1000 do m = merge({a = 1}, {x = m}) end return m", "mapping_failed", NULL,
	     "too deep"},
	    {"return '\\xff'", "mapping_failed", "", "UTF-8"},
	    {"return", "mapping_failed", "", "returned nothing"},
	    {"return decimal('1,5')", "mapping_failed", "", "\"1,5\" is not a decimal"},
	    {"return decimal(0.5)", "mapping_failed", "", "binary float"},
	    {"return doc.bigger + 1", "mapping_failed", "", "too many digits"},
	    {"return doc.price / 2", "mapping_failed", "", "decimal_div"},
	    {"return decimal_div(1, 0, 2)", "mapping_failed", "", "division by zero"},
	    {"return decimal('999999999999999999') * 10", "mapping_failed", "", "too many digits"},
	    {"return '10' + 1", "mapping_failed", "", "arithmetic on a string"},
	    {"return re.match('x', '(')", "mapping_failed", "", "the pattern is wrong at character 2"},
	    {"return re.match('\\xff', 'x')", "mapping_failed", "", "cannot be matched"},
	    {"return string.format('%p', {})", "mapping_failed", "", "%p"},
	    {"return string.rep('x', 5000000)", "mapping_failed", "", "at most"},
	    {"return instant('yesterday')", "mapping_failed", "", "not an instant"},
	    {"error({})", "mapping_failed", "", "raised table"},
	    {"refuse('not on Sundays')", "refused", "", "not on Sundays"},
	    {"pcall(refuse, 'caught?') return {}", "refused", "", "caught?"},
	    {"return load('return 1')()", "mapping_failed", "", "nil value (global 'load')"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char script[2000];
		snprintf(script, sizeof(script), "function f(doc) %s end", rows[i].body);
		struct run r = run_script(mediator, script);
		if (strcmp(r.e.code, rows[i].code) != 0 || !strstr(r.e.detail, rows[i].detail))
			print_error("%s\n  %s: %s: %s %s\n", rows[i].body, r.e.code, r.e.where, r.e.detail, r.text);
		assert_int_equal(r.rc, strcmp(rows[i].code, "refused") == 0 ? RC_REJECT : RC_INVALID);
		assert_string_equal(r.e.code, rows[i].code);
		if (rows[i].where)
			assert_string_equal(r.e.where, rows[i].where);
		assert_non_null(strstr(r.e.detail, rows[i].detail));
	}
}

static void test_not_there(void **state)
{
	static const char *const names[] = {
	    "load",   "loadstring", "dofile",         "loadfile",     "require",      "package",  "os",     "io",
	    "debug",  "coroutine",  "collectgarbage", "setmetatable", "getmetatable", "rawset",   "rawget", "rawequal",
	    "rawlen", "next",       "xpcall",         "print",        "_G",           "_VERSION", "warn",   "dofile"};
	static const char *const fields[] = {"string.gsub", "string.gmatch", "string.match", "string.dump",
					     "string.pack", "string.unpack", "math.random",  "math.randomseed",
					     "table.move",  "table.pack",    "utf8.codes",   "utf8.codepoint"};
	char script[300];
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(script, sizeof(script), "function f() return {%s == nil} end", names[i]);
		struct run r = run_script(mediator, script);
		if (strcmp(r.text, "[true]") != 0)
			print_error("%s is there\n", names[i]);
		assert_string_equal(r.text, "[true]");
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		snprintf(script, sizeof(script), "function f() return {%s == nil} end", fields[i]);
		struct run r = run_script(mediator, script);
		if (strcmp(r.text, "[true]") != 0)
			print_error("%s is there\n", fields[i]);
		assert_string_equal(r.text, "[true]");
	}
}

static void test_syntax(void **state)
{
	(void)state;
	struct run r = run_script(mediator, "function f(doc)\n  return }\nend");
	assert_int_equal(r.rc, RC_INVALID);
	assert_string_equal(r.e.code, "mapping_syntax");
	assert_non_null(strstr(r.e.detail, "test.lua:2:"));

	/* Bytecode is not text. */
	struct mapping *map;
	struct err e = ERR_NONE;
	assert_int_equal(mapping_compile("b.lua", STR("\x1bLua\x54\x00\x19\x93"), &map, &e), RC_INVALID);
	assert_string_equal(e.code, "mapping_syntax");

	r = run_script(mediator, "function g() end");
	assert_int_equal(r.rc, RC_INVALID);
	assert_non_null(strstr(r.e.detail, "no function \"f\""));
	r = run_script(mediator, "x.y = 1");
	assert_int_equal(r.rc, RC_INVALID);
	assert_non_null(strstr(r.e.detail, "test.lua:1:"));
}

/* Each limit is reached, cannot be caught, and leaves the mediator usable. */
static void test_limits(void **state)
{
	static const struct {
		struct mediator_limits limits;
		const char *body, *detail;
	} rows[] = {
	    {{8u << 20, 100000, 60000, 1u << 20},
	     "pcall(function() while true do end end) return {}",
	     "100000 instructions"},
	    {{2u << 20, INT64_MAX, 60000, 1u << 20},
	     "pcall(function() local t = {} while true do t[#t + 1] = {} end end) return {}",
	     "bytes of memory"},
	    {{8u << 20, INT64_MAX, 20, 1u << 20}, "pcall(function() while true do end end) return {}", "CPU time"},
	    {{8u << 20, 10000000, 60000, 1000},
	     "local t = {} for i = 1, 200 do t[i] = 'some text' end return t",
	     "larger than 1000"},
	    {{8u << 20, 10000000, 60000, 1000}, "return {doc, doc, doc}", "larger than 1000"},
	    {{8u << 20, 10000000, 60000, 100000},
	     "local m = {} for i = 1, 10000 do m = merge(doc, {x = i}) end return m",
	     "larger than"},
	    {{8u << 20, 10000000, 60000, 1u << 30},
	     "local m = {} for i = 1, 10 do m = merge({a = m}, {b = m}) end for i = 1, 50 do m = "
	     "merge({a = m}, {b = m}) end return m",
	     "instructions"},
	    {{8u << 20, 1000000, 60000, 1u << 20},
	     "while true do pcall(function() return doc.lines[1].nothing end) end",
	     "instructions"},
	    {{64u << 20, 10000000000, 60000, 64u << 20},
	     "local s, t = ('x'):rep(4000000), {} for i = 1, 9 do t[i] = s end return t",
	     "message's memory"},
	    {{8u << 20, 1000000, 60000, 1u << 20},
	     "local s = ('x'):rep(100000) while true do pcall(re.test, s, '[^y]*+[yz]') end",
	     "instructions"},
	    {{8u << 20, 1000000, 60000, 1u << 20},
	     "local s = ('ab'):rep(100000) while true do utf8.len(s) end",
	     "instructions"},
	    {{8u << 20, 1000000, 60000, 1u << 20},
	     "local s = ('ab'):rep(100000) while true do s:find('c') end",
	     "instructions"},
	    {{8u << 20, 1000000, 60000, 1u << 20},
	     "local t = {} for i = 1, 20000 do t[i] = '' end while true do table.concat(t) end",
	     "instructions"},
	    {{8u << 20, 1000000, 60000, 1u << 20},
	     "local t = {} t[1] = 1 for i = 1, 20000 do table.insert(t, 1, i) end",
	     "instructions"},
	    /* nearly full memory: every allocation would collect everything */
	    {{4u << 20, 20000000, 60000, 1u << 20},
	     "local t = {} pcall(function() for i = 1, 1 << 30 do t[i] = {i} end end) while true do pcall(string.rep, "
	     "'x', 100000) end",
	     "the mapping needs more than"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char script[2000];
		struct mediator *m = mediator_new(&rows[i].limits);
		snprintf(script, sizeof(script), "function f(doc) %s end", rows[i].body);
		for (int again = 0; again < 3; again++) {
			struct run r = run_script(m, script);
			if (r.rc != RC_LIMIT || !strstr(r.e.detail, rows[i].detail))
				print_error("%s\n  %s %s\n", rows[i].body, r.e.code, r.e.detail);
			assert_int_equal(r.rc, RC_LIMIT);
			assert_string_equal(r.e.code, "mapping_limit");
			assert_non_null(strstr(r.e.detail, rows[i].detail));
			r = run_script(m, "function f(doc) return {doc.id} end");
			assert_int_equal(r.rc, RC_OK);
		}
		mediator_free(m);
	}
}

/* A mediator that is too small says so instead of ending the process. */
static void test_tiny(void **state)
{
	(void)state;
	int made = 0, refused = 0;
	for (size_t memory = 100; memory < 200000; memory += 997) {
		struct mediator_limits limits = MEDIATOR_LIMITS_DEFAULT;
		limits.memory = memory;
		struct mediator *m = mediator_new(&limits);
		if (m) {
			struct run r = run_script(
			    m, "function f(doc) local c = copy(doc) c.x = {re.match(doc.id, '(.)')} return c end");
			assert_true(r.rc == RC_OK || r.rc == RC_LIMIT);
			made += r.rc == RC_OK;
		}
		refused += !m;
		mediator_free(m);
	}
	assert_true(made > 0);
	assert_true(refused > 0);
}

/* What one call leaves behind is not there for the next one. */
static void test_pure(void **state)
{
	static const char script[] = "local n, seen = 0, {}\n"
				     "count = 0\n"
				     "function f(doc) n = n + 1 seen[#seen + 1] = doc return {n, #seen, count} end";
	struct err e = ERR_NONE;
	struct mapping *map;
	struct arena a;
	struct json *argument, *out;
	struct buf text;
	(void)state;
	assert_int_equal(mapping_compile("pure.lua", str_from(script), &map, &e), RC_OK);
	arena_init(&a, 1u << 20);
	buf_init(&text, 1000);
	for (int i = 0; i < 5; i++) {
		arena_reset(&a);
		buf_reset(&text);
		assert_int_equal(json_parse(&a, str_from(input), NULL, &argument, &e), RC_OK);
		assert_int_equal(mediator_call(mediator, map, "f", argument, &a, &out, &e), RC_OK);
		json_write(&text, out);
		assert_string_equal(text.p, "[1,1,0]");
	}
	buf_done(&text);
	arena_done(&a);
	mapping_unref(map);
}

/* Equal inputs give equal bytes in every state, though the order inside Lua's tables differs between them. */
static void test_deterministic(void **state)
{
	static const char script[] =
	    "function f(doc)\n"
	    "  local t, order = {}, {}\n"
	    "  for i = 1, 200 do t['k' .. i * 7919 % 1000] = i end\n"
	    "  for k, v in pairs(t) do order[#order + 1] = k .. '=' .. v end\n"
	    "  t[5] = 1 t[3] = 1 t[-1] = 1 local mixed = {} for k in pairs(t) do mixed[#mixed + 1] = tostring(k) end\n"
	    "  return {t = without(copy_text(t), 'nothing'), order = table.concat(order, ','), first = mixed[1], f = "
	    "tostring(f), o = tostring({})}\n"
	    "end\n"
	    "function copy_text(t) local c = {} for k, v in pairs(t) do c[tostring(k)] = v end return c end";
	struct run first = {0};
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct mediator *m = mediator_new(NULL);
		void *shift = malloc((size_t)i * 100 + 1); /* other addresses, other seeds */
		struct run r = run_script(m, script);
		if (r.rc != RC_OK)
			print_error("%s\n", r.e.detail);
		assert_int_equal(r.rc, RC_OK);
		if (i == 0)
			first = r;
		assert_string_equal(first.text, r.text);
		free(shift);
		mediator_free(m);
	}
	assert_non_null(strstr(first.text, "\"first\":\"-1\""));
	assert_non_null(strstr(first.text, "\"f\":\"function\""));
}

static void test_many_mappings(void **state)
{
	(void)state;
	for (int i = 0; i < 600; i++) {
		char script[100], result[30];
		snprintf(script, sizeof(script), "function f() return {%d, re.match('%d', '^(%d)$')} end", i, i, i);
		snprintf(result, sizeof(result), "[%d,\"%d\"]", i, i);
		struct run r = run_script(mediator, script);
		assert_string_equal(r.text, result);
	}
}

static void *run_in_thread(void *arg)
{
	struct mapping *map = arg;
	struct mediator *m = mediator_new(NULL);
	struct arena a;
	struct json *argument, *out;
	size_t good = 0;
	arena_init(&a, 1u << 20);
	for (int i = 0; m && i < 200; i++) {
		arena_reset(&a);
		mapping_ref(map);
		good += json_parse(&a, str_from(input), NULL, &argument, NULL) == RC_OK &&
			mediator_call(m, map, "f", argument, &a, &out, NULL) == RC_OK && json_is(out, JSON_OBJECT);
		mapping_unref(map);
	}
	arena_done(&a);
	mediator_free(m);
	mapping_unref(map);
	return (void *)good;
}

/* One mapping, a mediator for each thread. */
static void test_threads(void **state)
{
	pthread_t threads[4];
	struct mapping *map;
	(void)state;
	assert_int_equal(mapping_compile("t.lua",
					 STR("function f(d) return merge(d.customer, {m = re.match(d.id, '.')}) end"),
					 &map, NULL),
			 RC_OK);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, mapping_ref(map)), 0);
	mapping_unref(map);
	for (size_t i = 0; i < 4; i++) {
		void *good;
		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_int_equal((size_t)good, 200);
	}
}

static int open_mediator(void **state)
{
	(void)state;
	mediator = mediator_new(NULL);
	return mediator ? 0 : -1;
}

static int close_mediator(void **state)
{
	(void)state;
	mediator_free(mediator);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),  cmocka_unit_test(test_failures),      cmocka_unit_test(test_not_there),
	    cmocka_unit_test(test_syntax),  cmocka_unit_test(test_limits),        cmocka_unit_test(test_tiny),
	    cmocka_unit_test(test_pure),    cmocka_unit_test(test_deterministic), cmocka_unit_test(test_many_mappings),
	    cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, open_mediator, close_mediator);
}
