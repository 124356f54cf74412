#include "hub/webhook_url.h"

#include <string.h>

#define PORT_FREE 1024 /* below it only 80 and 443 */

static bool host_allowed(const struct config_webhooks *w, struct str host)
{
	struct address a;
	return !address_parse(host, &a) || address_allowed(&w->addresses, &a);
}

static bool host_valid(struct str host)
{
	bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
			     c == '-' || c == '_';
		if (!plain && !(bracketed && (c == ':' || c == '[' || c == ']')))
			return false;
	}
	return host.n > 0 && host.n < 256;
}

static bool port_allowed(struct str port)
{
	unsigned n = 0;
	for (size_t i = 0; i < port.n; i++) {
		if (port.p[i] < '0' || port.p[i] > '9' || i > 4)
			return false;
		n = n * 10 + (unsigned)(port.p[i] - '0');
	}
	return port.n && (n == 80 || n == 443 || (n >= PORT_FREE && n <= 65535));
}

const char *webhook_url_wrong(struct str url, const struct config_webhooks *w)
{
	bool https = url.n > 8 && memcmp(url.p, "https://", 8) == 0,
	     http = url.n > 7 && memcmp(url.p, "http://", 7) == 0;
	if (!https && !http)
		return "It is an https:// URL.";
	if (http && !w->http)
		return "http:// is not allowed here (webhooks.allow_http).";
	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] > 126 ||
		    strchr("\"<>\\^`{|}#@", url.p[i]))
			return "It has a character that a URL of a webhook may not have (no user, no fragment).";
	struct str rest = {url.p + (https ? 8 : 7), url.n - (https ? 8 : 7)};
	size_t end = 0;
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	struct str host = {rest.p, end};
	const char *bracket = memrchr(host.p, ']', host.n), *colon = host.n ? memrchr(host.p, ':', host.n) : NULL;
	if (colon && (!bracket || colon > bracket)) {
		struct str port = {colon + 1, (size_t)(host.p + host.n - colon) - 1};
		host.n = (size_t)(colon - host.p);
		if (!port_allowed(port))
			return "Its port is not allowed: 80, 443, and from 1024.";
	}
	if (!host_valid(host))
		return "Its host is not one.";
	return host_allowed(w, host) ? NULL : "Its address is private (webhooks.allow_private).";
}

struct str webhook_url_shown(struct str url, struct arena *a)
{
	const char *query = url.n ? memchr(url.p, '?', url.n) : NULL;

	if (!query)
		return url;
	return str_from(arena_printf(a, STR_FMT "?***", (int)(query - url.p), url.p));
}
