#include "server/mail/html_url.h"

#include <stdio.h>

#include "server/base/encode.h"
#include "server/base/utf8.h"

static bool is_control(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

/* What browsers remove before they look at a URL: controls and spaces around it; tabs and line
 * ends within, which is done while it is read. */
static struct str trim(struct str raw)
{
    while (raw.length && is_control(raw.at[0]))
        raw = str_skip(raw, 1);
    while (raw.length && is_control(raw.at[raw.length - 1]))
        raw.length--;
    return raw;
}

static bool is_skipped(char c)
{
    return c == '\t' || c == '\n' || c == '\r';
}

/* Reads "scheme:" at the front, letters folded; false when there is none. */
static bool read_scheme(struct str *rest, char *scheme, size_t size)
{
    size_t length = 0;
    for (size_t at = 0; at < rest->length; at++) {
        char c = rest->at[at];
        if (is_skipped(c))
            continue;
        if (c == ':' && length) {
            scheme[length] = '\0';
            *rest = str_skip(*rest, at + 1);
            return true;
        }
        bool is_good = ascii_is_alpha(c) ||
                       (length && (ascii_is_digit(c) || c == '+' || c == '-' || c == '.'));
        if (!is_good || length + 1 >= size)
            return false;
        scheme[length++] = ascii_lower(c);
    }
    return false;
}

/* Behind the scheme. Backslashes are slashes in the host and path of http. */
static bool write_rest(struct buf *out, struct str rest, bool is_http)
{
    bool is_path = is_http;
    while (rest.length) {
        char c = rest.at[0];
        if ((unsigned char)c >= 0x80) {
            uint32_t character = utf8_next(&rest);
            if (character < 0xa0 || (character >= 0x2028 && character <= 0x202e))
                continue; /* controls and what turns the reading direction */
            utf8_write(out, character);
            continue;
        }
        rest = str_skip(rest, 1);
        if (is_skipped(c))
            continue;
        is_path = is_path && c != '?' && c != '#';
        if (c == '\\' && is_path)
            buf_char(out, '/');
        else if (is_control(c) || strchr("\"<>\\`{}|^", c))
            buf_printf(out, "%%%02X", (unsigned char)c);
        else
            buf_char(out, c);
    }
    return !out->is_full;
}

static bool is_slash(char c)
{
    return c == '/' || c == '\\' || is_skipped(c);
}

/* Any number of slashes stands before a host: browsers do not count them. */
static bool write_http(struct buf *out, struct str rest, const char *scheme)
{
    while (rest.length && is_slash(rest.at[0]))
        rest = str_skip(rest, 1);
    buf_text(out, scheme);
    buf_text(out, "://");
    size_t host = out->length;
    return write_rest(out, rest, true) && out->length > host && !strchr("/?#:@", out->at[host]);
}

static bool write_cid(struct buf *out, struct str rest)
{
    struct buf id = BUF_INIT(HTML_URL_BYTES_MAX);
    bool is_good = decode_percent(&id, rest, false) && id.length && !memchr(id.at, 0, id.length) &&
                   buf_str(out, buf_view(&id));
    buf_free(&id);
    return is_good;
}

static enum html_url write_url(struct buf *out, struct str raw)
{
    char scheme[8];
    struct str rest = raw;
    if (!read_scheme(&rest, scheme, sizeof scheme)) {
        size_t slashes = 0;
        while (slashes < raw.length && is_slash(raw.at[slashes]))
            slashes++;
        return slashes >= 2 && write_http(out, raw, "https") ? HTML_URL_HTTP : HTML_URL_NONE;
    }
    if (!strcmp(scheme, "http") || !strcmp(scheme, "https"))
        return write_http(out, rest, scheme) ? HTML_URL_HTTP : HTML_URL_NONE;
    if (!strcmp(scheme, "cid"))
        return write_cid(out, rest) ? HTML_URL_CID : HTML_URL_NONE;
    bool is_mailto = !strcmp(scheme, "mailto");
    if (!is_mailto && strcmp(scheme, "tel") != 0)
        return HTML_URL_NONE;
    buf_printf(out, "%s:", scheme);
    if (!write_rest(out, rest, false))
        return HTML_URL_NONE;
    return is_mailto ? HTML_URL_MAILTO : HTML_URL_TEL;
}

enum html_url html_url_clean(struct buf *out, struct str raw)
{
    size_t before = out->length;
    raw = trim(raw);
    enum html_url kind =
        raw.length && raw.length <= HTML_URL_BYTES_MAX ? write_url(out, raw) : HTML_URL_NONE;
    if (kind == HTML_URL_NONE)
        out->length = before;
    return kind;
}

struct str html_url_host(struct str clean)
{
    ptrdiff_t colon = str_find_char(clean, ':');
    if (colon < 0)
        return STR_EMPTY;
    struct str rest = str_skip(clean, (size_t)colon + 1);
    bool is_http = str_starts(rest, STR("//"));
    rest = str_skip(rest, is_http ? 2 : 0);
    size_t end = 0, at_sign = 0;
    for (; end < rest.length && !strchr(is_http ? "/?#" : "?,", rest.at[end]); end++)
        if (rest.at[end] == '@')
            at_sign = end + 1;
    if (!is_http && !at_sign)
        return STR_EMPTY;
    struct str host = str_sub(rest, at_sign, end - at_sign);
    ptrdiff_t port = host.length && host.at[0] == '[' ? -1 : str_find_char(host, ':');
    return port < 0 ? host : str_sub(host, 0, (size_t)port);
}

static struct str without_dot(struct str host)
{
    if (str_ends(host, STR(".")))
        host.length--;
    return host;
}

/* The last two labels, or three when the second-last is as short as "co" or "com" below a
 * country's. */
static struct str registered_domain(struct str host)
{
    size_t ends[3] = {0, 0, 0}; /* where the last, second-last, third-last label begin */
    size_t found = 0;
    for (size_t at = host.length; at > 0 && found < 3; at--)
        if (host.at[at - 1] == '.')
            ends[found++] = at;
    if (found < 2)
        return host;
    size_t last = host.length - ends[0], second = ends[0] - 1 - ends[1];
    if (last == 2 && second <= 3)
        return found == 3 ? str_skip(host, ends[2]) : host;
    return str_skip(host, ends[1]);
}

bool html_url_same_site(struct str host_a, struct str host_b)
{
    struct str a = without_dot(host_a), b = without_dot(host_b);
    return str_equal_nocase(registered_domain(a), registered_domain(b));
}

static bool is_domain_character(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' ||
           (unsigned char)c >= 0x80;
}

/* Endings of file names and product names that are no claim to be a domain. */
static bool is_file_ending(struct str label)
{
    static const char *const endings[] = {"js",   "ts",  "pdf",  "txt", "doc", "docx", "xls",
                                          "xlsx", "ppt", "pptx", "zip", "jpg", "jpeg", "png",
                                          "gif",  "htm", "html", "ics", "csv", "exe",  "md",
                                          "py",   "rs",  "sh",   "php"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (str_equal_nocase(label, str_of(endings[i])))
            return true;
    return false;
}

/* A domain at the front of `text`: two labels or more, the last of letters only. */
static struct str domain_at(struct str text)
{
    size_t length = 0;
    while (length < text.length && is_domain_character(text.at[length]))
        length++;
    struct str domain = without_dot(str_sub(text, 0, length));
    size_t last = domain.length;
    while (last && domain.at[last - 1] != '.') {
        if (ascii_is_digit(domain.at[last - 1]))
            return STR_EMPTY;
        last--;
    }
    bool is_good = last > 1 && domain.length - last >= 2 && domain.at[0] != '.' &&
                   domain.at[0] != '-' && str_find(domain, STR("..")) < 0;
    return is_good ? domain : STR_EMPTY;
}

struct str html_url_claimed_host(struct str text)
{
    text = str_trim(text);
    bool is_one_word = true;
    for (size_t i = 0; i < text.length; i++)
        is_one_word = is_one_word && !ascii_is_space(text.at[i]);
    struct str rest = text;
    while (rest.length) {
        while (rest.length && (ascii_is_space(rest.at[0]) || strchr("(<[\"'", rest.at[0])))
            rest = str_skip(rest, 1);
        struct str word = rest;
        while (rest.length && !ascii_is_space(rest.at[0]))
            rest = str_skip(rest, 1);
        word.length -= rest.length;
        bool is_http = str_starts_nocase(word, STR("http://"));
        if (is_http || str_starts_nocase(word, STR("https://"))) {
            struct str host = html_url_host(word);
            if (domain_at(host).length)
                return domain_at(host);
        }
        if (str_starts_nocase(word, STR("www.")) && domain_at(word).length)
            return domain_at(word);
        ptrdiff_t at_sign = str_find_char(word, '@');
        if (at_sign > 0 && domain_at(str_skip(word, (size_t)at_sign + 1)).length)
            return domain_at(str_skip(word, (size_t)at_sign + 1));
    }
    struct str domain = is_one_word ? domain_at(text) : STR_EMPTY;
    char next = domain.length < text.length ? text.at[domain.length] : '/';
    size_t last = domain.length;
    while (last && domain.at[last - 1] != '.')
        last--;
    bool is_claim =
        domain.length && strchr("/?#:.,", next) && !is_file_ending(str_skip(domain, last));
    return is_claim ? domain : STR_EMPTY;
}
