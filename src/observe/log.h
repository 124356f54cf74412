/*
 * Structured logs: one JSON object a line on stderr, {"at","level","module","message", fields...}. Thread-safe; a line
 * is written with one write(2). Never pass a secret or a payload: fields are names, ids, counts and causes.
 */
#ifndef OBSERVE_LOG_H
#define OBSERVE_LOG_H

#include "base/rc.h"
#include "base/str.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *name;
	enum { LOG_FIELD_END, LOG_FIELD_TEXT, LOG_FIELD_INT } type;
	struct str text;
	int64_t integer;
};

#define LOG_STR(n, s)  ((struct log_field){(n), LOG_FIELD_TEXT, (s), 0})
#define LOG_TEXT(n, z) ((struct log_field){(n), LOG_FIELD_TEXT, str_from(z), 0})
#define LOG_INT(n, i)  ((struct log_field){(n), LOG_FIELD_INT, STR_NONE, (i)})

void log_set_level(enum log_level level); /* LOG_INFO at the start */
void log_write(enum log_level level, const char *module, const char *message, const struct log_field *fields);

/* log_info("hub", "tenant opened", LOG_STR("tenant", name), LOG_INT("orders", n)); at least one field. */
#define log_at(level, module, message, ...)                                                                            \
	log_write((level), (module), (message), (const struct log_field[]){__VA_ARGS__, {0}})
#define log_debug(module, message, ...) log_at(LOG_DEBUG, module, message, __VA_ARGS__)
#define log_info(module, message, ...)  log_at(LOG_INFO, module, message, __VA_ARGS__)
#define log_warn(module, message, ...)  log_at(LOG_WARN, module, message, __VA_ARGS__)
#define log_error(module, message, ...) log_at(LOG_ERROR, module, message, __VA_ARGS__)
/* With code, where and detail of e. */
void log_err(enum log_level level, const char *module, const char *message, const struct err *e);

#endif
