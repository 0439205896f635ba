/* APPEND and REPLACE: a message of any size, streamed. */
#include "server/imap/client_private.h"

#include <stdio.h>
#include <time.h>

struct appending {
    struct imap_appended *appended;
    uint32_t known_uidvalidity; /* of the destination, when it is the selected one; or 0 */
};

/* APPENDUID; REPLACE sends it in an untagged OK (RFC 8508 section 3.3). Some have the two numbers
 * the wrong way round (davmail#315), which shows where UIDVALIDITY is known. */
static bool take_appended(void *context, const struct imap_response *response)
{
    struct appending *appending = context;
    if (response->code != IMAP_CODE_APPENDUID || !response->number || response->number > UINT32_MAX)
        return false;
    struct imap_set set = response->set;
    uint32_t uidvalidity = (uint32_t)response->number, uid = imap_set_lowest(&set);
    if (appending->known_uidvalidity && uid == appending->known_uidvalidity &&
        uidvalidity != appending->known_uidvalidity) {
        uid = uidvalidity;
        uidvalidity = appending->known_uidvalidity;
    }
    if (uid)
        *appending->appended = (struct imap_appended){uidvalidity, uid};
    return false;
}

static void put_date(struct imap_client *client, int64_t at)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(at / 1000000);
    struct tm tm;
    char text[64];
    if (!gmtime_r(&seconds, &tm) || tm.tm_year + 1900 < 1 || tm.tm_year + 1900 > 9999)
        return;
    snprintf(text, sizeof text, " \"%2d-%.3s-%04d %02d:%02d:%02d +0000\"", tm.tm_mday,
             months + (size_t)tm.tm_mon * 3, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    client_text(client, text);
}

/* All the bytes that were promised. A source that gives up ends the session, as there is no way of
 * taking a promise back. */
static bool put_message(struct imap_client *client, const struct imap_append_params *params,
                        struct error *err)
{
    struct error failure = ERROR_INIT;
    char piece[16384];
    uint64_t left = params->size;
    while (left) {
        size_t most = left < sizeof piece ? (size_t)left : sizeof piece;
        ptrdiff_t n = params->source(params->source_context, piece, most);
        if (n <= 0 || (size_t)n > most) {
            error_set(&failure, ERROR_CLOSED, "The message could not be read to its end");
            return client_die(client, &failure, err);
        }
        if (!stream_put(client->stream, str_make(piece, (size_t)n), &failure))
            return client_die(client, &failure, err);
        left -= (uint64_t)n;
    }
    return true;
}

static bool check_append(struct imap_client *client, const struct imap_append_params *params,
                         struct error *err)
{
    if (!client_check_name(client, params->wire_path, err))
        return false;
    if (params->replace_uid && !imap_has(client, IMAP_CAP_REPLACE))
        return error_set(err, ERROR_CONFLICT, "The mail server cannot replace messages");
    if (client->append_limit && params->size > client->append_limit) {
        error_set(err, ERROR_LIMIT,
                  "The message is larger than the %llu bytes that the mail "
                  "server takes",
                  (unsigned long long)client->append_limit);
        if (err)
            err->scope = ERROR_SCOPE_MESSAGE;
        return false;
    }
    return true;
}

bool imap_append(struct imap_client *client, const struct imap_append_params *params,
                 struct imap_appended *appended, struct error *err)
{
    struct client_command command;
    struct imap_appended unused;
    struct appending appending = {.appended = appended ? appended : &unused};
    *appending.appended = (struct imap_appended){0};
    if (!check_append(client, params, err))
        return false;
    if (str_equal(client->selected.wire_path, params->wire_path))
        appending.known_uidvalidity = client->selected.uidvalidity;
    if (params->replace_uid) {
        client_begin(client, &command, "UID REPLACE ", take_appended, &appending);
        client_u64(client, params->replace_uid);
    } else
        client_begin(client, &command, "APPEND", take_appended, &appending);
    if (client_mailbox(client, &command, params->wire_path, err)) {
        if (params->flags || params->keyword_count)
            client_flags(client, params->flags, params->keywords, params->keyword_count);
        if (params->internaldate_at)
            put_date(client, params->internaldate_at);
        client_text(client, " ");
        if (client_literal(client, &command, params->size, false, err) &&
            put_message(client, params, err))
            client_end(client);
    }
    /* Sending took its time; the server gets as long again for its answer. */
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    bool is_good = client_finish(client, &command, err);
    if (!is_good && err && err->kind == ERROR_LIMIT && !client->is_dead)
        err->scope = ERROR_SCOPE_MESSAGE;
    return is_good;
}
