#include "hub/share.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
	struct stat s;
	return path && stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static bool is_share(struct arena *a, const char *path)
{
	return is_folder(arena_printf(a, "%s/schemas", path)) && is_folder(arena_printf(a, "%s/connectors", path));
}

enum rc share_find_from(const char *program, struct arena *a, const char **out, struct err *e)
{
	const char *beside[] = {
	    arena_printf(a, "%s/../share/crossdock", program),
	    arena_printf(a, "%s/share", program),
	};
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
		if (beside[i] && is_share(a, beside[i])) {
			*out = beside[i];
			return RC_OK;
		}
	char *at = arena_printf(a, "%s", program);
	while (at && *at) {
		if (is_share(a, at)) {
			*out = at;
			return RC_OK;
		}
		char *slash = strrchr(at, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	return err_set(e, RC_NOT_FOUND, "share_not_found",
		       "The folder with schemas/ and connectors/ was not found; CROSSDOCK_SHARE can name it.");
}

enum rc share_find(struct arena *a, const char **out, struct err *e)
{
	char path[PATH_MAX];
	const char *named = getenv("CROSSDOCK_SHARE");

	if (named && *named) {
		if (!is_share(a, named))
			return err_set(e, RC_NOT_FOUND, "share_not_found",
				       "CROSSDOCK_SHARE is '%s', which has no schemas/ and connectors/.", named);
		*out = arena_printf(a, "%s", named);
		return *out ? RC_OK : RC_LIMIT;
	}
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		n = 0;
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	return share_find_from(path, a, out, e);
}
