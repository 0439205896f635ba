#include "server/mail/autoconfig.h"

#include "server/base/utf8.h"

enum { VALUE_BYTES_MAX = 512 };

/* A tag, or the text between two. */
struct token {
    struct str name;       /* of a tag, without '/'; empty: text */
    struct str attributes; /* what follows the name */
    struct str text;
    bool is_closing, is_empty; /* </x>, <x/> */
};

static struct str cut_at(struct str *rest, struct str needle)
{
    ptrdiff_t at = str_find(*rest, needle);
    struct str before = at < 0 ? *rest : str_sub(*rest, 0, (size_t)at);
    *rest =
        at < 0 ? str_make(rest->at + rest->length, 0) : str_skip(*rest, (size_t)at + needle.length);
    return before;
}

static void read_tag(struct str inside, struct token *token)
{
    token->is_closing = str_starts(inside, STR("/"));
    if (token->is_closing)
        inside = str_skip(inside, 1);
    token->is_empty = str_ends(inside, STR("/"));
    if (token->is_empty)
        inside.length--;
    size_t length = 0;
    while (length < inside.length && !ascii_is_space(inside.at[length]))
        length++;
    token->name = str_sub(inside, 0, length);
    token->attributes = str_skip(inside, length);
}

/* The next tag or text; false at the end. Comments, declarations and CDATA marks are passed over.
 */
static bool next_token(struct str *rest, struct token *token)
{
    *token = (struct token){0};
    while (rest->length > 0) {
        if (rest->at[0] != '<') {
            ptrdiff_t at = str_find_char(*rest, '<');
            token->text = at < 0 ? *rest : str_sub(*rest, 0, (size_t)at);
            *rest = str_skip(*rest, token->text.length);
            return true;
        }
        if (str_starts(*rest, STR("<!--"))) {
            cut_at(rest, STR("-->"));
            continue;
        }
        *rest = str_skip(*rest, 1);
        struct str inside = cut_at(rest, STR(">"));
        if (inside.length == 0 || inside.at[0] == '!' || inside.at[0] == '?')
            continue;
        read_tag(inside, token);
        return true;
    }
    return false;
}

static struct str attribute(struct str attributes, struct str name)
{
    ptrdiff_t at = str_find(attributes, name);
    if (at < 0)
        return STR_EMPTY;
    struct str rest = str_trim(str_skip(attributes, (size_t)at + name.length));
    if (!str_starts(rest, STR("=")))
        return STR_EMPTY;
    rest = str_trim(str_skip(rest, 1));
    if (rest.length < 2 || (rest.at[0] != '"' && rest.at[0] != '\''))
        return STR_EMPTY;
    char quote = rest.at[0];
    rest = str_skip(rest, 1);
    ptrdiff_t end = str_find_char(rest, quote);
    return end < 0 ? STR_EMPTY : str_sub(rest, 0, (size_t)end);
}

/* --- values ---------------------------------------------------------------------------------- */

static const struct {
    struct str name, text;
} entities[] = {{STR("&amp;"), STR("&")},
                {STR("&lt;"), STR("<")},
                {STR("&gt;"), STR(">")},
                {STR("&quot;"), STR("\"")},
                {STR("&apos;"), STR("'")}};

/* Entities undone and placeholders filled in. */
static struct str fill(struct arena *arena, struct str value, struct str email)
{
    struct str domain = email;
    struct str local = str_cut(&domain, '@');
    const struct {
        struct str name, text;
    } places[] = {{STR("%EMAILADDRESS%"), email},
                  {STR("%EMAILLOCALPART%"), local},
                  {STR("%EMAILDOMAIN%"), domain}};
    struct buf out = BUF_INIT(VALUE_BYTES_MAX);
    while (value.length > 0) {
        size_t taken = 0;
        for (size_t i = 0; i < sizeof entities / sizeof *entities && !taken; i++)
            if (str_starts(value, entities[i].name)) {
                taken = entities[i].name.length;
                buf_str(&out, entities[i].text);
            }
        for (size_t i = 0; i < sizeof places / sizeof *places && !taken; i++)
            if (str_starts(value, places[i].name)) {
                taken = places[i].name.length;
                buf_str(&out, places[i].text);
            }
        if (!taken) {
            taken = 1;
            buf_char(&out, value.at[0]);
        }
        value = str_skip(value, taken);
    }
    /* what a full buffer was cut off at may be the middle of a character */
    struct buf clean = BUF_INIT(2 * VALUE_BYTES_MAX);
    utf8_repair(&clean, buf_view(&out));
    bool is_whole = !out.is_full && !clean.is_full;
    struct str copy = is_whole ? arena_str(arena, buf_view(&clean)) : STR_EMPTY;
    buf_free(&clean);
    buf_free(&out);
    return copy;
}

static struct str known_type(struct str type)
{
    static const struct str types[] = {STR("imap"), STR("pop3"), STR("smtp")};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_equal_nocase(type, types[i]))
            return types[i];
    return STR_EMPTY;
}

static void take_value(struct arena *arena, struct autoconfig_server *server, struct str name,
                       struct str text, struct str email)
{
    text = str_trim(text);
    uint32_t port;
    if (str_equal(name, STR("hostname")))
        server->host = fill(arena, text, email);
    else if (str_equal(name, STR("username")))
        server->username = fill(arena, text, email);
    else if (str_equal(name, STR("port")) && str_to_u32(text, &port) && port <= 65535)
        server->port = (int)port;
    else if (str_equal(name, STR("socketType")))
        server->security = str_equal_nocase(text, STR("SSL"))        ? AUTOCONFIG_TLS
                           : str_equal_nocase(text, STR("STARTTLS")) ? AUTOCONFIG_STARTTLS
                                                                     : AUTOCONFIG_PLAIN;
    else if (str_equal(name, STR("authentication")))
        server->takes_passwords |= str_starts_nocase(text, STR("password"));
}

static bool is_server(struct str name)
{
    return str_equal(name, STR("incomingServer")) || str_equal(name, STR("outgoingServer"));
}

size_t autoconfig_read(struct arena *arena, struct str text, struct str email,
                       struct autoconfig_server servers[AUTOCONFIG_SERVERS_MAX])
{
    struct str rest = str_sub(text, 0, AUTOCONFIG_BYTES_MAX), element = STR_EMPTY;
    struct autoconfig_server *server = NULL, unknown = {0};
    struct token token;
    size_t count = 0;
    while (next_token(&rest, &token)) {
        if (token.name.length == 0) {
            if (server && element.length > 0)
                take_value(arena, server, element, token.text, email);
        } else if (token.is_closing) {
            if (str_equal(token.name, STR("emailProvider")))
                break;
            if (server && is_server(token.name)) {
                bool is_whole = server != &unknown && server->host.length > 0 && server->port > 0;
                count += is_whole;
                server = NULL;
            }
            element = STR_EMPTY;
        } else if (is_server(token.name) && !token.is_empty) {
            struct str type = known_type(attribute(token.attributes, STR("type")));
            server = type.length > 0 && count < AUTOCONFIG_SERVERS_MAX ? &servers[count] : &unknown;
            *server = (struct autoconfig_server){.type = type};
        } else {
            element = token.is_empty ? STR_EMPTY : token.name;
        }
    }
    return count;
}
