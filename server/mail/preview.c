#include "server/mail/preview.h"

#include "server/base/utf8.h"
#include "server/mail/html_text.h"

enum {
    BODY_BYTES_MAX = 256 * 1024, /* of an encoded body: pictures in HTML are long */
    TEXT_BYTES_MAX = 16 * 1024,  /* of text looked at */
    RULE_LENGTH = 3,             /* this many of one punctuation character are a rule */
};

/* Characters that are not seen: marketing mail fills the preview with them. */
static bool is_unseen(uint32_t c)
{
    return c == 0xad || c == 0x34f || c == 0x61c || c == 0x180e || c == 0x200b || c == 0x200e ||
           c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
           c == 0xfeff;
}

static bool is_white(uint32_t c)
{
    return c <= ' ' || (c >= 0x7f && c <= 0xa0) || (c >= 0x2000 && c <= 0x200a) || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* Joiners mean something only between two characters. */
static bool is_joiner(uint32_t c)
{
    return c == 0x200c || c == 0x200d;
}

/* The line that is written; white space and rules are decided about when what follows is known. */
struct line {
    struct buf *out;
    size_t characters;
    bool wants_space;
};

/* How many times the ASCII punctuation character at the front stands there in a row. */
static size_t run_length(struct str s)
{
    size_t length = 0;
    if (!strchr("-=_*~#.+<>|", s.at[0]) || s.at[0] == '\0')
        return 0;
    while (length < s.length && s.at[length] == s.at[0])
        length++;
    return length;
}

static void write_line(struct line *line, struct str text)
{
    line->wants_space = line->characters > 0;
    while (text.length && line->characters < PREVIEW_CHARACTERS) {
        size_t run = run_length(text);
        if (run > RULE_LENGTH || (run == RULE_LENGTH && text.at[0] != '.')) {
            text = str_skip(text, run);
            line->wants_space = line->characters > 0;
            continue;
        }
        uint32_t c = utf8_next(&text);
        if (is_white(c)) {
            line->wants_space = line->characters > 0;
            continue;
        }
        bool is_at_edge = line->wants_space || line->characters == 0;
        if (is_unseen(c) || (is_joiner(c) && is_at_edge))
            continue;
        if (line->wants_space) {
            buf_char(line->out, ' ');
            line->characters++;
            line->wants_space = false;
        }
        utf8_write(line->out, c);
        line->characters++;
    }
}

/* --- what is left out ------------------------------------------------------------------------- */

static bool is_quote(struct str line)
{
    return str_starts(str_trim(line), STR(">"));
}

/* "On Monday Ann wrote:" and its like: it ends in a colon and says who wrote. */
static bool is_attribution_end(struct str line)
{
    static const char *const verbs[] = {"wrote",      "writes",    "schrieb", "écrit",   "escribió",
                                        "escreveu",   "scritto",   "schreef", "skrev",   "napsal",
                                        "napisał",    "kirjoitti", "пишет",   "написал", "写道",
                                        "書きました", "said"};
    line = str_trim(line);
    if (!str_ends(line, STR(":")) && !str_ends(line, STR("：")))
        return false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_find_nocase(line, str_of(verbs[i])) >= 0)
            return true;
    return false;
}

/* From here on it is someone else's message, whole. */
static bool is_original_mark(struct str line)
{
    static const char *const marks[] = {"-----Original Message",    "-----Ursprüngliche Nachricht",
                                        "-----Message d'origine",   "-----Mensaje original",
                                        "-----Messaggio originale", "-----Oorspronkelijk bericht"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (str_starts_nocase(line, str_of(marks[i])))
            return true;
    return false;
}

/* How many lines from `rest` on are an attribution before a quote: at most three, for they are
 * wrapped; 0 when there is none. */
static size_t attribution_lines(struct str rest)
{
    enum { LINES_MAX = 3, LINE_BYTES_MAX = 400 };
    size_t count = 0;
    bool has_end = false;
    for (size_t i = 0; i <= LINES_MAX + 1 && rest.at; i++) {
        struct str line = str_cut(&rest, '\n');
        if (line.length > LINE_BYTES_MAX)
            return 0;
        if (has_end && is_quote(line))
            return count;
        if (str_trim(line).length == 0) {
            if (!has_end)
                return 0;
            continue; /* an empty line between it and the quote */
        }
        if (has_end || count == LINES_MAX || is_quote(line))
            return 0;
        count++;
        has_end = is_attribution_end(line);
    }
    return 0;
}

static void write_own_text(struct line *line, struct str text)
{
    size_t skip = 0; /* lines of an attribution */
    while (text.at && line->characters < PREVIEW_CHARACTERS) {
        if (skip == 0)
            skip = attribution_lines(text);
        struct str next = str_cut(&text, '\n');
        if (str_ends(next, STR("\r")))
            next.length--;
        if (skip > 0) {
            skip--;
            continue;
        }
        bool is_signature = str_equal(next, STR("-- "));
        if (is_signature || (line->characters > 0 && is_original_mark(next)))
            return;
        if (!is_quote(next) && !is_original_mark(next))
            write_line(line, next);
    }
}

struct str preview_of_text(struct arena *arena, struct str text)
{
    struct buf out = BUF_INIT(8 * PREVIEW_CHARACTERS);
    struct line line = {.out = &out};
    text = utf8_prefix(text, TEXT_BYTES_MAX);
    write_own_text(&line, text);
    if (line.characters == 0) /* nothing but quotes: better than nothing */
        while (text.at && line.characters < PREVIEW_CHARACTERS)
            write_line(&line, str_cut(&text, '\n'));
    struct str preview = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return preview;
}

struct str preview_of_html(struct arena *arena, struct str html)
{
    struct buf text = BUF_INIT(TEXT_BYTES_MAX + 4096);
    html_to_text(&text, html, TEXT_BYTES_MAX);
    struct str preview = preview_of_text(arena, buf_view(&text));
    buf_free(&text);
    return preview;
}

struct str preview_of_part(struct arena *arena, const struct mime_part *part, struct str body)
{
    if (!mime_is_text(part))
        return STR_EMPTY;
    struct buf text = BUF_INIT(4 * BODY_BYTES_MAX);
    mime_decode_text(&text, str_sub(body, 0, BODY_BYTES_MAX), part);
    struct str preview = str_equal(part->type, STR("text/html"))
                             ? preview_of_html(arena, buf_view(&text))
                             : preview_of_text(arena, buf_view(&text));
    buf_free(&text);
    return preview;
}

struct str preview_of_message(struct arena *arena, struct str raw, const struct mime_message *m)
{
    enum { PARTS_MAX = 10 }; /* tried; whoever sends more empty ones has no preview */
    size_t tried = 0;
    for (size_t i = 0; i < m->text_body.count && tried < PARTS_MAX; i++) {
        if (!mime_is_text(m->text_body.at[i]))
            continue;
        tried++;
        struct str preview =
            preview_of_part(arena, m->text_body.at[i], mime_body(raw, m->text_body.at[i]));
        if (preview.length)
            return preview;
    }
    return STR_EMPTY;
}
