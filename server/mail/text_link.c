#include <assert.h>

#include "server/base/encode.h"
#include "server/base/utf8.h"
#include "server/mail/text.h"
#include "server/mail/text_private.h"

enum {
    LOCAL_BYTES_MAX = 64, /* RFC 5321, 4.5.3.1.1 */
    DOMAIN_BYTES_MAX = 253,
};

static bool is_word(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80;
}

/* Characters of a local part as people write it without quotes. */
static bool is_local(char c)
{
    return is_word(c) || strchr("._%+-'=", c);
}

/* Beyond ASCII: punctuation, spaces and controls that end a link that runs into a sentence. */
static bool ends_link(uint32_t c)
{
    return c <= 0xa0 || c == 0xab || c == 0xbb || c == UTF8_REPLACEMENT ||
           (c >= 0x2000 && c <= 0x206f) || (c >= 0x3000 && c <= 0x303f) ||
           (c >= 0xff00 && c <= 0xff0f) || (c >= 0xff1a && c <= 0xff20) || c == 0xfeff;
}

/* The end of the URL at the front: white space, a quote or a bracket that cannot be in one. */
static size_t url_length(struct str text)
{
    struct str rest = text;
    while (rest.length) {
        char c = rest.at[0];
        struct str next = str_skip(rest, 1);
        if ((unsigned char)c < 0x80) {
            if (c <= ' ' || c == 0x7f || strchr("<>\"`\\^{}|", c))
                break;
        } else {
            next = rest;
            if (ends_link(utf8_next(&next)))
                break;
        }
        rest = next;
    }
    return text.length - rest.length;
}

/* Full stops and the like at its end belong to the sentence, and so does a closing bracket that
 * was opened before the link. */
static size_t trim_url(struct str url)
{
    int open_round = 0, open_square = 0;
    for (size_t i = 0; i < url.length; i++) {
        open_round += url.at[i] == '(' ? 1 : url.at[i] == ')' ? -1 : 0;
        open_square += url.at[i] == '[' ? 1 : url.at[i] == ']' ? -1 : 0;
    }
    while (url.length) {
        char last = url.at[url.length - 1];
        if (last == ')' && open_round < 0)
            open_round++;
        else if (last == ']' && open_square < 0)
            open_square++;
        else if (!strchr(".,;:!?'*_~", last))
            break;
        url.length--;
    }
    return url.length;
}

/* "example.org", "mail.example.co.uk": labels of letters, digits and inner hyphens, two or more,
 * the last with a letter. */
static size_t domain_length(struct str text)
{
    size_t length = 0, label = 0, valid = 0;
    bool has_dot = false, has_letter = false;
    for (; length <= DOMAIN_BYTES_MAX; length++) {
        char c = length < text.length ? text.at[length] : '\0';
        if (is_word(c) || (c == '-' && label)) {
            has_letter = has_letter || !ascii_is_digit(c);
            label++;
            continue;
        }
        if (label && text.at[length - 1] != '-' && has_dot && has_letter)
            valid = length;
        if (c != '.' || !label)
            break;
        has_dot = true;
        has_letter = false;
        label = 0;
    }
    return length > DOMAIN_BYTES_MAX ? 0 : valid;
}

static size_t address_length(struct str text, size_t at_sign)
{
    if (!at_sign || at_sign > LOCAL_BYTES_MAX || text.at[0] == '.' || text.at[at_sign - 1] == '.')
        return 0;
    struct str domain = str_skip(text, at_sign + 1);
    domain = str_sub(domain, 0, DOMAIN_BYTES_MAX + 1);
    struct str plain = domain;
    /* A sentence of a script without spaces would else become part of the domain. */
    for (size_t i = 0; i < plain.length; i++)
        if ((unsigned char)plain.at[i] >= 0x80)
            plain.length = i;
    size_t length = domain_length(plain);
    return length ? at_sign + 1 + length : 0;
}

enum text_link text_link_next(struct str text, size_t *length)
{
    static const struct {
        struct str prefix;
        enum text_link kind;
    } starts[] = {{{"http://", 7}, TEXT_LINK_URL},
                  {{"https://", 8}, TEXT_LINK_URL},
                  {{"mailto:", 7}, TEXT_LINK_URL},
                  {{"www.", 4}, TEXT_LINK_WWW}};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct str prefix = starts[i].prefix;
        struct str behind = str_skip(text, prefix.length);
        if (!str_starts_nocase(text, prefix) || !behind.length ||
            !(is_word(behind.at[0]) || behind.at[0] == '['))
            continue;
        *length = url_length(text);
        if (*length > TEXT_LINK_BYTES_MAX)
            return TEXT_LINK_NONE; /* passed over whole: its inside is not looked at again */
        size_t trimmed = trim_url(str_sub(text, 0, *length));
        if (trimmed <= prefix.length)
            continue;
        *length = trimmed;
        return starts[i].kind;
    }
    size_t word = 0;
    while (word < text.length && is_local(text.at[word]))
        word++;
    if (word < text.length && text.at[word] == '@') {
        *length = address_length(text, word);
        if (*length)
            return TEXT_LINK_ADDRESS;
    }
    /* "x.http://" is none; "(http://" and "'http://" are. */
    *length = word ? word : text.length ? 1 : 0;
    return TEXT_LINK_NONE;
}

/* Escaped, without controls, ill-formed sequences replaced. */
static void write_escaped(struct buf *out, struct str text)
{
    while (text.length) {
        size_t run = 0;
        while (run < text.length && (unsigned char)text.at[run] < 0x80 &&
               ((unsigned char)text.at[run] >= ' ' || text.at[run] == '\t') && text.at[run] != 0x7f)
            run++;
        encode_html(out, str_sub(text, 0, run));
        text = str_skip(text, run);
        if (!text.length)
            return;
        uint32_t c = utf8_next(&text);
        if (c >= 0xa0)
            utf8_write(out, c);
    }
}

static void write_link(struct buf *out, struct str link, enum text_link kind)
{
    static const char *const prefixes[] = {
        [TEXT_LINK_URL] = "", [TEXT_LINK_WWW] = "http://", [TEXT_LINK_ADDRESS] = "mailto:"};
    buf_text(out, "<a href=\"");
    buf_text(out, prefixes[kind]);
    write_escaped(out, link);
    buf_text(out, "\" rel=\"noopener noreferrer\" target=\"_blank\">");
    write_escaped(out, link);
    buf_text(out, "</a>");
}

void text_link_html(struct buf *out, struct str line)
{
    size_t plain = 0; /* text before `at` not written yet */
    size_t at = 0;
    while (at < line.length && !out->is_full) {
        size_t length;
        enum text_link kind = text_link_next(str_skip(line, at), &length);
        assert(length && length <= line.length - at);
        if (kind) {
            write_escaped(out, str_sub(line, plain, at - plain));
            write_link(out, str_sub(line, at, length), kind);
            plain = at + length;
        }
        at += length;
    }
    write_escaped(out, str_skip(line, plain));
}
