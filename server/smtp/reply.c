#include "server/smtp/reply.h"

/* "5.7.8 Error: …" (RFC 3463 section 2): takes the status off the text. */
static void cut_status(struct smtp_line *line)
{
    struct str rest = line->text;
    size_t length = 0, dots = 0;
    line->status[0] = '\0';
    while (length < rest.length && (ascii_is_digit(rest.at[length]) || rest.at[length] == '.')) {
        if (rest.at[length] == '.' && (length == 0 || rest.at[length - 1] == '.'))
            return;
        dots += rest.at[length++] == '.';
    }
    bool is_status = dots == 2 && length >= 5 && rest.at[length - 1] != '.' &&
                     rest.at[0] == '0' + line->code / 100 && rest.at[1] == '.' &&
                     (length == rest.length || rest.at[length] == ' ');
    if (is_status && str_copy(str_sub(rest, 0, length), line->status, sizeof line->status))
        line->text = str_trim(str_skip(rest, length));
}

bool smtp_parse_line(struct str line, struct smtp_line *parsed)
{
    uint32_t code;
    if (line.length < 3 || !str_to_u32(str_sub(line, 0, 3), &code) || code < 200 || code > 599)
        return false;
    char separator = line.length > 3 ? line.at[3] : ' ';
    if (separator != ' ' && separator != '-')
        return false;
    *parsed = (struct smtp_line){
        .code = (int)code, .is_last = separator == ' ', .text = str_trim(str_skip(line, 4))};
    cut_status(parsed);
    return true;
}

static const struct {
    struct str name;
    enum smtp_capability capability;
} names[] = {
    {{"STARTTLS", 8}, SMTP_CAP_STARTTLS},
    {{"AUTH", 4}, SMTP_CAP_AUTH},
    {{"PIPELINING", 10}, SMTP_CAP_PIPELINING},
    {{"SIZE", 4}, SMTP_CAP_SIZE},
    {{"8BITMIME", 8}, SMTP_CAP_8BITMIME},
    {{"SMTPUTF8", 8}, SMTP_CAP_SMTPUTF8},
    {{"DSN", 3}, SMTP_CAP_DSN},
    {{"CHUNKING", 8}, SMTP_CAP_CHUNKING},
    {{"BINARYMIME", 10}, SMTP_CAP_BINARYMIME},
    {{"ENHANCEDSTATUSCODES", 19}, SMTP_CAP_ENHANCEDSTATUSCODES},
};

void smtp_parse_capability(struct str text, struct smtp_capabilities *capabilities)
{
    size_t end = 0;
    /* "AUTH=LOGIN PLAIN" is what very old servers say. */
    while (end < text.length && text.at[end] != ' ' && text.at[end] != '=')
        end++;
    struct str name = str_sub(text, 0, end);
    struct str rest = str_trim(str_skip(text, end + 1));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!str_equal_nocase(name, names[i].name))
            continue;
        capabilities->offered |= 1u << names[i].capability;
        if (names[i].capability == SMTP_CAP_AUTH)
            capabilities->mechanisms = rest;
        if (names[i].capability == SMTP_CAP_SIZE && !str_to_u64(rest, &capabilities->size_max))
            capabilities->size_max = 0;
    }
}
