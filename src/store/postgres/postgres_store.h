/* The PostgreSQL backend: one schema a tenant, and in it one row, the lease, that says who may commit. */
#ifndef STORE_POSTGRES_STORE_H
#define STORE_POSTGRES_STORE_H

#include "store/postgres/session.h"

struct postgres_store {
	struct store base;
	char *url, *schema, *holder;
	struct session session; /* the writer's, or the tool's */
	int64_t epoch, last_batch;
	bool doubt; /* until a recovery nothing is committed */
};

/* postgres_store.c */
enum rc postgres_connect(const struct postgres_store *s, struct session *session, struct err *e) MUST_CHECK;
/* The writer's session: durable, with its time-outs. */
enum rc postgres_connect_writer(struct postgres_store *s, struct err *e) MUST_CHECK;
/* Raises the epoch, if it is `only` (-1: whatever it is), and reads the last batch. RC_DENIED: it was not. */
enum rc postgres_take_lease(struct postgres_store *s, int64_t only, struct err *e) MUST_CHECK;

/* pipeline.c */
/* Prepares the fence and all writes. */
enum rc postgres_prepare_commit(struct postgres_store *s, struct err *e) MUST_CHECK;
enum rc postgres_commit(struct store *s, const struct store_batch *b, struct err *e);

/* postgres_reader.c */
enum rc postgres_reader_open(struct store *s, struct store_reader **out, struct err *e);
void postgres_reader_close(struct store_reader *r);
enum rc postgres_reader_begin(struct store_reader *r, struct err *e);
void postgres_reader_end(struct store_reader *r);
enum rc postgres_read(struct store_reader *r, enum store_statement s, const struct store_value *args, size_t count,
		      store_row_fn row, void *ctx, struct err *e);

#endif
