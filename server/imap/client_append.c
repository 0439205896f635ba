/* APPEND and REPLACE: a message of any size, streamed. */
#include "server/imap/client_private.h"

#include <stdio.h>
#include <time.h>

struct appending {
    struct imap_appended *appended;
    size_t count;
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
    uint32_t uidvalidity = (uint32_t)response->number, known = appending->known_uidvalidity;
    if (known && imap_set_lowest(&set) == known && uidvalidity != known) {
        *appending->appended = (struct imap_appended){known, uidvalidity};
        return false;
    }
    if (imap_set_size(&set) != appending->count)
        return false;
    /* In the order of the messages, which is ascending (RFC 4315 section 3). */
    size_t next = 0;
    for (size_t i = 0; i < set.count; i++)
        for (uint32_t n = 0; n <= set.at[i].high - set.at[i].low; n++)
            appending->appended[next++] = (struct imap_appended){uidvalidity, set.at[i].low + n};
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
    if (params->has_nul && !imap_has(client, IMAP_CAP_BINARY))
        return error_set(err, ERROR_CONFLICT, "The mail server takes no binary messages");
    if (client->append_limit && params->size > client->append_limit) {
        error_set(err, ERROR_LIMIT,
                  "The message is larger than the %llu bytes that the mail server takes",
                  (unsigned long long)client->append_limit);
        if (err)
            err->scope = ERROR_SCOPE_MESSAGE;
        return false;
    }
    return true;
}

/* Flags, date and the message itself, behind the mailbox's name. */
static bool put_append(struct imap_client *client, struct client_command *command,
                       const struct imap_append_params *params, struct error *err)
{
    bool is_utf8 = params->has_utf8_header && client->has_utf8;
    if (params->flags || params->keyword_count)
        client_flags(client, params->flags, params->keywords, params->keyword_count);
    if (params->internaldate_at)
        put_date(client, params->internaldate_at);
    client_text(client, is_utf8 ? " UTF8 (" : " ");
    if (!client_literal(client, command, params->size, is_utf8 || params->has_nul, err) ||
        !put_message(client, params, err))
        return false;
    if (is_utf8)
        client_text(client, ")");
    return true;
}

/* One command for `count` messages. */
static bool append(struct imap_client *client, const struct imap_append_params *messages,
                   size_t count, struct imap_appended *appended, struct error *err)
{
    struct client_command command;
    struct appending appending = {.appended = appended, .count = count};
    struct str wire_path = messages[0].wire_path;
    if (str_equal(client->selected.wire_path, wire_path))
        appending.known_uidvalidity = client->selected.uidvalidity;
    if (messages[0].replace_uid) {
        client_begin(client, &command, "UID REPLACE ", take_appended, &appending);
        client_u64(client, messages[0].replace_uid);
    } else
        client_begin(client, &command, "APPEND", take_appended, &appending);
    /* However long sending takes, as long as it goes on. */
    stream_set_deadline(client->stream, DEADLINE_NEVER);
    bool is_put = client_mailbox(client, &command, wire_path, err);
    for (size_t i = 0; is_put && i < count; i++)
        is_put = put_append(client, &command, &messages[i], err);
    if (is_put)
        client_end(client);
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    return client_finish(client, &command, err);
}

bool imap_append(struct imap_client *client, const struct imap_append_params *params,
                 struct imap_appended *appended, struct error *err)
{
    struct imap_appended unused;
    if (!appended)
        appended = &unused;
    *appended = (struct imap_appended){0};
    return check_append(client, params, err) && append(client, params, 1, appended, err);
}

bool imap_append_all(struct imap_client *client, const struct imap_append_params *messages,
                     size_t count, struct imap_appended *appended, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        appended[i] = (struct imap_appended){0};
        if (!check_append(client, &messages[i], err))
            return false;
    }
    if (count && imap_has(client, IMAP_CAP_MULTIAPPEND))
        return append(client, messages, count, appended, err);
    for (size_t i = 0; i < count; i++)
        if (!append(client, &messages[i], 1, &appended[i], err))
            return false;
    return true;
}
