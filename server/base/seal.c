#include "server/base/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/encode.h"

enum { HASHES_AT_ONCE = 2, SEALED_LIMIT = 64 * 1024 };

static pthread_mutex_t hash_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hash_free = PTHREAD_COND_INITIALIZER;
static int hashes_running;
static char dummy_hash[crypto_pwhash_STRBYTES];
static pthread_once_t dummy_once = PTHREAD_ONCE_INIT;

bool seal_init(struct error *err)
{
    if (sodium_init() < 0)
        return error_set(err, ERROR_INTERNAL, "libsodium could not start (no random source?)");
    return true;
}

static void fill_id(struct seal_public_key *key)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    crypto_generichash(hash, sizeof hash, key->key, sizeof key->key, NULL, 0);
    memcpy(key->id, hash, sizeof key->id);
}

void seal_generate(struct seal_key_pair *pair)
{
    crypto_box_keypair(pair->public.key, pair->secret);
    fill_id(&pair->public);
}

/* Reads a key file into 32 bytes. */
static bool read_key(const char *path, bool is_secret, unsigned char key[SEAL_KEY_BYTES],
                     struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return error_errno(err, ERROR_NOT_FOUND, "cannot open the key file %s", path);
    if (fstat(fd, &st) != 0 || (is_secret && (st.st_mode & 077) != 0)) {
        close(fd);
        error_set(err, ERROR_FORBIDDEN, "the key file %s can be read by others", path);
        return error_hint(err, "chmod 600 %s", path);
    }
    char text[128];
    ssize_t length = read(fd, text, sizeof text);
    close(fd);
    struct buf bytes = BUF_INIT(SEAL_KEY_BYTES);
    bool is_good = length > 0 && decode_base64(&bytes, str_trim(str_make(text, (size_t)length))) &&
                   bytes.length == SEAL_KEY_BYTES;
    if (is_good)
        memcpy(key, bytes.at, SEAL_KEY_BYTES);
    secret_wipe(text, sizeof text);
    if (bytes.at)
        secret_wipe(bytes.at, bytes.capacity);
    buf_free(&bytes);
    return is_good || error_set(err, ERROR_INVALID, "%s is not a key file of restante", path);
}

bool seal_read_public(const char *path, struct seal_public_key *key, struct error *err)
{
    if (!read_key(path, false, key->key, err))
        return false;
    fill_id(key);
    return true;
}

bool seal_read_pair(const char *secret_path, struct seal_key_pair *pair, struct error *err)
{
    if (!read_key(secret_path, true, pair->secret, err))
        return false;
    crypto_scalarmult_base(pair->public.key, pair->secret);
    fill_id(&pair->public);
    return true;
}

/* The name is on the disk before anything is sealed to the key. */
static bool sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof folder)
        return false;
    memcpy(folder, length ? path : ".", length ? length : 1);
    folder[length ? length : 1] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return is_synced;
}

/* Whole or not at all: written under another name, which then becomes the right one unless that is
 * taken. */
static bool write_key(const char *path, mode_t mode, const unsigned char key[SEAL_KEY_BYTES],
                      struct error *err)
{
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return error_set(err, ERROR_INVALID, "%s is too long a name", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return error_errno(err, ERROR_INTERNAL, "cannot create the key file %s", path);
    struct buf text = BUF_INIT(128);
    encode_base64(&text, str_make(key, SEAL_KEY_BYTES));
    buf_char(&text, '\n');
    bool is_written = fchmod(fd, mode) == 0 &&
                      write(fd, text.at, text.length) == (ssize_t)text.length && fsync(fd) == 0;
    if (close(fd) != 0)
        is_written = false;
    secret_wipe(text.at, text.capacity);
    buf_free(&text);
    if (!is_written || link(fresh, path) != 0 || !sync_folder(path))
        is_written = error_errno(err, ERROR_INTERNAL, "cannot write the key file %s", path);
    unlink(fresh);
    return is_written;
}

bool seal_write_public(const char *path, const struct seal_public_key *key, struct error *err)
{
    return write_key(path, 0644, key->key, err);
}

bool seal_write_pair(const char *secret_path, const char *public_path,
                     const struct seal_key_pair *pair, struct error *err)
{
    return write_key(secret_path, 0600, pair->secret, err) &&
           seal_write_public(public_path, &pair->public, err);
}

void seal_secret(const struct seal_public_key *key, struct str binding, struct str secret,
                 struct buf *out)
{
    struct buf plain = BUF_INIT(SEALED_LIMIT);
    buf_printf(&plain, "%zu:", binding.length);
    buf_str(&plain, binding);
    buf_str(&plain, secret);
    buf_append(out, key->id, sizeof key->id);
    char *box = buf_reserve(out, plain.length + crypto_box_SEALBYTES);
    if (box && crypto_box_seal((unsigned char *)box, (unsigned char *)plain.at, plain.length,
                               key->key) == 0) {
        out->length += plain.length + crypto_box_SEALBYTES;
        out->at[out->length] = '\0';
    }
    secret_wipe(plain.at, plain.capacity);
    buf_free(&plain);
}

/* The secret behind "<length>:<binding>", if the binding is the expected one. */
static bool split_binding(struct str plain, struct str binding, struct str *secret)
{
    struct str rest = plain;
    struct str digits = str_cut(&rest, ':');
    uint64_t length;
    if (!rest.at || !str_to_u64(digits, &length) || length > rest.length)
        return false;
    if (!str_equal(str_sub(rest, 0, length), binding))
        return false;
    *secret = str_skip(rest, length);
    return true;
}

bool seal_open(const struct seal_key_pair *pair, struct str binding, struct str sealed,
               struct secret *secret, struct error *err)
{
    size_t overhead = SEAL_KEY_ID_BYTES + crypto_box_SEALBYTES;
    if (sealed.length < overhead || sealed.length > SEALED_LIMIT)
        return error_set(err, ERROR_INVALID, "the sealed secret is damaged");
    if (memcmp(sealed.at, pair->public.id, SEAL_KEY_ID_BYTES) != 0)
        return error_set(err, ERROR_INVALID, "the secret was sealed to another key");
    size_t length = sealed.length - overhead;
    unsigned char *plain = malloc(length + 1);
    if (!plain)
        abort();
    struct str inner;
    bool is_open = crypto_box_seal_open(plain, (const unsigned char *)sealed.at + SEAL_KEY_ID_BYTES,
                                        sealed.length - SEAL_KEY_ID_BYTES, pair->public.key,
                                        pair->secret) == 0 &&
                   split_binding(str_make(plain, length), binding, &inner);
    if (is_open)
        *secret = secret_new(inner);
    secret_wipe(plain, length);
    free(plain);
    return is_open || error_set(err, ERROR_INVALID, "the sealed secret does not open here");
}

static void hash_enter(void)
{
    pthread_mutex_lock(&hash_lock);
    while (hashes_running >= HASHES_AT_ONCE)
        pthread_cond_wait(&hash_free, &hash_lock);
    hashes_running++;
    pthread_mutex_unlock(&hash_lock);
}

static void hash_leave(void)
{
    pthread_mutex_lock(&hash_lock);
    hashes_running--;
    pthread_cond_signal(&hash_free);
    pthread_mutex_unlock(&hash_lock);
}

static bool hash_into(struct str password, char text[crypto_pwhash_STRBYTES])
{
    hash_enter();
    bool is_done =
        crypto_pwhash_str(text, password.at, password.length, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
    hash_leave();
    return is_done;
}

bool password_hash(struct str password, struct buf *out, struct error *err)
{
    char text[crypto_pwhash_STRBYTES];
    if (!hash_into(password, text))
        return error_set(err, ERROR_INTERNAL, "not enough memory to hash a password");
    buf_text(out, text);
    return true;
}

bool password_verify(struct str password, struct str hash)
{
    char text[crypto_pwhash_STRBYTES];
    if (!str_copy(hash, text, sizeof text))
        return false;
    hash_enter();
    bool is_same = crypto_pwhash_str_verify(text, password.at, password.length) == 0;
    hash_leave();
    return is_same;
}

static void make_dummy(void)
{
    char random[TOKEN_BYTES];
    randombytes_buf(random, sizeof random);
    if (!hash_into(str_make(random, sizeof random), dummy_hash))
        dummy_hash[0] = '\0';
}

struct str password_dummy_hash(void)
{
    pthread_once(&dummy_once, make_dummy);
    return str_of(dummy_hash);
}

void token_generate(struct buf *out)
{
    unsigned char bytes[TOKEN_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    encode_base64url(out, str_make(bytes, sizeof bytes));
    secret_wipe(bytes, sizeof bytes);
}

void content_hash(struct str bytes, unsigned char hash[TOKEN_HASH_BYTES])
{
    crypto_generichash(hash, TOKEN_HASH_BYTES, (const unsigned char *)bytes.at, bytes.length, NULL,
                       0);
}

void token_hash(struct str token, unsigned char hash[TOKEN_HASH_BYTES])
{
    content_hash(token, hash);
}

void token_derive(struct str key, struct str purpose, unsigned char out[TOKEN_HASH_BYTES])
{
    unsigned char inner[TOKEN_HASH_BYTES];
    content_hash(key, inner); /* any length of key becomes one that BLAKE2b takes */
    crypto_generichash(out, TOKEN_HASH_BYTES, (const unsigned char *)purpose.at, purpose.length,
                       inner, sizeof inner);
    secret_wipe(inner, sizeof inner);
}

void random_bytes(void *at, size_t length)
{
    randombytes_buf(at, length);
}
