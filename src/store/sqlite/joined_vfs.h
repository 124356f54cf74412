/*
 * A VFS for the writer, over another one: consecutive writes to the WAL become one.
 *
 * SQLite writes a frame as two writes, of 24 bytes and of a page; a commit of a few orders is some forty of them. Here
 * they are held and written together, in the order in which they were made, before whatever could tell the difference:
 * a sync, a read, a truncation, a look at the size, a write elsewhere, the close. A commit syncs the WAL before it
 * shows its frames to other connections (PRAGMA synchronous = FULL), so nobody misses what is held. An error of a held
 * write is told by the call that wrote it.
 *
 * All other files go to the other VFS as they are. SQLite: https://www.sqlite.org/c3ref/vfs.html,
 * c3ref/io_methods.html.
 */
#ifndef STORE_JOINED_VFS_H
#define STORE_JOINED_VFS_H

/* The name of the VFS over base (NULL: the default), which is registered at its first use and stays; NULL if base is
 * not known. Any thread. */
const char *joined_vfs(const char *base);

#endif
