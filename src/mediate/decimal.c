/*
 * Decimals in mappings: exact, with + - * and comparison; division states its scale.
 *
 * A number of the argument that is not a 64-bit integer is one of these, with its own text, which is what a result
 * prints. Text that struct decimal cannot hold (more than 18 digits) is carried and printed but does not calculate.
 */
#include "mediate/state.h"

typedef __int128 wide;

static struct number *number_new(lua_State *L, struct str text)
{
	struct number *n = lua_newuserdatauv(L, sizeof(*n) + text.n + 1, 0);
	*n = (struct number){.kind = KIND_NUMBER, .length = (uint32_t)text.n};
	memcpy(n->text, text.p, text.n);
	n->text[text.n] = '\0';
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_NUMBER);
	lua_setmetatable(L, -2);
	return n;
}

void number_push(lua_State *L, struct decimal d)
{
	char text[DECIMAL_TEXT_MAX];
	size_t length = decimal_format(d, text);
	struct number *n = number_new(L, (struct str){text, length});
	n->exact = true;
	n->d = d;
}

/* "1.5e3" as "1500"; false if it is not a short number. */
static bool expand_exponent(struct str text, char out[64], size_t *length)
{
	char digits[24];
	size_t count = 0, i = text.p[0] == '-';
	int point = 0, exponent = 0;
	for (; i < text.n && text.p[i] != 'e' && text.p[i] != 'E'; i++) {
		if (text.p[i] == '.')
			continue;
		if (count == sizeof(digits))
			return false;
		digits[count++] = text.p[i];
	}
	const char *dot = memchr(text.p, '.', i);
	size_t end = i++;
	point = (int)(dot ? (size_t)(dot - text.p) : end) - (text.p[0] == '-');
	bool negative = i < text.n && text.p[i] == '-';
	for (i += i < text.n && (text.p[i] == '-' || text.p[i] == '+'); i < text.n; i++)
		if ((exponent = exponent * 10 + (text.p[i] - '0')) > 40)
			return false;
	point += negative ? -exponent : exponent;
	if (point > 20 || point < -12)
		return false;
	size_t n = 0;
	if (text.p[0] == '-')
		out[n++] = '-';
	int at = point < 1 ? point - 1 : 0; /* the position of the first digit printed */
	while (at < point - 1 && at >= 0 && at + 1 < (int)count && digits[at] == '0')
		at++;
	for (; at < point || at < (int)count; at++) {
		if (at == point)
			out[n++] = '.';
		out[n++] = at >= 0 && at < (int)count ? digits[at] : '0';
	}
	*length = n;
	return true;
}

void number_push_text(lua_State *L, struct str text)
{
	struct number *n = number_new(L, text);
	char plain[64];
	size_t length;
	if (decimal_parse(text, &n->d, NULL) == RC_OK)
		n->exact = true;
	else if (expand_exponent(text, plain, &length))
		n->exact = decimal_parse((struct str){plain, length}, &n->d, NULL) == RC_OK;
}

bool decimal_read(struct str text, struct decimal *out)
{
	char plain[64];
	size_t i = text.n && text.p[0] == '-', n = i;
	if (decimal_parse(text, out, NULL) == RC_OK)
		return true;
	while (i + 1 < text.n && text.p[i] == '0' && text.p[i + 1] >= '0' && text.p[i + 1] <= '9')
		i++;
	if (text.n - i + n > sizeof(plain))
		return false;
	if (n)
		plain[0] = '-';
	memcpy(plain + n, text.p + i, text.n - i);
	return decimal_parse((struct str){plain, text.n - i + n}, out, NULL) == RC_OK;
}

/* false: not a number of these kinds, or not one to calculate with. */
static bool read_operand(lua_State *L, int at, struct decimal *out)
{
	const struct number *n = number_at(L, at);
	if (n) {
		if (!n->exact)
			luaL_error(L, "the number %s has too many digits to calculate with", n->text);
		*out = n->d;
		return true;
	}
	if (!lua_isinteger(L, at))
		return false;
	lua_Integer v = lua_tointeger(L, at);
	if (v > 999999999999999999 || v < -999999999999999999)
		luaL_error(L, "the number %I has too many digits for a decimal", (LUAI_UACINT)v);
	*out = (struct decimal){v, 0};
	return true;
}

struct decimal number_check(lua_State *L, int at)
{
	struct decimal d = {0};
	if (!read_operand(L, at, &d))
		luaL_error(L,
			   lua_type(L, at) == LUA_TNUMBER
			       ? "a binary float is not exact: use decimal(\"...\") of its text"
			       : "a decimal or an integer is expected, not %s",
			   kind_name_at(L, at));
	return d;
}

static int push_result(lua_State *L, enum rc rc, struct decimal d)
{
	if (rc != RC_OK)
		return luaL_error(L, "a decimal result has too many digits");
	number_push(L, d);
	return 1;
}

static int add(lua_State *L)
{
	struct decimal out, a = number_check(L, 1), b = number_check(L, 2);
	enum rc rc = decimal_add(a, b, &out);
	return push_result(L, rc, out);
}

static int sub(lua_State *L)
{
	struct decimal out, a = number_check(L, 1), b = number_check(L, 2);
	enum rc rc = decimal_sub(a, b, &out);
	return push_result(L, rc, out);
}

static int mul(lua_State *L)
{
	struct decimal out, a = number_check(L, 1), b = number_check(L, 2);
	enum rc rc = decimal_mul(a, b, &out);
	return push_result(L, rc, out);
}

static int negate(lua_State *L)
{
	struct decimal a = number_check(L, 1);
	a.units = -a.units;
	number_push(L, a);
	return 1;
}

static int divide_operator(lua_State *L)
{
	return luaL_error(L, "decimals are divided by decimal_div(a, b, scale)");
}

static int less(lua_State *L)
{
	lua_pushboolean(L, decimal_compare(number_check(L, 1), number_check(L, 2)) < 0);
	return 1;
}

static int less_equal(lua_State *L)
{
	lua_pushboolean(L, decimal_compare(number_check(L, 1), number_check(L, 2)) <= 0);
	return 1;
}

static int equal(lua_State *L)
{
	const struct number *a = number_at(L, 1), *b = number_at(L, 2);
	bool same = false;
	if (a && b && a->exact && b->exact)
		same = decimal_compare(a->d, b->d) == 0;
	else if (a && b)
		same = str_eq((struct str){a->text, a->length}, (struct str){b->text, b->length});
	lua_pushboolean(L, same);
	return 1;
}

static int concatenate(lua_State *L)
{
	value_push_text(L, 1);
	value_push_text(L, 2);
	lua_concat(L, 2);
	return 1;
}

static enum decimal_round check_round(lua_State *L, int at)
{
	static const char *const names[] = {"half_up", "half_even", "down", "floor", NULL};
	static const enum decimal_round rounds[] = {DECIMAL_HALF_UP, DECIMAL_HALF_EVEN, DECIMAL_DOWN, DECIMAL_FLOOR};
	return rounds[luaL_checkoption(L, at, "half_up", names)];
}

static uint8_t check_scale(lua_State *L, int at)
{
	lua_Integer scale = luaL_checkinteger(L, at);
	luaL_argcheck(L, scale >= 0 && scale <= DECIMAL_SCALE_MAX, at, "a scale is 0 to 12");
	return (uint8_t)scale;
}

static int method_round(lua_State *L)
{
	struct decimal out, d = number_check(L, 1);
	uint8_t scale = check_scale(L, 2);
	enum rc rc = decimal_rescale(d, scale, check_round(L, 3), &out);
	return push_result(L, rc, out);
}

static int method_abs(lua_State *L)
{
	struct decimal d = number_check(L, 1);
	d.units = d.units < 0 ? -d.units : d.units;
	number_push(L, d);
	return 1;
}

static int method_integer(lua_State *L)
{
	struct decimal out, d = number_check(L, 1);
	if (decimal_rescale(d, 0, DECIMAL_DOWN, &out) != RC_OK || decimal_compare(out, d) != 0) {
		value_push_text(L, 1);
		return luaL_error(L, "%s is not an integer", lua_tostring(L, -1));
	}
	lua_pushinteger(L, out.units);
	return 1;
}

/* Without the zeros at the end: "2.50" -> "2.5". */
static int method_shortest(lua_State *L)
{
	struct decimal d = number_check(L, 1);
	while (d.scale && d.units % 10 == 0) {
		d.units /= 10;
		d.scale--;
	}
	number_push(L, d);
	return 1;
}

static int method_index(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_METHODS);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TNIL) {
		value_push_text(L, 2);
		return luaL_error(L, "a decimal has no \"%s\"", lua_tostring(L, -1));
	}
	return 1;
}

/* decimal(x [, scale [, rounding]]): x is text, an integer or a decimal. */
static int make(lua_State *L)
{
	struct decimal d;
	if (lua_type(L, 1) == LUA_TSTRING) {
		struct str text;
		text.p = lua_tolstring(L, 1, &text.n);
		if (!decimal_read(text, &d))
			return luaL_error(L, "\"%s\" is not a decimal number",
					  lua_pushlstring(L, text.p, text.n > 40 ? 40 : text.n));
	} else {
		d = number_check(L, 1);
	}
	enum rc rc = RC_OK;
	if (!lua_isnoneornil(L, 2)) {
		uint8_t scale = check_scale(L, 2);
		rc = decimal_rescale(d, scale, check_round(L, 3), &d);
	}
	return push_result(L, rc, d);
}

/* decimal_div(a, b, scale [, rounding]) */
static int divide(lua_State *L)
{
	struct decimal a = number_check(L, 1), b = number_check(L, 2);
	uint8_t scale = check_scale(L, 3);
	enum decimal_round round = check_round(L, 4);
	if (b.units == 0)
		return luaL_error(L, "division by zero");
	/* a / 10^sa / (b / 10^sb) * 10^scale = a * 10^(scale + sb - sa) / b */
	wide n = a.units, by = b.units;
	bool fits = true;
	for (int power = (int)scale + b.scale - a.scale; power > 0 && fits; power--)
		fits = !__builtin_mul_overflow(n, (wide)10, &n);
	for (int power = (int)a.scale - scale - b.scale; power > 0 && fits; power--)
		fits = !__builtin_mul_overflow(by, (wide)10, &by);
	wide quotient = fits ? decimal_quotient(n, by, round) : 0;
	if (!fits || quotient > 999999999999999999 || quotient < -999999999999999999)
		return luaL_error(L, "a decimal result has too many digits");
	number_push(L, (struct decimal){(int64_t)quotient, scale});
	return 1;
}

static int is_decimal_text(lua_State *L)
{
	struct decimal d;
	struct str text = STR_NONE;
	if (lua_type(L, 1) == LUA_TSTRING)
		text.p = lua_tolstring(L, 1, &text.n);
	const struct number *n = number_at(L, 1);
	lua_pushboolean(L, (n && n->exact) || lua_isinteger(L, 1) || (text.p && decimal_read(text, &d)));
	return 1;
}

static int text_of(lua_State *L)
{
	value_push_text(L, 1);
	return 1;
}

void decimal_open(lua_State *L)
{
	static const luaL_Reg metamethods[] = {
	    {"__add", add},
	    {"__sub", sub},
	    {"__mul", mul},
	    {"__unm", negate},
	    {"__lt", less},
	    {"__le", less_equal},
	    {"__eq", equal},
	    {"__concat", concatenate},
	    {"__tostring", text_of},
	    {"__index", method_index},
	    {"__div", divide_operator},
	    {"__idiv", divide_operator},
	    {NULL, NULL},
	};
	static const luaL_Reg methods[] = {
	    {"round", method_round},       {"abs", method_abs}, {"integer", method_integer},
	    {"shortest", method_shortest}, {"text", text_of},   {NULL, NULL},
	};
	luaL_newlib(L, metamethods);
	lua_pushliteral(L, "decimal");
	lua_setfield(L, -2, "__name");
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_NUMBER);
	luaL_newlib(L, methods);
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_METHODS);
	lua_pushcfunction(L, make);
	lua_setfield(L, -2, "decimal");
	lua_pushcfunction(L, divide);
	lua_setfield(L, -2, "decimal_div");
	lua_pushcfunction(L, is_decimal_text);
	lua_setfield(L, -2, "is_decimal");
}
