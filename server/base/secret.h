/* Passwords and tokens in memory: a type of their own, so that no logger or formatter takes them by
 * accident; wiped when freed. */
#ifndef RESTANTE_BASE_SECRET_H
#define RESTANTE_BASE_SECRET_H

#include "server/base/str.h"

struct secret {
    char *bytes; /* owned; NUL-terminated behind `length` bytes; NULL when empty */
    size_t length;
};

/* A copy of `s`. */
struct secret secret_new(struct str s);
/* Wipes and frees; the secret is empty afterwards. */
void secret_free(struct secret *secret);
/* For the one place that needs the bytes (hashing, sealing, the wire). */
struct str secret_reveal(const struct secret *secret);
/* Compares in a time that depends on the lengths only. */
bool secret_equal(struct str a, struct str b);
/* explicit_bzero with a checked name: wipes memory the compiler may not skip. */
void secret_wipe(void *at, size_t length);

#endif
