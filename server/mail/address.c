#include "server/mail/address.h"

#include "server/base/utf8.h"
#include "server/mail/charset.h"
#include "server/mail/header.h"

/* One address being read. `phrase` is what a display name would be, `spec` what an address without
 * brackets would be: they differ in their quotes. */
struct reading {
    struct str value;
    size_t at;
    struct buf phrase, spec, angle, comment;
    bool has_angle;   /* a "<" was seen: the address is in `angle` */
    struct str group; /* decoded name of the open group */
    bool in_group;
    bool has_open_quote; /* a quote without its pair was seen: no more are paired */
    size_t group_start;  /* list->count when it opened */
};

/* Words longer than a name or an address may be are cut while reading. */
enum { PIECE_BYTES_MAX = 4096 };

static void append_capped(struct buf *b, struct str s)
{
    buf_str(b, str_sub(s, 0, b->limit - b->length));
}

static void append_char(struct buf *b, char c)
{
    append_capped(b, str_make(&c, 1));
}

/* --- finishing one address -------------------------------------------------------------------- */

/* Controls that turn text around or hide it have no place in a name (ref security 19). */
static bool is_hidden_control(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200b ||
           c == 0xfeff || c == 0x2028 || c == 0x2029;
}

static struct str decode_name(struct arena *arena, struct str phrase)
{
    struct buf text = BUF_INIT(4 * PIECE_BYTES_MAX + 64), visible = BUF_INIT(8 * PIECE_BYTES_MAX);
    header_decode_words(&text, phrase);
    struct str name = header_clean(arena, buf_view(&text), ADDRESS_NAME_BYTES_MAX);
    /* 'Name' and "Name" inside the quotes: left over from other programs. */
    while (name.length >= 2 && (name.at[0] == '\'' || name.at[0] == '"') &&
           name.at[name.length - 1] == name.at[0])
        name = str_trim(str_sub(name, 1, name.length - 2));
    bool has_hidden = false;
    for (struct str rest = name; rest.length;) {
        uint32_t c = utf8_next(&rest);
        if (is_hidden_control(c))
            has_hidden = true;
        else
            utf8_write(&visible, c);
    }
    if (has_hidden)
        name = arena_str(arena, str_trim(buf_view(&visible)));
    buf_free(&text);
    buf_free(&visible);
    return name;
}

static bool has_at(struct str s)
{
    return str_find_char(s, '@') >= 0;
}

/* The local part's quotes are taken off where they quote nothing: "john"@example.com. */
static struct str unquote_local(struct arena *arena, struct str email)
{
    if (email.length < 3 || email.at[0] != '"')
        return email;
    ptrdiff_t end = str_find(email, STR("\"@"));
    if (end <= 1)
        return email;
    struct str local = str_sub(email, 1, (size_t)end - 1);
    for (size_t i = 0; i < local.length; i++) {
        char c = local.at[i];
        bool is_atom = ascii_is_alpha(c) || ascii_is_digit(c) || strchr("!#$%&'*+-/=?^_`{|}~", c) ||
                       (c == '.' && i > 0 && i + 1 < local.length && local.at[i - 1] != '.');
        if (!is_atom || c == '\0')
            return email;
    }
    return arena_printf(arena, "%" STR_FMT "%" STR_FMT, STR_ARG(local),
                        STR_ARG(str_skip(email, (size_t)end + 1)));
}

/* White space is dropped, but for what stands in quotes; a route ("@a,@b:") too. */
static struct str clean_email(struct arena *arena, struct str spec)
{
    spec = str_trim(spec);
    if (str_starts(spec, STR("@"))) {
        ptrdiff_t colon = str_find_char(spec, ':');
        if (colon >= 0)
            spec = str_skip(spec, (size_t)colon + 1);
    }
    if (str_starts_nocase(spec, STR("mailto:")))
        spec = str_skip(spec, 7);
    struct buf plain = BUF_INIT(PIECE_BYTES_MAX);
    bool in_quotes = false;
    for (size_t i = 0; i < spec.length; i++) {
        char c = spec.at[i];
        if (c == '"' && (i == 0 || spec.at[i - 1] != '\\'))
            in_quotes = !in_quotes;
        if (in_quotes ? c != '\r' && c != '\n' : !ascii_is_space(c))
            append_char(&plain, c);
    }
    struct str email = header_clean(arena, buf_view(&plain), ADDRESS_EMAIL_BYTES_MAX);
    buf_free(&plain);
    return unquote_local(arena, email);
}

/* Text without brackets: "john . doe @ example . com" is an address, in "John Doe john@x.org" the
 * word with the "@" is one and the rest a name. Returns the index where the address word begins and
 * its length; the whole text when white space stands only around "." and "@". */
static struct str bare_email(struct str spec)
{
    bool is_loose = false; /* white space that separates words */
    for (size_t i = 1; i + 1 < spec.length && spec.at[0] != '"'; i++) {
        if (!ascii_is_space(spec.at[i]) || ascii_is_space(spec.at[i - 1]))
            continue;
        struct str after = str_trim(str_skip(spec, i));
        char before = spec.at[i - 1], behind = after.length ? after.at[0] : '.';
        if (!strchr(".@", before) && !strchr(".@", behind))
            is_loose = true;
    }
    if (!is_loose)
        return spec;
    ptrdiff_t at = -1;
    for (size_t i = spec.length; i > 0 && at < 0; i--)
        if (spec.at[i - 1] == '@')
            at = (ptrdiff_t)i - 1;
    size_t start = (size_t)at, end = (size_t)at;
    while (start > 0 && !ascii_is_space(spec.at[start - 1]))
        start--;
    while (end < spec.length && !ascii_is_space(spec.at[end]))
        end++;
    return str_sub(spec, start, end - start);
}

static void finish_bare(struct arena *arena, struct reading *r, struct mail_address *address)
{
    struct str spec = str_trim(buf_view(&r->spec));
    if (!has_at(spec)) {
        address->name = decode_name(arena, buf_view(&r->phrase));
        return;
    }
    struct str word = bare_email(spec);
    address->email = clean_email(arena, word);
    struct str comment = str_trim(buf_view(&r->comment));
    if (word.length == spec.length) {
        address->name = decode_name(arena, comment);
        return;
    }
    size_t start = (size_t)(word.at - spec.at);
    struct str name = str_trim(str_sub(spec, 0, start));
    if (name.length == 0)
        name = str_trim(str_skip(spec, start + word.length));
    address->name = decode_name(arena, name);
}

static void reset(struct reading *r)
{
    buf_reset(&r->phrase);
    buf_reset(&r->spec);
    buf_reset(&r->angle);
    buf_reset(&r->comment);
    r->has_angle = false;
}

static void push(struct mail_addresses *list, struct mail_address address)
{
    if (list->count < ADDRESS_MAX)
        list->at[list->count++] = address;
    else
        list->is_cut = true;
}

static void finish_address(struct arena *arena, struct reading *r, struct mail_addresses *list)
{
    struct mail_address address = {STR_EMPTY, STR_EMPTY, r->in_group ? r->group : STR_EMPTY};
    if (r->has_angle) {
        address.email = clean_email(arena, buf_view(&r->angle));
        struct str phrase = str_trim(buf_view(&r->phrase));
        address.name = decode_name(arena, phrase.length ? phrase : buf_view(&r->comment));
    } else {
        finish_bare(arena, r, &address);
    }
    reset(r);
    if (address.email.length || address.name.length)
        push(list, address);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A quoted string: its text to the phrase, as it stands to the spec. A quote that is never closed
 * is a character like others, or the rest of the list would be lost in it. */
static void read_quoted(struct reading *r)
{
    size_t start = r->at, end = start + 1;
    while (!r->has_open_quote && end < r->value.length && r->value.at[end] != '"')
        end += r->value.at[end] == '\\' && end + 1 < r->value.length ? 2 : 1;
    if (r->has_open_quote || end >= r->value.length) {
        r->has_open_quote = true;
        r->at++;
        return;
    }
    for (size_t i = start + 1; i < end; i++) {
        if (r->value.at[i] == '\\')
            i++;
        append_char(&r->phrase, r->value.at[i]);
    }
    r->at = end + 1;
    append_capped(&r->spec, str_sub(r->value, start, r->at - start));
}

/* A comment, nested as deep as it likes: the outermost text may be the name (RFC 822 mailers). */
static void read_comment(struct reading *r)
{
    size_t depth = 0;
    if (r->comment.length)
        append_char(&r->comment, ' ');
    for (; r->at < r->value.length; r->at++) {
        char c = r->value.at[r->at];
        if (c == '(') {
            if (depth++ == 0)
                continue;
        } else if (c == ')' && --depth == 0) {
            r->at++;
            return;
        } else if (c == '\\' && r->at + 1 < r->value.length) {
            c = r->value.at[++r->at];
        }
        append_char(&r->comment, c);
    }
}

/* What stands in <...>; an empty pair stays an address without email. */
static void read_angle(struct reading *r)
{
    r->at++;
    bool in_quotes = false;
    buf_reset(&r->angle);
    r->has_angle = true;
    for (; r->at < r->value.length; r->at++) {
        char c = r->value.at[r->at];
        if (c == '"')
            in_quotes = !in_quotes;
        if (!in_quotes && c == '>') {
            r->at++;
            return;
        }
        if (!in_quotes && c == '<') { /* "<<a@b>>": begin again */
            buf_reset(&r->angle);
            continue;
        }
        append_char(&r->angle, c);
    }
}

/* An encoded word may hold commas that its writer forgot to encode. */
static bool read_word(struct reading *r)
{
    enum { WORD_BYTES_MAX = 1000 };
    struct str s = str_sub(r->value, r->at, WORD_BYTES_MAX);
    if (!str_starts(s, STR("=?")))
        return false;
    ptrdiff_t charset = str_find_char(str_sub(s, 2, 60), '?');
    if (charset < 0 || str_sub(s, (size_t)charset + 4, 1).length == 0 || s.at[charset + 4] != '?')
        return false;
    ptrdiff_t end = str_find(str_skip(s, (size_t)charset + 5), STR("?="));
    if (end < 0)
        return false;
    struct str word = str_sub(s, 0, (size_t)(charset + 5 + end + 2));
    append_capped(&r->phrase, word);
    append_capped(&r->spec, word);
    r->at += word.length;
    return true;
}

/* "[...]" of a domain literal, whose colons are no groups. */
static void read_literal(struct reading *r)
{
    size_t end = r->at;
    while (end < r->value.length && !strchr("],<>", r->value.at[end]))
        end++;
    if (end < r->value.length && r->value.at[end] == ']')
        end++;
    struct str text = str_sub(r->value, r->at, end - r->at);
    append_capped(&r->phrase, text);
    append_capped(&r->spec, text);
    r->at = end > r->at ? end : r->at + 1;
}

static void open_group(struct arena *arena, struct reading *r, struct mail_addresses *list)
{
    bool is_scheme = str_equal_nocase(str_trim(buf_view(&r->phrase)), STR("mailto"));
    r->group = is_scheme ? STR_EMPTY : decode_name(arena, buf_view(&r->phrase));
    r->in_group = r->group.length > 0;
    r->group_start = list->count;
    reset(r);
}

static void close_group(struct reading *r, struct mail_addresses *list)
{
    if (r->in_group && list->count == r->group_start)
        push(list, (struct mail_address){r->group, STR_EMPTY, r->group});
    r->in_group = false;
    r->group = STR_EMPTY;
}

static void read_next(struct arena *arena, struct reading *r, struct mail_addresses *list)
{
    char c = r->value.at[r->at];
    switch (c) {
    case '"':
        read_quoted(r);
        return;
    case '(':
        read_comment(r);
        return;
    case '[':
        read_literal(r);
        return;
    case '<':
        if (r->has_angle) /* "<a@b> <c@d>" without a comma: two addresses, none hidden */
            finish_address(arena, r, list);
        read_angle(r);
        if (r->at < r->value.length && !ascii_is_space(r->value.at[r->at]) &&
            !strchr(",;(", r->value.at[r->at]))
            finish_address(arena, r, list); /* "<a@b>c@d" likewise */
        return;
    case ',':
        finish_address(arena, r, list);
        break;
    case ';': /* ends a group; Outlook's separator too */
        finish_address(arena, r, list);
        close_group(r, list);
        break;
    case ':':
        if (!r->has_angle && !r->in_group && !has_at(buf_view(&r->spec))) {
            open_group(arena, r, list);
            break;
        }
        append_char(&r->phrase, c);
        append_char(&r->spec, c);
        break;
    case '=':
        if (read_word(r))
            return;
        append_char(&r->phrase, c);
        append_char(&r->spec, c);
        break;
    default:
        append_char(&r->phrase, c);
        append_char(&r->spec, c);
    }
    r->at++;
}

/* How many addresses there can be at most: two for each separator. */
static size_t room_for(struct str value)
{
    size_t room = 4;
    for (size_t i = 0; i < value.length && room < ADDRESS_MAX; i++)
        room += value.at[i] == ',' || value.at[i] == ';' || value.at[i] == '<' ? 2 : 0;
    return room < ADDRESS_MAX ? room : ADDRESS_MAX;
}

void address_parse(struct arena *arena, struct str value, struct mail_addresses *list)
{
    *list = (struct mail_addresses){0};
    value = str_trim(value);
    if (value.length == 0)
        return;
    list->at = ARENA_ARRAY(arena, room_for(value), struct mail_address);
    struct reading r = {
        .value = value,
        .phrase = BUF_INIT(PIECE_BYTES_MAX),
        .spec = BUF_INIT(PIECE_BYTES_MAX),
        .angle = BUF_INIT(PIECE_BYTES_MAX),
        .comment = BUF_INIT(PIECE_BYTES_MAX),
        .group = STR_EMPTY,
    };
    while (r.at < value.length && !list->is_cut)
        read_next(arena, &r, list);
    finish_address(arena, &r, list);
    close_group(&r, list);
    buf_free(&r.phrase);
    buf_free(&r.spec);
    buf_free(&r.angle);
    buf_free(&r.comment);
}

void address_write_json(struct json *json, const struct mail_addresses *list)
{
    json_write_array(json);
    for (size_t i = 0; i < list->count; i++) {
        json_write_object(json);
        json_write_name(json, "name");
        if (list->at[i].name.length)
            json_write_str(json, list->at[i].name);
        else
            json_write_null(json);
        json_write_name(json, "email");
        json_write_str(json, list->at[i].email);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}
