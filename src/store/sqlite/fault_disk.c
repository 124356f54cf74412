#include "store/sqlite/fault_disk.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

/* A change that is in the page cache only. */
struct pending {
	struct pending *next;
	int64_t offset; /* of a write; the size of a truncation */
	size_t n;
	bool truncates;
	unsigned char bytes[];
};

/* SplitMix64 (Steele, Lea and Flood, 2014). */
uint64_t fault_disk_random(struct fault_disk *d)
{
	uint64_t z = d->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void pending_free(struct fault_node *node)
{
	for (struct pending *p = node->first, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	node->first = NULL;
	node->last = &node->first;
}

static void bytes_resize(unsigned char **bytes, int64_t *room, int64_t *size, int64_t to)
{
	if (to > *room) {
		*room = to + to / 2;
		*bytes = realloc(*bytes, (size_t)*room);
		assert(*bytes);
	}
	if (to > *size)
		memset(*bytes + *size, 0, (size_t)(to - *size));
	*size = to;
}

static void to_disk(const struct fault_disk *d, struct fault_node *node, const struct pending *p, size_t n)
{
	if (d->alone) {
		int64_t end = p->truncates ? p->offset : p->offset + (int64_t)n;

		if (p->truncates || end > node->disk_size)
			bytes_resize(&node->disk, &node->disk_room, &node->disk_size, end);
		if (!p->truncates && n > 0)
			memcpy(node->disk + p->offset, p->bytes, n);
		return;
	}
	if (p->truncates) {
		int r = ftruncate(node->fd, p->offset);
		assert(r == 0);
		return;
	}
	ssize_t w = pwrite(node->fd, p->bytes, n, p->offset);
	assert(w == (ssize_t)n);
}

/* In the order in which they were made: the page cache never writes an older state over a newer one. */
void fault_disk_flush_some(struct fault_disk *d, struct fault_node *node)
{
	for (const struct pending *p = node->first; p; p = p->next) {
		uint64_t fate = fault_disk_random(d) % 8;
		if (fate < 4)
			to_disk(d, node, p, p->n);
		else if (fate < 6 && !p->truncates)
			to_disk(d, node, p, fault_disk_random(d) % (p->n / SECTOR + 1) * SECTOR);
	}
	pending_free(node);
}

void fault_disk_flush(struct fault_disk *d, struct fault_node *node)
{
	for (const struct pending *p = node->first; p; p = p->next)
		to_disk(d, node, p, p->n);
	pending_free(node);
}

static void image_resize(struct fault_node *node, int64_t size)
{
	bytes_resize(&node->image, &node->room, &node->size, size);
}

static void remember(struct fault_node *node, bool truncates, const void *bytes, size_t n, int64_t offset)
{
	struct pending *p = malloc(sizeof(*p) + n);

	assert(p);
	*p = (struct pending){.offset = offset, .n = n, .truncates = truncates};
	if (truncates) {
		image_resize(node, offset);
	} else {
		memcpy(p->bytes, bytes, n);
		if (offset + (int64_t)n > node->size)
			image_resize(node, offset + (int64_t)n);
		memcpy(node->image + offset, bytes, n);
	}
	*node->last = p;
	node->last = &p->next;
}

struct fault_node *fault_disk_find(const struct fault_disk *d, const struct stat *st)
{
	for (struct fault_node *node = d->nodes; node; node = node->next)
		if (node->device == st->st_dev && node->inode == st->st_ino)
			return node;
	return NULL;
}

struct fault_node *fault_disk_get(struct fault_disk *d, const char *path)
{
	struct stat st;
	struct fault_node *node;
	ssize_t n;
	int fd;

	assert(stat(path, &st) == 0);
	node = fault_disk_find(d, &st);
	if (node)
		return node;
	/* Kept open while the node lives: closing it would drop the process's locks on the file. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert(fd >= 0);
	node = calloc(1, sizeof(*node));
	assert(node);
	*node = (struct fault_node){.next = d->nodes, .device = st.st_dev, .inode = st.st_ino, .fd = fd};
	node->last = &node->first;
	image_resize(node, st.st_size);
	n = pread(fd, node->image, (size_t)st.st_size, 0);
	assert(n == st.st_size);
	if (d->alone) {
		bytes_resize(&node->disk, &node->disk_room, &node->disk_size, st.st_size);
		if (n > 0) {
			assert(node->disk);
			memcpy(node->disk, node->image, (size_t)n);
		}
	}
	d->nodes = node;
	return node;
}

static bool is_deleted(const struct fault_node *node)
{
	struct stat st;

	return fstat(node->fd, &st) != 0 || st.st_nlink == 0;
}

static void node_free(struct fault_node *node)
{
	close(node->fd);
	free(node->image);
	free(node->disk);
	free(node);
}

void fault_disk_forget_deleted(struct fault_disk *d)
{
	struct fault_node *node, **link = &d->nodes;

	while ((node = *link)) {
		if (node->users > 0 || !is_deleted(node)) {
			link = &node->next;
			continue;
		}
		*link = node->next;
		pending_free(node);
		node_free(node);
	}
}

void fault_disk_write(struct fault_node *node, const void *bytes, size_t n, int64_t offset)
{
	remember(node, false, bytes, n, offset);
}

void fault_disk_truncate(struct fault_node *node, int64_t size)
{
	remember(node, true, NULL, 0, size);
}

void fault_disk_restart(struct fault_disk *d)
{
	struct fault_node *node, **link = &d->nodes;

	while ((node = *link)) {
		pending_free(node);
		if (d->alone && !is_deleted(node)) {
			node->size = 0;
			image_resize(node, node->disk_size);
			if (node->disk_size > 0)
				memcpy(node->image, node->disk, (size_t)node->disk_size);
			link = &node->next;
		} else {
			*link = node->next;
			node_free(node);
		}
	}
}
