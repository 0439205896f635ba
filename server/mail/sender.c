#include "server/mail/sender.h"

#include "server/base/utf8.h"

enum { URI_BYTES_MAX = 2000, DOMAIN_BYTES_MAX = 253 };

/* --- Authentication-Results ------------------------------------------------------------------- */

/* The field without its comments (nested, with quoted pairs), so that none passes for a result. */
static void copy_without_comments(struct buf *out, struct str field)
{
    size_t depth = 0;
    bool in_quotes = false;
    for (size_t i = 0; i < field.length; i++) {
        char c = field.at[i];
        if (c == '\\' && (depth || in_quotes) && i + 1 < field.length) {
            i++;
            continue;
        }
        if (c == '"' && depth == 0)
            in_quotes = !in_quotes;
        else if (c == '(' && !in_quotes)
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (depth == 0)
            /* what is quoted may be anything but the signs that part results */
            buf_char(out, in_quotes && (c == ';' || c == '=' || ascii_is_space(c)) ? '_' : c);
    }
}

static struct str next_word(struct str *rest)
{
    *rest = str_trim(*rest);
    size_t length = 0;
    while (length < rest->length && !ascii_is_space(rest->at[length]))
        length++;
    struct str word = str_sub(*rest, 0, length);
    *rest = str_skip(*rest, length);
    return word;
}

static enum sender_verdict verdict_of(struct str word)
{
    static const struct {
        const char *word;
        enum sender_verdict verdict;
    } verdicts[] = {{"pass", SENDER_PASS},
                    {"fail", SENDER_FAIL},
                    {"hardfail", SENDER_FAIL},
                    {"softfail", SENDER_FAIL},
                    {"permerror", SENDER_FAIL}};
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (str_equal_nocase(word, str_of(verdicts[i].word)))
            return verdicts[i].verdict;
    return SENDER_UNKNOWN;
}

/* The domain of "example.org", "ann@example.org", "@example.org", in lower case. */
static struct str domain_of(struct arena *arena, struct str value)
{
    for (size_t i = value.length; i > 0; i--) {
        if (value.at[i - 1] == '@') {
            value = str_skip(value, i);
            break;
        }
    }
    value = utf8_prefix(value, DOMAIN_BYTES_MAX);
    char *lower = arena_text(arena, value);
    for (size_t i = 0; i < value.length; i++)
        lower[i] = ascii_lower(lower[i]);
    return str_make(lower, value.length);
}

/* The value of the first of `names` among a result's properties ("header.d=example.org"). */
static struct str property(struct str properties, const char *const *names)
{
    while (str_trim(properties).length) {
        struct str value = next_word(&properties), name = str_cut(&value, '=');
        for (size_t i = 0; names[i] && value.at; i++)
            if (str_equal_nocase(name, str_of(names[i])))
                return value;
    }
    return STR_EMPTY;
}

/* One result: "dkim=pass reason=x header.d=example.org". A message may have several signatures: one
 * that passes is enough. */
static void take_result(struct arena *arena, struct str text, struct sender_authentication *result)
{
    static const char *const dkim[] = {"header.d", "header.i", NULL};
    static const char *const spf[] = {"smtp.mailfrom", "smtp.mail", "smtp.helo", NULL};
    struct str verdict = next_word(&text), method = str_cut(&verdict, '=');
    method = str_trim(str_cut(&method, '/')); /* "dkim/1" */
    enum sender_verdict said = verdict.at ? verdict_of(verdict) : SENDER_UNKNOWN;
    if (str_equal_nocase(method, STR("dmarc")) && result->dmarc == SENDER_UNKNOWN) {
        result->dmarc = said;
    } else if (str_equal_nocase(method, STR("spf")) && result->spf == SENDER_UNKNOWN) {
        result->spf = said;
        result->spf_domain = domain_of(arena, property(text, spf));
    } else if (str_equal_nocase(method, STR("dkim")) && result->dkim != SENDER_PASS &&
               said != SENDER_UNKNOWN) {
        result->dkim = said;
        result->dkim_domain = domain_of(arena, property(text, dkim));
    }
}

/* The same domain, or one below the other; a top-level domain is nobody's. */
static bool is_related(struct str a, struct str b)
{
    struct str longer = a.length < b.length ? b : a, shorter = a.length < b.length ? a : b;
    if (str_find_char(shorter, '.') <= 0 || !str_ends(longer, shorter))
        return false;
    return longer.length == shorter.length || longer.at[longer.length - shorter.length - 1] == '.';
}

static bool is_trusted(struct str server, const struct str *trusted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (server.length && str_equal_nocase(server, trusted[i]))
            return true;
    return false;
}

void sender_authenticate(struct arena *arena, const struct envelope *envelope,
                         const struct str *trusted, size_t trusted_count,
                         struct sender_authentication *result)
{
    *result = (struct sender_authentication){
        .server = STR_EMPTY, .dkim_domain = STR_EMPTY, .spf_domain = STR_EMPTY};
    struct buf plain = BUF_INIT(ENVELOPE_TEXT_BYTES_MAX);
    for (size_t i = 0; i < envelope->authentication_results_count; i++) {
        buf_reset(&plain);
        copy_without_comments(&plain, envelope->authentication_results[i]);
        struct str rest = buf_view(&plain), head = str_cut(&rest, ';');
        struct str server = next_word(&head); /* a version may stand behind it */
        if (!is_trusted(server, trusted, trusted_count))
            break;
        if (result->server.length == 0)
            result->server = arena_str(arena, server);
        while (rest.at)
            take_result(arena, str_cut(&rest, ';'), result);
    }
    buf_free(&plain);
    if (envelope->from.count != 1) /* of several authors none is proved */
        return;
    struct str from = domain_of(arena, envelope->from.at[0].email);
    result->is_aligned =
        result->dmarc != SENDER_UNKNOWN
            ? result->dmarc == SENDER_PASS
            : (result->dkim == SENDER_PASS && is_related(result->dkim_domain, from)) ||
                  (result->spf == SENDER_PASS && is_related(result->spf_domain, from));
}

/* --- List-Unsubscribe ------------------------------------------------------------------------- */

/* A URI that may be shown and followed: ASCII without spaces, quotes or brackets, and for https:
 * without a user's name, which only misleads. */
static bool is_fine_uri(struct str uri)
{
    for (size_t i = 0; i < uri.length; i++)
        if (uri.at[i] <= ' ' || uri.at[i] >= 0x7f || strchr("\"<>\\^`{|}", uri.at[i]))
            return false;
    if (uri.length > URI_BYTES_MAX)
        return false;
    if (!str_starts_nocase(uri, STR("https://")))
        return uri.length > 7;
    struct str host = str_skip(uri, 8);
    size_t length = 0;
    while (length < host.length && !strchr("/?#", host.at[length]))
        length++;
    return length > 0 && str_find_char(str_sub(host, 0, length), '@') < 0;
}

bool sender_unsubscribe(struct arena *arena, const struct envelope *envelope,
                        struct sender_unsubscribe *ways)
{
    *ways = (struct sender_unsubscribe){.https = STR_EMPTY, .mailto = STR_EMPTY};
    struct str rest = envelope->list_unsubscribe;
    for (ptrdiff_t open; (open = str_find_char(rest, '<')) >= 0;) {
        rest = str_skip(rest, (size_t)open + 1);
        struct str uri = str_trim(str_cut(&rest, '>'));
        if (!rest.at) /* never closed */
            break;
        bool is_https = str_starts_nocase(uri, STR("https://"));
        struct str *way = is_https                                 ? &ways->https
                          : str_starts_nocase(uri, STR("mailto:")) ? &ways->mailto
                                                                   : NULL;
        if (way && way->length == 0 && is_fine_uri(uri))
            *way = arena_str(arena, uri);
    }
    ways->is_one_click =
        ways->https.length > 0 && str_equal_nocase(str_trim(envelope->list_unsubscribe_post),
                                                   STR("List-Unsubscribe=One-Click"));
    return ways->https.length > 0 || ways->mailto.length > 0;
}
