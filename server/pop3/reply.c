#include "server/pop3/reply.h"

enum { UIDL_BYTES_MAX = 255, TIMESTAMP_BYTES_MAX = 255, DAYS_MAX = 36500, DELAY_S_MAX = 86400 };

static struct str next_word(struct str *rest)
{
    size_t from = 0, to;
    while (from < rest->length && ascii_is_space(rest->at[from]))
        from++;
    for (to = from; to < rest->length && !ascii_is_space(rest->at[to]);)
        to++;
    struct str word = str_sub(*rest, from, to - from);
    *rest = str_skip(*rest, to);
    return word;
}

static const struct {
    struct str name;
    enum pop3_code code;
} codes[] = {
    {{"IN-USE", 6}, POP3_CODE_IN_USE},     {{"LOGIN-DELAY", 11}, POP3_CODE_LOGIN_DELAY},
    {{"SYS/TEMP", 8}, POP3_CODE_SYS_TEMP}, {{"SYS/PERM", 8}, POP3_CODE_SYS_PERM},
    {{"AUTH", 4}, POP3_CODE_AUTH},         {{"UTF8", 4}, POP3_CODE_UTF8},
};

/* "[IN-USE] …": takes the code off the text. */
static enum pop3_code cut_code(struct str *text)
{
    ptrdiff_t end = str_find_char(*text, ']');
    if (!str_starts(*text, STR("[")) || end < 0)
        return POP3_CODE_NONE;
    struct str name = str_sub(*text, 1, (size_t)end - 1);
    *text = str_trim(str_skip(*text, (size_t)end + 1));
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (str_equal_nocase(name, codes[i].name))
            return codes[i].code;
    return POP3_CODE_OTHER;
}

bool pop3_parse_reply(struct str line, struct pop3_reply *reply)
{
    struct str rest = line;
    struct str word = next_word(&rest);
    if (str_equal_nocase(word, STR("+OK")))
        reply->status = POP3_OK;
    else if (str_equal_nocase(word, STR("-ERR")))
        reply->status = POP3_ERR;
    else if (str_equal(word, STR("+")))
        reply->status = POP3_CONTINUE;
    else
        return false;
    reply->text = str_trim(rest);
    reply->code = reply->status == POP3_CONTINUE ? POP3_CODE_NONE : cut_code(&reply->text);
    return true;
}

bool pop3_parse_stat(struct str text, uint32_t *count, uint64_t *size_bytes)
{
    return str_to_u32(next_word(&text), count) && str_to_u64(next_word(&text), size_bytes);
}

/* The message number in front; what is behind it stays in `line`. */
static bool cut_number(struct str *line, uint32_t *number)
{
    struct str word = next_word(line);
    if (str_equal_nocase(word, STR("+OK")))
        word = next_word(line);
    return str_to_u32(word, number) && *number > 0;
}

bool pop3_parse_list_line(struct str line, uint32_t *number, uint64_t *size_bytes)
{
    if (!cut_number(&line, number) || !str_to_u64(next_word(&line), size_bytes))
        return false;
    if (*size_bytes > POP3_SIZE_MAX)
        *size_bytes = POP3_SIZE_MAX;
    return true;
}

bool pop3_parse_uidl_line(struct str line, uint32_t *number, struct str *uidl)
{
    if (!cut_number(&line, number))
        return false;
    *uidl = next_word(&line);
    for (size_t i = 0; i < uidl->length; i++)
        if ((unsigned char)uidl->at[i] < 0x21 || uidl->at[i] == 0x7f)
            return false;
    return uidl->length > 0 && uidl->length <= UIDL_BYTES_MAX;
}

struct str pop3_parse_timestamp(struct str greeting)
{
    ptrdiff_t from = str_find_char(greeting, '<');
    if (from < 0)
        return STR_EMPTY;
    struct str rest = str_skip(greeting, (size_t)from);
    ptrdiff_t to = str_find_char(rest, '>');
    struct str timestamp = to < 0 ? STR_EMPTY : str_sub(rest, 0, (size_t)to + 1);
    /* RFC 1939 section 7: in the form of a msg-id. Answers to others would help to find the
     * password out (CVE-2007-1558). */
    bool is_id = str_find_char(timestamp, '@') > 0 && timestamp.length <= TIMESTAMP_BYTES_MAX;
    for (size_t i = 1; i < timestamp.length; i++)
        is_id = is_id && timestamp.at[i] > ' ' && timestamp.at[i] < 0x7f && timestamp.at[i] != '<';
    return is_id ? timestamp : STR_EMPTY;
}

static const struct {
    struct str name;
    enum pop3_capability capability;
} names[] = {
    {{"TOP", 3}, POP3_CAP_TOP},
    {{"USER", 4}, POP3_CAP_USER},
    {{"SASL", 4}, POP3_CAP_SASL},
    {{"RESP-CODES", 10}, POP3_CAP_RESP_CODES},
    {{"AUTH-RESP-CODE", 14}, POP3_CAP_AUTH_RESP_CODE},
    {{"LOGIN-DELAY", 11}, POP3_CAP_LOGIN_DELAY},
    {{"PIPELINING", 10}, POP3_CAP_PIPELINING},
    {{"EXPIRE", 6}, POP3_CAP_EXPIRE},
    {{"UIDL", 4}, POP3_CAP_UIDL},
    {{"STLS", 4}, POP3_CAP_STLS},
    {{"UTF8", 4}, POP3_CAP_UTF8},
};

static int days_of(struct str word)
{
    uint32_t days;
    if (str_equal_nocase(word, STR("NEVER")))
        return POP3_EXPIRE_NEVER;
    return str_to_u32(word, &days) && days <= DAYS_MAX ? (int)days : POP3_EXPIRE_UNKNOWN;
}

void pop3_parse_capability(struct str line, struct pop3_capabilities *capabilities)
{
    struct str rest = line;
    struct str name = next_word(&rest);
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !str_equal_nocase(name, names[i].name))
        i++;
    if (i == sizeof names / sizeof *names)
        return;
    capabilities->offered |= 1u << names[i].capability;
    switch (names[i].capability) {
    case POP3_CAP_SASL:
        capabilities->mechanisms = str_trim(rest);
        break;
    case POP3_CAP_EXPIRE:
        capabilities->expire_days = days_of(next_word(&rest));
        break;
    case POP3_CAP_LOGIN_DELAY:
        if (!str_to_u32(next_word(&rest), &capabilities->login_delay_s) ||
            capabilities->login_delay_s > DELAY_S_MAX)
            capabilities->login_delay_s = 0;
        break;
    case POP3_CAP_UTF8:
        capabilities->takes_utf8_names = str_equal_nocase(next_word(&rest), STR("USER"));
        break;
    default:
        break;
    }
}
