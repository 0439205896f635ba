/* What senders say of themselves, and what they ask for. */
#include "server/base/encode.h"
#include "server/base/utf8.h"
#include "server/mail/header.h"
#include "server/mail/sender.h"

enum { MAILTO_BYTES_MAX = 2000, LINE_BYTES_MAX = 500 };

/* --- mailto: ---------------------------------------------------------------------------------- */

static struct str decode(struct arena *arena, struct str encoded)
{
    struct buf out = BUF_INIT(MAILTO_BYTES_MAX);
    bool is_good = decode_percent(&out, encoded, false);
    struct str text = is_good ? arena_str(arena, buf_view(&out)) : STR_EMPTY;
    buf_free(&out);
    return text;
}

/* With its line ends, without other controls. */
static struct str lines_of(struct arena *arena, struct str text)
{
    struct buf out = BUF_INIT(SENDER_MAIL_TEXT_BYTES_MAX + 1000);
    text = utf8_prefix(text, SENDER_MAIL_TEXT_BYTES_MAX);
    while (text.at) {
        struct str line = header_clean(arena, str_cut(&text, '\n'), SENDER_MAIL_TEXT_BYTES_MAX);
        buf_str(&out, line);
        if (text.at)
            buf_char(&out, '\n');
    }
    struct str copy = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return copy;
}

void sender_read_mailto(struct arena *arena, struct str uri, struct sender_mail *mail)
{
    *mail = (struct sender_mail){.to = STR_EMPTY, .subject = STR_EMPTY, .text = STR_EMPTY};
    if (!str_starts_nocase(uri, STR("mailto:")) || uri.length > MAILTO_BYTES_MAX)
        return;
    struct str fields = str_skip(uri, 7), to = str_cut(&fields, '?');
    if (str_find_char(to, ',') < 0)
        mail->to = header_clean(arena, decode(arena, to), LINE_BYTES_MAX);
    while (fields.at) {
        struct str value = str_cut(&fields, '&'), name = str_cut(&value, '=');
        if (str_equal_nocase(name, STR("subject")))
            mail->subject = header_clean(arena, decode(arena, value), LINE_BYTES_MAX);
        else if (str_equal_nocase(name, STR("body")))
            mail->text = lines_of(arena, decode(arena, value));
    }
}

/* --- looks ------------------------------------------------------------------------------------ */

static struct str domain_of(struct str email)
{
    size_t at = email.length;
    while (at > 0 && email.at[at - 1] != '@')
        at--;
    return at ? str_skip(email, at) : STR_EMPTY;
}

static bool is_word_end(char c)
{
    return ascii_is_space(c) || strchr("<>()[]\"',;:", c) != NULL;
}

/* The first word of a name that is an address. */
static struct str find_address(struct str name)
{
    for (size_t i = 1; i + 1 < name.length; i++) {
        if (name.at[i] != '@')
            continue;
        size_t begin = i, end = i + 1;
        while (begin > 0 && !is_word_end(name.at[begin - 1]))
            begin--;
        while (end < name.length && !is_word_end(name.at[end]))
            end++;
        struct str word = str_sub(name, begin, end - begin);
        struct str domain = domain_of(word);
        if (begin < i && str_find_char(domain, '.') > 0)
            return word;
    }
    return STR_EMPTY;
}

/* The same domain, or one below the other. */
static bool is_below(struct str longer, struct str shorter)
{
    return str_equal_nocase(longer, shorter) ||
           (longer.length > shorter.length &&
            longer.at[longer.length - shorter.length - 1] == '.' &&
            str_equal_nocase(str_skip(longer, longer.length - shorter.length), shorter));
}

void sender_look(struct arena *arena, const struct mail_addresses *from, struct sender_looks *looks)
{
    *looks = (struct sender_looks){.called = STR_EMPTY};
    if (from->count == 0)
        return;
    const struct mail_address *address = &from->at[0];
    struct str called = find_address(address->name), real = domain_of(address->email);
    struct str said = domain_of(called);
    if (called.length && !is_below(real, said) && !is_below(said, real))
        looks->called = called;
    looks->is_lookalike =
        str_find_nocase(domain_of(address_display(arena, address->email)), STR("xn--")) >= 0;
}

/* --- junk ------------------------------------------------------------------------------------- */

/* "score=8.2" in "Yes, score=8.2 required=5.0 tests=…": a number. */
static struct str number_after(struct str text, const char *name)
{
    ptrdiff_t at = str_find_nocase(text, str_of(name));
    if (at < 0)
        return STR_EMPTY;
    text = str_skip(text, (size_t)at + strlen(name));
    size_t length = 0;
    while (length < text.length && length < 12 &&
           (ascii_is_digit(text.at[length]) || text.at[length] == '.' ||
            (length == 0 && text.at[length] == '-')))
        length++;
    return str_sub(text, 0, length);
}

void sender_junk(const struct envelope *envelope, struct sender_junk *junk)
{
    struct str status = envelope->spam_status;
    *junk = (struct sender_junk){.is_said = status.length > 0, .limit = STR_EMPTY};
    junk->is_junk = str_starts_nocase(status, STR("yes")) ||
                    str_starts_nocase(status, STR("true")) ||
                    str_starts_nocase(status, STR("spam"));
    junk->score = number_after(status, "score=");
    if (!junk->score.length)
        junk->score = number_after(status, "hits=");
    junk->limit = number_after(status, "required=");
}
