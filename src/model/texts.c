#include "model/texts.h"

#include <stdio.h>

#define DEPTH_MAX   64
#define POINTER_MAX 512

struct step {
	struct str name; /* of a member; p NULL: an item */
	uint32_t index;
};

struct walk {
	struct findings *findings;
	struct step path[DEPTH_MAX];
	size_t depth;
	bool clean;
};

static void append(char *out, size_t *n, char c)
{
	if (*n + 1 < POINTER_MAX)
		out[(*n)++] = c;
}

/* RFC 6901: ~ is ~0, / is ~1. */
static void append_name(char *out, size_t *n, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '~' || name.p[i] == '/') {
			append(out, n, '~');
			append(out, n, name.p[i] == '~' ? '0' : '1');
		} else {
			append(out, n, name.p[i] ? name.p[i] : '?');
		}
	}
}

static void report(struct walk *w)
{
	char pointer[POINTER_MAX];
	size_t n = 0;

	for (size_t i = 0; i < w->depth; i++) {
		char index[16];

		append(pointer, &n, '/');
		snprintf(index, sizeof(index), "%u", w->path[i].index);
		append_name(pointer, &n, w->path[i].name.p ? w->path[i].name : str_from(index));
	}
	pointer[n] = '\0';
	w->clean = false;
	findings_add(w->findings, pointer, "zero_byte", "A text must not contain U+0000.");
}

static bool has_zero(struct str s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

static void visit(struct walk *w, const struct json *j)
{
	if (json_is(j, JSON_STRING) && has_zero(json_text(j)))
		report(w);
	if ((!json_is(j, JSON_ARRAY) && !json_is(j, JSON_OBJECT)) || w->depth == DEPTH_MAX)
		return;
	w->depth++;
	for (uint32_t i = 0; i < j->count; i++) {
		bool member = json_is(j, JSON_OBJECT);

		w->path[w->depth - 1] = (struct step){member ? j->members[i].name : STR_NONE, i};
		if (member && has_zero(j->members[i].name))
			report(w);
		visit(w, member ? &j->members[i].value : &j->items[i]);
	}
	w->depth--;
}

enum rc texts_check(const struct json *document, struct findings *f)
{
	struct walk w = {.findings = f, .clean = true};

	visit(&w, document);
	return w.clean ? RC_OK : RC_INVALID;
}
