/*
 * What systems call items: the cross-reference, the rules by which a system's SKU becomes ours, and what readers see of
 * both. A name is looked up as the system spells it, then in its rule's letter case; what is no name is one of our
 * SKUs as the rule makes it, or else a GTIN.
 */
#include "orchestrate/stock/item_names.h"

#include "base/mem.h"
#include "orchestrate/stock/view_writer.h"

#include <stdio.h>

struct item_renamed {
	struct item_renamed *next;
	struct stock_item *item;
	struct str key;
	char text[];
};

static const struct config_sku_rule *rule_of(const struct config_tenant *t, struct str system)
{
	for (size_t i = 0; i < t->system_count; i++)
		if (str_eq(t->systems[i].name, system))
			return &t->systems[i].sku;
	return NULL;
}

static struct str alias_key(struct buf *b, struct str system, struct str sku)
{
	buf_reset(b);
	buf_add_str(b, system);
	buf_add_char(b, '\0');
	buf_add_str(b, sku);
	return buf_str(b);
}

/* NULL: it has the name already, or there are too many. */
static struct item_alias *alias_add(struct stock *s, struct stock_item *i, struct str key)
{
	struct item_alias *a = map_get(&s->aliases, key);

	for (uint32_t n = 0; a && n < a->count; n++)
		if (a->items[n] == i)
			return NULL;

	if (!a) {
		a = mem_zalloc(1, sizeof(*a));
		a->key = mem_copy(key);
		if (map_put(&s->aliases, a->key, a) != RC_OK) {
			free((char *)a->key.p);
			free(a);
			return NULL;
		}
	}
	a->items = mem_grow(a->items, (a->count + 1) * sizeof(*a->items));
	a->items[a->count++] = i;
	return a;
}

void item_alias_drop(struct stock *s, struct item_alias *a, const struct stock_item *i)
{
	for (uint32_t n = 0; n < a->count; n++) {
		if (a->items[n] != i)
			continue;
		a->items[n] = a->items[--a->count];
		break;
	}
	if (a->count)
		return;
	map_remove(&s->aliases, a->key);
	free((char *)a->key.p);
	free(a->items);
	free(a);
}

void item_aliases_free(struct stock *s)
{
	struct item_alias *a;
	size_t at = 0;

	while (s->renamed) {
		struct item_renamed *r = s->renamed;

		s->renamed = r->next;
		free(r);
	}
	while ((a = map_next(&s->aliases, &at, NULL))) {
		free((char *)a->key.p);
		free(a->items);
		free(a);
	}
	map_done(&s->aliases);
}

/* Never down to nothing. */
static struct str strip(const struct config_sku_rule *rule, struct str sku)
{
	struct str p = rule->strip_prefix, q = rule->strip_suffix;

	if (p.n && sku.n > p.n && memcmp(sku.p, p.p, p.n) == 0)
		sku = (struct str){sku.p + p.n, sku.n - p.n};
	if (q.n && sku.n > q.n && memcmp(sku.p + sku.n - q.n, q.p, q.n) == 0)
		sku.n -= q.n;
	return sku;
}

/* Where names are looked up: the writer's books, or the view. other: a second item that has the name. */
struct names {
	enum rc (*find)(const void *ctx, struct str key, struct str *sku, struct str *other);
	const void *ctx;
};

static enum rc find_in_stock(const void *ctx, struct str key, struct str *sku, struct str *other)
{
	const struct item_alias *a = map_get(&((const struct stock *)ctx)->aliases, key);

	if (!a)
		return RC_NOT_FOUND;
	*sku = a->items[0]->sku;
	if (a->count > 1)
		*other = a->items[1]->sku;
	return a->count > 1 ? RC_CONFLICT : RC_OK;
}

static enum rc find_in_view(const void *ctx, struct str key, struct str *sku, struct str *other)
{
	*other = STR("another item");
	return stock_view_alias(ctx, key, sku);
}

/* RC_NOT_FOUND; RC_INVALID "ambiguous_sku". */
static enum rc alias_find(const struct names *names, struct str system, struct str name, struct str *sku, struct err *e)
{
	struct str other = STR_NONE, first = STR("one item");
	struct buf key;
	enum rc rc;

	if (!system.n)
		return RC_NOT_FOUND;
	buf_init(&key, 4096);
	rc = names->find(names->ctx, alias_key(&key, system, name), &first, &other);
	buf_done(&key);
	if (rc == RC_CONFLICT)
		return err_set(e, RC_INVALID, "ambiguous_sku",
			       STR_FMT " of " STR_FMT " is " STR_FMT " and " STR_FMT ": only one of them can have it",
			       STR_ARG(name), STR_ARG(system), STR_ARG(first), STR_ARG(other));
	if (rc == RC_OK)
		*sku = first;
	return rc;
}

/* As it would be ours; the name that the cross-reference is asked for is its end. */
static struct str make_own(struct arena *a, const struct config_sku_rule *rule, struct str sku)
{
	struct str made = sku_apply_case(a, sku, rule->letter_case);
	const char *with;

	if (made.n < sku.n || !rule->add_prefix.n)
		return made;
	with = arena_printf(a, STR_FMT STR_FMT, STR_ARG(rule->add_prefix), STR_ARG(made));
	return with ? str_from(with) : STR_NONE;
}

static enum rc resolve(const struct names *names, const struct config_tenant *t, struct arena *a, struct str system,
		       struct str sku, struct str *own, struct err *e)
{
	const struct config_sku_rule *rule = t->has_sku_rules ? rule_of(t, system) : NULL;
	struct str name = rule ? strip(rule, sku) : sku, made = rule ? make_own(a, rule, name) : name;
	enum rc rc;

	if (made.n < name.n)
		return err_set(e, RC_LIMIT, "batch_too_large", "the request does not fit in memory");
	rc = alias_find(names, system, name, own, e);
	if (rc == RC_NOT_FOUND && rule && rule->letter_case != SKU_AS_IS)
		rc = alias_find(names, system, (struct str){made.p + made.n - name.n, name.n}, own, e);
	if (rc != RC_NOT_FOUND)
		return rc;
	if (rule && rule->aliases_only)
		return err_set(e, RC_INVALID, "unknown_alias",
			       "no item's record says what " STR_FMT " of " STR_FMT " is", STR_ARG(name),
			       STR_ARG(system));
	*own = made;
	return RC_OK;
}

enum rc item_resolve(const struct stock *s, struct arena *a, struct str system, struct str sku, struct str *own,
		     struct stock_item **out, struct err *e)
{
	const struct names names = {find_in_stock, s};
	enum rc rc;

	*own = sku;
	*out = NULL;
	if (s->aliases.count || s->tenant->has_sku_rules) {
		rc = resolve(&names, s->tenant, a, system, sku, own, e);
		if (rc != RC_OK)
			return rc;
	}
	*out = stock_find(s, *own);
	if (*out || !s->aliases.count)
		return RC_OK;
	rc = alias_find(&names, STR(ITEM_GTIN), *own, own, e);
	if (rc == RC_OK)
		*out = stock_find(s, *own);
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc item_resolve_line(const struct stock *s, struct arena *a, struct str system, size_t at, struct item_line *l,
			  struct err *e)
{
	enum rc rc = item_resolve(s, a, system, l->sku, &l->sku, &l->item, e);
	const char *member = "sku";

	if (rc == RC_OK && l->item) {
		l->sku = l->item->sku;
		rc = item_convert(s, l->item, l->uom, &l->quantity, e);
		member = rc != RC_OK && strcmp(e->code, "unknown_uom") == 0 ? "uom" : "quantity";
	}
	if (rc != RC_OK)
		snprintf(e->where, sizeof(e->where), "/lines/%zu/%s", at, member);
	return rc;
}

enum rc item_resolve_view(const struct stock_view *v, const struct config_tenant *t, struct arena *a, struct str system,
			  struct str sku, struct str *own, struct err *e)
{
	const struct names names = {find_in_view, v};
	enum rc rc;

	*own = sku;
	if (!t->has_sku_rules && !stock_view_has_names(v))
		return RC_OK;
	rc = resolve(&names, t, a, system, sku, own, e);
	if (rc != RC_OK || stock_view_has(v, *own))
		return rc;
	rc = alias_find(&names, STR(ITEM_GTIN), *own, own, e);
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

void item_renamed(struct stock *s, struct stock_item *i, struct str key)
{
	struct item_renamed *r = mem_alloc(sizeof(*r) + key.n);

	memcpy(r->text, key.p, key.n);
	r->key = (struct str){r->text, key.n};
	r->item = i;
	r->next = s->renamed;
	s->renamed = r;
}

static void name_add(struct stock *s, struct stock_item *i, struct str system, struct str sku, bool show)
{
	struct item_alias *a;
	struct buf key;

	buf_init(&key, 4096);
	a = alias_add(s, i, alias_key(&key, system, sku));
	buf_done(&key);
	if (!a)
		return;
	i->rules->aliases[i->rules->alias_count++] = a;
	if (show)
		item_renamed(s, i, a->key);
}

void item_names_add(struct stock *s, struct stock_item *i, const struct item_name *n, bool show)
{
	const struct config_sku_rule *rule = s->tenant->has_sku_rules ? rule_of(s->tenant, n->system) : NULL;
	struct arena a;

	name_add(s, i, n->system, n->sku, show);
	if (!rule || rule->letter_case == SKU_AS_IS)
		return;
	arena_init(&a, 64u << 10);
	name_add(s, i, n->system, sku_apply_case(&a, n->sku, rule->letter_case), show);
	arena_done(&a);
}

/* Of what an item is called by a system. No alias' key begins so. */
static struct str spelling_key(struct buf *b, struct str system, struct str own)
{
	buf_reset(b);
	buf_add_char(b, '\0');
	buf_add_str(b, system);
	buf_add_char(b, '\0');
	buf_add_str(b, own);
	return buf_str(b);
}

static struct str system_of(struct str alias_key)
{
	const char *end = memchr(alias_key.p, '\0', alias_key.n);

	return (struct str){alias_key.p, end ? (size_t)(end - alias_key.p) : 0};
}

/* The first of the record's names for it that means no other item. */
static void show_spelling(struct stock *s, struct str system, const struct stock_item *i)
{
	const struct config_sku_rule *rule = rule_of(s->tenant, system);
	struct str found = STR_NONE;
	struct buf key;

	if (!rule || !rule->send_theirs)
		return;
	for (uint32_t n = 0; i->rules && n < i->rules->alias_count && !found.n; n++)
		if (str_eq(system_of(i->rules->aliases[n]->key), system) && i->rules->aliases[n]->count == 1)
			found = i->rules->aliases[n]->key;
	buf_init(&key, 4096);
	stock_view_spell(s->view, spelling_key(&key, system, i->sku), found);
	buf_done(&key);
}

/* And how those are spelt that claim it, which they may do no longer alone. */
static void show_name(struct stock *s, struct str key)
{
	const struct item_alias *a = map_get(&s->aliases, key);

	stock_view_name(s->view, key, a ? a->items[0] : NULL, a && a->count > 1);
	for (uint32_t n = 0; a && n < a->count; n++)
		show_spelling(s, system_of(key), a->items[n]);
}

static void forget(void *ctx, struct str key)
{
	stock_view_name(((struct stock *)ctx)->view, key, NULL, false);
}

void item_show_names(struct stock *s, bool all)
{
	struct item_renamed *r;
	struct item_alias *a;
	size_t at = 0;

	/* What a batch in doubt has taken away may still be shown. */
	if (all)
		stock_view_names(s->view, forget, s);
	while (all && (a = map_next(&s->aliases, &at, NULL)))
		show_name(s, a->key);
	while ((r = s->renamed)) {
		s->renamed = r->next;
		if (!all) {
			show_name(s, r->key);
			show_spelling(s, system_of(r->key), r->item);
		}
		free(r);
	}
}

struct str item_spell(const struct stock_view *v, const struct config_tenant *t, struct arena *a, struct str system,
		      struct str own)
{
	const struct config_sku_rule *rule = rule_of(t, system);
	struct str name = own, found;
	const char *made;
	struct buf key;

	if (!rule)
		return own;
	buf_init(&key, 4096);
	if (stock_view_spelling(v, spelling_key(&key, system, own), &found) == RC_OK)
		name = (struct str){found.p + system.n + 1, found.n - system.n - 1};
	else if (rule->add_prefix.n && own.n > rule->add_prefix.n &&
		 memcmp(own.p, rule->add_prefix.p, rule->add_prefix.n) == 0)
		name = (struct str){own.p + rule->add_prefix.n, own.n - rule->add_prefix.n};
	buf_done(&key);
	if (!rule->strip_prefix.n && !rule->strip_suffix.n)
		return name;
	made = arena_printf(a, STR_FMT STR_FMT STR_FMT, STR_ARG(rule->strip_prefix), STR_ARG(name),
			    STR_ARG(rule->strip_suffix));
	return made ? str_from(made) : STR_NONE;
}
