/* What a process has written and not synced is lost when it is killed, as by a power failure.
 *
 * Preloaded (LD_PRELOAD), for regular files below the folder EI_UNSYNCED. Writes go to the file as
 * ever; before each, what it replaces is appended to a journal beside it, NAME.undo. A sync empties
 * the journal. Whoever opens the file once its writer has died by force first puts all that back.
 * A process that ends by itself keeps its writes.
 *
 * Journal: inode (8 bytes), size at the last sync (8), then entries of offset (8), length (8) and
 * bytes, as this machine has them. An entry that is cut off was not followed by its write.
 *
 * Not covered: stores through mmap (SQLite's are to its -shm alone, which it builds anew), names (a
 * file that was made and not synced stays, empty), stdio, copies within the kernel, descriptors that
 * come by dup or fork, a file that two processes write.
 *
 * EI_UNSYNCED_SYNC=0 makes every sync a lie, to see that who relies on it would notice.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536, FILES = 4096, PIECE = 65536 };

struct file {
    dev_t device;
    ino_t inode;
    pid_t owner; /* 0: this place is free */
    int journal, own; /* never closed: closing any descriptor of a file lets go of its locks */
    off_t synced; /* size at the last sync: what lies behind it needs no copy */
    off_t noted;  /* bytes of the journal */
    char path[PATH_MAX];
};

static struct file **of_descriptor;
static struct file *files[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static int is_lying;

#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) found;                                                            \
        if (!found) found = (__typeof__(&name))real(#name);                                        \
        found;                                                                                     \
    })
static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static void die(const char *what) { /* Rather than to look as if it kept its word. */
    dprintf(2, "unsynced: %s: %s\n", what, strerror(errno));
    abort();
}

/* -- what was not synced goes, from the last write to the first ---------------------------------- */

static void put_back_entry(int file, int journal, off_t at) {
    static char bytes[PIECE];
    uint64_t entry[2];
    if (pread(journal, entry, sizeof entry, at) != sizeof entry) die("journal");
    for (uint64_t done = 0; done < entry[1];) {
        size_t some = entry[1] - done < PIECE ? entry[1] - done : PIECE;
        if (pread(journal, bytes, some, at + (off_t)(sizeof entry + done)) != (ssize_t)some)
            die("journal");
        if (REAL(pwrite)(file, bytes, some, (off_t)(entry[0] + done)) != (ssize_t)some) die("file");
        done += some;
    }
}

static void put_back(int file, int journal, ino_t inode) {
    uint64_t head[2], entry[2];
    struct stat is;
    if (fstat(journal, &is) || pread(journal, head, sizeof head, 0) != sizeof head) return;
    if (head[0] != inode) return; /* of a file that had the name before */
    size_t many = 0, room = 0;
    off_t *entries = NULL;
    for (off_t at = sizeof head; pread(journal, entry, sizeof entry, at) == sizeof entry;) {
        off_t next = at + (off_t)(sizeof entry + entry[1]);
        if (next > is.st_size) break;
        if (many == room && !(entries = realloc(entries, (room = room * 2 + 64) * sizeof *entries)))
            die("memory");
        entries[many++] = at;
        at = next;
    }
    while (many--) put_back_entry(file, journal, entries[many]);
    if (REAL(ftruncate)(file, (off_t)head[1])) die("file");
    free(entries);
}

/* -- journals ------------------------------------------------------------------------------------ */

static void note(struct file *one, const void *from, size_t bytes) {
    if (REAL(pwrite)(one->journal, from, bytes, one->noted) != (ssize_t)bytes) die("journal");
    one->noted += (off_t)bytes;
}

static void begin_journal(struct file *one, off_t size) {
    uint64_t head[2] = {one->inode, (uint64_t)size};
    if (REAL(ftruncate)(one->journal, 0)) die("journal");
    one->synced = size, one->noted = 0;
    note(one, head, sizeof head);
}

/* Keep what is between two offsets, as far as it was there at the last sync. */
static void keep(struct file *one, off_t from, off_t to, off_t size) {
    static char bytes[PIECE];
    if (to > one->synced) to = one->synced;
    if (to > size) to = size;
    if (from >= to) return;
    uint64_t entry[2] = {(uint64_t)from, (uint64_t)(to - from)};
    note(one, entry, sizeof entry);
    while (from < to) {
        size_t some = to - from < PIECE ? (size_t)(to - from) : PIECE;
        if (pread(one->own, bytes, some, from) != (ssize_t)some) die("file");
        note(one, bytes, some);
        from += (off_t)some;
    }
}

static struct file *file_of(int fd, struct stat *is) {
    if (!of_descriptor || fd < 0 || fd >= DESCRIPTORS) return NULL;
    struct file *one = of_descriptor[fd];
    if (!one || one->owner != getpid() || fstat(fd, is)) return NULL;
    return one->device == is->st_dev && one->inode == is->st_ino ? one : NULL;
}

static struct file *named(const char *path) {
    for (int at = 0; at < FILES; at++)
        if (files[at] && files[at]->owner == getpid() && !strcmp(files[at]->path, path))
            return files[at];
    return NULL;
}

static void forget(struct file *one) {
    REAL(close)(one->journal);
    REAL(close)(one->own);
    one->owner = 0;
}

static int journal_name(const char *path, char *name) {
    return snprintf(name, PATH_MAX, "%s.undo", path) < PATH_MAX;
}

static int ends_with(const char *path, const char *end) {
    size_t bytes = strlen(path), some = strlen(end);
    return bytes >= some && !strcmp(path + bytes - some, end);
}

static int is_below(const char *path) {
    size_t deep = strlen(folder);
    return !strncmp(path, folder, deep) && path[deep] == '/' && !ends_with(path, ".undo") &&
           !ends_with(path, "-shm");
}

/* Where a descriptor leads, if it is to a file below the folder. */
static int path_of(int fd, struct stat *is, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, PATH_MAX - 1);
    if (bytes <= 0) return 0;
    path[bytes] = 0;
    return is_below(path) && !fstat(fd, is) && S_ISREG(is->st_mode);
}

/* Take over a file: put back what a dead writer left, and begin to keep what this one replaces. */
static struct file *take(const char *path, const struct stat *is, int is_writing) {
    char name[PATH_MAX];
    int at = 0;
    while (at < FILES && files[at] && files[at]->owner == getpid()) at++;
    if (at == FILES || !journal_name(path, name)) die("too many files");
    int journal = REAL(open)(name, O_RDWR | O_CLOEXEC | (is_writing ? O_CREAT : 0), 0600);
    if (journal < 0) return NULL;
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int own = fcntl(journal, F_SETLK, &all) ? -1 : REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (own < 0) { /* whoever writes it lives */
        REAL(close)(journal);
        return NULL;
    }
    put_back(own, journal, is->st_ino);
    if (!is_writing) {
        REAL(unlink)(name);
        REAL(close)(journal);
        REAL(close)(own);
        return NULL;
    }
    struct stat now;
    if (fstat(own, &now) || (!files[at] && !(files[at] = malloc(sizeof **files)))) die(path);
    *files[at] = (struct file){is->st_dev, is->st_ino, getpid(), journal, own, 0, 0, ""};
    strcpy(files[at]->path, path);
    begin_journal(files[at], now.st_size);
    return files[at];
}

static int opened(int fd, int flags) {
    static char path[PATH_MAX];
    struct stat is;
    if (!of_descriptor || fd < 0 || fd >= DESCRIPTORS) return fd;
    int before = errno, is_writing = (flags & O_ACCMODE) != O_RDONLY;
    pthread_mutex_lock(&lock);
    of_descriptor[fd] = NULL;
    if (path_of(fd, &is, path)) {
        struct file *one = named(path);
        if (one && (one->inode != is.st_ino || one->device != is.st_dev)) forget(one), one = NULL;
        if (!one) one = take(path, &is, is_writing);
        if (one && is_writing) of_descriptor[fd] = one;
    }
    pthread_mutex_unlock(&lock);
    errno = before;
    return fd;
}

static void changing(int fd, off_t from, off_t to) {
    struct stat is;
    if (!file_of(fd, &is)) return;
    int before = errno;
    pthread_mutex_lock(&lock);
    struct file *one = file_of(fd, &is);
    if (one) keep(one, from, to, is.st_size);
    pthread_mutex_unlock(&lock);
    errno = before;
}

static void writing(int fd, size_t bytes) {
    struct stat is;
    if (!file_of(fd, &is) || fcntl(fd, F_GETFL) & O_APPEND) return; /* replaces nothing */
    off_t at = lseek(fd, 0, SEEK_CUR);
    changing(fd, at, at + (off_t)bytes);
}

static int synced(int fd, int result) {
    struct stat is;
    if (result || is_lying || !file_of(fd, &is)) return result;
    pthread_mutex_lock(&lock);
    struct file *one = file_of(fd, &is);
    if (one) begin_journal(one, is.st_size);
    pthread_mutex_unlock(&lock);
    return result;
}

static void full_path(int at, const char *path, char *full) {
    char link[64], parent[PATH_MAX], whole[PATH_MAX * 2], dir[PATH_MAX * 2];
    ssize_t bytes = 0;
    *full = 0;
    if (path[0] != '/') {
        snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
        if ((bytes = readlink(link, parent, sizeof parent - 1)) < 0) return;
        parent[bytes++] = '/';
    }
    if (bytes >= PATH_MAX) return;
    parent[bytes] = 0;
    snprintf(whole, sizeof whole, "%s%s", parent, path);
    char *last = strrchr(whole, '/');
    *last = 0;
    if (!realpath(*whole ? whole : "/", dir)) return;
    if (snprintf(full, PATH_MAX, "%s/%s", strcmp(dir, "/") ? dir : "", last + 1) >= PATH_MAX) *full = 0;
}

/* A name is gone: so is what was kept for it. */
static void removed(const char *path) {
    char name[PATH_MAX];
    if (!is_below(path)) return;
    pthread_mutex_lock(&lock);
    struct file *one = named(path);
    if (one) forget(one);
    if (journal_name(path, name)) REAL(unlink)(name);
    pthread_mutex_unlock(&lock);
}

static void renamed(const char *from, const char *to) {
    char old[PATH_MAX], new[PATH_MAX];
    removed(to);
    if (!is_below(from) || !journal_name(from, old) || !journal_name(to, new)) return;
    pthread_mutex_lock(&lock);
    struct file *one = named(from);
    if (is_below(to)) {
        REAL(rename)(old, new);
        if (one) strcpy(one->path, to);
    } else {
        REAL(unlink)(old);
        if (one) forget(one);
    }
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("EI_UNSYNCED"), *sync = getenv("EI_UNSYNCED_SYNC");
    is_lying = sync && !strcmp(sync, "0");
    if (given && realpath(given, folder)) of_descriptor = calloc(DESCRIPTORS, sizeof *of_descriptor);
}

__attribute__((destructor)) static void end(void) { /* by itself: nothing is lost */
    char name[PATH_MAX];
    for (int at = 0; at < FILES; at++)
        if (files[at] && files[at]->owner == getpid() && journal_name(files[at]->path, name))
            REAL(unlink)(name);
}

/* -- what is called in the place of libc --------------------------------------------------------- */

/* What an open would cut off has to be kept first, so the cut is made after it. */
#define OPENED(flags, call)                                                                        \
    int is_cut = of_descriptor && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY;            \
    if (is_cut) flags &= ~O_TRUNC;                                                                 \
    int fd = opened(call, flags);                                                                  \
    if (fd >= 0 && is_cut && ftruncate(fd, 0) && errno != EINVAL) die("cut");                      \
    return fd

#define MODE                                                                                       \
    mode_t mode = 0;                                                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                           \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode = va_arg(more, mode_t);                                                               \
        va_end(more);                                                                              \
    }

int open(const char *path, int flags, ...) { MODE OPENED(flags, REAL(open)(path, flags, mode)); }
int open64(const char *path, int flags, ...) { MODE OPENED(flags, REAL(open)(path, flags, mode)); }
int openat(int at, const char *path, int flags, ...) {
    MODE OPENED(flags, REAL(openat)(at, path, flags, mode));
}
int openat64(int at, const char *path, int flags, ...) {
    MODE OPENED(flags, REAL(openat)(at, path, flags, mode));
}
int __open_2(const char *path, int flags) { OPENED(flags, REAL(open)(path, flags)); }
int __open64_2(const char *path, int flags) { OPENED(flags, REAL(open)(path, flags)); }

ssize_t write(int fd, const void *from, size_t bytes) {
    writing(fd, bytes);
    return REAL(write)(fd, from, bytes);
}
ssize_t writev(int fd, const struct iovec *from, int many) {
    size_t bytes = 0;
    for (int at = 0; at < many; at++) bytes += from[at].iov_len;
    writing(fd, bytes);
    return REAL(writev)(fd, from, many);
}
ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at) {
    changing(fd, at, at + (off_t)bytes);
    return REAL(pwrite)(fd, from, bytes, at);
}
ssize_t pwrite64(int fd, const void *from, size_t bytes, off_t at) { return pwrite(fd, from, bytes, at); }
int ftruncate(int fd, off_t size) {
    changing(fd, size, INT64_MAX);
    return REAL(ftruncate)(fd, size);
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int fsync(int fd) { return synced(fd, is_lying ? 0 : REAL(fsync)(fd)); }
int fdatasync(int fd) { return synced(fd, is_lying ? 0 : REAL(fdatasync)(fd)); }

int unlinkat(int at, const char *path, int flags) {
    char full[PATH_MAX] = "";
    if (of_descriptor) full_path(at, path, full);
    int result = REAL(unlinkat)(at, path, flags);
    if (!result && *full) removed(full);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) {
    char old[PATH_MAX] = "", new[PATH_MAX] = "";
    if (of_descriptor) full_path(from_at, from, old), full_path(to_at, to, new);
    int result = REAL(renameat)(from_at, from, to_at, to);
    if (!result && *old && *new) renamed(old, new);
    return result;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }
