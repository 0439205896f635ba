#include "server/sync/imap_parked.h"

#include "server/base/clock.h"
#include "server/base/log.h"

enum {
    RENEW_MS = 9 * 60 * 1000, /* before NAT gateways forget the connection, and servers end it */
    NOTIFIED_POLL_MS = 15 * 60 * 1000, /* a look at all folders although the server tells of them */
};

static struct session_mailbox *inbox_of(struct imap_session *session)
{
    for (size_t i = 0; i < session->mailbox_count; i++)
        if (session->mailboxes[i].known.role == ROLE_INBOX)
            return &session->mailboxes[i];
    return NULL;
}

static bool has_stale(const struct imap_session *session)
{
    for (size_t i = 0; i < session->mailbox_count; i++)
        if (session->mailboxes[i].is_stale)
            return true;
    return session->must_refresh;
}

/* A server may refuse NOTIFY that it offers: then the other folders are asked for as ever. */
static bool start_notify(struct imap_session *session, struct error *err)
{
    struct error why = ERROR_INIT;
    if (session->is_notified || session->is_notify_refused ||
        !imap_has(session->client, IMAP_CAP_NOTIFY))
        return true;
    session->is_notified = imap_notify_start(session->client, &why);
    session->is_notify_refused = !session->is_notified;
    if (session->is_notified || imap_is_alive(session->client))
        return true;
    *err = why;
    return false;
}

/* Renewals of many accounts shall not fall together: from 80 to 100 %. */
static int64_t renew_ms(const struct imap_client *client)
{
    uint32_t random;
    random_bytes(&random, sizeof random);
    int64_t most = imap_host(client)->idle_ms > 0 ? imap_host(client)->idle_ms : RENEW_MS;
    return most * (80 + random % 21) / 100;
}

bool imap_park_session(struct slice *slice, bool *is_parked, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct session_mailbox *inbox = inbox_of(session);
    bool is_reset = false;
    *is_parked = false;
    if (!inbox || inbox->known.set_aside_until > clock_now_us() ||
        !imap_has(session->client, IMAP_CAP_IDLE) || slice->wait_ms == 0)
        return true;
    struct error why = ERROR_INIT;
    if (!imap_session_select(slice, inbox, &is_reset, &why)) {
        if (imap_is_alive(session->client) && why.scope == ERROR_SCOPE_MAILBOX) {
            inbox->is_stale = true; /* the next slice sees what is wrong with it */
            slice->wait_ms = 0;
            return true;
        }
        *err = why;
        return false;
    }
    if (!start_notify(session, err))
        return false;
    inbox->is_stale = inbox->is_stale || is_reset;
    if (!has_stale(session) && !imap_idle_start(session->client, err))
        return false;
    if (has_stale(session) || !imap_can_park(session->client)) {
        slice->wait_ms = 0;
        return imap_unpark_session(session, err);
    }
    int64_t renew = renew_ms(session->client);
    if (session->is_notified && !session->awaits_folder &&
        session->refresh_at_ms < clock_monotonic_ms() + NOTIFIED_POLL_MS)
        session->refresh_at_ms = clock_monotonic_ms() + NOTIFIED_POLL_MS;
    if ((session->is_notified && !session->awaits_folder) || renew < slice->wait_ms)
        slice->wait_ms = renew;
    imap_park(session->client);
    *is_parked = true;
    return true;
}

bool imap_parked_listen(struct imap_session *session)
{
    struct error why = ERROR_INIT;
    if (imap_idle_step(session->client, 0, &why) < 0 || !imap_is_idling(session->client) ||
        has_stale(session) || !imap_can_park(session->client))
        return false;
    imap_park(session->client);
    return true;
}

bool imap_unpark_session(struct imap_session *session, struct error *err)
{
    if (!imap_is_idling(session->client))
        return true;
    if (imap_idle_step(session->client, 0, err) >= 0 && imap_idle_done(session->client, err))
        return true;
    LOG_INFO("imap.parked-broke", LOG_ERR(err));
    return false;
}
