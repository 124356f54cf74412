#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define HOST_MAX 256

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct address of_v4(uint32_t v4)
{
	struct address a;
	memcpy(a.bytes, mapped, sizeof(mapped));
	for (int i = 0; i < 4; i++)
		a.bytes[12 + i] = (unsigned char)(v4 >> (24 - 8 * i));
	return a;
}

static uint32_t v4_at(const struct address *a, size_t at)
{
	uint32_t v4 = 0;
	for (size_t i = 0; i < 4; i++)
		v4 = v4 << 8 | a->bytes[at + i];
	return v4;
}

static bool is_v4(const struct address *a)
{
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

bool address_of(const struct sockaddr *s, struct address *out)
{
	if (s->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, s, sizeof(in));
		*out = of_v4(ntohl(in.sin_addr.s_addr));
		return true;
	}
	if (s->sa_family != AF_INET6)
		return false;
	struct sockaddr_in6 in6;
	memcpy(&in6, s, sizeof(in6));
	memcpy(out->bytes, in6.sin6_addr.s6_addr, sizeof(out->bytes));
	return true;
}

bool address_parse(struct str host, struct address *out)
{
	char text[HOST_MAX];
	struct in_addr v4;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){host.p + 1, host.n - 2};
	if (host.n && host.p[host.n - 1] == '.')
		host.n--; /* the root's dot */
	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	char *zone = strchr(text, '%');
	if (zone)
		*zone = '\0';
	if (inet_pton(AF_INET6, text, out->bytes) == 1)
		return true;
	if (!inet_aton(text, &v4))
		return false;
	*out = of_v4(ntohl(v4.s_addr));
	return true;
}

bool address_range_parse(struct str text, struct address_range *out)
{
	const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	size_t n = slash ? (size_t)(slash - text.p) : text.n;
	unsigned bits = 0;
	if (!address_parse((struct str){text.p, n}, &out->first))
		return false;
	unsigned base = is_v4(&out->first) && !memchr(text.p, ':', n) ? 96 : 0;
	out->bits = 128;
	if (!slash)
		return true;
	for (const char *p = slash + 1; p < text.p + text.n; p++) {
		if (*p < '0' || *p > '9' || p > slash + 3)
			return false;
		bits = bits * 10 + (unsigned)(*p - '0');
	}
	out->bits = base + bits;
	return slash + 1 < text.p + text.n && out->bits <= 128;
}

static bool in_range(const struct address *a, const struct address_range *r)
{
	size_t whole = r->bits / 8, rest = r->bits % 8;
	if (memcmp(a->bytes, r->first.bytes, whole) != 0)
		return false;
	return !rest || (a->bytes[whole] ^ r->first.bytes[whole]) >> (8 - rest) == 0;
}

struct block {
	uint32_t first;
	unsigned bits;
};

static bool v4_in(uint32_t v4, const struct block *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((v4 ^ blocks[i].first) >> (32 - blocks[i].bits) == 0)
			return true;
	return false;
}

static bool v4_is_public(uint32_t v4)
{
	static const struct block special[] = {
	    {0x00000000, 8},  /* this network */
	    {0x0a000000, 8},  /* private */
	    {0x64400000, 10}, /* shared, behind a carrier's NAT; some clouds' metadata */
	    {0x7f000000, 8},  /* loopback */
	    {0xa9fe0000, 16}, /* link-local; metadata services */
	    {0xac100000, 12}, /* private */
	    {0xc0000000, 24}, /* protocol assignments */
	    {0xc0000200, 24}, /* documentation */
	    {0xc0586300, 24}, /* 6to4 relays */
	    {0xc0a80000, 16}, /* private */
	    {0xc6120000, 15}, /* benchmarks */
	    {0xc6336400, 24}, /* documentation */
	    {0xcb007100, 24}, /* documentation */
	    {0xe0000000, 4},  /* multicast */
	    {0xf0000000, 4},  /* reserved, broadcast */
	};
	return v4 != 0xa83f8110 /* 168.63.129.16: a cloud's platform */ &&
	       !v4_in(v4, special, sizeof(special) / sizeof(special[0]));
}

/* The IPv4 address that an IPv6 address leads to. */
static bool embedded(const struct address *a, uint32_t *v4)
{
	static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b}, compatible[12] = {0};
	if (is_v4(a) || memcmp(a->bytes, nat64, sizeof(nat64)) == 0 ||
	    memcmp(a->bytes, compatible, sizeof(compatible)) == 0) {
		*v4 = v4_at(a, 12);
		return true;
	}
	if (a->bytes[0] == 0x20 && a->bytes[1] == 0x02) { /* 6to4 */
		*v4 = v4_at(a, 2);
		return true;
	}
	return false;
}

bool address_is_public(const struct address *a)
{
	uint32_t v4;
	if (embedded(a, &v4))
		return v4_is_public(v4);
	const unsigned char *b = a->bytes;
	if (b[0] >> 5 != 1) /* 2000::/3 is all that is assigned */
		return false;
	if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 2) /* 2001::/23: Teredo, benchmarks, ORCHID */
		return false;
	if (b[0] == 0x3f && b[1] == 0xff && b[2] < 0x10) /* 3fff::/20: documentation */
		return false;
	return !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8);
}

static bool is_never(const struct address *a)
{
	uint32_t v4;
	if (embedded(a, &v4)) {
		/* ::1 looks like a compatible address; it is loopback. */
		bool loopback = v4 == 1 && !is_v4(a);
		return (v4 >> 24 == 0 && !loopback) || v4 >> 28 >= 0xe;
	}
	return a->bytes[0] == 0xff;
}

static bool is_link_local(const struct address *a)
{
	uint32_t v4;
	if (embedded(a, &v4))
		return v4 >> 16 == 0xa9fe;
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool address_allowed(const struct address_policy *p, const struct address *a)
{
	if (is_never(a))
		return false;
	if (address_is_public(a) || (p->all_private && !is_link_local(a)))
		return true;
	for (size_t i = 0; i < p->range_count; i++)
		if (in_range(a, &p->ranges[i]))
			return true;
	return false;
}
