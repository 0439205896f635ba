/* Sealing and hashing by libsodium: sealed boxes for upstream credentials (the web role seals, only
 * the sync role opens), Argon2id for people's own passwords, random tokens and their hashes. */
#ifndef RESTANTE_BASE_SEAL_H
#define RESTANTE_BASE_SEAL_H

#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/secret.h"

/* Once per process, before any other call here. */
bool seal_init(struct error *err);

enum { SEAL_KEY_BYTES = 32, SEAL_KEY_ID_BYTES = 8, TOKEN_BYTES = 32, TOKEN_HASH_BYTES = 32 };

/* What the web role has. */
struct seal_public_key {
    unsigned char id[SEAL_KEY_ID_BYTES]; /* first bytes of BLAKE2b(key); stored with each box */
    unsigned char key[SEAL_KEY_BYTES];
};
/* What only the sync role (and the administrator's CLI) has. */
struct seal_key_pair {
    struct seal_public_key public;
    unsigned char secret[SEAL_KEY_BYTES];
};

void seal_generate(struct seal_key_pair *pair);
/* Key files: a line of base64 of the key, mode 0600 (secret) or 0644 (public). Reading refuses a
 * secret file that others can read. Writing creates the file and never overwrites one. */
bool seal_read_public(const char *path, struct seal_public_key *key, struct error *err);
bool seal_read_pair(const char *secret_path, struct seal_key_pair *pair, struct error *err);
bool seal_write_pair(const char *secret_path, const char *public_path,
                     const struct seal_key_pair *pair, struct error *err);
bool seal_write_public(const char *path, const struct seal_public_key *key, struct error *err);

/* Appends key id + sealed box of (binding, secret) to `out`. `binding` says what the secret belongs
 * to ("account:17", "operation:…"); opening with another binding fails, so that a sealed value
 * copied into another row is worthless. */
void seal_secret(const struct seal_public_key *key, struct str binding, struct str secret,
                 struct buf *out);
bool seal_open(const struct seal_key_pair *pair, struct str binding, struct str sealed,
               struct secret *secret, struct error *err);

/* Argon2id with libsodium's interactive limits (64 MiB), as a crypt(3)-like string. At most two
 * hashes are computed at once in a process; others wait. */
bool password_hash(struct str password, struct buf *out, struct error *err);
bool password_verify(struct str password, struct str hash);
/* A hash of a random password: verify against it for an unknown user, so that the time is the same.
 */
struct str password_dummy_hash(void);

/* 32 random bytes as base64url: a session id or an API token. */
void token_generate(struct buf *out);
/* BLAKE2b-256 of the token text: what the database keeps. */
void token_hash(struct str token, unsigned char hash[TOKEN_HASH_BYTES]);
/* HMAC-like keyed hash (BLAKE2b with key): CSRF tokens from session tokens. */
void token_derive(struct str key, struct str purpose, unsigned char out[TOKEN_HASH_BYTES]);
/* SHA-256-sized content hash (BLAKE2b-256), for blobs and static names. */
void content_hash(struct str bytes, unsigned char hash[TOKEN_HASH_BYTES]);
void random_bytes(void *at, size_t length);

#endif
