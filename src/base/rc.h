/*
 * Results and errors.
 *
 * A function that can fail returns enum rc and, where the caller can use the cause, fills a caller-owned struct err.
 * The class decides what happens next: RETRY backs off, REJECT goes to a person, the rest are answered as they are.
 * Our own mistakes are asserts, not codes.
 */
#ifndef BASE_RC_H
#define BASE_RC_H

#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, args) __attribute__((format(printf, text, args)))

enum rc {
	RC_OK = 0,
	RC_RETRY,     /* did not work now, may work later: nothing was done */
	RC_REJECT,    /* well formed, but the business says no */
	RC_INVALID,   /* the input is not what it must be */
	RC_NOT_FOUND, /* there is no such thing */
	RC_CONFLICT,  /* contradicts what is there already */
	RC_DENIED,    /* the caller may not */
	RC_LIMIT,     /* a stated limit was reached */
	RC_IO,        /* disk, network or database failed: nothing was done */
	RC_UNKNOWN,   /* failed in a way that leaves open whether it was done */
};

/* The first cause of a failure. Starts as ERR_NONE; err_set keeps the first cause and ignores later ones. */
struct err {
	enum rc rc;
	char code[48];    /* stable, lower snake: "body_too_large" */
	char where[192];  /* what it is about: a JSON Pointer, a file:line, a header name; may be empty */
	char detail[320]; /* one sentence for a person */
};

#define ERR_NONE ((struct err){.rc = RC_OK})

/* Keep the first cause; e may be NULL. */
void err_note(struct err *e, enum rc rc, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);
void err_note_at(struct err *e, enum rc rc, const char *code, const char *where, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* The same, with rc as the value, so that a failing function can end with `return err_set(...)`. Macros, because so the
 * compiler and the analyser see which value it is. */
#define err_set(e, rc, ...)    (err_note((e), (rc), __VA_ARGS__), rc_itself(rc))
#define err_set_at(e, rc, ...) (err_note_at((e), (rc), __VA_ARGS__), rc_itself(rc))
static inline enum rc rc_itself(enum rc rc)
{
	return rc;
}

/* "reject", "io" ...: a static string. */
const char *rc_name(enum rc rc);

#endif
