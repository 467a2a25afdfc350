/* Counts the calls to the system that touch one folder; the n-th fails, or is the process's last.

   Built and preloaded by tests (injected.py). What is counted: every call here whose path lies
   below the folder, or whose file was opened there. It is armed by fault_arm, or at the start of
   the process by FAULT_UNDER, FAULT_KIND, FAULT_AT and FAULT_COUNT in the environment. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { NONE, END_BEFORE, END_AFTER, NO_SPACE, IO_ERROR, SHORT, READ_ERROR };
enum { ENDED = 137, FILES = 65536 };

static enum kind kind = NONE;
static long wanted;
static char under[PATH_MAX];
static size_t length;
static volatile long alone, *count = &alone; /* shared with whoever armed it */
static char ours[FILES];

#define REAL(name, ...)                                                                            \
  static int (*real)(__VA_ARGS__);                                                                 \
  if (!real) real = dlsym(RTLD_NEXT, name)

void fault_arm(long n, int which, const char *folder, const char *count_file) {
  int handle = open(count_file, O_RDWR | O_CREAT, 0666);
  if (handle >= 0 && ftruncate(handle, sizeof(long)) == 0) {
    void *place = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    if (place != MAP_FAILED) count = place;
  }
  if (handle >= 0) close(handle);
  *count = 0;
  snprintf(under, sizeof under, "%s", folder);
  length = strlen(under);
  wanted = n;
  kind = (enum kind)which;
}

__attribute__((constructor)) static void begin(void) {
  const char *n = getenv("FAULT_AT"), *which = getenv("FAULT_KIND");
  const char *folder = getenv("FAULT_UNDER"), *file = getenv("FAULT_COUNT");
  if (n && which && folder && file) fault_arm(atol(n), atoi(which), folder, file);
}

static int below(int folder, const char *path) {
  char whole[PATH_MAX], link[64];
  if (kind == NONE || !path) return 0;
  if (path[0] != '/') {
    char base[PATH_MAX];
    if (folder == AT_FDCWD) {
      if (!getcwd(base, sizeof base)) return 0;
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
      ssize_t size = readlink(link, base, sizeof base - 1);
      if (size < 0) return 0;
      base[size] = 0;
    }
    if (snprintf(whole, sizeof whole, "%s/%s", base, path) >= (int)sizeof whole) return 0;
    path = whole;
  }
  return strncmp(path, under, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int known(int file) { return kind != NONE && file >= 0 && file < FILES && ours[file]; }

/* Whether this call is the one; where it fails, errno is set and the caller returns -1. */
enum verdict { GO_ON, FAIL, HALF, LAST };
static enum verdict judge(int reads, int writes) {
  if (reads != (kind == READ_ERROR)) return GO_ON;
  if (kind == SHORT && !writes) return GO_ON;
  if (__sync_add_and_fetch((long *)count, 1) != wanted) return GO_ON;
  if (kind == END_BEFORE) _exit(ENDED);
  if (kind == END_AFTER) return LAST;
  if (kind == SHORT) return HALF;
  errno = kind == NO_SPACE ? ENOSPC : EIO;
  return FAIL;
}

static int opened(int file, int here) {
  if (file >= 0 && file < FILES) ours[file] = (char)here;
  return file;
}

#define OPEN(name)                                                                                 \
  int name(const char *path, int flags, ...) {                                                     \
    va_list rest;                                                                                  \
    va_start(rest, flags);                                                                         \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                        \
    va_end(rest);                                                                                  \
    REAL(#name, const char *, int, ...);                                                           \
    int here = below(AT_FDCWD, path);                                                              \
    enum verdict found = here ? judge(0, 0) : GO_ON;                                               \
    if (found == FAIL) return -1;                                                                  \
    int file = opened(real(path, flags, mode), here);                                              \
    if (found == LAST) _exit(ENDED);                                                               \
    return file;                                                                                   \
  }
OPEN(open)
OPEN(open64)

#define OPEN_AT(name)                                                                              \
  int name(int folder, const char *path, int flags, ...) {                                         \
    va_list rest;                                                                                  \
    va_start(rest, flags);                                                                         \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                        \
    va_end(rest);                                                                                  \
    REAL(#name, int, const char *, int, ...);                                                      \
    int here = below(folder, path);                                                                \
    enum verdict found = here ? judge(0, 0) : GO_ON;                                               \
    if (found == FAIL) return -1;                                                                  \
    int file = opened(real(folder, path, flags, mode), here);                                      \
    if (found == LAST) _exit(ENDED);                                                               \
    return file;                                                                                   \
  }
OPEN_AT(openat)
OPEN_AT(openat64)

int close(int file) {
  REAL("close", int);
  if (file >= 0 && file < FILES) ours[file] = 0;
  return real(file);
}

#define PLAIN(name, here, parameters, arguments)                                                   \
  int name parameters {                                                                            \
    static int(*real) parameters;                                                                  \
    if (!real) real = dlsym(RTLD_NEXT, #name);                                                     \
    enum verdict found = here ? judge(0, 0) : GO_ON;                                               \
    if (found == FAIL) return -1;                                                                  \
    int code = real arguments;                                                                     \
    if (found == LAST) _exit(ENDED);                                                               \
    return code;                                                                                   \
  }
/* Counted, and not done below the folder: a process that ends leaves what it has written. */
#define SYNC(name)                                                                                 \
  int name(int file) {                                                                             \
    REAL(#name, int);                                                                              \
    if (!known(file)) return real(file);                                                           \
    enum verdict found = judge(0, 0);                                                              \
    if (found == LAST) _exit(ENDED);                                                               \
    return found == FAIL ? -1 : 0;                                                                 \
  }
SYNC(fsync)
SYNC(fdatasync)

PLAIN(ftruncate, known(file), (int file, off_t size), (file, size))
PLAIN(ftruncate64, known(file), (int file, off64_t size), (file, size))
PLAIN(mkdir, below(AT_FDCWD, path), (const char *path, mode_t mode), (path, mode))
PLAIN(unlink, below(AT_FDCWD, path), (const char *path), (path))
PLAIN(rmdir, below(AT_FDCWD, path), (const char *path), (path))
PLAIN(unlinkat, below(folder, path), (int folder, const char *path, int flags),
      (folder, path, flags))
PLAIN(rename, below(AT_FDCWD, to), (const char *from, const char *to), (from, to))
PLAIN(renameat, below(other, to), (int folder, const char *from, int other, const char *to),
      (folder, from, other, to))

ssize_t write(int file, const void *data, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  enum verdict found = known(file) ? judge(0, 1) : GO_ON;
  if (found == FAIL) return -1;
  ssize_t done = real(file, data, found == HALF && size > 1 ? size / 2 : size);
  if (found == LAST) _exit(ENDED);
  return done;
}

ssize_t read(int file, void *data, size_t size) {
  static ssize_t (*real)(int, void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "read");
  if (known(file) && judge(1, 0) == FAIL) return -1;
  return real(file, data, size);
}
