#include "base/compress.h"

#include "base/compress_dictionary.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/test.h"

static void test_round_trip(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 100, 3000, 200000};
	struct arena a;
	arena_init(&a, 1u << 20);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (int random = 0; random < 2; random++) {
			char *raw = mem_alloc(sizes[i]);
			memset(raw, 'x', sizes[i]);
			if (random)
				random_bytes(raw, sizes[i]);
			struct str text = {raw, sizes[i]}, packed, out;
			assert_int_equal(compress(&a, text, &packed), RC_OK);
			assert_int_equal(decompress(&a, packed, sizes[i], &out, NULL), RC_OK);
			assert_true(str_eq(out, text));
			assert_int_equal(out.p[out.n], '\0');
			if (!random && sizes[i] >= 3000)
				assert_true(packed.n < 100);
			struct err e = ERR_NONE;
			if (sizes[i])
				assert_int_equal(decompress(&a, packed, sizes[i] - 1, &out, &e), RC_LIMIT);
			free(raw);
			arena_reset(&a);
		}
	}
	arena_done(&a);
}

static void test_dictionaries_never_change(void **state)
{
	static const unsigned char hashes[COMPRESS_DICTIONARIES][8] = {
	    {0xad, 0x89, 0x72, 0x7a, 0xda, 0x68, 0xc2, 0x96}};
	/* A short document as it was packed with number 1, and one that was packed without. */
	static const unsigned char with[] = {0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x01, 0x32, 0x75, 0x00, 0x00, 0x18, 0x31,
					     0x5d, 0x7d, 0x02, 0xfc, 0x1b, 0xfc, 0x82, 0x1f, 0xf0, 0xb9, 0x2d, 0x18},
				   without[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x32, 0x91, 0x01, 0x00, 0x7b, 0x22, 0x63,
						0x68, 0x61, 0x6e, 0x6e, 0x65, 0x6c, 0x22, 0x3a, 0x22, 0x73, 0x68, 0x6f,
						0x70, 0x22, 0x2c, 0x22, 0x65, 0x78, 0x74, 0x65, 0x72, 0x6e, 0x61, 0x6c,
						0x5f, 0x69, 0x64, 0x22, 0x3a, 0x22, 0x31, 0x30, 0x30, 0x31, 0x22, 0x2c,
						0x22, 0x6c, 0x69, 0x6e, 0x65, 0x73, 0x22, 0x3a, 0x5b, 0x5d, 0x7d};
	struct str text = STR("{\"channel\":\"shop\",\"external_id\":\"1001\",\"lines\":[]}"), out;
	struct arena a;

	(void)state;
	arena_init(&a, 1u << 16);
	for (size_t i = 0; i < COMPRESS_DICTIONARIES; i++) {
		const struct compress_dictionary *d = &compress_dictionaries[i];
		unsigned char hash[32];
		char *whole = arena_alloc(&a, d->head.n + d->text.n);
		memcpy(whole, d->head.p, d->head.n);
		memcpy(whole + d->head.n, d->text.p, d->text.n);
		hash_secret((struct str){whole, d->head.n + d->text.n}, hash);
		assert_memory_equal(hash, hashes[i], sizeof(hashes[i]));
	}
	assert_int_equal(decompress(&a, (struct str){(const char *)with, sizeof(with)}, 100, &out, NULL), RC_OK);
	assert_true(str_eq(out, text));
	assert_int_equal(decompress(&a, (struct str){(const char *)without, sizeof(without)}, 100, &out, NULL), RC_OK);
	assert_true(str_eq(out, text));
	struct err e = ERR_NONE;
	char newer[sizeof(with)];
	memcpy(newer, with, sizeof(with));
	newer[5] = 99; /* the number */
	assert_int_equal(decompress(&a, (struct str){newer, sizeof(newer)}, 100, &out, &e), RC_IO);
	assert_string_equal(e.code, "payload_is_newer");
	arena_done(&a);
}

static void test_text(void **state)
{
	static const size_t sizes[] = {0, 1, COMPRESS_TEXT_MIN, COMPRESS_TEXT_MIN + 1, 8192};

	(void)state;
	struct arena a;
	arena_init(&a, 1u << 20);
	char raw[8192];
	memset(raw, '(', sizeof(raw));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct str text = {raw, sizes[i]}, packed, out;
		assert_int_equal(compress_text(&a, text, &packed), RC_OK);
		assert_true((packed.n < text.n) == (sizes[i] > COMPRESS_TEXT_MIN));
		assert_int_equal(decompress_text(&a, packed, sizeof(raw), &out, NULL), RC_OK);
		assert_true(str_eq(out, text));
		if (packed.n < text.n) {
			struct err e = ERR_NONE;
			assert_int_equal(
			    decompress_text(&a, (struct str){packed.p, packed.n - 1}, sizeof(raw), &out, &e), RC_IO);
		}
	}
	arena_done(&a);
}

static void test_damage(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1u << 16);
	char raw[4000];
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (char)('a' + i * i % 23);
	struct str packed, out;
	assert_int_equal(compress(&a, (struct str){raw, sizeof(raw)}, &packed), RC_OK);
	for (size_t n = 0; n < packed.n; n++) {
		struct err e = ERR_NONE;
		assert_int_equal(decompress(&a, (struct str){packed.p, n}, sizeof(raw), &out, &e), RC_IO);
		assert_string_equal(e.code, "payload_damaged");
	}
	struct err e = ERR_NONE;
	assert_int_equal(decompress(&a, STR("this was never a frame"), 100, &out, &e), RC_IO);
	struct arena twice;
	arena_init(&twice, 1u << 16);
	char *two = arena_alloc(&twice, packed.n * 2);
	memcpy(two, packed.p, packed.n);
	memcpy(two + packed.n, packed.p, packed.n);
	e = ERR_NONE;
	assert_int_equal(decompress(&a, (struct str){two, packed.n * 2}, 100000, &out, &e), RC_IO);
	arena_done(&twice);
	arena_done(&a);
}

static void test_full_arena(void **state)
{
	(void)state;
	struct arena a, small;
	arena_init(&a, 1u << 16);
	arena_init(&small, 64);
	char raw[1000] = {0};
	struct str packed, out;
	assert_int_equal(compress(&small, (struct str){raw, sizeof(raw)}, &packed), RC_LIMIT);
	assert_int_equal(compress(&a, (struct str){raw, sizeof(raw)}, &packed), RC_OK);
	assert_int_equal(decompress(&small, packed, sizeof(raw), &out, NULL), RC_LIMIT);
	arena_done(&small);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_dictionaries_never_change),
	    cmocka_unit_test(test_text),       cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_full_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
