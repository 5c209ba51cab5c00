// Why this exists: Swift's Glibc module does not carry <sys/eventfd.h>, and hides pthread_setname_np
// behind _GNU_SOURCE. Both are needed by threads that sleep on a socket and on new work at once.
#ifndef TILLBRIDGE_CLINUX_SHIM_H
#define TILLBRIDGE_CLINUX_SHIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/eventfd.h>
// mallopt: how many arenas malloc keeps.
#include <malloc.h>
#include <pthread.h>
#include <poll.h>
#include <unistd.h>
#include <errno.h>

extern int pthread_setname_np(pthread_t thread, const char *name);

#endif
