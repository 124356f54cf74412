#include "observe/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)8192)

static _Atomic int lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&lowest, level, memory_order_relaxed);
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG:
		return "debug";
	case LOG_INFO:
		return "info";
	case LOG_WARN:
		return "warn";
	case LOG_ERROR:
		return "error";
	}
	return "error";
}

static void add_text(struct buf *b, const char *name, struct str text)
{
	buf_add_z(b, b->n > 1 ? "," : "");
	utf8_quote(b, str_from(name));
	buf_add_char(b, ':');
	utf8_quote(b, text);
}

static void add_field(struct buf *b, const struct log_field *f)
{
	if (f->type == LOG_FIELD_TEXT) {
		add_text(b, f->name, f->text);
		return;
	}
	buf_add_char(b, ',');
	utf8_quote(b, str_from(f->name));
	buf_add_char(b, ':');
	buf_add_int(b, f->integer);
}

static void add_head(struct buf *b, enum log_level level, const char *module, const char *message)
{
	const struct clock *clock = clock_system();
	char at[TIME_TEXT];
	time_format(clock_wall_ms(clock), at);
	buf_add_char(b, '{');
	add_text(b, "at", str_from(at));
	add_text(b, "level", str_from(level_name(level)));
	add_text(b, "module", str_from(module));
	struct str text = str_from(message);
	if (text.n > LINE_MAX_BYTES / 16)
		text.n = LINE_MAX_BYTES / 16;
	add_text(b, "message", text);
}

static void emit(const struct buf *b)
{
	ssize_t n;
	do
		n = write(STDERR_FILENO, b->p, b->n);
	while (n < 0 && errno == EINTR);
	/* A log that cannot be written has nobody to tell. */
}

void log_write(enum log_level level, const char *module, const char *message, const struct log_field *fields)
{
	if ((int)level < atomic_load_explicit(&lowest, memory_order_relaxed))
		return;
	struct buf b;
	buf_init(&b, LINE_MAX_BYTES);
	add_head(&b, level, module, message);
	for (const struct log_field *f = fields; f && f->type != LOG_FIELD_END; f++)
		add_field(&b, f);
	buf_add_z(&b, "}\n");
	if (!buf_ok(&b)) {
		buf_reset(&b);
		add_head(&b, level, module, message);
		buf_add_z(&b, ",\"fields\":\"too long\"}\n");
	}
	emit(&b);
	buf_done(&b);
}

void log_err(enum log_level level, const char *module, const char *message, const struct err *e)
{
	log_at(level, module, message, LOG_TEXT("class", rc_name(e->rc)), LOG_TEXT("code", e->code),
	       LOG_TEXT("where", e->where), LOG_TEXT("detail", e->detail));
}
