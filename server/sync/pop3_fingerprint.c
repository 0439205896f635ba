#include "server/sync/pop3_fingerprint.h"

enum { HASH_BYTES = 16, LINE_BYTES = 4096 /* longer ones are hashed in pieces */ };

/* What mbox servers and delivery agents change while the message lies there. */
static const char *const volatile_fields[] = {
    "Status:",     "X-Status:", "X-UID:",      "X-UIDL:",         "X-IMAP:",
    "X-IMAPbase:", "Lines:",    "X-Keywords:", "Content-Length:", "X-Mozilla-Status:",
};

void pop3_fingerprint_begin(struct pop3_fingerprint *fingerprint)
{
    *fingerprint = (struct pop3_fingerprint){.line = BUF_INIT(LINE_BYTES)};
    crypto_generichash_init(&fingerprint->hash, NULL, 0, HASH_BYTES);
}

static bool is_volatile(struct str line)
{
    for (size_t i = 0; i < sizeof volatile_fields / sizeof *volatile_fields; i++)
        if (str_starts_nocase(line, str_of(volatile_fields[i])))
            return true;
    return false;
}

/* A line, or a piece of a long one. A folded line belongs to the field before it. */
static void add_line(struct pop3_fingerprint *fingerprint, struct str line)
{
    struct str words = str_trim(line);
    if (words.length == 0) {
        fingerprint->is_done = true;
        return;
    }
    if (line.at[0] != ' ' && line.at[0] != '\t')
        fingerprint->is_volatile = is_volatile(line);
    if (!fingerprint->is_volatile) {
        crypto_generichash_update(&fingerprint->hash, (const unsigned char *)words.at,
                                  words.length);
        crypto_generichash_update(&fingerprint->hash, (const unsigned char *)"\n", 1);
    }
}

void pop3_fingerprint_add(struct pop3_fingerprint *fingerprint, struct str bytes)
{
    while (bytes.length > 0 && !fingerprint->is_done) {
        ptrdiff_t end = str_find_char(bytes, '\n');
        struct str piece = str_sub(bytes, 0, end < 0 ? bytes.length : (size_t)end + 1);
        piece = str_sub(piece, 0, LINE_BYTES - fingerprint->line.length);
        buf_str(&fingerprint->line, piece);
        bytes = str_skip(bytes, piece.length);
        bool is_whole = str_ends(piece, STR("\n")) || fingerprint->line.length == LINE_BYTES;
        if (!is_whole)
            continue;
        add_line(fingerprint, buf_view(&fingerprint->line));
        buf_reset(&fingerprint->line);
    }
}

void pop3_fingerprint_end(struct pop3_fingerprint *fingerprint, char text[POP3_FINGERPRINT_BYTES])
{
    unsigned char hash[HASH_BYTES];
    if (!fingerprint->is_done && fingerprint->line.length > 0)
        add_line(fingerprint, buf_view(&fingerprint->line));
    crypto_generichash_final(&fingerprint->hash, hash, sizeof hash);
    sodium_bin2hex(text, POP3_FINGERPRINT_BYTES, hash, sizeof hash);
    buf_free(&fingerprint->line);
}
