#include "server/base/secret.h"

#include <stdlib.h>

struct secret secret_new(struct str s)
{
    struct secret secret = {.bytes = malloc(s.length + 1), .length = s.length};
    if (!secret.bytes)
        abort();
    if (s.length)
        memcpy(secret.bytes, s.at, s.length);
    secret.bytes[s.length] = '\0';
    return secret;
}

void secret_free(struct secret *secret)
{
    if (secret->bytes)
        explicit_bzero(secret->bytes, secret->length);
    free(secret->bytes);
    *secret = (struct secret){NULL, 0};
}

struct str secret_reveal(const struct secret *secret)
{
    return secret->bytes ? (struct str){secret->bytes, secret->length} : STR_EMPTY;
}

bool secret_equal(struct str a, struct str b)
{
    if (a.length != b.length)
        return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < a.length; i++)
        difference |= (unsigned char)(a.at[i] ^ b.at[i]);
    return *(volatile unsigned char *)&difference == 0;
}

void secret_wipe(void *at, size_t length)
{
    explicit_bzero(at, length);
}
