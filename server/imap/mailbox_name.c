#include "server/imap/mailbox_name.h"

#include "server/base/utf7.h"
#include "server/base/utf8.h"

static int digit_of(char c)
{
    const char *at = c ? strchr(utf7_alphabet, c) : NULL;
    return at ? (int)(at - utf7_alphabet) : -1;
}

/* Base64 of UTF-16 without its "&" and "-". False when it is not well formed. */
static bool decode_run(struct buf *out, struct str run)
{
    uint32_t bits = 0, high = 0;
    int count = 0;
    for (size_t i = 0; i < run.length; i++) {
        int digit = digit_of(run.at[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        uint32_t unit = bits >> count & 0xffff;
        bits &= (1u << count) - 1;
        bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
        if ((high != 0) != is_low)
            return false;
        if (unit >= 0xd800 && unit <= 0xdbff) {
            high = unit;
            continue;
        }
        uint32_t character = is_low ? 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00) : unit;
        high = 0;
        if (character == 0)
            return false;
        utf8_write(out, character);
    }
    return !high && count < 6 && !bits;
}

static bool decode(struct buf *out, struct str wire)
{
    for (size_t i = 0; i < wire.length; i++) {
        char c = wire.at[i];
        if (c & 0x80 || (unsigned char)c < 0x20)
            return false;
        if (c != '&') {
            buf_char(out, c);
            continue;
        }
        ptrdiff_t end = str_find_char(str_skip(wire, i + 1), '-');
        if (end < 0)
            return false;
        if (end == 0)
            buf_char(out, '&');
        else if (!decode_run(out, str_sub(wire, i + 1, (size_t)end)))
            return false;
        i += (size_t)end + 1;
    }
    return true;
}

struct str imap_mailbox_decode(struct arena *arena, struct str wire, bool is_utf8)
{
    struct buf out = BUF_INIT(wire.length * 4 + 16);
    if (is_utf8 || !decode(&out, wire)) {
        buf_reset(&out);
        utf8_repair(&out, wire);
    }
    struct str name = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return name;
}

struct str imap_mailbox_encode(struct arena *arena, struct str name, bool is_utf8)
{
    if (is_utf8)
        return arena_str(arena, name);
    struct buf out = BUF_INIT(name.length * 8 + 16);
    utf7_encode(&out, name);
    struct str wire = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return wire;
}
