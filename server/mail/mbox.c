#include "server/mail/mbox.h"

#include <stdio.h>
#include <time.h>

#include "server/base/clock.h"

enum { SENDER_BYTES_MAX = 320, WORDS_MAX = 16, FROM_LINE_BYTES_MAX = 1000 };

static const char from[] = "From ";
enum { FROM_BYTES = sizeof from - 1 };

/* --- writing ---------------------------------------------------------------------------------- */

static bool is_plain(struct str sender)
{
    for (size_t i = 0; i < sender.length; i++)
        if ((unsigned char)sender.at[i] <= ' ' || sender.at[i] == 0x7f)
            return false;
    return sender.length > 0 && sender.length <= SENDER_BYTES_MAX;
}

void mbox_write_from(struct buf *out, struct str sender, int64_t received_at)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t at = (time_t)(received_at / 1000000);
    struct tm tm = {0};
    gmtime_r(&at, &tm);
    buf_text(out, from);
    buf_str(out, is_plain(sender) ? sender : STR("MAILER-DAEMON"));
    buf_printf(out, " %.3s %.3s %2d %02d:%02d:%02d %d\n", days + (ptrdiff_t)3 * tm.tm_wday,
               months + (ptrdiff_t)3 * tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
               tm.tm_year + 1900);
}

/* The beginning of a line, a byte at a time; false once the line is known to need no quoting. */
static bool begin_line(struct mbox_quoter *q, char c, struct buf *out)
{
    if (q->matched == 0 && c == '>') {
        q->is_quoted = true;
        return buf_char(out, c);
    }
    if (c == from[q->matched]) {
        if (++q->matched == FROM_BYTES) {
            buf_char(out, '>');
            buf_text(out, from);
            q->matched = -1;
        }
        return true;
    }
    buf_append(out, from, (size_t)q->matched);
    q->matched = -1;
    return false;
}

void mbox_quote(struct mbox_quoter *q, struct str piece, struct buf *out)
{
    while (piece.length > 0) {
        if (q->matched >= 0 && begin_line(q, piece.at[0], out)) {
            piece = str_skip(piece, 1);
            continue;
        }
        ptrdiff_t end = str_find_char(piece, '\n');
        struct str span = end < 0 ? piece : str_sub(piece, 0, (size_t)end);
        if (q->has_cr && end != 0)
            buf_char(out, '\r');
        q->has_cr = span.length > 0 && span.at[span.length - 1] == '\r';
        buf_append(out, span.at, span.length - (q->has_cr ? 1 : 0));
        piece = str_skip(piece, span.length);
        if (end >= 0) {
            buf_char(out, '\n');
            piece = str_skip(piece, 1);
            *q = (struct mbox_quoter){0};
        }
    }
}

void mbox_quote_end(struct mbox_quoter *q, struct buf *out)
{
    if (q->matched > 0)
        buf_append(out, from, (size_t)q->matched);
    if (q->has_cr)
        buf_char(out, '\r');
    buf_text(out, q->matched == 0 && !q->is_quoted ? "\n" : "\n\n");
    *q = (struct mbox_quoter){0};
}

/* --- reading ---------------------------------------------------------------------------------- */

static int month_of(struct str word)
{
    static const char *const names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
    for (int i = 0; i < 12; i++)
        if (str_equal_nocase(word, str_of(names[i])))
            return i + 1;
    return 0;
}

/* "15:04" or "15:04:05"; -1: neither. */
static int64_t time_of(struct str word)
{
    int64_t seconds = 0;
    int count = 0;
    while (word.at && count < 3) {
        uint32_t n;
        struct str part = str_cut(&word, ':');
        if (part.length > 2 || !str_to_u32(part, &n) || n > (count == 0 ? 23 : 60))
            return -1;
        seconds = seconds * 60 + n;
        count++;
    }
    if (word.at || count < 2)
        return -1;
    return count == 2 ? seconds * 60 : seconds;
}

/* Minutes east of UTC of "+0130"; 0 for names, which nobody can rely on. */
static int zone_of(struct str word)
{
    uint32_t n;
    if (word.length != 5 || (word.at[0] != '+' && word.at[0] != '-') ||
        !str_to_u32(str_skip(word, 1), &n) || n > 1500)
        return 0;
    int minutes = (int)(n / 100 * 60 + n % 100);
    return word.at[0] == '-' ? -minutes : minutes;
}

/* The date of a "From " line, "Mon Jan  2 15:04:05 2006" with a zone somewhere behind the time
 * perhaps; 0: there is none. */
static int64_t date_of(struct str line)
{
    struct str words[WORDS_MAX];
    size_t count = 0;
    while (line.at && count < WORDS_MAX) {
        struct str word = str_trim(str_cut(&line, ' '));
        if (word.length > 0)
            words[count++] = word;
    }
    for (size_t i = 0; i + 3 < count; i++) {
        uint32_t day, year;
        int month = month_of(words[i]), zone = 0;
        int64_t seconds = time_of(words[i + 2]);
        if (!month || seconds < 0 || !str_to_u32(words[i + 1], &day) || day < 1 || day > 31)
            continue;
        for (size_t k = i + 3; k < count; k++)
            zone = zone ? zone : zone_of(words[k]);
        for (size_t k = i + 3; k < count; k++)
            if (words[k].length == 4 && str_to_u32(words[k], &year) && year >= 1970)
                return ((clock_days_from_civil(year, (unsigned)month, day) * 86400 + seconds -
                         (int64_t)zone * 60) *
                        1000000);
    }
    return 0;
}

/* Whether a line that begins with "From " is one of the file's, rather than of a message whose
 * writer quoted nothing: those have a time of day. */
static bool is_separator(struct str line)
{
    if (line.length > FROM_LINE_BYTES_MAX)
        return false;
    for (size_t i = 1; i + 2 < line.length; i++)
        if (line.at[i] == ':' && ascii_is_digit(line.at[i - 1]) && ascii_is_digit(line.at[i + 1]) &&
            ascii_is_digit(line.at[i + 2]))
            return true;
    return false;
}

static struct str line_at(struct str bytes, size_t at)
{
    struct str rest = str_skip(bytes, at);
    ptrdiff_t end = str_find_char(rest, '\n');
    return end < 0 ? rest : str_sub(rest, 0, (size_t)end);
}

/* Whether an empty line (or nothing) stands before the line at `at`. */
static bool is_behind_empty(struct str bytes, size_t at)
{
    if (at == 0)
        return true;
    at--; /* the end of the line before */
    if (at > 0 && bytes.at[at - 1] == '\r')
        at--;
    return at == 0 || bytes.at[at - 1] == '\n';
}

/* The next "From " line at or behind `at`; the length of `bytes` when there is none. */
static size_t find_from(struct str bytes, size_t at)
{
    while (at < bytes.length) {
        if ((at == 0 || bytes.at[at - 1] == '\n') &&
            str_starts(str_skip(bytes, at), str_of(from)) && is_behind_empty(bytes, at) &&
            is_separator(line_at(bytes, at)))
            return at;
        ptrdiff_t next = str_find(str_skip(bytes, at), STR("\nFrom "));
        if (next < 0)
            return bytes.length;
        at += (size_t)next + 1;
    }
    return bytes.length;
}

enum mbox_step mbox_next(struct str bytes, bool is_end, size_t *at, struct mbox_message *message)
{
    size_t start = find_from(bytes, *at);
    if (start == bytes.length)
        return is_end ? MBOX_END : MBOX_MORE;
    struct str line = line_at(bytes, start);
    size_t body = start + line.length + 1;
    if (body > bytes.length)
        body = bytes.length;
    size_t next = find_from(bytes, body);
    if (next == bytes.length && !is_end)
        return MBOX_MORE;
    size_t end = next;
    if (end > body && is_behind_empty(bytes, end) && bytes.at[end - 1] == '\n') {
        end--; /* the empty line that belongs to the file */
        if (end > body && bytes.at[end - 1] == '\r')
            end--;
    }
    message->text = str_sub(bytes, body, end - body);
    message->received_at = date_of(str_skip(line, FROM_BYTES));
    *at = next;
    return MBOX_MESSAGE;
}

static bool is_quoted_from(struct str line)
{
    size_t quotes = 0;
    while (quotes < line.length && line.at[quotes] == '>')
        quotes++;
    return quotes > 0 && str_starts(str_skip(line, quotes), str_of(from));
}

void mbox_unquote(struct str text, struct buf *out)
{
    while (text.length > 0) {
        struct str line = line_at(text, 0);
        bool is_ended = line.length < text.length;
        text = str_skip(text, line.length + (is_ended ? 1 : 0));
        if (is_ended && line.length > 0 && line.at[line.length - 1] == '\r')
            line.length--;
        buf_str(out, is_quoted_from(line) ? str_skip(line, 1) : line);
        if (is_ended)
            buf_text(out, "\r\n");
    }
}
