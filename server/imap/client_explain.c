/* What a server's NO, BAD or BYE means. Codes where it sends them; servers that put it into free
 * text only are in the table below, by what was seen of them (ref/sync.md 16-20). */
#include "server/imap/client_private.h"

static const struct {
    enum imap_code code;
    enum error_kind kind;
    enum error_scope scope;
} by_code[] = {
    {IMAP_CODE_AUTHENTICATIONFAILED, ERROR_AUTH, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_AUTHORIZATIONFAILED, ERROR_AUTH, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_EXPIRED, ERROR_AUTH, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_PRIVACYREQUIRED, ERROR_REFUSED, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_CONTACTADMIN, ERROR_UNAVAILABLE, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_UNAVAILABLE, ERROR_UNAVAILABLE, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_INUSE, ERROR_UNAVAILABLE, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_LIMIT, ERROR_UNAVAILABLE, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_THROTTLED, ERROR_UNAVAILABLE, ERROR_SCOPE_ACCOUNT},
    {IMAP_CODE_SERVERBUG, ERROR_UNAVAILABLE, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_EXPUNGEISSUED, ERROR_CONFLICT, ERROR_SCOPE_MESSAGE},
    {IMAP_CODE_CORRUPTION, ERROR_REFUSED, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_NOPERM, ERROR_REFUSED, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_CANNOT, ERROR_REFUSED, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_HASCHILDREN, ERROR_CONFLICT, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_NONEXISTENT, ERROR_NOT_FOUND, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_TRYCREATE, ERROR_NOT_FOUND, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_ALREADYEXISTS, ERROR_CONFLICT, ERROR_SCOPE_MAILBOX},
    {IMAP_CODE_OVERQUOTA, ERROR_LIMIT, ERROR_SCOPE_MESSAGE},
    {IMAP_CODE_TOOBIG, ERROR_LIMIT, ERROR_SCOPE_MESSAGE},
};

/* Refused for now, whatever the code. */
static const char *const for_now[] = {
    "throttled",
    "Backoff Time",
    "rate limit",
    "too many simultaneous",
    "too many connections",
    "maximum number of connections",
    "not connected", /* Exchange: "User is authenticated but not connected" */
    "temporar",
    "try again later",
    "server busy",
    "account is locked for now",
};

static bool is_for_now(struct str text)
{
    for (size_t i = 0; i < sizeof for_now / sizeof *for_now; i++)
        if (str_find_nocase(text, str_of(for_now[i])) >= 0)
            return true;
    return false;
}

void client_explain(struct imap_client *client, enum imap_condition condition, enum imap_code code,
                    const char *text, struct error *err)
{
    enum error_kind kind = condition == IMAP_BYE ? ERROR_CLOSED : ERROR_REFUSED;
    enum error_scope scope = condition == IMAP_BYE ? ERROR_SCOPE_ACCOUNT : ERROR_SCOPE_MAILBOX;
    if (!err)
        return;
    for (size_t i = 0; i < sizeof by_code / sizeof *by_code; i++)
        if (by_code[i].code == code) {
            kind = by_code[i].kind;
            scope = by_code[i].scope;
        }
    if ((kind == ERROR_REFUSED || kind == ERROR_CLOSED) && is_for_now(str_of(text))) {
        kind = ERROR_UNAVAILABLE;
        scope = ERROR_SCOPE_ACCOUNT;
    }
    /* Words from before TLS may be anyone's: they are not shown. */
    bool is_trusted = client->security == STREAM_PLAIN || stream_is_encrypted(client->stream);
    if (is_trusted && *text)
        error_set(err, kind, "The mail server says: %s", text);
    else
        error_set(err, kind, "The mail server %s",
                  condition == IMAP_BYE ? "ended the session" : "refused, without saying why");
    err->scope = scope;
    if (kind == ERROR_UNAVAILABLE)
        err->retry_after_ms = imap_parse_backoff_ms(str_of(text));
    if (code == IMAP_CODE_OVERQUOTA)
        error_hint(err, "The mailbox is full: delete some mail, or ask for more room.");
}
