/*
 * Files as the page cache has them, and what of that has reached the disk: for the fault VFS. A write is remembered, in
 * order, until it is flushed; what is not flushed when the power goes is lost, whole or in part. The caller serializes.
 */
#ifndef STORE_SQLITE_FAULT_DISK_H
#define STORE_SQLITE_FAULT_DISK_H

#include "store/sqlite/fault_locks.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct pending;

/* A file as the page cache has it, by inode: names come and go. Its descriptor keeps the inode from being used again.
 */
struct fault_node {
	struct fault_node *next;
	dev_t device;
	ino_t inode;
	int fd, users;
	unsigned char *image;
	int64_t size, room;
	struct pending *first, **last;
	/* Where this process is alone: what has reached the disk, and who has locked it. */
	unsigned char *disk;
	int64_t disk_size, disk_room;
	struct fault_locks locks;
};

struct fault_disk {
	struct fault_node *nodes;
	bool alone;      /* no other process opens the files: what is on the disk is kept here */
	uint64_t random; /* decides what a power cut leaves */
};

uint64_t fault_disk_random(struct fault_disk *d);
struct fault_node *fault_disk_find(const struct fault_disk *d, const struct stat *st); /* or NULL */
struct fault_node *fault_disk_get(struct fault_disk *d, const char *path);
/* Into the page cache: bytes, or a new size. */
void fault_disk_write(struct fault_node *node, const void *bytes, size_t n, int64_t offset);
void fault_disk_truncate(struct fault_node *node, int64_t size);
/* All of it is on the disk then; or some of it, and the rest is lost. */
void fault_disk_flush(struct fault_disk *d, struct fault_node *node);
void fault_disk_flush_some(struct fault_disk *d, struct fault_node *node);
/* Forgets files that nobody has open and nobody can open again. */
void fault_disk_forget_deleted(struct fault_disk *d);
/* The power is on again: what is in the page cache is read from the disk. */
void fault_disk_restart(struct fault_disk *d);

#endif
