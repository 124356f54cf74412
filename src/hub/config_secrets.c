#include "hub/config_secrets.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/secretbox.h"
#include "base/utf8.h"
#include "format/json.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_VARIABLE "CROSSDOCK_SECRET_KEY"
#define MAGIC        "CDSECRETS1\n"

struct secret {
	char *name, *value;
	size_t value_size;
};

struct config_secrets {
	char *folder;
	int lock; /* descriptor of the folder, -1: not open for change */
	bool has_key;
	struct secretbox_key key;
	struct secret list[SECRETS_MAX]; /* by name */
	size_t count;
};

static enum rc io_error(struct err *e, const char *path)
{
	return err_set_at(e, RC_IO, "secrets_io", path, "%s: %s", path, strerror(errno));
}

static char *text_copy(struct str s)
{
	char *p = mem_alloc(s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

static void secret_free(struct secret *s)
{
	secret_wipe(s->value, s->value_size);
	free(s->value);
	free(s->name);
}

void config_secrets_close(struct config_secrets *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		secret_free(&s->list[i]);
	if (s->lock >= 0)
		close(s->lock);
	free(s->folder);
	secret_wipe(s, sizeof(*s));
	free(s);
}

static void path_of(const struct config_secrets *s, const char *name, char *out, size_t room)
{
	snprintf(out, room, "%s/%s", s->folder, name);
}

/* RC_NOT_FOUND if there is no such file. */
static enum rc read_file(const char *path, struct buf *out, struct err *e)
{
	char chunk[8192];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? RC_NOT_FOUND : io_error(e, path);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)n);
	enum rc rc = n < 0 ? io_error(e, path) : RC_OK;
	close(fd);
	secret_wipe(chunk, sizeof(chunk));
	if (rc == RC_OK && !buf_ok(out))
		rc = err_set_at(e, RC_LIMIT, "secrets_too_large", path, "%s is larger than %zu bytes.", path, out->max);
	return rc;
}

static bool write_all(int fd, struct str s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s = (struct str){s.p + n, s.n - (size_t)n};
	}
	return true;
}

static enum rc replace_file(const struct config_secrets *s, const char *name, struct str content, struct err *e)
{
	char path[4096], beside[4096 + 8];
	path_of(s, name, path, sizeof(path));
	snprintf(beside, sizeof(beside), "%s.new", path);

	unlink(beside);
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return io_error(e, beside);
	bool good = write_all(fd, content) && fsync(fd) == 0;
	int cause = errno;
	close(fd);
	if (good && rename(beside, path) == 0 && fsync(s->lock) == 0)
		return RC_OK;
	if (!good)
		errno = cause;
	enum rc rc = io_error(e, path);
	unlink(beside);
	return rc;
}

static enum rc key_decode(struct config_secrets *s, struct str text, const char *where, struct err *e)
{
	unsigned char raw[SECRETBOX_KEY_BYTES + 4];
	size_t n;

	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == ' '))
		text.n--;
	s->has_key = base64_decode(text, raw, sizeof(raw), &n) && n == SECRETBOX_KEY_BYTES;
	if (s->has_key)
		memcpy(s->key.bytes, raw, SECRETBOX_KEY_BYTES);
	secret_wipe(raw, sizeof(raw));
	return s->has_key ? RC_OK
			  : err_set_at(e, RC_INVALID, "secret_key_invalid", where, "%s must be the base64 of %d bytes.",
				       where, SECRETBOX_KEY_BYTES);
}

static enum rc key_load(struct config_secrets *s, struct err *e)
{
	const char *named = getenv(KEY_VARIABLE);
	char path[4096];
	struct buf text;

	if (named && *named)
		return key_decode(s, str_from(named), KEY_VARIABLE, e);
	path_of(s, "secret.key", path, sizeof(path));
	buf_init(&text, 256);
	enum rc rc = read_file(path, &text, e);
	if (rc == RC_OK)
		rc = key_decode(s, buf_str(&text), path, e);
	else if (rc == RC_NOT_FOUND)
		rc = RC_OK;
	if (text.p)
		secret_wipe(text.p, text.n);
	buf_done(&text);
	return rc;
}

static enum rc key_make(struct config_secrets *s, struct err *e)
{
	char text[4 * ((SECRETBOX_KEY_BYTES + 2) / 3) + 1];

	secretbox_key_make(&s->key);
	base64_encode(s->key.bytes, SECRETBOX_KEY_BYTES, text);
	enum rc rc = replace_file(s, "secret.key", str_from(text), e);
	s->has_key = rc == RC_OK;
	secret_wipe(text, sizeof(text));
	return rc;
}

/* Where name is, or where it belongs. */
static size_t position(const struct config_secrets *s, struct str name, bool *found)
{
	size_t low = 0, high = s->count;
	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		struct str have = str_from(s->list[middle].name);
		size_t common = have.n < name.n ? have.n : name.n;
		int order = common ? memcmp(have.p, name.p, common) : 0;
		if (order == 0 && have.n == name.n) {
			*found = true;
			return middle;
		}
		if (order < 0 || (order == 0 && have.n < name.n))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum rc put(struct config_secrets *s, struct str name, struct str value, struct err *e)
{
	bool found;
	size_t at = position(s, name, &found);

	if (found) {
		secret_free(&s->list[at]);
	} else {
		if (s->count == SECRETS_MAX)
			return err_set(e, RC_LIMIT, "too_many_secrets", "There may be %d secrets at most.",
				       SECRETS_MAX);
		memmove(&s->list[at + 1], &s->list[at], (s->count - at) * sizeof(s->list[0]));
		s->count++;
	}
	s->list[at] = (struct secret){text_copy(name), text_copy(value), value.n};
	return RC_OK;
}

static enum rc decode(struct config_secrets *s, struct str file, const char *path, struct err *e)
{
	const struct str magic = STR(MAGIC);
	struct json_limits limits = {.bytes = SECRETS_BYTES_MAX, .depth = 4, .nodes = SECRETS_MAX + 1};
	struct arena a;
	struct str plain = STR_NONE;
	struct json *map = NULL;

	if (file.n < magic.n || memcmp(file.p, magic.p, magic.n) != 0)
		return err_set_at(e, RC_INVALID, "secrets_unreadable", path, "%s is not a file of secrets.", path);
	if (!s->has_key)
		return err_set_at(e, RC_INVALID, "secret_key_missing", path,
				  "%s is there, but neither %s nor secret.key beside it.", path, KEY_VARIABLE);
	arena_init(&a, 4 * (size_t)SECRETS_BYTES_MAX);
	enum rc rc = secretbox_open(&s->key, &a, (struct str){file.p + magic.n, file.n - magic.n}, &plain, e);
	if (rc == RC_OK)
		rc = json_parse(&a, plain, &limits, &map, e);
	for (uint32_t i = 0; rc == RC_OK && json_is(map, JSON_OBJECT) && i < map->count; i++) {
		struct str value = json_text(&map->members[i].value);
		rc = put(s, map->members[i].name, value, e);
		if (value.n)
			secret_wipe((char *)value.p, value.n);
	}
	if (plain.n)
		secret_wipe((char *)plain.p, plain.n);
	arena_done(&a);
	return rc;
}

static enum rc lock_folder(struct config_secrets *s, struct err *e)
{
	s->lock = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return io_error(e, s->folder);
	while (flock(s->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return io_error(e, s->folder);
	return RC_OK;
}

enum rc config_secrets_open(const char *folder, bool change, struct config_secrets **out, struct err *e)
{
	struct config_secrets *s = mem_zalloc(1, sizeof(*s));
	char path[4096];
	struct buf file;

	s->lock = -1;
	s->folder = text_copy(str_from(folder));
	path_of(s, "secrets.enc", path, sizeof(path));
	buf_init(&file, SECRETS_BYTES_MAX);
	enum rc rc = change ? lock_folder(s, e) : RC_OK;
	if (rc == RC_OK)
		rc = key_load(s, e);
	if (rc == RC_OK) {
		rc = read_file(path, &file, e);
		rc = rc == RC_OK ? decode(s, buf_str(&file), path, e) : rc == RC_NOT_FOUND ? RC_OK : rc;
	}
	buf_done(&file);
	if (rc != RC_OK) {
		config_secrets_close(s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

enum rc config_secrets_key(const char *folder, struct secretbox_key *out, struct err *e)
{
	enum rc rc = RC_OK;

	for (int change = 0; change < 2; change++) {
		struct config_secrets *s;

		rc = config_secrets_open(folder, change, &s, e);
		if (rc != RC_OK)
			return rc;
		bool known = s->has_key;
		if (!known && change)
			rc = key_make(s, e);
		*out = s->key;
		config_secrets_close(s);
		if (known || rc != RC_OK)
			return rc;
	}
	return rc;
}

bool config_secrets_get(const struct config_secrets *s, struct str name, struct str *value)
{
	bool found;
	size_t at = position(s, name, &found);
	if (found)
		*value = (struct str){s->list[at].value, s->list[at].value_size};
	return found;
}

size_t config_secrets_count(const struct config_secrets *s)
{
	return s->count;
}

struct str config_secrets_name(const struct config_secrets *s, size_t i)
{
	assert(i < s->count);
	return str_from(s->list[i].name);
}

bool config_secret_name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && c != '_' && c != '-' && c != '.')
			return false;
	}
	return name.n > 0 && name.n <= SECRET_NAME_MAX;
}

static enum rc save(struct config_secrets *s, struct err *e)
{
	struct buf text, file;
	struct json_writer w;
	struct arena a;
	struct str box;
	enum rc rc = RC_OK;

	assert(s->lock >= 0);
	if (!s->has_key)
		rc = key_make(s, e);
	if (rc != RC_OK)
		return rc;
	buf_init(&text, SECRETS_BYTES_MAX - 256);
	buf_init(&file, SECRETS_BYTES_MAX);
	arena_init(&a, 2 * (size_t)SECRETS_BYTES_MAX);
	jw_init(&w, &text);
	jw_object(&w);
	for (size_t i = 0; i < s->count; i++)
		jw_key_text(&w, s->list[i].name, (struct str){s->list[i].value, s->list[i].value_size});
	jw_object_end(&w);
	if (!buf_ok(&text) || secretbox_seal(&s->key, &a, buf_str(&text), &box) != RC_OK) {
		rc = err_set(e, RC_LIMIT, "secrets_too_large", "All secrets together may have %u bytes.",
			     SECRETS_BYTES_MAX);
	} else {
		buf_add_z(&file, MAGIC);
		buf_add_str(&file, box);
		rc = replace_file(s, "secrets.enc", buf_str(&file), e);
	}
	if (text.p)
		secret_wipe(text.p, text.n);
	buf_done(&text);
	buf_done(&file);
	arena_done(&a);
	return rc;
}

enum rc config_secrets_set(struct config_secrets *s, struct str name, struct str value, struct err *e)
{
	if (!config_secret_name_ok(name))
		return err_set(e, RC_INVALID, "secret_name_invalid",
			       "A secret's name has up to %d letters, digits, '_', '-' and '.'.", SECRET_NAME_MAX);
	if (value.n == 0 || value.n > SECRET_VALUE_MAX || utf8_check(value) != value.n || memchr(value.p, 0, value.n))
		return err_set(e, RC_INVALID, "secret_value_invalid",
			       "A secret is text (UTF-8) of 1 to %d bytes; use base64 for other bytes.",
			       SECRET_VALUE_MAX);
	enum rc rc = put(s, name, value, e);
	return rc == RC_OK ? save(s, e) : rc;
}

enum rc config_secrets_remove(struct config_secrets *s, struct str name, struct err *e)
{
	bool found;
	size_t at = position(s, name, &found);

	if (!found)
		return err_set(e, RC_NOT_FOUND, "secret_not_found", "There is no secret '" STR_FMT "'.", STR_ARG(name));
	secret_free(&s->list[at]);
	s->count--;
	memmove(&s->list[at], &s->list[at + 1], (s->count - at) * sizeof(s->list[0]));
	return save(s, e);
}
