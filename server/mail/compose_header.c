/* Fields of a message that we write, and the addresses in them. */
#include <idn2.h>

#include "server/base/encode.h"
#include "server/base/seal.h"
#include "server/base/utf8.h"
#include "server/mail/address.h"
#include "server/mail/compose_private.h"

enum {
    WORD_BYTES = 42,       /* of UTF-8 in an encoded word: 75 characters with its frame */
    PLAIN_WORD_MAX = 200,  /* a longer run without a space is encoded: it must be folded */
    NAME_BYTES_MAX = 500,  /* of a display name */
    LOCAL_BYTES_MAX = 256, /* RFC 5321 says 64; longer ones are met */
    DOMAIN_BYTES_MAX = 255,
    TYPED_BYTES_MAX = 256 * 1024,
};

/* --- fields ---------------------------------------------------------------------------------- */

void compose_field(struct buf *out, const char *name, struct str value)
{
    size_t column = strlen(name) + 2;
    bool is_first = true;
    buf_printf(out, "%s:", name);
    while (value.length) {
        size_t spaces = 0, length = 0;
        while (spaces < value.length && ascii_is_space(value.at[spaces]))
            spaces++;
        while (spaces + length < value.length && !ascii_is_space(value.at[spaces + length]))
            length++;
        if (length == 0)
            break; /* white space at the end */
        if (!is_first && column + 1 + length > COMPOSE_FOLD_COLUMN) {
            buf_text(out, "\r\n");
            column = 0;
        }
        buf_char(out, ' ');
        for (size_t i = 1; i < spaces && !is_first && column > 0; i++, column++)
            buf_char(out, ' ');
        for (size_t i = spaces; i < spaces + length; i++)
            buf_char(out,
                     (unsigned char)value.at[i] < ' ' || value.at[i] == 127 ? '?' : value.at[i]);
        column += 1 + length;
        is_first = false;
        value = str_skip(value, spaces + length);
    }
    buf_text(out, "\r\n");
}

static bool is_plain_text(struct str text)
{
    size_t run = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        run = c == ' ' ? 0 : run + 1;
        if (c < ' ' || c >= 127 || run > PLAIN_WORD_MAX)
            return false;
    }
    return str_find(text, STR("=?")) < 0;
}

/* As many encoded words as it takes, none of which cuts a character (RFC 2047 section 5). */
static void encode_words(struct buf *out, struct str text)
{
    struct buf clean = BUF_INIT(text.length * 3 + 1);
    utf8_repair(&clean, text);
    for (size_t i = 0; i < clean.length; i++)
        if ((unsigned char)clean.at[i] < ' ' || clean.at[i] == 127)
            clean.at[i] = ' ';
    struct str rest = buf_view(&clean);
    bool is_first = true;
    while (rest.length) {
        struct str piece = utf8_prefix(rest, WORD_BYTES);
        if (!is_first)
            buf_char(out, ' ');
        buf_text(out, "=?utf-8?B?");
        encode_base64(out, piece);
        buf_text(out, "?=");
        rest = str_skip(rest, piece.length);
        is_first = false;
    }
    buf_free(&clean);
}

void compose_words(struct buf *out, struct str text)
{
    text = str_trim(text);
    if (is_plain_text(text))
        buf_str(out, text);
    else
        encode_words(out, text);
}

/* --- addresses ------------------------------------------------------------------------------- */

static bool is_atom_text(unsigned char c)
{
    return c >= 0x80 || (c > ' ' && c < 127 && !strchr("()<>[]:;@\\,\"", c));
}

/* dot-atom, leniently (dots anywhere: such addresses exist), or a quoted string. */
static bool is_local(struct str local)
{
    if (local.length == 0 || local.length > LOCAL_BYTES_MAX)
        return false;
    bool is_quoted = local.length >= 2 && local.at[0] == '"' && local.at[local.length - 1] == '"';
    for (size_t i = is_quoted; i < local.length - is_quoted; i++) {
        unsigned char c = (unsigned char)local.at[i];
        if (is_quoted && c == '\\' && ++i < local.length - 1)
            c = (unsigned char)local.at[i];
        else if (is_quoted && (c == '"' || c == '\\'))
            return false;
        if (c < ' ' || c == 127 || (!is_quoted && !is_atom_text(c)))
            return false;
    }
    return true;
}

static bool is_ascii_domain(struct str domain)
{
    bool is_literal =
        domain.length > 2 && domain.at[0] == '[' && domain.at[domain.length - 1] == ']';
    if (domain.length == 0 || domain.length > DOMAIN_BYTES_MAX)
        return false;
    for (size_t i = is_literal; i < domain.length - is_literal; i++) {
        char c = domain.at[i];
        bool is_known = ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' ||
                        c == '_' || (is_literal && c == ':');
        if (!is_known)
            return false;
    }
    return is_literal ||
           (domain.at[0] != '.' && domain.at[0] != '-' && str_find(domain, STR("..")) < 0);
}

static bool domain_to_ascii(struct arena *arena, struct str domain, struct str *ascii)
{
    char *found = NULL;
    if (domain.length > DOMAIN_BYTES_MAX || !utf8_is_valid(domain))
        return false;
    if (idn2_to_ascii_8z(arena_text(arena, domain), &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL))
        return false;
    *ascii = arena_str(arena, str_of(found));
    idn2_free(found);
    return true;
}

bool compose_email_check(struct arena *arena, struct str email, struct str *checked,
                         struct error *err)
{
    struct str domain = STR_EMPTY, local = STR_EMPTY;
    for (size_t i = email.length; i-- > 0;) { /* the last @: a quoted local part may hold others */
        if (email.at[i] != '@')
            continue;
        local = str_sub(email, 0, i);
        domain = str_skip(email, i + 1);
        break;
    }
    bool is_good = is_local(local) && utf8_is_valid(local);
    if (is_good && !compose_is_ascii(domain))
        is_good = domain_to_ascii(arena, domain, &domain);
    if (!is_good || !is_ascii_domain(domain)) {
        struct buf shown = BUF_INIT(400);
        utf8_repair(&shown, str_sub(email, 0, 100));
        error_set(err, ERROR_INVALID, "“%" STR_FMT "” is not a mail address.",
                  STR_ARG(buf_view(&shown)));
        buf_free(&shown);
        return error_hint(err, "An address looks like name@example.org.");
    }
    *checked = arena_printf(arena, "%" STR_FMT "@%" STR_FMT, STR_ARG(local), STR_ARG(domain));
    return true;
}

/* Semicolons and line ends between addresses are what people and other programs type. */
static struct str with_commas(struct arena *arena, struct str typed)
{
    char *text = arena_text(arena, typed);
    bool is_quoted = false;
    for (size_t i = 0; i < typed.length; i++) {
        if (text[i] == '"')
            is_quoted = !is_quoted;
        if (text[i] == '\n' || text[i] == '\r' || (!is_quoted && text[i] == ';'))
            text[i] = ',';
        else if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = ' ';
    }
    return str_make(text, typed.length);
}

bool compose_addresses_read(struct arena *arena, struct str typed,
                            struct compose_addresses *addresses, struct error *err)
{
    struct mail_addresses list;
    *addresses = (struct compose_addresses){0};
    if (typed.length > TYPED_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "These are too many addresses.");
    address_parse(arena, with_commas(arena, typed), &list);
    if (list.is_cut || list.count > COMPOSE_ADDRESSES_MAX)
        return error_set(err, ERROR_LIMIT, "A message goes to at most %d addresses.",
                         COMPOSE_ADDRESSES_MAX);
    struct compose_address *at = ARENA_ARRAY(arena, list.count, struct compose_address);
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        struct str email = list.at[i].email.length ? list.at[i].email : list.at[i].name;
        if (email.length == 0)
            continue;
        if (!compose_email_check(arena, email, &at[count].email, err))
            return false;
        at[count++].name = list.at[i].email.length ? list.at[i].name : STR_EMPTY;
    }
    *addresses = (struct compose_addresses){at, count};
    return true;
}

static bool needs_quotes(struct str name)
{
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c != ' ' && !is_atom_text(c))
            return true;
        if (c == '.')
            return true; /* only obsolete syntax has it bare */
    }
    return false;
}

static void write_quoted(struct buf *out, struct str text)
{
    buf_char(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            buf_char(out, '\\');
        buf_char(out, text.at[i]);
    }
    buf_char(out, '"');
}

struct str compose_addresses_show(struct arena *arena, struct compose_addresses addresses)
{
    struct buf text = BUF_INIT(TYPED_BYTES_MAX);
    for (size_t i = 0; i < addresses.count; i++) {
        const struct compose_address *one = &addresses.at[i];
        buf_text(&text, i ? ", " : "");
        if (one->name.length == 0) {
            buf_str(&text, one->email);
            continue;
        }
        if (needs_quotes(one->name))
            write_quoted(&text, one->name);
        else
            buf_str(&text, one->name);
        buf_printf(&text, " <%" STR_FMT ">", STR_ARG(one->email));
    }
    struct str shown = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return shown;
}

bool compose_write_addresses(struct buf *out, struct compose_addresses addresses,
                             bool *needs_smtputf8, struct error *err)
{
    struct arena *arena = arena_new();
    bool is_good = true;
    for (size_t i = 0; is_good && i < addresses.count; i++) {
        const struct compose_address *one = &addresses.at[i];
        struct str name = str_trim(utf8_prefix(one->name, NAME_BYTES_MAX)), checked;
        is_good = compose_email_check(arena, one->email, &checked, err);
        if (!is_good)
            break;
        *needs_smtputf8 |= !compose_is_ascii(checked);
        buf_text(out, i ? ", " : "");
        if (name.length && is_plain_text(name) && needs_quotes(name))
            write_quoted(out, name);
        else if (name.length)
            compose_words(out, name);
        buf_printf(out, name.length ? " <%" STR_FMT ">" : "%" STR_FMT, STR_ARG(checked));
    }
    arena_free(&arena);
    return is_good;
}

bool compose_bcc(struct buf *out, struct compose_addresses bcc, struct error *err)
{
    bool needs_smtputf8 = false;
    struct buf value = BUF_INIT(TYPED_BYTES_MAX * 2);
    bool is_good = compose_write_addresses(&value, bcc, &needs_smtputf8, err);
    if (is_good && bcc.count)
        compose_field(out, "Bcc", buf_view(&value));
    buf_free(&value);
    return is_good;
}

/* --- ids ------------------------------------------------------------------------------------- */

bool compose_is_id(struct str id)
{
    for (size_t i = 0; i < id.length; i++)
        if (id.at[i] <= ' ' || id.at[i] >= 127 || id.at[i] == '<' || id.at[i] == '>')
            return false;
    return id.length > 0 && id.length < 900;
}

struct str compose_message_id(struct arena *arena, struct str email)
{
    unsigned char random[16];
    struct buf text = BUF_INIT(64);
    struct str domain = STR_EMPTY, checked = STR_EMPTY;
    random_bytes(random, sizeof random);
    encode_hex(&text, str_make(random, sizeof random));
    if (compose_email_check(arena, email, &checked, NULL))
        for (size_t i = 0; i < checked.length; i++)
            if (checked.at[i] == '@')
                domain = str_skip(checked, i + 1);
    struct str id = arena_printf(arena, "%" STR_FMT "@%" STR_FMT, STR_ARG(buf_view(&text)),
                                 STR_ARG(domain.length ? domain : STR("localhost.invalid")));
    buf_free(&text);
    return id;
}

struct str compose_references(struct arena *arena, struct str references, struct str in_reply_to,
                              struct str message_id)
{
    struct str all = references.length ? references : in_reply_to;
    size_t room = COMPOSE_REFERENCES_BYTES_MAX - 1000;
    if (!compose_is_id(message_id))
        return arena_str(arena, all);
    if (all.length > room) { /* the first names the thread, the last ones its branch */
        struct str tail = str_skip(all, all.length - room), rest = all;
        struct str first = str_cut(&rest, ' ');
        str_cut(&tail, ' ');
        all = arena_printf(arena, "%" STR_FMT " %" STR_FMT, STR_ARG(first), STR_ARG(tail));
    }
    return arena_printf(arena, "%" STR_FMT "%s%" STR_FMT, STR_ARG(all), all.length ? " " : "",
                        STR_ARG(message_id));
}
