/* The text of mail that we write: flowed lines, quotes, what stands above an answer. */
#include <stdio.h>
#include <time.h>

#include "server/mail/compose.h"
#include "server/mail/compose_private.h"
#include "server/mail/thread.h"

enum { FLOW_COLUMN = 72, QUOTE_DEPTH_MAX = 50 };

struct str compose_next_line(struct str *rest)
{
    size_t length = 0;
    while (length < rest->length && rest->at[length] != '\n' && rest->at[length] != '\r')
        length++;
    struct str line = str_sub(*rest, 0, length);
    bool is_crlf =
        length + 1 < rest->length && rest->at[length] == '\r' && rest->at[length + 1] == '\n';
    *rest = str_skip(*rest, length + (length < rest->length) + is_crlf);
    return line;
}

/* Characters, not bytes: continuation bytes do not count. */
static size_t width_of(struct str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.length; i++)
        width += ((unsigned char)text.at[i] & 0xC0) != 0x80;
    return width;
}

size_t compose_take_quotes(struct str *line)
{
    size_t depth = 0;
    for (;;) {
        size_t at = depth > 0 && line->length && line->at[0] == ' ' ? 1 : 0;
        if (at >= line->length || line->at[at] != '>')
            break;
        *line = str_skip(*line, at + 1);
        depth++;
    }
    if (depth > 0 && line->length && line->at[0] == ' ')
        *line = str_skip(*line, 1);
    return depth < QUOTE_DEPTH_MAX ? depth : QUOTE_DEPTH_MAX;
}

static void begin_line(struct buf *out, size_t depth, struct str text)
{
    for (size_t i = 0; i < depth; i++)
        buf_char(out, '>');
    bool is_stuffed = depth > 0 ? text.length > 0
                                : str_starts(text, STR(" ")) || str_starts(text, STR(">")) ||
                                      str_starts(text, STR("From "));
    if (is_stuffed)
        buf_char(out, ' ');
}

/* One paragraph as lines that end in a space but the last. */
static void flow_line(struct buf *out, size_t depth, struct str line)
{
    size_t room = FLOW_COLUMN > depth + 20 ? FLOW_COLUMN - depth : 20;
    while (width_of(line) > room) {
        size_t at = 0, width = 0, cut = 0;
        for (; at < line.length && (width <= room || cut == 0); at++) {
            width += ((unsigned char)line.at[at] & 0xC0) != 0x80;
            if (line.at[at] == ' ' && at + 1 < line.length && line.at[at + 1] != ' ')
                cut = width <= room || cut == 0 ? at + 1 : cut;
        }
        if (cut == 0)
            break; /* one long word */
        struct str head = str_sub(line, 0, cut);
        begin_line(out, depth, head);
        buf_str(out, head); /* it ends in the space that says "goes on" */
        buf_text(out, "\r\n");
        line = str_skip(line, cut);
    }
    begin_line(out, depth, line);
    buf_str(out, line);
    buf_text(out, "\r\n");
}

bool compose_flow(struct buf *out, struct str text)
{
    while (text.length) {
        struct str line = compose_next_line(&text);
        size_t depth = compose_take_quotes(&line);
        bool is_signature = str_equal(line, STR("-- "));
        while (!is_signature && line.length && line.at[line.length - 1] == ' ')
            line.length--; /* a space at the end would join it with the next */
        flow_line(out, depth, line);
    }
    return !out->is_full;
}

/* --- answering ------------------------------------------------------------------------------- */

bool compose_quote(struct buf *out, struct str text)
{
    while (text.length) {
        struct str line = compose_next_line(&text);
        if (str_equal(line, STR("-- ")))
            break;
        buf_text(out, line.length == 0 || line.at[0] == '>' ? ">" : "> ");
        buf_str(out, line);
        buf_char(out, '\n');
    }
    return !out->is_full;
}

static struct str prefixed(struct arena *arena, const char *prefix, struct str subject)
{
    struct str base = thread_base_subject(arena, subject, NULL);
    return arena_printf(arena, "%s %" STR_FMT, prefix, STR_ARG(base));
}

struct str compose_reply_subject(struct arena *arena, struct str subject)
{
    return prefixed(arena, "Re:", subject);
}

struct str compose_forward_subject(struct arena *arena, struct str subject)
{
    return prefixed(arena, "Fwd:", subject);
}

static struct tm local_time(int64_t at_us, int offset_minutes)
{
    time_t seconds = (time_t)(at_us / 1000000 + (int64_t)offset_minutes * 60);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return tm;
}

/* In English whatever the locale. */
static struct str moment(struct arena *arena, int64_t at_us, int offset_minutes)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    struct tm tm = local_time(at_us, offset_minutes);
    return arena_printf(arena, "%d %s %d at %02d:%02d", tm.tm_mday, months[tm.tm_mon],
                        tm.tm_year + 1900, tm.tm_hour, tm.tm_min);
}

struct str compose_attribution(struct arena *arena, struct str who, int64_t at_us,
                               int offset_minutes)
{
    return arena_printf(arena, "On %" STR_FMT ", %" STR_FMT " wrote:",
                        STR_ARG(moment(arena, at_us, offset_minutes)), STR_ARG(who));
}

bool compose_forward_block(struct buf *out, const struct compose_forwarded *forwarded)
{
    struct arena *arena = arena_new();
    struct str when =
        forwarded->at_us ? moment(arena, forwarded->at_us, forwarded->offset_minutes) : STR_EMPTY;
    const struct {
        const char *name;
        struct str value;
    } lines[] = {{"Subject", forwarded->subject},
                 {"Date", when},
                 {"From", forwarded->from},
                 {"To", forwarded->to},
                 {"Cc", forwarded->cc}};
    buf_text(out, "-------- Forwarded message --------\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].value.length)
            buf_printf(out, "%s: %" STR_FMT "\n", lines[i].name, STR_ARG(lines[i].value));
    buf_char(out, '\n');
    arena_free(&arena);
    return !out->is_full;
}
