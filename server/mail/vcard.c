#include "server/mail/vcard.h"

#include "server/base/utf8.h"
#include "server/mail/charset.h"
#include "server/mail/decode.h"
#include "server/mail/header.h"

enum { LINE_BYTES_MAX = 64 * 1024 };

/* A content line: [group.]NAME;PARAMETERS:VALUE, unfolded. */
struct content_line {
    struct str name, parameters, value;
    bool is_quoted_printable; /* vCard 2.1 */
    struct str charset;
};

static const struct {
    const char *name;
    enum vcard_kind kind;
} kinds[] = {
    {"EMAIL", VCARD_EMAIL},
    {"TEL", VCARD_PHONE},
    {"ADR", VCARD_ADDRESS},
    {"URL", VCARD_URL},
    {"TITLE", VCARD_TITLE},
    {"NOTE", VCARD_NOTE},
    {"BDAY", VCARD_BIRTHDAY},
    {"MEMBER", VCARD_MEMBER},
    {"X-ADDRESSBOOKSERVER-MEMBER", VCARD_MEMBER},
};

/* TYPE words that tell a person something. */
static const char *const labels[] = {"home", "work", "cell", "mobile", "fax", "pager", "main"};

/* --- lines ------------------------------------------------------------------------------------ */

static struct str next_raw_line(struct str *rest)
{
    struct str line = str_cut(rest, '\n');
    return str_ends(line, STR("\r")) ? str_sub(line, 0, line.length - 1) : line;
}

/* Quoted-printable values of vCard 2.1 fold with "=" at the end, without white space. */
static bool is_quoted_printable(struct str first_line)
{
    struct str rest = first_line, head = str_cut(&rest, ':');
    return rest.at && str_find_nocase(head, STR("QUOTED-PRINTABLE")) >= 0;
}

/* The next line with its folds taken out, into `line`; what is longer than a line may be is lost.
 */
static void read_logical_line(struct str *rest, struct buf *line)
{
    buf_reset(line);
    buf_str(line, str_sub(next_raw_line(rest), 0, LINE_BYTES_MAX));
    bool may_be_soft = is_quoted_printable(buf_view(line));
    while (rest->at) {
        bool is_fold = rest->length && (rest->at[0] == ' ' || rest->at[0] == '\t');
        bool is_soft = !is_fold && may_be_soft && str_ends(buf_view(line), STR("="));
        if (!is_fold && !is_soft)
            return;
        struct str more = next_raw_line(rest);
        if (is_soft)
            line->length--;
        else
            more = str_skip(more, 1);
        buf_str(line, str_sub(more, 0, LINE_BYTES_MAX - line->length));
    }
}

/* The colon that ends the parameters: not one in quotes. */
static size_t find_colon(struct str line)
{
    bool in_quotes = false;
    for (size_t i = 0; i < line.length; i++) {
        if (line.at[i] == '"')
            in_quotes = !in_quotes;
        else if (line.at[i] == ':' && !in_quotes)
            return i;
    }
    return line.length;
}

static void split_line(struct str line, struct content_line *out)
{
    size_t colon = find_colon(line);
    struct str head = str_sub(line, 0, colon), rest;
    *out = (struct content_line){.value = str_skip(line, colon + 1), .charset = STR_EMPTY};
    out->parameters = head;
    out->name = str_trim(str_cut(&out->parameters, ';'));
    ptrdiff_t dot = str_find_char(out->name, '.');
    if (dot >= 0)
        out->name = str_skip(out->name, (size_t)dot + 1);
    if (!out->parameters.at)
        out->parameters = STR_EMPTY;
    for (rest = out->parameters; rest.at;) {
        struct str parameter = str_trim(str_cut(&rest, ';'));
        if (str_ends_nocase(parameter, STR("QUOTED-PRINTABLE")))
            out->is_quoted_printable = true;
        if (str_starts_nocase(parameter, STR("CHARSET=")))
            out->charset = str_skip(parameter, 8);
    }
}

/* --- values ----------------------------------------------------------------------------------- */

/* Appends a value with its backslashes undone; ";" without one becomes `separator`, empty parts are
 * left out. */
static void append_unescaped(struct buf *out, struct str value, const char *separator)
{
    bool wants_separator = false, has_part = false;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.at[i];
        if (c == ';' && separator) {
            wants_separator = has_part;
            continue;
        }
        if (c == '\\' && i + 1 < value.length) {
            c = value.at[++i];
            c = c == 'n' || c == 'N' ? '\n' : c;
        }
        if (wants_separator && !ascii_is_space(c)) {
            buf_text(out, separator);
            wants_separator = false;
        }
        has_part |= !ascii_is_space(c);
        buf_char(out, c);
    }
}

/* Clean text; line ends stay where `has_lines`. */
static struct str clean(struct arena *arena, struct str text, bool has_lines)
{
    if (!has_lines)
        return header_clean(arena, text, VCARD_TEXT_BYTES_MAX);
    struct buf out = BUF_INIT(2 * VCARD_TEXT_BYTES_MAX);
    struct str rest = utf8_prefix(str_trim(text), VCARD_TEXT_BYTES_MAX);
    while (rest.at) {
        if (out.length)
            buf_char(&out, '\n');
        buf_str(&out, header_clean(arena, str_cut(&rest, '\n'), VCARD_TEXT_BYTES_MAX));
    }
    struct str copy = arena_str(arena, str_trim(buf_view(&out)));
    buf_free(&out);
    return copy;
}

static struct str value_of(struct arena *arena, const struct content_line *line,
                           const char *separator, bool has_lines)
{
    struct buf bytes = BUF_INIT(LINE_BYTES_MAX), text = BUF_INIT(4 * LINE_BYTES_MAX);
    struct buf plain = BUF_INIT(8 * LINE_BYTES_MAX);
    struct str value = line->value;
    if (line->is_quoted_printable) {
        mime_decode(&bytes, value, MIME_QUOTED_PRINTABLE);
        charset_decode(&text, buf_view(&bytes), line->charset);
        value = buf_view(&text);
    }
    append_unescaped(&plain, value, separator);
    struct str result = clean(arena, buf_view(&plain), has_lines);
    buf_free(&bytes);
    buf_free(&text);
    buf_free(&plain);
    return result;
}

/* "TYPE=home,pref", "HOME;PREF" (2.1), "TYPE=\"work,voice\"". */
static struct str label_of(struct str parameters)
{
    while (parameters.length) {
        size_t end = 0;
        while (end < parameters.length && (ascii_is_alpha(parameters.at[end])))
            end++;
        struct str word = str_sub(parameters, 0, end);
        for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
            if (str_equal_nocase(word, str_of(labels[i])))
                return str_of(labels[i]);
        parameters = str_skip(parameters, end ? end : 1);
    }
    return STR_EMPTY;
}

/* "Family;Given;Middle;Prefix;Suffix" in the order of speaking. */
static struct str name_of(struct arena *arena, const struct content_line *line)
{
    static const int order[] = {3, 1, 2, 0, 4};
    struct buf name = BUF_INIT(8 * VCARD_TEXT_BYTES_MAX);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct content_line piece = *line;
        struct str rest = line->value, part = STR_EMPTY;
        for (int k = 0; k <= order[i]; k++)
            part = rest.at ? str_cut(&rest, ';') : STR_EMPTY;
        piece.value = part;
        struct str text = value_of(arena, &piece, NULL, false);
        if (text.length && name.length)
            buf_char(&name, ' ');
        buf_str(&name, text);
    }
    struct str copy = header_clean(arena, buf_view(&name), VCARD_TEXT_BYTES_MAX);
    buf_free(&name);
    return copy;
}

/* --- cards ------------------------------------------------------------------------------------ */

static void add_line(struct arena *arena, struct vcards *cards, struct vcard *card,
                     const struct content_line *line)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!str_equal_nocase(line->name, str_of(kinds[i].name)))
            continue;
        bool is_address = kinds[i].kind == VCARD_ADDRESS, is_note = kinds[i].kind == VCARD_NOTE;
        struct str value = value_of(arena, line, is_address ? ", " : NULL, is_note);
        static const char *const schemes[] = {"mailto:", "tel:"};
        for (size_t k = 0; k < 2; k++)
            if (str_starts_nocase(value, str_of(schemes[k])))
                value = str_skip(value, strlen(schemes[k]));
        if (value.length == 0)
            return;
        if (card->count == VCARD_LINES_MAX) {
            cards->is_cut = true;
            return;
        }
        if (!card->lines)
            card->lines = ARENA_ARRAY(arena, VCARD_LINES_MAX, struct vcard_line);
        card->lines[card->count++] =
            (struct vcard_line){kinds[i].kind, label_of(line->parameters), value};
        return;
    }
}

/* The card being read. */
struct reading {
    struct vcard *card; /* NULL between cards */
    bool has_full_name; /* FN was there: N says nothing more */
};

static void take_line(struct arena *arena, struct vcards *cards, struct reading *reading,
                      const struct content_line *line)
{
    struct vcard *card = reading->card;
    if (str_equal_nocase(line->name, STR("FN"))) {
        struct str name = value_of(arena, line, NULL, false);
        if (name.length && !reading->has_full_name)
            card->name = name;
        reading->has_full_name |= name.length > 0;
    } else if (str_equal_nocase(line->name, STR("N"))) {
        if (card->name.length == 0)
            card->name = name_of(arena, line);
    } else if (str_equal_nocase(line->name, STR("ORG"))) {
        if (card->organization.length == 0)
            card->organization = value_of(arena, line, ", ", false);
    } else if (str_equal_nocase(line->name, STR("UID"))) {
        card->uid = value_of(arena, line, NULL, false);
    } else if (str_equal_nocase(line->name, STR("KIND")) ||
               str_equal_nocase(line->name, STR("X-ADDRESSBOOKSERVER-KIND"))) {
        card->is_group = str_equal_nocase(str_trim(line->value), STR("group"));
    } else {
        add_line(arena, cards, card, line);
    }
}

bool vcard_parse(struct arena *arena, struct str text, struct vcards *cards)
{
    *cards = (struct vcards){.is_cut = text.length > VCARD_BYTES_MAX};
    cards->at = ARENA_ARRAY(arena, VCARD_CARDS_MAX, struct vcard);
    text = utf8_prefix(text, VCARD_BYTES_MAX);
    struct buf logical = BUF_INIT(LINE_BYTES_MAX);
    struct reading reading = {.card = NULL};
    while (text.at) {
        struct content_line line;
        read_logical_line(&text, &logical);
        split_line(buf_view(&logical), &line);
        bool is_vcard = str_equal_nocase(str_trim(line.value), STR("VCARD"));
        if (is_vcard && str_equal_nocase(line.name, STR("BEGIN"))) {
            if (cards->count == VCARD_CARDS_MAX) {
                cards->is_cut = true;
                break;
            }
            reading = (struct reading){.card = &cards->at[cards->count++]};
            *reading.card = (struct vcard){.name = STR_EMPTY, .organization = STR_EMPTY};
        } else if (is_vcard && str_equal_nocase(line.name, STR("END"))) {
            reading.card = NULL;
        } else if (reading.card) {
            take_line(arena, cards, &reading, &line);
        }
    }
    buf_free(&logical);
    return cards->count > 0;
}
