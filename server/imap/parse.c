#include "server/imap/parse.h"

#include "server/base/clock.h"
#include "server/imap/parse_private.h"

bool parse_words(struct lexer *lex, struct imap_response *response)
{
    for (;;) {
        struct str word;
        lex_spaces(lex);
        if (!lex_word(lex, &word))
            return lex_is_end(lex);
        struct str *words = lex_grow(lex, response->words, &response->word_count, sizeof *words);
        if (!words)
            return true;
        response->words = words;
        words[response->word_count - 1] = word;
    }
}

static bool parse_flags_response(struct lexer *lex, struct imap_response *response)
{
    return parse_flags(lex, &response->flags);
}

/* --- conditions ------------------------------------------------------------------------------- */

static const struct {
    struct str name;
    enum imap_condition condition;
} conditions[] = {
    {{"OK", 2}, IMAP_OK},   {{"NO", 2}, IMAP_NO},           {{"BAD", 3}, IMAP_BAD},
    {{"BYE", 3}, IMAP_BYE}, {{"PREAUTH", 7}, IMAP_PREAUTH},
};

static bool find_condition(struct str word, enum imap_condition *condition)
{
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (str_equal_nocase(word, conditions[i].name)) {
            *condition = conditions[i].condition;
            return true;
        }
    return false;
}

/* The end of "[...": quoted strings within may hold brackets. -1: it does not end. */
static ptrdiff_t code_end(struct str text)
{
    bool is_quoted = false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '\\' && is_quoted)
            i++;
        else if (text.at[i] == '"')
            is_quoted = !is_quoted;
        else if (text.at[i] == ']' && !is_quoted)
            return (ptrdiff_t)i;
    }
    return str_find_char(text, ']');
}

/* resp-text: an optional code, then words for people (Gmail sends a code with nothing behind it).
 */
static void parse_text(struct lexer *lex, struct imap_response *response)
{
    lex_spaces(lex);
    struct str rest = lex_rest(lex);
    ptrdiff_t end = rest.length && rest.at[0] == '[' ? code_end(rest) : -1;
    if (end > 0) {
        response->code_text = str_sub(rest, 1, (size_t)end - 1);
        struct imap_text code = {.bytes = response->code_text};
        struct lexer inner;
        lex_begin(&inner, lex->arena, &code);
        response->code = parse_code(&inner, response);
        rest = str_skip(rest, (size_t)end + 1);
    }
    response->text = str_trim(rest);
}

/* --- untagged --------------------------------------------------------------------------------- */

static const struct {
    struct str name;
    enum imap_response_type type;
    bool (*parse)(struct lexer *lex, struct imap_response *response);
} kinds[] = {
    {{"CAPABILITY", 10}, IMAP_RESPONSE_CAPABILITY, parse_words},
    {{"ENABLED", 7}, IMAP_RESPONSE_ENABLED, parse_words},
    {{"FLAGS", 5}, IMAP_RESPONSE_FLAGS, parse_flags_response},
    {{"LIST", 4}, IMAP_RESPONSE_LIST, parse_list},
    {{"XLIST", 5}, IMAP_RESPONSE_LIST, parse_list},
    {{"LSUB", 4}, IMAP_RESPONSE_LIST, parse_lsub},
    {{"STATUS", 6}, IMAP_RESPONSE_STATUS, parse_status},
    {{"SEARCH", 6}, IMAP_RESPONSE_SEARCH, parse_search},
    {{"ESEARCH", 7}, IMAP_RESPONSE_SEARCH, parse_esearch},
    {{"VANISHED", 8}, IMAP_RESPONSE_VANISHED, parse_vanished},
    {{"NAMESPACE", 9}, IMAP_RESPONSE_NAMESPACE, parse_namespace},
    {{"QUOTA", 5}, IMAP_RESPONSE_QUOTA, parse_quota},
    {{"QUOTAROOT", 9}, IMAP_RESPONSE_QUOTAROOT, parse_quotaroot},
    {{"ID", 2}, IMAP_RESPONSE_ID, parse_id},
};

/* "* 12 EXISTS" and the like. */
static enum imap_response_type parse_numbered(struct lexer *lex, uint64_t number,
                                              struct imap_response *response)
{
    response->number = number;
    lex_spaces(lex);
    if (lex_is_word(lex, STR("EXISTS")))
        return IMAP_RESPONSE_EXISTS;
    if (lex_is_word(lex, STR("RECENT")))
        return IMAP_RESPONSE_RECENT;
    if (lex_is_word(lex, STR("EXPUNGE")))
        return IMAP_RESPONSE_EXPUNGE;
    bool is_uid = lex_is_word(lex, STR("UIDFETCH"));
    if (!is_uid && !lex_is_word(lex, STR("FETCH")))
        return IMAP_RESPONSE_OTHER;
    if (is_uid) {
        response->fetch.uid = (uint32_t)number;
        response->fetch.has = number ? IMAP_ITEM_UID : 0;
    } else
        response->fetch.seq = (uint32_t)number;
    response->fetch.is_broken = !parse_fetch(lex, &response->fetch);
    return IMAP_RESPONSE_FETCH;
}

static enum imap_response_type parse_untagged(struct lexer *lex, struct imap_response *response)
{
    uint64_t number;
    struct str word;
    lex_spaces(lex);
    if (lex_number(lex, &number))
        return number <= UINT32_MAX ? parse_numbered(lex, number, response) : IMAP_RESPONSE_OTHER;
    if (!lex_word(lex, &word))
        return IMAP_RESPONSE_OTHER;
    if (find_condition(word, &response->condition)) {
        parse_text(lex, response);
        return IMAP_RESPONSE_CONDITION;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!str_equal_nocase(word, kinds[i].name))
            continue;
        lex_spaces(lex);
        return kinds[i].parse(lex, response) ? kinds[i].type : IMAP_RESPONSE_OTHER;
    }
    return IMAP_RESPONSE_OTHER;
}

bool imap_parse(struct arena *arena, const struct imap_text *text, struct imap_response *response,
                struct error *err)
{
    struct lexer lex;
    lex_begin(&lex, arena, text);
    *response = (struct imap_response){.type = IMAP_RESPONSE_OTHER, .text = STR_EMPTY};
    if (lex_take(&lex, '+')) {
        lex_spaces(&lex);
        response->type = IMAP_RESPONSE_CONTINUE;
        response->text = lex_rest(&lex);
        return true;
    }
    if (lex_take(&lex, '*')) {
        response->type = parse_untagged(&lex, response);
        return true;
    }
    struct str word;
    if (lex_word(&lex, &response->tag) && (lex_spaces(&lex), lex_word(&lex, &word)) &&
        find_condition(word, &response->condition)) {
        response->type = IMAP_RESPONSE_TAGGED;
        parse_text(&lex, response);
        return true;
    }
    return error_set(err, ERROR_PROTOCOL, "The server sends something that is not IMAP");
}

/* --- dates and throttling --------------------------------------------------------------------- */

/* Digits at `*at`, at most `most` of them. */
static bool take_digits(struct str *rest, size_t most, uint32_t *number)
{
    size_t n = 0;
    while (n < most && n < rest->length && ascii_is_digit(rest->at[n]))
        n++;
    bool is_good = str_to_u32(str_sub(*rest, 0, n), number);
    *rest = str_skip(*rest, n);
    return is_good;
}

static bool take_char(struct str *rest, char c)
{
    if (!rest->length || rest->at[0] != c)
        return false;
    *rest = str_skip(*rest, 1);
    return true;
}

static bool take_month(struct str *rest, unsigned *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (*month = 1; *month <= 12; ++*month)
        if (str_starts_nocase(*rest, str_make(names + (*month - 1) * 3, 3))) {
            *rest = str_skip(*rest, 3);
            return true;
        }
    return false;
}

bool imap_parse_date(struct str text, int64_t *at)
{
    struct str rest = str_trim(text);
    uint32_t day, year, hour = 0, minute = 0, second = 0, zone = 0;
    unsigned month;
    if (!take_digits(&rest, 2, &day) || !take_char(&rest, '-') || !take_month(&rest, &month) ||
        !take_char(&rest, '-') || !take_digits(&rest, 4, &year) || day < 1 || day > 31)
        return false;
    if (take_char(&rest, ' ') && (!take_digits(&rest, 2, &hour) || !take_char(&rest, ':') ||
                                  !take_digits(&rest, 2, &minute) ||
                                  (take_char(&rest, ':') && !take_digits(&rest, 2, &second))))
        return false;
    rest = str_trim(rest);
    bool is_west = take_char(&rest, '-');
    if (!is_west)
        take_char(&rest, '+');
    if (rest.length && !take_digits(&rest, 4, &zone))
        zone = 0;
    int64_t offset_s = (int64_t)(zone / 100 * 60 + zone % 100) * 60;
    int64_t seconds = clock_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
                      second - (is_west ? -offset_s : offset_s);
    *at = seconds * 1000000;
    return true;
}

int imap_parse_backoff_ms(struct str text)
{
    enum { MOST_MS = 30 * 60 * 1000 };
    static const struct str marks[] = {{"Suggested Backoff Time:", 23}, {"retry after", 11}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        ptrdiff_t at = str_find_nocase(text, marks[i]);
        if (at < 0)
            continue;
        struct str rest = str_trim(str_skip(text, (size_t)at + marks[i].length));
        uint32_t number;
        if (!take_digits(&rest, 9, &number))
            continue;
        bool is_seconds = str_starts_nocase(str_trim(rest), STR("s"));
        if (is_seconds && number > MOST_MS / 1000)
            number = MOST_MS / 1000;
        uint32_t ms = is_seconds ? number * 1000 : number;
        return (int)(ms < MOST_MS ? ms : MOST_MS);
    }
    return 0;
}
