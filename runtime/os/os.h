/* os.h - what brise needs of an operating system; nothing outside this folder calls it directly
 *
 * One folder per system implements this header: posix/ (Linux, BSD, macOS, Android) and none/, for
 * firmware without files and threads. The Makefile's SYSTEM chooses. What is built on it
 * (threads.c, map.c, target.c, cores.c) is the same for all systems.
 *
 * Functions that fail return false, NULL or -1 and leave the reason in errno, for error_errno.
 * Memory is in runtime/os/memory.h.
 */
#ifndef RUNTIME_OS_H
#define RUNTIME_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- files ---------------------------------------------------------------------------------- */

typedef enum os_kind { OS_FILE, OS_FOLDER, OS_LINK, OS_OTHER } os_kind;

typedef struct os_facts {
	os_kind kind;  /* OS_OTHER: a device, a pipe, a socket */
	uint32_t mode; /* permission bits */
	uint32_t owner, group;
	uint64_t bytes;
	uint64_t device, serial; /* the same pair is the same file, whatever its name */
	int64_t changed_ns;      /* time of the last change of its contents */
} os_facts;

/* What `path` leads to; of a symbolic link itself: os_examine_link. False: there is nothing, or it
 * cannot be examined (errno). */
bool os_examine(const char *path, os_facts *facts);
bool os_examine_link(const char *path, os_facts *facts);
bool os_examine_open(int file, os_facts *facts);

/* Whether this process may write to what is at `path`. */
bool os_may_write(const char *path);

/* Opens for reading. Never waits, not even for the other end of a pipe. Returns a number, -1: not
 * opened. */
int os_open(const char *path);

/* Makes an empty file for reading and writing where there is nothing, not even a link, with those
 * permission bits less the process's mask. errno is EEXIST if something is there. */
int os_create(const char *path, uint32_t mode);

/* Opens a file that exists for reading and writing. */
int os_open_writable(const char *path);

bool os_close(int file);

/* Reads up to n bytes at `offset`, fewer only at the file's end. Returns how many, -1: error. */
int64_t os_read_at(int file, void *bytes, size_t n, uint64_t offset);

/* Whether os_read_at goes past the system's cache of files from now on, where the file system can:
 * offset, n and the address must then be multiples of OS_DIRECT_ALIGN, but reads to the file's end
 * may end anywhere. False: it cannot. */
#define OS_DIRECT_ALIGN 4096u
bool os_set_direct(int file, bool direct);

/* Lets the system forget what it has cached of [offset, offset + n) of a file: a hint. What is
 * mapped anywhere stays. */
void os_drop_cached(int file, uint64_t offset, uint64_t n);

/* Writes all n bytes at `offset`. Any threads may write to one file at once. */
bool os_write_at(int file, const void *bytes, size_t n, uint64_t offset);

/* Brings a file's contents, or a folder's names, to disk. Not every file system can sync a
 * folder. */
bool os_sync(int file);
bool os_sync_folder(const char *path);

/* Sets the permission bits. */
bool os_set_mode(int file, uint32_t mode);

/* Gives the file to another owner or group; only a privileged process may do the first. */
bool os_set_owner(int file, uint32_t owner);
bool os_set_group(int file, uint32_t group);

/* Makes the file shorter, or longer by zeros. */
bool os_set_size(int file, uint64_t bytes);

/* Makes the file at least `bytes` long and takes all of that on the disk now, so that writing to a
 * mapping of it cannot fail for want of room. */
bool os_take_room(int file, uint64_t bytes);

/* Locks the file for this process, until it closes the file or ends. */
typedef enum os_lock_result {
	OS_LOCKED,
	OS_LOCK_HELD, /* by another that opened the file */
	OS_LOCK_NONE, /* this file system has no locks */
} os_lock_result;
os_lock_result os_lock_file(int file);

/* Bytes free for this process in the file system that holds the file. */
bool os_free_bytes(int file, uint64_t *bytes);

/* Replaces what is called `to`, in one step. */
bool os_rename(const char *from, const char *to);

/* Renames where nothing is called `to`. errno is EEXIST if something is. A file system without such
 * a call and without hard links checks first and renames then. */
bool os_rename_new(const char *from, const char *to);

bool os_remove(const char *path);
bool os_make_folder(const char *path);
bool os_make_private_folder(const char *path); /* for this user alone */
/* The same with those above it that are not there; true also where `path` is there already, as
 * whatever. False: errno, of the first that could not be made. */
bool os_make_private_folders(const char *path);
bool os_remove_folder(const char *path); /* an empty one */

/* Calls each with the name of every entry but "." and ".." until it returns false. False: the
 * folder cannot be read. */
typedef bool os_entry_fn(void *user, const char *name);
bool os_list_folder(const char *path, os_entry_fn *each, void *user);

/* `path` without symbolic links, from memory_new; NULL: errno. */
char *os_resolve(const char *path);

/* Where a symbolic link leads, from memory_new; NULL: no link, or no memory (errno). */
char *os_read_link(const char *path);

/* A number that no other running process of this machine has. */
long os_process(void);

/* ---- mappings ------------------------------------------------------------------------------- */

/* The first `size` bytes of a file, read-only, page-aligned. NULL: errno. */
const void *os_map(int file, size_t size);

/* The same, and what is written to it goes to the file: sooner or later, or at os_sync_map. */
void *os_map_writable(int file, size_t size);

/* Brings the first n bytes of a mapping to disk. */
bool os_sync_map(const void *bytes, size_t n);

/* The same, and what is written to it stays in this mapping: a page is copied when it is first
 * written to. */
void *os_map_private(int file, size_t size);

void os_unmap(const void *bytes, size_t size); /* NULL allowed */

size_t os_page_bytes(void);

/* A hint to use huge pages for what of [bytes, bytes + size) they would cover whole; failure is
 * ignored. */
void os_advise_huge(const void *bytes, size_t size);

/* Memory of its own for large things, zeroed, page-aligned, in huge pages where the system has
 * them. NULL: there is none. */
void *os_new_pages(size_t size);
void os_free_pages(void *pages, size_t size); /* NULL allowed */

/* Keeps pages in physical memory. False: errno; EPERM and ENOMEM mean that this process may not, or
 * not so many. */
bool os_lock_pages(const void *pages, size_t size);

/* A hint that a mapping is read here and there: nothing is read ahead. */
void os_advise_random(const void *bytes, size_t size);

/* Reading a mapped page fails with a signal (SIGBUS) when the file has become shorter or its disk
 * cannot be read. A guarded mapping survives that: a handler for the whole process, installed with
 * the first guard and removed with the last, puts pages of zeros in place of the rest of the
 * mapping and notes the fault; `writable` pages for a mapping that is written to, whose writes fail
 * in the same way. Other faults go to the handler that was installed before. Threads
 * must not block SIGBUS while they read. Returns the guard's number, -1: not guarded (too many
 * guards, or the system has none). */
int os_guard(const void *bytes, size_t size, bool writable);
bool os_guard_hit(int guard); /* an access has failed; false for -1 */

/* How many accesses have failed so far; 0 for -1. */
unsigned os_guard_count(int guard);

/* Puts the file's pages in place of zeros again, where some stand; what was read meanwhile is
 * counted. False: errno. */
bool os_guard_restore(int guard, int file);
void os_unguard(int guard); /* before os_unmap */

/* ---- threads -------------------------------------------------------------------------------- */

typedef struct os_thread os_thread;
typedef void os_thread_fn(void *argument);

/* Starts a thread that takes no signals but those its own faults raise. NULL: errno. */
os_thread *os_start_thread(os_thread_fn *run, void *argument);

/* Waits for its end and frees it. In a process made by fork, where the thread does not exist, it
 * frees only. */
void os_join_thread(os_thread *thread);

/* Lets another thread run. */
void os_yield(void);

/* A lock with one condition to wait for. In a process made by fork, which has none of the threads
 * that may hold it or wait, waking does nothing and freeing frees only. */
typedef struct os_monitor os_monitor;

os_monitor *os_new_monitor(void); /* NULL: no memory */
void os_free_monitor(os_monitor *monitor);
void os_lock(os_monitor *monitor);
void os_unlock(os_monitor *monitor);
void os_wait(os_monitor *monitor); /* locked; may return without having been woken */
void os_wait_for(os_monitor *monitor, double seconds); /* the same, for so long at most */

/* Wakes all that wait, and all that have looked at what they wait for but do not wait yet: takes
 * the lock. */
void os_wake_all(os_monitor *monitor);

/* ---- clock, processors, memory -------------------------------------------------------------- */

/* Nanoseconds on a clock that only goes forward; 0 where there is none. */
int64_t os_clock_ns(void);

/* The same in seconds. */
static inline double os_clock(void)
{
	return 1e-9 * (double)os_clock_ns();
}

/* Seconds since 1970 by the clock on the wall; 0: unknown. */
int64_t os_time(void);

#define OS_PROCESSORS_MAX 1024u

/* Numbers of the logical processors that this process may use, ascending, at most `most`. Returns
 * how many, 0: unknown. */
unsigned os_list_processors(unsigned *numbers, unsigned most);

/* Physical memory of the machine in bytes; 0: unknown. */
uint64_t os_machine_memory(void);

#endif
