#include "base/address.h"

#include "base/test.h"

static void test_public(void **state)
{
	static const struct {
		const char *host;
		bool literal, public;
	} rows[] = {
	    {"8.8.8.8", true, true},
	    {"example.com", false, false},
	    {"1.1.1.1.example.com", false, false},
	    {"127.0.0.1", true, false},
	    {"127.1", true, false},
	    {"2130706433", true, false},
	    {"0x7f000001", true, false},
	    {"0x7f.1", true, false},
	    {"017700000001", true, false},
	    {"0177.0.0.1", true, false},
	    {"127.0.0.1.", true, false},
	    {"0.0.0.0", true, false},
	    {"0.1.2.3", true, false},
	    {"0", true, false},
	    {"10.1.2.3", true, false},
	    {"11.1.2.3", true, true},
	    {"100.63.255.255", true, true},
	    {"100.64.0.1", true, false},
	    {"100.100.100.200", true, false},
	    {"100.127.255.255", true, false},
	    {"100.128.0.1", true, true},
	    {"169.254.169.254", true, false},
	    {"169.253.1.1", true, true},
	    {"168.63.129.16", true, false},
	    {"172.15.0.1", true, true},
	    {"172.16.0.1", true, false},
	    {"172.31.255.255", true, false},
	    {"172.32.0.1", true, true},
	    {"192.0.0.192", true, false},
	    {"192.168.1.1", true, false},
	    {"192.169.1.1", true, true},
	    {"198.18.0.1", true, false},
	    {"198.20.0.1", true, true},
	    {"224.0.0.1", true, false},
	    {"255.255.255.255", true, false},
	    {"[::1]", true, false},
	    {"::1", true, false},
	    {"[::]", true, false},
	    {"[::ffff:127.0.0.1]", true, false},
	    {"[::ffff:7f00:1]", true, false},
	    {"[::ffff:8.8.8.8]", true, true},
	    {"[::127.0.0.1]", true, false},
	    {"[64:ff9b::10.0.0.1]", true, false},
	    {"[64:ff9b::8.8.8.8]", true, true},
	    {"[64:ff9b:1::1]", true, false},
	    {"[2002:7f00:1::]", true, false},
	    {"[2002:808:808::]", true, true},
	    {"[2001::1]", true, false},
	    {"[2001:db8::1]", true, false},
	    {"[3fff::1]", true, false},
	    {"[fc00::1]", true, false},
	    {"[fd00:ec2::254]", true, false},
	    {"[fe80::1]", true, false},
	    {"[fe80::1%eth0]", true, false},
	    {"[fec0::1]", true, false},
	    {"[ff02::1]", true, false},
	    {"[2606:4700::1111]", true, true},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		bool literal = address_parse(str_from(rows[i].host), &a);

		if (literal != rows[i].literal)
			fail_msg("%s: literal is %d", rows[i].host, literal);
		if (literal && address_is_public(&a) != rows[i].public)
			fail_msg("%s: public is not %d", rows[i].host, rows[i].public);
	}
}

static void test_ranges(void **state)
{
	static const struct {
		const char *range, *host;
		bool parses, inside;
	} rows[] = {
	    {"10.0.0.0/8", "10.255.0.1", true, true},
	    {"10.0.0.0/8", "11.0.0.1", true, false},
	    {"10.0.0.0/8", "192.168.0.1", true, false},
	    {"10.1.2.3", "10.1.2.3", true, true},
	    {"10.1.2.3", "10.1.2.4", true, false},
	    {"10.4.0.0/14", "10.7.1.1", true, true},
	    {"10.4.0.0/14", "10.8.0.0", true, false},
	    {"fd00::/8", "fd12::1", true, true},
	    {"fd00::/8", "fc12::1", true, false},
	    {"0.0.0.0/0", "192.168.0.1", true, true},
	    {"::/0", "127.0.0.1", true, true},
	    {"::/0", "0.0.0.0", true, false},
	    {"::/0", "ff02::1", true, false},
	    {"169.254.0.0/16", "169.254.169.254", true, true},
	    {"10.0.0.0/33", "10.0.0.1", false, false},
	    {"10.0.0.0/", "10.0.0.1", false, false},
	    {"10.0.0.0/x", "10.0.0.1", false, false},
	    {"example.com", "10.0.0.1", false, false},
	    {"", "10.0.0.1", false, false},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address_range r;
		struct address a;

		assert_true(address_parse(str_from(rows[i].host), &a));
		if (address_range_parse(str_from(rows[i].range), &r) != rows[i].parses)
			fail_msg("%s: parsed is not %d", rows[i].range, rows[i].parses);
		if (!rows[i].parses)
			continue;
		struct address_policy p = {.ranges = &r, .range_count = 1};
		if (!address_is_public(&a) && address_allowed(&p, &a) != rows[i].inside)
			fail_msg("%s in %s: is not %d", rows[i].host, rows[i].range, rows[i].inside);
	}
}

static void test_policy(void **state)
{
	static const struct {
		const char *host;
		bool closed, open; /* without and with all_private */
	} rows[] = {
	    {"8.8.8.8", true, true},          {"127.0.0.1", false, true},
	    {"10.0.0.1", false, true},        {"::1", false, true},
	    {"fd00::1", false, true},         {"169.254.169.254", false, false},
	    {"fe80::1", false, false},        {"0.0.0.0", false, false},
	    {"224.0.0.1", false, false},      {"::", false, false},
	    {"ff02::1", false, false},        {"255.255.255.255", false, false},
	    {"::ffff:0.0.0.0", false, false}, {"::ffff:10.0.0.1", false, true},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;

		assert_true(address_parse(str_from(rows[i].host), &a));
		for (int open = 0; open < 2; open++)
			if (address_allowed(&(struct address_policy){.all_private = open}, &a) !=
			    (open ? rows[i].open : rows[i].closed))
				fail_msg("%s, all_private %d", rows[i].host, open);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_public),
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_policy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
