/* One tenant of the configuration: locations, systems, channels, records, and that their names fit together. */
#include "backbone/subscription.h"
#include "base/hash.h"
#include "hub/config_load.h"

#include <assert.h>

struct tenant_loader {
	struct config_loader *l;
	struct config_tenant *t;
	const char *pointer; /* "/tenants/acme" */
	struct config_delivery delivery;
	const struct json *delivery_json; /* the tenant's */
};

/* The children of an object; 0 where it is absent or of a wrong type. */
static size_t members(const struct json *object, size_t max)
{
	size_t n = json_is(object, JSON_OBJECT) ? object->count : 0;
	return n < max ? n : max;
}

static const char *below(struct tenant_loader *tl, const char *format, struct str name)
{
	const char *at = arena_printf(tl->l->findings->arena, "%s/%s/" STR_FMT, tl->pointer, format, STR_ARG(name));
	return at ? at : tl->pointer;
}

static const char *under(struct tenant_loader *tl, const char *pointer, const char *name)
{
	const char *at = arena_printf(tl->l->findings->arena, "%s/%s", pointer, name);
	return at ? at : pointer;
}

static bool read_degrees(struct tenant_loader *tl, const struct json *value, const char *pointer, const char *name,
			 int64_t most, int32_t *out)
{
	const struct json *j = json_get(value, name);
	struct decimal d, scaled;

	if (!json_is(j, JSON_STRING))
		return false;
	if (decimal_parse(json_text(j), &d, NULL) == RC_OK && decimal_rescale(d, 6, DECIMAL_DOWN, &scaled) == RC_OK &&
	    scaled.units >= -most * 1000000 && scaled.units <= most * 1000000) {
		*out = (int32_t)scaled.units;
		return true;
	}
	config_finding(tl->l, j, under(tl, pointer, name), "bad_degrees", "A %s is -%d to %d degrees.", name, (int)most,
		       (int)most);
	return false;
}

/* What the choice of a location needs to know of it. */
static void read_reach(struct tenant_loader *tl, const struct json *value, const char *pointer,
		       struct config_location *l)
{
	const struct json *zones = json_get(value, "zones"), *costs = json_get(value, "cost");
	bool latitude = read_degrees(tl, value, pointer, "latitude", 90, &l->latitude),
	     longitude = read_degrees(tl, value, pointer, "longitude", 180, &l->longitude);

	l->has_point = latitude && longitude;
	if (!json_get(value, "latitude") != !json_get(value, "longitude"))
		config_finding(tl->l, value, pointer, "half_a_point", "latitude and longitude belong together.");
	l->zone_count = json_is(zones, JSON_ARRAY) ? zones->count : 0;
	l->zones = arena_array(tl->l->arena, struct str, l->zone_count);
	for (size_t i = 0; i < l->zone_count; i++)
		l->zones[i] = json_text(&zones->items[i]);
	l->cost_count = json_is(costs, JSON_OBJECT) ? costs->count : 0;
	l->costs = arena_array(tl->l->arena, struct config_cost, l->cost_count);
	for (size_t i = 0; i < l->cost_count; i++) {
		l->costs[i].zone = costs->members[i].name;
		config_read_qty(tl->l, costs, under(tl, pointer, "cost"), arena_copy(tl->l->arena, l->costs[i].zone).p,
				&l->costs[i].cost);
	}
}

static void read_locations(struct tenant_loader *tl, const struct json *locations)
{
	struct config_tenant *t = tl->t;

	t->location_count = members(locations, CONFIG_LOCATIONS_MAX);
	t->locations = arena_array(tl->l->arena, struct config_location, t->location_count);
	for (size_t i = 0; i < t->location_count; i++) {
		const struct json_member *m = &locations->members[i];
		t->locations[i] = (struct config_location){.name = m->name, .index = (uint16_t)i, .warehouse = -1};
		config_read_qty(tl->l, &m->value, below(tl, "locations", m->name), "safety_stock",
				&t->locations[i].safety_stock);
		read_reach(tl, &m->value, below(tl, "locations", m->name), &t->locations[i]);
	}
}

/* A list of names of locations to indexes; names that are unknown are findings and left out. */
static void read_location_list(struct tenant_loader *tl, const struct json *list, const char *pointer, uint16_t **out,
			       size_t *count)
{
	size_t n = json_is(list, JSON_ARRAY) ? list->count : 0;

	*count = 0;
	*out = arena_array(tl->l->arena, uint16_t, n);
	for (size_t i = 0; i < n; i++) {
		const struct json *item = &list->items[i];
		const struct config_location *location = config_find_location(tl->t, json_text(item));
		if (location)
			(*out)[(*count)++] = location->index;
		else if (json_is(item, JSON_STRING))
			config_finding(tl->l, item, pointer, "unknown_location", "There is no location '" STR_FMT "'.",
				       STR_ARG(json_text(item)));
	}
}

/* Owners are known by the channels that sell from their stock. */
static void read_owners(struct tenant_loader *tl, const struct json *list, const char *pointer,
			struct config_channel *c)
{
	size_t n = json_is(list, JSON_ARRAY) ? list->count : 0;
	struct config_tenant *t = tl->t;

	if (n && !t->owners)
		t->owners = arena_array(tl->l->arena, struct str, CONFIG_OWNERS_MAX);
	c->owners = arena_array(tl->l->arena, uint8_t, n);
	for (size_t i = 0; i < n; i++) {
		struct str name = json_text(&list->items[i]);
		uint8_t consignor = config_consignor(t, name);

		if (!name.n)
			continue;
		if (consignor == CONSIGNOR_ANY && t->owner_count < CONFIG_OWNERS_MAX) {
			t->owners[t->owner_count++] = arena_copy(tl->l->arena, name);
			consignor = (uint8_t)t->owner_count;
		}
		if (consignor == CONSIGNOR_ANY) {
			config_finding(tl->l, &list->items[i], pointer, "too_many_owners",
				       "Channels sell from the stock of at most %d owners.", CONFIG_OWNERS_MAX);
			return;
		}
		c->owners[c->owner_count++] = consignor;
		c->consignors |= (uint64_t)1 << consignor;
	}
}

static unsigned read_roles(const struct json *roles)
{
	static const struct {
		const char *name;
		unsigned role;
	} names[] = {{"channel", ROLE_CHANNEL},
		     {"erp", ROLE_ERP},
		     {"warehouse", ROLE_WAREHOUSE},
		     {"crm", ROLE_CRM},
		     {"supplier", ROLE_SUPPLIER}};
	unsigned out = 0;

	for (uint32_t i = 0; json_is(roles, JSON_ARRAY) && i < roles->count; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (str_is(json_text(&roles->items[i]), names[k].name))
				out |= names[k].role;
	return out;
}

static bool url_ok(struct str url)
{
	size_t head = url.n > 7 && memcmp(url.p, "http://", 7) == 0    ? 7
		      : url.n > 8 && memcmp(url.p, "https://", 8) == 0 ? 8
								       : 0;
	if (!head || url.p[head] == '/' || url.p[head] == ':')
		return false;
	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 127 || strchr("\"<>\\^`{|}#?@", url.p[i]))
			return false;
	return true;
}

static void read_url(struct tenant_loader *tl, const struct json *system, const char *pointer, struct config_system *s)
{
	const char *at = under(tl, pointer, "url");
	const struct json *raw = json_get(system, "url");
	const struct json *value = config_resolve(tl->l, raw, at, REFERENCES_SECRET, NULL);

	if (!json_is(value, JSON_STRING))
		return;
	struct str url = json_text(value);
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	s->url = arena_copy(tl->l->arena, url);
	if (!url_ok(s->url) && !config_has_reference(s->url))
		config_finding(
		    tl->l, value, at, "bad_url",
		    "A url is http://HOST or https://HOST with a path if need be; no user, query or fragment.");
}

/* Standard Webhooks: "whsec_" and the base64 of 24 to 64 bytes. */
static void read_webhook_secret(struct tenant_loader *tl, const struct json *system, const char *pointer,
				struct config_system *s)
{
	const char *at = under(tl, pointer, "webhook_secret");
	const struct json *value =
	    config_resolve(tl->l, json_get(system, "webhook_secret"), at, REFERENCES_SECRET, NULL);
	unsigned char raw[64];
	size_t n = 0;

	if (!json_is(value, JSON_STRING) || config_has_reference(json_text(value)))
		return;
	struct str text = json_text(value);
	bool good = text.n > 6 && memcmp(text.p, "whsec_", 6) == 0 &&
		    base64_decode((struct str){text.p + 6, text.n - 6}, raw, sizeof(raw), &n) && n >= 24;
	if (good)
		s->secret = arena_copy(tl->l->arena, (struct str){(const char *)raw, n});
	else
		config_finding(tl->l, value, at, "bad_webhook_secret",
			       "A webhook secret is 'whsec_' and the base64 of 24 to 64 random bytes.");
}

static void read_sku_rule(struct tenant_loader *tl, const struct json *rule, const char *pointer,
			  struct config_system *s)
{
	struct str letters = json_get_text(rule, "case");

	if (!rule)
		return;
	s->sku = (struct config_sku_rule){
	    .strip_prefix = arena_copy(tl->l->arena, json_get_text(rule, "strip_prefix")),
	    .strip_suffix = arena_copy(tl->l->arena, json_get_text(rule, "strip_suffix")),
	    .add_prefix = arena_copy(tl->l->arena, json_get_text(rule, "add_prefix")),
	    .letter_case = str_is(letters, "upper")   ? SKU_UPPER
			   : str_is(letters, "lower") ? SKU_LOWER
						      : SKU_AS_IS,
	    .send_theirs = str_is(json_get_text(rule, "send"), "theirs"),
	    .aliases_only = str_is(json_get_text(rule, "aliases"), "only"),
	};
	tl->t->has_sku_rules = true;
	if (s->sku.letter_case == SKU_LOWER && tl->t->sku_case == SKU_UPPER)
		config_finding(tl->l, rule, pointer, "bad_sku_case",
			       "With the tenant's 'sku_case: upper' no SKU of ours is in lower case.");
}

static void read_bearer(struct tenant_loader *tl, const struct json *system, const char *pointer,
			struct config_system *s)
{
	const char *at = under(tl, pointer, "bearer");
	const struct json *value = config_resolve(tl->l, json_get(system, "bearer"), at, REFERENCES_SECRET, NULL);

	if (!json_is(value, JSON_STRING) || config_has_reference(json_text(value)))
		return;
	struct str text = json_text(value);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] > 126) {
			config_finding(tl->l, value, at, "bad_bearer",
				       "A bearer token has printable characters without spaces.");
			return;
		}
	s->bearer = arena_copy(tl->l->arena, text);
}

static void read_settings(struct tenant_loader *tl, const struct json *system, const char *pointer,
			  struct config_system *s)
{
	static const struct json none = {.type = JSON_OBJECT};
	const char *at = under(tl, pointer, "settings");
	const struct json *raw = json_get(system, "settings");
	struct findings found;
	bool secret = false;

	s->settings = config_resolve(tl->l, raw, at, REFERENCES_SECRET, &secret);
	if (!json_is(s->settings, JSON_OBJECT))
		s->settings = &none;
	if (!s->pack)
		return;
	if (!s->pack->settings) {
		if (s->settings->count)
			config_finding(tl->l, raw, at, "unknown_field", "The connector '" STR_FMT "' has no settings.",
				       STR_ARG(s->pack->name));
		return;
	}
	findings_init(&found, tl->l->findings->arena);
	if (schema_validate(s->pack->settings, s->settings, SCHEMA_STRICT, &found, NULL) != RC_OK)
		config_findings_append(tl->l, raw ? raw : system, at, &found, secret);
}

static void read_warehouse(struct tenant_loader *tl, const struct json *system, const char *pointer,
			   struct config_system *s)
{
	const char *at = under(tl, pointer, "locations");
	const struct json *list = json_get(system, "locations");

	read_location_list(tl, list, at, &s->locations, &s->location_count);
	if (!(s->roles & ROLE_WAREHOUSE)) {
		if (list)
			config_finding(tl->l, list, at, "not_a_warehouse",
				       "Only a system with the role warehouse has locations.");
		return;
	}
	if (!json_is(list, JSON_ARRAY) || !list->count)
		config_finding(tl->l, list ? list : system, at, "warehouse_without_locations",
			       "A warehouse lists the locations that it ships from.");
	for (size_t i = 0; i < s->location_count; i++) {
		struct config_location *location = &tl->t->locations[s->locations[i]];
		if (location->warehouse >= 0 && location->warehouse != (int16_t)s->index)
			config_finding(tl->l, list, at, "location_taken",
				       "The location '" STR_FMT "' belongs to the warehouse '" STR_FMT "' already.",
				       STR_ARG(location->name), STR_ARG(tl->t->systems[location->warehouse].name));
		else
			location->warehouse = (int16_t)s->index;
	}
}

static void read_system(struct tenant_loader *tl, struct str name, const struct json *value, struct config_system *s)
{
	const char *pointer = below(tl, "systems", name);
	const struct json *connector = json_get(value, "connector");
	int64_t seq;

	/* In rows a subscription is named where a system is. */
	if (subscription_name_parse(name, &seq))
		config_finding(tl->l, value, pointer, "reserved_name",
			       "'sub_' and a number is what subscriptions are called.");
	s->name = name;
	s->delivery = tl->delivery;
	if (json_is(connector, JSON_STRING))
		s->pack = config_pack(tl->l, connector, under(tl, pointer, "connector"), json_text(connector));
	if (s->pack)
		pack_ref(s->pack);
	s->roles = read_roles(json_get(value, "roles"));
	read_url(tl, value, pointer, s);
	read_webhook_secret(tl, value, pointer, s);
	read_bearer(tl, value, pointer, s);
	read_sku_rule(tl, json_get(value, "sku"), under(tl, pointer, "sku"), s);
	read_settings(tl, value, pointer, s);
	config_read_delivery(tl->l, json_get(value, "delivery"), under(tl, pointer, "delivery"), &s->delivery);
	if (s->pack)
		s->operations = config_read_operations(tl->l, s->pack, json_get(tl->delivery_json, "operations"),
						       json_get(json_get(value, "delivery"), "operations"),
						       under(tl, pointer, "delivery/operations"));
	read_warehouse(tl, value, pointer, s);
}

static void read_systems(struct tenant_loader *tl, const struct json *systems)
{
	struct config_tenant *t = tl->t;
	size_t n = members(systems, CONFIG_SYSTEMS_MAX);

	t->systems = arena_array(tl->l->arena, struct config_system, n);
	for (size_t i = 0; i < n; i++) {
		t->systems[i].index = (uint16_t)i;
		t->system_count = i + 1;
		read_system(tl, systems->members[i].name, &systems->members[i].value, &t->systems[i]);
	}
}

static void read_share(struct tenant_loader *tl, const struct json *channel, const char *pointer, const char *name,
		       int32_t *ppm)
{
	const struct json *value = json_get(channel, name);
	struct str text = json_text(value);
	struct decimal percent, scaled;

	if (!json_is(value, JSON_STRING) || !text.n || text.p[text.n - 1] != '%' ||
	    decimal_parse((struct str){text.p, text.n - 1}, &percent, NULL) != RC_OK ||
	    decimal_rescale(percent, 4, DECIMAL_DOWN, &scaled) != RC_OK)
		return;
	if (scaled.units < 0 || scaled.units > 1000000)
		config_finding(tl->l, value, under(tl, pointer, name), "bad_share", "A share is 0%% to 100%%.");
	else
		*ppm = (int32_t)scaled.units;
}

/* Without a cap all of it counts. */
static void read_inbound(struct tenant_loader *tl, const struct json *value, const char *pointer,
			 struct config_channel *c)
{
	if (!value)
		return;
	c->inbound_cap = QTY_MAX;
	config_read_duration(value, "horizon", &c->inbound_horizon_ms);
	config_read_qty(tl->l, value, pointer, "cap", &c->inbound_cap);
}

static void read_allocation(const struct json *channel, struct config_channel *c)
{
	static const char *const names[] = {[ALLOCATION_PRIORITY] = "priority",
					    [ALLOCATION_NEAREST] = "nearest",
					    [ALLOCATION_FEWEST_PARCELS] = "fewest_parcels",
					    [ALLOCATION_COST] = "cost"};
	const struct json *split = json_get(channel, "split"), *split_kits = json_get(channel, "split_kits"),
			  *substitute = json_get(channel, "substitute");
	struct str over = json_get_text(channel, "discontinued");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_is(json_get_text(channel, "allocation"), names[i]))
			c->allocation = (enum allocation_rule)i;
	c->unsplit = json_is(split, JSON_BOOL) && !split->boolean;
	c->split_kits = json_is(split_kits, JSON_BOOL) && split_kits->boolean;
	c->substitute = json_is(substitute, JSON_BOOL) && substitute->boolean;
	c->discontinued = str_is(over, "hold")        ? DISCONTINUED_HOLD
			  : str_is(over, "backorder") ? DISCONTINUED_BACKORDER
						      : DISCONTINUED_CANCEL;
}

/* units: so many, or "10%" of an item. */
static void read_quota(struct tenant_loader *tl, const struct json *quota, const char *pointer,
		       struct config_channel *c)
{
	struct str units = json_get_text(quota, "units");
	struct decimal percent, scaled;

	config_read_u32(quota, "holds", &c->quota_holds);
	if (!units.n || units.p[units.n - 1] != '%') {
		config_read_qty(tl->l, quota, pointer, "units", &c->quota_units);
		return;
	}
	if (decimal_parse((struct str){units.p, units.n - 1}, &percent, NULL) == RC_OK &&
	    decimal_rescale(percent, 4, DECIMAL_DOWN, &scaled) == RC_OK && scaled.units > 0 && scaled.units <= 1000000)
		c->quota_ppm = (int32_t)scaled.units;
	else
		config_finding(tl->l, json_get(quota, "units"), under(tl, pointer, "units"), "bad_share",
			       "A share is more than 0%% and at most 100%%.");
}

/* Amounts of money by currency. */
static void read_amounts(struct tenant_loader *tl, const struct json *value, const char *pointer, struct config_away *a)
{
	size_t n = members(value, 200);

	a->max_value = arena_array(tl->l->arena, struct config_amount, n);
	for (size_t i = 0; i < n; i++) {
		const struct json_member *m = &value->members[i];
		struct config_amount *to = &a->max_value[a->max_value_count];

		to->currency = m->name;
		if (json_is(&m->value, JSON_STRING) &&
		    (decimal_parse(json_text(&m->value), &to->amount, NULL) != RC_OK || to->amount.units < 0))
			config_finding(tl->l, &m->value, pointer, "bad_amount",
				       "An amount is a decimal that is not negative.");
		else
			a->max_value_count++;
	}
}

static void read_away(struct tenant_loader *tl, const struct json *value, const char *pointer, struct config_away *a)
{
	struct str over = json_get_text(value, "over_limit");

	*a = (struct config_away){.max_quantity = -1, .max_share_ppm = -1};
	if (!value)
		return;
	a->over_limit = str_is(over, "hold") ? AWAY_HOLD : str_is(over, "refuse") ? AWAY_REFUSE : AWAY_ACCEPT;
	config_read_qty(tl->l, value, pointer, "max_quantity", &a->max_quantity);
	read_share(tl, value, pointer, "max_share", &a->max_share_ppm);
	read_amounts(tl, json_get(value, "max_value"), under(tl, pointer, "max_value"), a);
	config_read_duration(value, "max_age", &a->max_age_ms);
	config_read_duration(value, "silent_after", &a->silent_after_ms);
}

static void read_channel(struct tenant_loader *tl, struct str name, const struct json *value,
			 const struct config_system *s, struct config_channel *c)
{
	const char *pointer = below(tl, "channels", name);
	const struct json *locations = json_get(value, "locations"), *strict = json_get(value, "strict");

	*c = (struct config_channel){
	    .name = name,
	    .system = s->index,
	    .share_ppm = 1000000,
	    .cap = -1,
	    .hold_ttl_ms = 900000,
	    .linger_ms = 20,
	    .threshold = -1,
	    .max_wait_ms = 300000,
	    .provisional_ms = 600000,
	};
	read_location_list(tl, locations, under(tl, pointer, "locations"), &c->locations, &c->location_count);
	if (!locations) {
		c->location_count = tl->t->location_count;
		c->locations = arena_array(tl->l->arena, uint16_t, c->location_count);
		for (size_t i = 0; i < c->location_count; i++)
			c->locations[i] = (uint16_t)i;
	}
	read_owners(tl, json_get(value, "consigned"), under(tl, pointer, "consigned"), c);
	read_share(tl, value, pointer, "share", &c->share_ppm);
	config_read_qty(tl->l, value, pointer, "buffer", &c->buffer);
	config_read_qty(tl->l, value, pointer, "cap", &c->cap);
	config_read_qty(tl->l, value, pointer, "minimum", &c->minimum);
	config_read_qty(tl->l, value, pointer, "backorder", &c->backorder);
	config_read_qty(tl->l, value, pointer, "threshold", &c->threshold);
	config_read_duration(value, "max_wait", &c->max_wait_ms);
	config_read_duration(value, "provisional", &c->provisional_ms);
	config_read_duration(value, "max_age", &c->max_age_ms);
	c->stale_zero = str_is(json_get_text(value, "when_stale"), "zero");
	read_inbound(tl, json_get(value, "inbound"), under(tl, pointer, "inbound"), c);
	read_away(tl, json_get(value, "when_erp_away"), under(tl, pointer, "when_erp_away"), &c->away);
	c->strict = json_is(strict, JSON_BOOL) && strict->boolean;
	read_allocation(value, c);
	config_read_duration(value, "linger", &c->linger_ms);
	read_quota(tl, json_get(value, "hold_quota"), under(tl, pointer, "hold_quota"), c);
	config_read_duration(value, "hold_ttl", &c->hold_ttl_ms);
	if (c->hold_ttl_ms < 1)
		config_finding(tl->l, json_get(value, "hold_ttl"), under(tl, pointer, "hold_ttl"), "bad_duration",
			       "hold_ttl must be more than zero.");
}

/* Those that are written, then the systems with the role that have no entry: these sell from all locations. */
static void read_channels(struct tenant_loader *tl, const struct json *channels)
{
	struct config_tenant *t = tl->t;
	size_t written = members(channels, CONFIG_CHANNELS_MAX);

	t->channels = arena_array(tl->l->arena, struct config_channel, written + t->system_count);
	for (size_t i = 0; i < written; i++) {
		const struct json_member *m = &channels->members[i];
		const struct config_system *s = config_find_system(t, m->name);
		if (!s)
			config_finding(tl->l, &m->value, below(tl, "channels", m->name), "unknown_system",
				       "There is no system '" STR_FMT "'.", STR_ARG(m->name));
		else if (!(s->roles & ROLE_CHANNEL))
			config_finding(tl->l, &m->value, below(tl, "channels", m->name), "not_a_channel",
				       "The system '" STR_FMT "' does not have the role channel.", STR_ARG(m->name));
		else
			read_channel(tl, m->name, &m->value, s, &t->channels[t->channel_count++]);
	}
	for (size_t i = 0; i < t->system_count; i++)
		if ((t->systems[i].roles & ROLE_CHANNEL) && !config_find_channel(t, t->systems[i].name))
			read_channel(tl, t->systems[i].name, NULL, &t->systems[i], &t->channels[t->channel_count++]);
	if (t->channel_count > CONFIG_CHANNELS_MAX)
		config_finding(tl->l, channels, tl->pointer, "too_many_channels",
			       "A tenant may have %d channels at most.", CONFIG_CHANNELS_MAX);
}

static int16_t read_record(struct tenant_loader *tl, const struct json *records, const char *name)
{
	const struct json *value = json_get(records, name);
	const struct config_system *s = config_find_system(tl->t, json_text(value));

	if (json_is(value, JSON_STRING) && !s)
		config_finding(tl->l, value, below(tl, "records", str_from(name)), "unknown_system",
			       "There is no system '" STR_FMT "'.", STR_ARG(json_text(value)));
	return s ? (int16_t)s->index : -1;
}

void config_read_tenant(struct config_loader *l, struct str name, const struct json *value, struct config_tenant *t)
{
	struct tenant_loader tl = {
	    .l = l,
	    .t = t,
	    .delivery = CONFIG_DELIVERY_DEFAULT,
	};
	const struct json *records = json_get(value, "records"), *delivery = json_get(value, "delivery");

	tl.pointer = arena_printf(l->findings->arena, "/tenants/" STR_FMT, STR_ARG(name));
	if (!tl.pointer)
		tl.pointer = "/tenants";
	t->name = name;
	t->attempts_kept_ms = 30 * (int64_t)86400000;
	t->sku_case = str_is(json_get_text(value, "sku_case"), "upper") ? SKU_UPPER : SKU_AS_IS;
	tl.delivery_json = delivery;
	config_read_delivery(l, delivery, under(&tl, tl.pointer, "delivery"), &tl.delivery);
	config_read_duration(json_get(value, "retention"), "attempts", &t->attempts_kept_ms);
	t->delivery = tl.delivery;
	read_locations(&tl, json_get(value, "locations"));
	read_systems(&tl, json_get(value, "systems"));
	read_channels(&tl, json_get(value, "channels"));
	t->record_stock = read_record(&tl, records, "stock");
	t->record_price = read_record(&tl, records, "price");
	t->record_customer = read_record(&tl, records, "customer");
	t->record_item = read_record(&tl, records, "item");
	config_read_reconcile(l, tl.pointer, json_get(value, "reconcile"), t);
	t->has_order_process = str_is(json_get_text(json_get(value, "processes"), "order"), "order-to-cash");
}
