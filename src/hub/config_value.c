/* Single values of the configuration: references to the environment and to secrets, durations, quantities. */
#include "base/clock.h"
#include "hub/config_load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define REFERENCE_NAME_MAX 128

static const char *pointer_at(struct config_loader *l, const char *pointer)
{
	const char *at = arena_printf(l->findings->arena, "%s#%s", l->file, pointer);
	return at ? at : l->file;
}

void config_finding(struct config_loader *l, const struct json *at, const char *pointer, const char *code,
		    const char *format, ...)
{
	char detail[320];
	va_list args;
	size_t before = l->findings->count;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	findings_add(l->findings, pointer_at(l, pointer), code, "%s", detail);
	if (l->findings->count > before && at)
		l->findings->list[before].line = at->line;
}

void config_findings_append(struct config_loader *l, const struct json *at, const char *prefix,
			    const struct findings *from, bool hide)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct finding *f = &from->list[i];
		const char *pointer = arena_printf(l->findings->arena, "%s%s", prefix, f->pointer);
		size_t before = l->findings->count;
		config_finding(l, at, pointer ? pointer : prefix, f->code, "%s",
			       hide
				   ? "This does not fit the connector's settings (the value is a secret and not shown)."
				   : f->detail);
		if (l->findings->count > before && f->line)
			l->findings->list[before].line = f->line;
	}
	l->findings->more += from->more;
}

bool config_has_reference(struct str text)
{
	return text.n && memmem(text.p, text.n, "${", 2);
}

static bool secret_get(struct config_loader *l, struct str name, struct str *value, struct err *e)
{
	if (!l->secrets_tried) {
		enum rc rc = config_secrets_open(l->config->folder.p, false, &l->secrets, &l->secrets_error);
		l->secrets_tried = true;
		if (rc != RC_OK)
			l->secrets = NULL;
	}
	if (!l->secrets) {
		*e = l->secrets_error;
		return false;
	}
	if (config_secrets_get(l->secrets, name, value))
		return true;
	err_set(e, RC_NOT_FOUND, "secret_unset",
		"There is no secret '" STR_FMT "'; crossdock secret set " STR_FMT " makes it.", STR_ARG(name),
		STR_ARG(name));
	return false;
}

static bool env_get(struct str name, struct str *value, struct err *e)
{
	char z[REFERENCE_NAME_MAX + 1];
	memcpy(z, name.p, name.n);
	z[name.n] = '\0';
	const char *found = getenv(z);
	if (!found)
		err_set(e, RC_NOT_FOUND, "env_unset", "The environment has no variable '%s'.", z);
	*value = str_from(found);
	return found != NULL;
}

static bool begins(struct str s, const char *with)
{
	size_t n = strlen(with);
	return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* One reference at the start of `text`, up to and with '}'. Returns its length, 0 if it is not one. */
static size_t reference_parse(struct str text, bool *secret, struct str *name)
{
	size_t head = begins(text, "${env:") ? 6 : begins(text, "${secret:") ? 9 : 0;
	const char *close = head ? memchr(text.p + head, '}', text.n - head) : NULL;

	if (!close)
		return 0;
	*secret = head == 9;
	*name = (struct str){text.p + head, (size_t)(close - text.p) - head};
	if (!name->n || name->n > REFERENCE_NAME_MAX || (*secret && !config_secret_name_ok(*name)))
		return 0;
	return (size_t)(close - text.p) + 1;
}

static struct str resolve_text(struct config_loader *l, const struct json *value, const char *pointer,
			       enum config_references which, bool *changed)
{
	struct str rest = json_text(value), out = rest;
	struct buf text;
	bool good = true;

	if (!config_has_reference(rest))
		return rest;
	buf_init(&text, 1 << 20);
	while (rest.n) {
		struct str name, found = STR_NONE;
		struct err e = ERR_NONE;
		bool secret = false;
		size_t n = begins(rest, "${") ? reference_parse(rest, &secret, &name) : 0;
		if (n && secret == (which == REFERENCES_SECRET)) {
			if (secret ? secret_get(l, name, &found, &e) : env_get(name, &found, &e)) {
				buf_add_str(&text, found);
			} else {
				config_finding(l, value, pointer, e.code, "%s", e.detail);
				good = false;
			}
		} else {
			if (!n && begins(rest, "${") && which == REFERENCES_ENV) {
				config_finding(l, value, pointer, "bad_reference",
					       "A reference is ${env:NAME} or ${secret:NAME}.");
				good = false;
			}
			n = n ? n : 1;
			buf_add(&text, rest.p, n);
		}
		rest = (struct str){rest.p + n, rest.n - n};
	}
	if (good && !str_eq(buf_str(&text), out)) {
		out = arena_copy(l->arena, buf_str(&text));
		*changed = true;
	}
	buf_done(&text);
	return out;
}

static bool resolve_into(struct config_loader *l, const struct json *from, const char *pointer,
			 enum config_references which, struct json *to)
{
	bool changed = false;
	struct json *items = NULL;
	struct json_member *members = NULL;

	*to = *from;
	switch ((enum json_type)from->type) {
	case JSON_STRING: {
		struct str text = resolve_text(l, from, pointer, which, &changed);
		to->text = text.p;
		to->count = (uint32_t)text.n;
		return changed;
	}
	case JSON_ARRAY:
		items = arena_array(l->arena, struct json, from->count);
		for (uint32_t i = 0; items && i < from->count; i++) {
			const char *at = arena_printf(l->findings->arena, "%s/%u", pointer, i);
			changed |= resolve_into(l, &from->items[i], at ? at : pointer, which, &items[i]);
		}
		if (changed)
			to->items = items;
		return changed;
	case JSON_OBJECT:
		members = arena_array(l->arena, struct json_member, from->count);
		for (uint32_t i = 0; members && i < from->count; i++) {
			struct str name = from->members[i].name;
			const char *at = arena_printf(l->findings->arena, "%s/" STR_FMT, pointer, STR_ARG(name));
			members[i].name = name;
			changed |=
			    resolve_into(l, &from->members[i].value, at ? at : pointer, which, &members[i].value);
		}
		if (changed)
			to->members = members;
		return changed;
	case JSON_NULL:
	case JSON_BOOL:
	case JSON_NUMBER:
		break;
	}
	return false;
}

const struct json *config_resolve(struct config_loader *l, const struct json *value, const char *pointer,
				  enum config_references which, bool *changed)
{
	struct json *to = value ? arena_new(l->arena, struct json) : NULL;
	bool different = to && resolve_into(l, value, pointer, which, to);

	if (changed)
		*changed = different;
	return different ? to : value;
}

void config_read_u32(const struct json *object, const char *name, uint32_t *out)
{
	int64_t v;
	const struct json *value = json_get(object, name);
	if (json_is(value, JSON_NUMBER) && json_int(value, &v) && v >= 0 && v <= UINT32_MAX)
		*out = (uint32_t)v;
}

void config_read_duration(const struct json *object, const char *name, int64_t *ms)
{
	duration_parse(json_get_text(object, name), ms);
}

void config_read_qty(struct config_loader *l, const struct json *object, const char *pointer, const char *name,
		     qty_t *out)
{
	const struct json *value = json_get(object, name);
	struct err e = ERR_NONE;
	qty_t q;

	if (!json_is(value, JSON_STRING) && !json_is(value, JSON_NUMBER))
		return;
	if (qty_parse(json_text(value), &q, &e) == RC_OK && q >= 0) {
		*out = q;
		return;
	}
	/* The schema has already refused texts that are not decimals, and what is negative. */
	if (e.rc == RC_LIMIT || (e.rc != RC_OK && json_is(value, JSON_NUMBER)))
		config_finding(l, value, arena_printf(l->findings->arena, "%s/%s", pointer, name), e.code, "%s",
			       e.detail);
}
