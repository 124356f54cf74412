/* What came of a flash sale, as a table, as JSON and as a picture. */
#include "simulate/flash.h"

#define WIDTH  760
#define HEIGHT 300
#define LEFT   70
#define TOP    30
#define PLOT_W 660
#define PLOT_H 230

static const char *const colours[FLASH_MODELS] = {"#b3261e", "#d97706", "#7c8a12", "#1d4ed8"};

void flash_print(const struct flash *f, FILE *out)
{
	fprintf(out,
		"The busiest hour of the wholesaler's orders (%s UTC, %lld orders), each placed %d times, on %d "
		"channels:\n",
		f->peak, (long long)f->peak_orders, f->options.scale, FLASH_CHANNELS);
	fprintf(out, "%lld orders, %lld lines, %lld units of %lld items. Opening stock: %d%% of that, %lld units;\n",
		(long long)f->orders, (long long)f->lines, (long long)f->units, (long long)f->items,
		f->options.stock_percent, (long long)f->stock_units);
	fprintf(out, "%d receipts of %d%% each come in. Network: %d to %d ms one way. Seed %llu.\n\n", FLASH_RECEIPTS,
		FLASH_RECEIPT_PERCENT, f->options.delay_min_ms, f->options.delay_max_ms,
		(unsigned long long)f->options.seed);
	fprintf(out, "%-24s %10s %10s %10s %10s %10s %10s\n", "", "sold", "oversold", "oversold", "lost", "age mean",
		"age p99");
	fprintf(out, "%-24s %10s %10s %10s %10s %10s %10s\n", "", "units", "units", "orders", "units", "s", "s");
	for (int i = 0; i < FLASH_MODELS; i++) {
		const struct flash_result *r = &f->results[i];

		fprintf(out, "%-24s %10lld %10lld %10lld %10lld %10.3f %10.3f\n", r->name,
			(long long)(r->accepted_units - r->oversold_units), (long long)r->oversold_units,
			(long long)r->oversold_orders, (long long)r->lost_units, r->stale_mean_s, r->stale_p99_s);
	}
}

void flash_write_json(const struct flash *f, struct json_writer *w)
{
	jw_object(w);
	jw_key_int(w, "seed", (int64_t)f->options.seed);
	jw_key_int(w, "scale", f->options.scale);
	jw_key_int(w, "stock_percent", f->options.stock_percent);
	jw_key_int(w, "delay_min_ms", f->options.delay_min_ms);
	jw_key_int(w, "delay_max_ms", f->options.delay_max_ms);
	jw_key_text(w, "peak_hour", str_from(f->peak));
	jw_key_int(w, "peak_orders", f->peak_orders);
	jw_key_int(w, "orders", f->orders);
	jw_key_int(w, "lines", f->lines);
	jw_key_int(w, "units", f->units);
	jw_key_int(w, "stock_units", f->stock_units);
	jw_key(w, "models");
	jw_array(w);
	for (int i = 0; i < FLASH_MODELS; i++) {
		const struct flash_result *r = &f->results[i];

		jw_object(w);
		jw_key_text(w, "name", str_from(r->name));
		jw_key_int(w, "sold_units", r->accepted_units - r->oversold_units);
		jw_key_int(w, "accepted_orders", r->accepted_orders);
		jw_key_int(w, "oversold_units", r->oversold_units);
		jw_key_int(w, "oversold_orders", r->oversold_orders);
		jw_key_int(w, "lost_units", r->lost_units);
		jw_key_int(w, "age_mean_ms", (int64_t)(r->stale_mean_s * 1000));
		jw_key_int(w, "age_p99_ms", (int64_t)(r->stale_p99_s * 1000));
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
}

/* A round number not below n. */
static int64_t round_up(int64_t n)
{
	static const int steps[] = {1, 2, 5};
	int64_t unit = 1;

	for (int i = 0;; i++) {
		int64_t top = unit * steps[i % 3];

		if (top >= n)
			return top;
		if (i % 3 == 2)
			unit *= 10;
	}
}

static void axes(struct buf *out, int y, const char *title, int64_t top)
{
	buf_printf(out, "<text x=\"%d\" y=\"%d\" font-weight=\"600\">%s</text>\n", LEFT, y + 18, title);
	for (int i = 0; i <= 4; i++) {
		int at = y + TOP + PLOT_H - PLOT_H * i / 4;

		buf_printf(out,
			   "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#ddd\"/>"
			   "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%lld</text>\n",
			   LEFT, at, LEFT + PLOT_W, at, LEFT - 6, at + 4, (long long)(top * i / 4));
	}
	for (int m = 0; m <= 60; m += 10)
		buf_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%d min</text>\n",
			   LEFT + PLOT_W * m / 60, y + TOP + PLOT_H + 16, m);
}

static void plot(const struct flash *f, struct buf *out, int y, const char *title, bool lost)
{
	int64_t top = 1;

	for (int i = 0; i < FLASH_MODELS; i++) {
		const int64_t *by = lost ? f->results[i].lost_by : f->results[i].oversold_by;

		top = by[60] > top ? by[60] : top;
	}
	top = round_up(top);
	axes(out, y, title, top);
	for (int i = 0; i < FLASH_MODELS; i++) {
		const int64_t *by = lost ? f->results[i].lost_by : f->results[i].oversold_by;

		buf_printf(out, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"%d,%d", colours[i],
			   LEFT, y + TOP + PLOT_H);
		for (int m = 0; m < 60; m++)
			buf_printf(out, " %d,%d", LEFT + PLOT_W * (m + 1) / 60,
				   y + TOP + PLOT_H - (int)(PLOT_H * by[m] / top));
		buf_add_z(out, "\"/>\n");
	}
}

void flash_write_svg(const struct flash *f, struct buf *out)
{
	buf_printf(out,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
		   "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		   WIDTH, 2 * HEIGHT + 40);
	plot(f, out, 0, "Oversold units, added up", false);
	plot(f, out, HEIGHT, "Lost units: refused while there was stock, added up", true);
	for (int i = 0; i < FLASH_MODELS; i++)
		buf_printf(out,
			   "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" "
			   "y=\"%d\">%s</text>\n",
			   LEFT + i * 175, 2 * HEIGHT + 12, colours[i], LEFT + 18 + i * 175, 2 * HEIGHT + 22,
			   f->results[i].name);
	buf_add_z(out, "</svg>\n");
}

void flash_write_html(const struct flash *f, struct buf *out)
{
	buf_add_z(out, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Flash sale</title>\n"
		       "<style>body{font:14px sans-serif;max-width:900px;margin:2em auto}td,th{padding:.3em "
		       ".8em;text-align:right}"
		       "td:first-child,th:first-child{text-align:left}</style>\n<h1>Flash sale</h1>\n");
	buf_printf(
	    out,
	    "<p>Busiest hour of the wholesaler's orders (%s UTC, %lld orders), each placed %d times: %lld orders, "
	    "%lld lines, %lld units. Opening stock %d%%, two receipts of 10%% each. Network %d to %d ms one way. Seed "
	    "%llu.</p>\n",
	    f->peak, (long long)f->peak_orders, f->options.scale, (long long)f->orders, (long long)f->lines,
	    (long long)f->units, f->options.stock_percent, f->options.delay_min_ms, f->options.delay_max_ms,
	    (unsigned long long)f->options.seed);
	flash_write_svg(f, out);
	buf_add_z(out, "<table><tr><th></th><th>sold units</th><th>oversold units</th><th>oversold orders</th>"
		       "<th>lost units</th><th>age of what is shown, mean s</th><th>p99 s</th></tr>\n");
	for (int i = 0; i < FLASH_MODELS; i++) {
		const struct flash_result *r = &f->results[i];

		buf_printf(
		    out,
		    "<tr><td>%s</td><td>%lld</td><td>%lld</td><td>%lld</td><td>%lld</td><td>%.3f</td><td>%.3f</td>"
		    "</tr>\n",
		    r->name, (long long)(r->accepted_units - r->oversold_units), (long long)r->oversold_units,
		    (long long)r->oversold_orders, (long long)r->lost_units, r->stale_mean_s, r->stale_p99_s);
	}
	buf_add_z(out, "</table>\n</html>\n");
}
