#include "server/base/utf7.h"

#include "server/base/utf8.h"

const char utf7_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static void encode_unit(struct buf *out, uint32_t unit, uint32_t *bits, int *count)
{
    *bits = *bits << 16 | unit;
    *count += 16;
    while (*count >= 6) {
        *count -= 6;
        buf_char(out, utf7_alphabet[*bits >> *count & 63]);
    }
    *bits &= (1u << *count) - 1;
}

static bool is_printable(uint32_t character)
{
    return character >= 0x20 && character <= 0x7e;
}

void utf7_encode(struct buf *out, struct str text)
{
    struct str rest = text;
    while (rest.length) {
        struct str here = rest;
        uint32_t character = utf8_next(&rest);
        if (is_printable(character)) {
            buf_text(out, character == '&' ? "&-" : (char[]){(char)character, '\0'});
            continue;
        }
        uint32_t bits = 0;
        int count = 0;
        buf_char(out, '&');
        rest = here;
        while (rest.length) {
            here = rest;
            character = utf8_next(&rest);
            if (is_printable(character)) {
                rest = here;
                break;
            }
            if (character > 0xffff) {
                encode_unit(out, 0xd800 + ((character - 0x10000) >> 10), &bits, &count);
                encode_unit(out, 0xdc00 + ((character - 0x10000) & 0x3ff), &bits, &count);
            } else
                encode_unit(out, character, &bits, &count);
        }
        if (count)
            buf_char(out, utf7_alphabet[bits << (6 - count) & 63]);
        buf_char(out, '-');
    }
}
