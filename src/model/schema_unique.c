/*
 * uniqueItems: a short list is compared pair by pair; a long one is sorted by a hash that is the same for equal values,
 * and only neighbours with the same hash are compared.
 */
#include "model/schema_run.h"

#include <stdlib.h>

#define PAIRWISE_MAX 16

struct hashed {
	uint64_t hash;
	uint32_t index;
};

static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53u;
	return h ^ (h >> 33);
}

static uint64_t hash_bytes(struct str s, uint64_t h)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
	return h;
}

/* As deep as the document. Members add up, so that their order does not count; numbers count by value. */
static uint64_t hash_value(struct run *r, const struct json *j)
{
	uint64_t h = 1469598103934665603u + j->type;

	r->steps++;
	switch ((enum json_type)j->type) {
	case JSON_NULL:
		break;
	case JSON_BOOL:
		h += j->boolean ? 7 : 11;
		break;
	case JSON_NUMBER: {
		struct number n = number_read(json_text(j));
		h = number_hash(&n, h);
		break;
	}
	case JSON_STRING:
		h = hash_bytes(json_text(j), h);
		break;
	case JSON_ARRAY:
		for (uint32_t i = 0; i < j->count; i++)
			h = mix(h) + hash_value(r, &j->items[i]);
		break;
	case JSON_OBJECT:
		for (uint32_t i = 0; i < j->count; i++)
			h += mix(hash_bytes(j->members[i].name, hash_value(r, &j->members[i].value)));
		break;
	}
	return mix(h);
}

static int compare_hashed(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool duplicate_pairwise(const struct json *array, uint32_t *which)
{
	for (uint32_t i = 1; i < array->count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (json_equal(&array->items[i], &array->items[k])) {
				*which = i;
				return true;
			}
		}
	}
	return false;
}

bool run_has_duplicate(struct run *r, const struct json *array, uint32_t *which)
{
	bool found = false;

	if (array->count <= PAIRWISE_MAX)
		return duplicate_pairwise(array, which);
	struct hashed *list = calloc(array->count, sizeof(*list));
	if (!list)
		abort();
	for (uint32_t i = 0; i < array->count; i++)
		list[i] = (struct hashed){.hash = hash_value(r, &array->items[i]), .index = i};
	qsort(list, array->count, sizeof(*list), compare_hashed);
	for (uint32_t i = 1; i < array->count && !found; i++) {
		for (uint32_t k = i;
		     k-- > 0 && list[k].hash == list[i].hash && !found && r->steps++ < VALIDATE_STEPS_MAX;) {
			found = json_equal(&array->items[list[i].index], &array->items[list[k].index]);
			*which = list[i].index;
		}
	}
	free(list);
	return found;
}
