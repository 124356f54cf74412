#include "base/buf.h"
#include "format/json.h"
#include "sandbox/retail.h"

#include <stdio.h>

static void write_charges(struct json_writer *w, const struct retail_document *d, const char *name, bool allowances)
{
	bool any = false;
	for (size_t i = 0; i < d->charge_count; i++) {
		const struct retail_charge *c = &d->charges[i];
		if ((c->type == CHARGE_ALLOWANCE) != allowances)
			continue;
		if (!any) {
			jw_key(w, name);
			jw_array(w);
		}
		any = true;
		jw_object(w);
		jw_key_text(w, "code", c->code);
		jw_opt_text(w, "description", c->description);
		jw_key_text(w, "amount", c->amount);
		jw_object_end(w);
	}
	if (any)
		jw_array_end(w);
}

static void write_lines(struct json_writer *w, const struct retail_document *d)
{
	char text[32];
	jw_key(w, "lines");
	jw_array(w);
	for (size_t i = 0; i < d->line_count; i++) {
		const struct retail_line *l = &d->lines[i];
		jw_object(w);
		int n = snprintf(text, sizeof(text), "%zu", i + 1);
		jw_key_text(w, "line_id", (struct str){text, (size_t)n});
		jw_key_text(w, "sku", l->sku);
		jw_opt_text(w, "description", l->description);
		n = snprintf(text, sizeof(text), "%lld", (long long)l->quantity);
		jw_key_text(w, "quantity", (struct str){text, (size_t)n});
		jw_key_text(w, "uom", STR("EA"));
		jw_key_text(w, "unit_price", l->price);
		jw_object_end(w);
	}
	jw_array_end(w);
}

void retail_write_order(struct buf *out, const struct retail_document *d, const char *suffix)
{
	struct json_writer w;
	char id[64];
	int n = snprintf(id, sizeof(id), STR_FMT "%s", STR_ARG(d->invoice), suffix);
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "channel", str_from(d->channel));
	jw_key_text(&w, "external_id", (struct str){id, (size_t)n});
	jw_key_time(&w, "placed_at", d->placed_at);
	jw_key_text(&w, "currency", STR("GBP"));
	jw_key(&w, "customer");
	jw_object(&w);
	jw_key_text(&w, "external_id", d->customer);
	jw_object_end(&w);
	if (d->country.n > 0) {
		jw_key(&w, "parties");
		jw_object(&w);
		jw_key(&w, "ship_to");
		jw_object(&w);
		jw_key(&w, "address");
		jw_object(&w);
		jw_key_text(&w, "country", d->country);
		jw_object_end(&w);
		jw_object_end(&w);
		jw_object_end(&w);
	}
	write_charges(&w, d, "charges", false);
	write_charges(&w, d, "allowances", true);
	write_lines(&w, d);
	jw_object_end(&w);
}
