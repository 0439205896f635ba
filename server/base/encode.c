#include "server/base/encode.h"

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_digits[] = "0123456789abcdef";

void encode_hex(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        buf_char(out, hex_digits[c >> 4]);
        buf_char(out, hex_digits[c & 15]);
    }
}

static int hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool decode_hex(struct buf *out, struct str text)
{
    if (text.length % 2)
        return false;
    for (size_t i = 0; i < text.length; i += 2) {
        int high = hex_value(text.at[i]), low = hex_value(text.at[i + 1]);
        if (high < 0 || low < 0 || !buf_char(out, (char)(high << 4 | low)))
            return false;
    }
    return true;
}

static void write_base64(struct buf *out, struct str bytes, const char *alphabet, bool is_padded)
{
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t n = bytes.length - i < 3 ? bytes.length - i : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < n ? (unsigned char)bytes.at[i + k] : 0);
        for (size_t k = 0; k < 4; k++) {
            if (k <= n)
                buf_char(out, alphabet[group >> (18 - 6 * k) & 63]);
            else if (is_padded)
                buf_char(out, '=');
        }
    }
}

static bool read_base64(struct buf *out, struct str text, const char *alphabet, bool is_padded)
{
    size_t pads = 0;
    if (is_padded) {
        if (text.length % 4)
            return false;
        while (pads < 2 && text.length && text.at[text.length - 1] == '=') {
            text.length--;
            pads++;
        }
    }
    if (text.length % 4 == 1)
        return false;
    uint32_t group = 0;
    for (size_t i = 0; i < text.length; i++) {
        const char *hit = text.at[i] ? strchr(alphabet, text.at[i]) : NULL;
        if (!hit)
            return false;
        group = group << 6 | (uint32_t)(hit - alphabet);
        if (i % 4 != 0) {
            unsigned left = (unsigned)(6 - 2 * (i % 4)); /* bits that belong to the next byte */
            if (!buf_char(out, (char)(group >> left & 255)))
                return false;
            group &= (1U << left) - 1;
        }
    }
    return group == 0; /* stray bits: not what an encoder writes */
}

void encode_base64(struct buf *out, struct str bytes)
{
    write_base64(out, bytes, base64_alphabet, true);
}

bool decode_base64(struct buf *out, struct str text)
{
    return read_base64(out, text, base64_alphabet, true);
}

void encode_base64url(struct buf *out, struct str bytes)
{
    write_base64(out, bytes, base64url_alphabet, false);
}

bool decode_base64url(struct buf *out, struct str text)
{
    return read_base64(out, text, base64url_alphabet, false);
}

void encode_percent(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_' ||
            c == '~') {
            buf_char(out, c);
        } else {
            buf_char(out, '%');
            buf_char(out, "0123456789ABCDEF"[(unsigned char)c >> 4]);
            buf_char(out, "0123456789ABCDEF"[(unsigned char)c & 15]);
        }
    }
}

bool decode_percent(struct buf *out, struct str text, bool plus_is_space)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '%') {
            if (!decode_hex(out, str_sub(text, i + 1, 2)) || i + 2 >= text.length)
                return false;
            i += 2;
        } else if (!buf_char(out, c == '+' && plus_is_space ? ' ' : c)) {
            return false;
        }
    }
    return true;
}

void encode_html(struct buf *out, struct str text)
{
    size_t clean = 0;
    for (size_t i = 0; i < text.length; i++) {
        const char *entity = NULL;
        switch (text.at[i]) {
        case '&':
            entity = "&amp;";
            break;
        case '<':
            entity = "&lt;";
            break;
        case '>':
            entity = "&gt;";
            break;
        case '"':
            entity = "&quot;";
            break;
        case '\'':
            entity = "&#39;";
            break;
        default:
            continue;
        }
        buf_str(out, str_sub(text, clean, i - clean));
        buf_text(out, entity);
        clean = i + 1;
    }
    buf_str(out, str_skip(text, clean));
}
