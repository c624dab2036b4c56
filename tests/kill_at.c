/* Kills the process whose number is KILL_PID (SIGKILL) before its n-th call, n = KILL_AT, that makes, moves or removes a
   name: rename, link, unlink, rmdir and mkdir. Names that contain KILL_IN count, and relative ones: commands name outputs
   relative to the folder that they run in. Build: cc -shared -fPIC -o kill_at.so kill_at.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int seen;

static int is_in(const char *name, const char *inside) { return name && (name[0] != '/' || strstr(name, inside)); }

static void count(const char *one, const char *other) {
    const char *at = getenv("KILL_AT"), *who = getenv("KILL_PID"), *inside = getenv("KILL_IN");
    if (!at || !who || !inside || atoi(who) != getpid() || !(is_in(one, inside) || is_in(other, inside))) return;
    if (++seen == atoi(at)) kill(getpid(), SIGKILL);
}

#define REAL(name, ...) ((int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int rename(const char *a, const char *b) { count(a, b); return REAL("rename", const char *, const char *)(a, b); }
int renameat(int x, const char *a, int y, const char *b) {
    count(a, b); return REAL("renameat", int, const char *, int, const char *)(x, a, y, b);
}
int link(const char *a, const char *b) { count(a, b); return REAL("link", const char *, const char *)(a, b); }
int linkat(int x, const char *a, int y, const char *b, int f) {
    count(a, b); return REAL("linkat", int, const char *, int, const char *, int)(x, a, y, b, f);
}
int unlink(const char *a) { count(a, 0); return REAL("unlink", const char *)(a); }
int unlinkat(int x, const char *a, int f) {
    /* shutil.rmtree names files relative to a folder that is open: their folder is not known here, so all count. */
    count(a[0] == '/' ? a : getenv("KILL_IN") ? getenv("KILL_IN") : "", 0);
    return REAL("unlinkat", int, const char *, int)(x, a, f);
}
int rmdir(const char *a) { count(a, 0); return REAL("rmdir", const char *)(a); }
int mkdir(const char *a, mode_t m) { count(a, 0); return REAL("mkdir", const char *, mode_t)(a, m); }
