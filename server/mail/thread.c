#include "server/mail/thread.h"

#include <sodium.h>
#include <unicode/ucasemap.h>

#include "server/base/buf.h"
#include "server/mail/header.h"

/* --- subjects --------------------------------------------------------------------------------- */

/* What stands before the colon of an answer or a forwarded message, lower case. The first line is
 * RFC 5256's, the others are what programs in other languages write. */
static const char *const prefixes[] = {
    "re",   "fw",      "fwd", /* then: */
    "antw", "antwort", "atb",  "aw",    "betreff", "bls",  "doorst", "enc",  "fs",   "i",
    "ilt",  "odp",     "pd",   "r",     "ref",     "res",  "rif",    "rv",   "rép",  "rÉp",
    "sv",   "svar",    "tr",   "vb",    "vl",      "vs",   "wg",     "ynt",  "Απ",   "απ",
    "ΑΠ",   "Σχετ",    "σχετ", "ΣΧΕΤ",  "Πρθ",     "ΠΡΘ",  "отв",    "Отв",  "ОТВ",  "Пер",
    "пер",  "تجديد",   "رد",   "הועבר", "תגובה",   "回复", "回覆",   "答复", "答覆", "转发",
    "轉寄", "轉發",    "返信", "転送",  "회신",    "전달",
};

static struct str trim_start(struct str s)
{
    while (s.length && ascii_is_space(s.at[0]))
        s = str_skip(s, 1);
    return s;
}

/* The length of a "[blob]" with the white space behind it; 0 when there is none at the front. */
static size_t blob_length(struct str s)
{
    if (!str_starts(s, STR("[")))
        return 0;
    for (size_t i = 1; i < s.length; i++) {
        if (s.at[i] == '[')
            return 0;
        if (s.at[i] == ']')
            return s.length - trim_start(str_skip(s, i + 1)).length;
    }
    return 0;
}

/* "[2]", "(2)", "^2", "*2" and blobs between the prefix and its colon. */
static struct str skip_counter(struct str s)
{
    s = trim_start(s);
    if (s.length && strchr("(^*", s.at[0])) {
        size_t i = 1;
        while (i < s.length && ascii_is_digit(s.at[i]))
            i++;
        if (i > 1)
            s = str_skip(s, i < s.length && s.at[i] == ')' ? i + 1 : i);
    }
    return trim_start(str_skip(s, blob_length(s)));
}

/* The length of "Re:" or the like at the front; 0 when there is none. */
static size_t prefix_length(struct str s)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        struct str prefix = str_of(prefixes[i]);
        if (!str_starts_nocase(s, prefix))
            continue;
        struct str rest = skip_counter(str_skip(s, prefix.length));
        if (str_starts(rest, STR(":")))
            return s.length - rest.length + 1;
        if (str_starts(rest, STR("：")))
            return s.length - rest.length + 3;
    }
    return 0;
}

/* Without "(fwd)" at the end. */
static bool cut_trailer(struct str *s)
{
    *s = str_trim(*s);
    if (!str_ends_nocase(*s, STR("(fwd)")))
        return false;
    s->length -= 5;
    return true;
}

/* Without "[fwd: " at the front and "]" at the end. */
static bool cut_wrapper(struct str *s)
{
    if (!str_starts_nocase(*s, STR("[fwd:")) || !str_ends(*s, STR("]")))
        return false;
    *s = str_sub(*s, 5, s->length - 6);
    return true;
}

/* Runs of white space as one space each. */
static struct str collapse(struct arena *arena, struct str s)
{
    s = str_trim(s);
    bool is_needed = false;
    for (size_t i = 0; i < s.length && !is_needed; i++)
        is_needed = ascii_is_space(s.at[i]) && (s.at[i] != ' ' || ascii_is_space(s.at[i + 1]));
    if (!is_needed)
        return s;
    char *copy = arena_alloc(arena, s.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < s.length; i++)
        if (!ascii_is_space(s.at[i]))
            copy[length++] = s.at[i];
        else if (copy[length - 1] != ' ') /* it was trimmed: the first is none */
            copy[length++] = ' ';
    return str_make(copy, length);
}

/* RFC 5256 section 2.1, its steps by their numbers; each turn takes something off, so that it ends.
 */
struct str thread_base_subject(struct arena *arena, struct str subject, bool *is_reply)
{
    struct str s = collapse(arena, subject);
    bool has_prefix = false;
    for (bool is_changed = true; is_changed;) {
        while (cut_trailer(&s)) /* 2 */
            has_prefix = true;
        for (is_changed = true; is_changed;) { /* 3 to 5 */
            s = trim_start(s);
            size_t blobs = 0, length = 0;
            while ((length = blob_length(str_skip(s, blobs))) > 0)
                blobs += length;
            size_t prefix = prefix_length(str_skip(s, blobs));
            is_changed = prefix > 0;
            has_prefix |= prefix > 0;
            if (prefix > 0)
                s = str_skip(s, blobs + prefix);
            else if (blobs > 0 && blobs < s.length) {
                s = str_skip(s, blobs);
                is_changed = true;
            }
        }
        if (cut_wrapper(&s)) /* 6 */
            is_changed = has_prefix = true;
    }
    if (is_reply)
        *is_reply = has_prefix;
    return str_trim(s);
}

/* --- ids -------------------------------------------------------------------------------------- */

/* The first id and the last ones, each once, in order. */
struct id_list {
    struct str *at;
    size_t count;
};

static void add_id(struct id_list *list, struct str id)
{
    if (id.length == 0)
        return;
    for (size_t i = 0; i < list->count; i++)
        if (str_equal(list->at[i], id))
            return;
    if (list->count == THREAD_IDS_MAX) {
        memmove(list->at + 1, list->at + 2, (THREAD_IDS_MAX - 2) * sizeof *list->at);
        list->count--;
    }
    list->at[list->count++] = id;
}

/* The next id in brackets; what stands outside of them is comment. */
static struct str next_bracketed(struct arena *arena, struct str *rest)
{
    ptrdiff_t open = str_find_char(*rest, '<');
    if (open < 0) {
        *rest = STR_EMPTY;
        return STR_EMPTY;
    }
    struct str from = str_skip(*rest, (size_t)open);
    size_t end = 1;
    while (end < from.length && from.at[end] != '>' && from.at[end] != '<')
        end++;
    *rest = str_skip(from, end);
    return header_id(arena, str_sub(from, 0, end));
}

static struct str next_word(struct arena *arena, struct str *rest)
{
    size_t start = 0;
    while (start < rest->length && (ascii_is_space(rest->at[start]) || rest->at[start] == ','))
        start++;
    size_t end = start;
    while (end < rest->length && !ascii_is_space(rest->at[end]) && rest->at[end] != ',')
        end++;
    struct str word = str_sub(*rest, start, end - start);
    *rest = str_skip(*rest, end);
    return header_id(arena, word);
}

struct str *thread_ids(struct arena *arena, struct str value, size_t *count)
{
    struct id_list list = {.at = ARENA_ARRAY(arena, THREAD_IDS_MAX, struct str)};
    bool has_brackets = str_find_char(value, '<') >= 0;
    while (value.length)
        add_id(&list, has_brackets ? next_bracketed(arena, &value) : next_word(arena, &value));
    *count = list.count;
    return list.at;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* BLAKE2b: nobody can make two ids that meet by chance. Never 0. */
static int64_t hash(struct str first, struct str second)
{
    unsigned char digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state hashing;
    crypto_generichash_init(&hashing, NULL, 0, sizeof digest);
    crypto_generichash_update(&hashing, (const unsigned char *)first.at, first.length);
    crypto_generichash_update(&hashing, (const unsigned char *)"", 1);
    crypto_generichash_update(&hashing, (const unsigned char *)second.at, second.length);
    crypto_generichash_final(&hashing, digest, sizeof digest);
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) /* the same on every machine */
        number = number << 8 | digest[i];
    return number ? (int64_t)number : 1;
}

int64_t thread_message_key(struct str message_id)
{
    return message_id.length ? hash(message_id, STR_EMPTY) : 0;
}

/* With case folded by Unicode's rules; as it is when that is not possible. */
static void fold_case(struct buf *out, struct str s)
{
    UErrorCode status = U_ZERO_ERROR;
    UCaseMap *map = ucasemap_open("", U_FOLD_CASE_DEFAULT, &status);
    char *room = buf_reserve(out, s.length * 3 + 1);
    int32_t length = 0;
    if (room && U_SUCCESS(status))
        length = ucasemap_utf8FoldCase(map, room, (int32_t)(s.length * 3), s.at, (int32_t)s.length,
                                       &status);
    ucasemap_close(map);
    if (room && U_SUCCESS(status))
        out->length += (size_t)length;
    else
        buf_str(out, s);
}

/* Of a subject that is folded already. */
static int64_t folded_key(struct str message_id, struct str folded)
{
    return hash(message_id, folded);
}

enum { SUBJECT_BYTES_MAX = 4096 };

int64_t thread_key(struct str message_id, struct str base_subject)
{
    struct buf folded = BUF_INIT(3 * SUBJECT_BYTES_MAX + 1);
    fold_case(&folded, str_sub(base_subject, 0, SUBJECT_BYTES_MAX));
    int64_t key = folded_key(message_id, buf_view(&folded));
    buf_free(&folded);
    return key;
}

int64_t *thread_keys(struct arena *arena, struct str message_id, struct str in_reply_to,
                     struct str references, struct str subject, size_t *count)
{
    struct str fields[] = {message_id, in_reply_to, references};
    size_t room = 0, found[3];
    struct str *ids[3];
    for (int i = 0; i < 3; i++) {
        ids[i] = thread_ids(arena, fields[i], &found[i]);
        room += found[i];
    }
    struct buf folded = BUF_INIT(3 * SUBJECT_BYTES_MAX + 1);
    struct str base = thread_base_subject(arena, subject, NULL);
    fold_case(&folded, str_sub(base, 0, SUBJECT_BYTES_MAX));
    int64_t *keys = ARENA_ARRAY(arena, room ? room : 1, int64_t);
    *count = 0;
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < found[i]; k++) {
            int64_t key = folded_key(ids[i][k], buf_view(&folded));
            bool is_new = true;
            for (size_t j = 0; j < *count && is_new; j++)
                is_new = keys[j] != key;
            if (is_new)
                keys[(*count)++] = key;
        }
    }
    buf_free(&folded);
    return keys;
}
