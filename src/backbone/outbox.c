#include "backbone/outbox.h"

#include "backbone/dedup.h"
#include "base/compress.h"
#include "base/hash.h"

#include <string.h>

const char *delivery_status_name(enum delivery_status s)
{
	switch (s) {
	case DELIVERY_WAITING:
		return "waiting";
	case DELIVERY_SENDING:
		return "sending";
	case DELIVERY_UNKNOWN:
		return "unknown";
	case DELIVERY_DELIVERED:
		return "delivered";
	case DELIVERY_SUPERSEDED:
		return "superseded";
	case DELIVERY_CANCELLED:
		return "cancelled";
	case DELIVERY_DEAD:
		return "dead_letter";
	}
	return "invalid";
}

uint64_t delivery_key_hash(struct str key)
{
	return dedup_hash(DEDUP_MESSAGE, STR("delivery"), key).low;
}

uint64_t delivery_hash(uint64_t before, struct str s)
{
	struct hash_key key = {{0}};

	memcpy(key.bytes, &before, sizeof(before));
	return hash64(&key, s);
}

uint64_t delivery_batch_hash(struct str result)
{
	static const char prefix[] = DELIVERY_BATCH;

	if (result.n < sizeof(prefix) || memcmp(result.p, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	return delivery_hash(0, result) | 1;
}

static bool status_valid(int64_t s)
{
	switch (s) {
	case DELIVERY_WAITING:
	case DELIVERY_SENDING:
	case DELIVERY_UNKNOWN:
	case DELIVERY_DELIVERED:
	case DELIVERY_SUPERSEDED:
	case DELIVERY_CANCELLED:
	case DELIVERY_DEAD:
		return true;
	default:
		return false;
	}
}

enum rc delivery_from_row(const struct store_value *c, struct delivery *out)
{
	enum operation op;

	*out = (struct delivery){
	    .delivery_id = c[1].bytes,
	    .system = c[2].bytes,
	    .key = c[4].bytes,
	    .order_id = c[5].bytes,
	    .correlation_id = c[6].bytes,
	    .event = c[7].integer,
	    .document = c[8].integer,
	    .params = c[9].bytes,
	    .updated_at = c[14].integer,
	    .result = c[15].bytes,
	    .reason = c[16].bytes,
	};
	if (!operation_parse(c[3].bytes, &op) || !status_valid(c[10].integer) || c[11].integer < 0 ||
	    c[11].integer > UINT32_MAX)
		return RC_IO;
	out->head = (struct delivery_head){
	    .seq = c[0].integer,
	    .key = delivery_key_hash(out->key),
	    .next_at = c[12].integer,
	    .created_at = c[13].integer,
	    .attempts = (uint32_t)c[11].integer,
	    .operation = (uint8_t)op,
	    .status = (uint8_t)c[10].integer,
	    .priority = (uint8_t)operation_priority(op),
	    .batch = delivery_batch_hash(out->result),
	};
	return RC_OK;
}

static enum rc load(struct store_reader *r, enum store_statement statement, struct arena *a, int64_t seq,
		    struct store_value *row, struct delivery *out, struct err *e)
{
	enum rc rc = store_read_one(r, statement, &SV_INT(seq), 1, a, row, e);

	if (rc == RC_OK && delivery_from_row(row, out) != RC_OK)
		return err_set(e, RC_IO, "store_damaged", "delivery %lld makes no sense", (long long)seq);
	return rc;
}

enum rc delivery_load(struct store_reader *r, struct arena *a, int64_t seq, struct delivery *out, struct err *e)
{
	struct store_value row[17];

	return load(r, R_DELIVERY, a, seq, row, out, e);
}

enum rc delivery_load_parts(struct store_reader *r, struct arena *a, int64_t seq, struct delivery *out,
			    struct delivery_parts *parts, struct err *e)
{
	struct store_value row[20];
	enum rc rc = load(r, R_DELIVERY_TO_SEND, a, seq, row, out, e);

	if (rc == RC_OK)
		*parts = (struct delivery_parts){row[17].bytes, row[18].bytes, row[19].bytes};
	return rc;
}

enum rc document_load(struct store_reader *r, struct arena *a, int64_t seq, struct str *json, struct err *e)
{
	struct store_value row[2];
	enum rc rc = store_read_one(r, R_DOCUMENT, &SV_INT(seq), 1, a, row, e);

	if (rc != RC_OK)
		return rc;
	return decompress(a, row[1].bytes, DOCUMENT_BYTES_MAX, json, e);
}
