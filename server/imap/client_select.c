/* SELECT, EXAMINE, UNSELECT; NOOP, IDLE, NOTIFY; parking. */
#include "server/imap/client_private.h"

enum {
    KNOWN_BYTES = 6000,        /* of the known UIDs in a QRESYNC SELECT */
    IDLE_RESPONSES_MAX = 1000, /* read by one step; the rest waits for the next */
};

/* --- SELECT ----------------------------------------------------------------------------------- */

/* Keeps what cannot be done by codes: the end of the old mailbox. */
static void expect_mailbox(struct imap_client *client, struct str wire_path)
{
    bool had_one = client->selected.wire_path.length;
    /* Only with QRESYNC or CONDSTORE on must a server mark the border (RFC 7162 section 3.2.11). */
    client->awaits_closed = had_one && (client->has_qresync || client->has_condstore);
    client->is_selecting = true;
    client_deselect(client);
    client->selected.wire_path = arena_str(client->selected_arena, wire_path);
}

/* The known UIDs, in at most KNOWN_BYTES: gaps are filled from the lowest end where there are too
 * many, which only makes the server tell of more. */
static void put_known(struct imap_client *client, struct imap_set *known)
{
    struct imap_set copy = {0}, front = {0};
    imap_set_add_set(&copy, known);
    /* Cyrus leaves out the highest expunged UID unless the set goes past it (cyrus-imapd#6071). */
    imap_set_add_range(&copy, imap_set_highest(&copy), UINT32_MAX);
    imap_set_take_text(&copy, KNOWN_BYTES, &front);
    if (copy.count)
        imap_set_add_range(&front, copy.at[0].low, UINT32_MAX);
    client_set(client, &front);
    imap_set_free(&front);
    imap_set_free(&copy);
}

static void put_select_options(struct imap_client *client, const struct imap_select_params *params)
{
    if (client->has_qresync && params->uidvalidity && params->modseq && params->known &&
        !imap_set_is_empty(params->known)) {
        client_text(client, " (QRESYNC (");
        client_u64(client, params->uidvalidity);
        client_text(client, " ");
        client_u64(client, params->modseq);
        client_text(client, " ");
        put_known(client, params->known);
        client_text(client, "))");
    } else if (!client->has_qresync && !client->has_condstore &&
               imap_has(client, IMAP_CAP_CONDSTORE))
        client_text(client, " (CONDSTORE)");
}

bool imap_select(struct imap_client *client, const struct imap_select_params *params,
                 struct imap_selected *selected, struct error *err)
{
    struct client_command command;
    if (!client_check_name(client, params->wire_path, err))
        return false;
    expect_mailbox(client, params->wire_path);
    client->selected.is_read_only = params->is_read_only;
    client_begin(client, &command, params->is_read_only ? "EXAMINE" : "SELECT", NULL, NULL);
    if (client_mailbox(client, &command, client->selected.wire_path, err)) {
        put_select_options(client, params);
        client_end(client);
    }
    bool is_good = client_finish(client, &command, err);
    client->is_selecting = client->awaits_closed = false;
    if (!is_good)
        client_deselect(client); /* RFC 9051 section 6.3.2: the old one is gone as well */
    else if (selected)
        *selected = client->selected;
    return is_good;
}

bool imap_unselect(struct imap_client *client, struct error *err)
{
    struct error refused = ERROR_INIT;
    if (!client_check(client, err))
        return false;
    if (!client->selected.wire_path.length)
        return true;
    client->awaits_closed = true; /* what comes now is of no one's interest */
    /* Without UNSELECT a mailbox is left, and nothing expunged, by failing to open another. */
    bool is_good =
        imap_has(client, IMAP_CAP_UNSELECT)
            ? client_run(client, "UNSELECT", NULL, NULL, &refused)
            : client_run(client, "EXAMINE \"\"", NULL, NULL, &refused) || !client->is_dead;
    client->awaits_closed = false;
    if (is_good)
        client_deselect(client);
    else if (err)
        *err = refused;
    return is_good;
}

/* --- waiting ---------------------------------------------------------------------------------- */

bool imap_noop(struct imap_client *client, struct error *err)
{
    return client_run(client, "NOOP", NULL, NULL, err);
}

bool imap_idle_start(struct imap_client *client, struct error *err)
{
    if (!client_check(client, err))
        return false;
    if (!imap_has(client, IMAP_CAP_IDLE))
        return error_set(err, ERROR_CONFLICT, "The mail server has no IDLE");
    struct client_command *idle = &client->idle;
    client_begin(client, idle, "IDLE", NULL, NULL);
    client_end(client);
    if (client_await_continue(client, idle, err)) {
        client->is_idling = true;
        stream_set_deadline(client->stream, DEADLINE_NEVER);
        return true;
    }
    if (!client->is_dead)
        return client_finish(client, idle, err) ||
               error_set(err, ERROR_PROTOCOL, "The mail server does not wait in IDLE");
    client_forget(client, idle);
    return false;
}

int imap_idle_step(struct imap_client *client, int timeout_ms, struct error *err)
{
    int count = 0;
    while (!client->is_dead && count < IDLE_RESPONSES_MAX) {
        struct error failure = ERROR_INIT;
        int ready = stream_wait(client->stream, count ? 0 : timeout_ms, &failure);
        if (ready < 0)
            client_die(client, &failure, NULL);
        if (ready <= 0)
            break;
        client->responses = 0; /* an idle session may live for weeks */
        client_read(client, NULL);
        count++;
        if (client->is_idling && client->idle.is_done) {
            /* The server ended it by itself (Yandex does at random): not an error. */
            client->is_idling = false;
            client_forget(client, &client->idle);
            break;
        }
    }
    if (client->is_dead) {
        client_die(client, &client->failure, err);
        return -1;
    }
    return count > 0;
}

bool client_leave_idle(struct imap_client *client)
{
    if (!client->is_idling || client->is_dead)
        return false;
    client->is_idling = false;
    client->responses = 0;
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    client_text(client, "DONE\r\n");
    return true;
}

bool imap_idle_done(struct imap_client *client, struct error *err)
{
    if (client->is_dead)
        return client_die(client, &client->failure, err);
    if (!client_leave_idle(client))
        return true;
    struct error refused = ERROR_INIT;
    if (client_finish(client, &client->idle, &refused) || !client->is_dead)
        return true; /* a NO to the end of IDLE ends it as well */
    if (err)
        *err = refused;
    return false;
}

bool imap_is_idling(const struct imap_client *client)
{
    return client->is_idling;
}

bool imap_notify_start(struct imap_client *client, struct error *err)
{
    if (!imap_has(client, IMAP_CAP_NOTIFY))
        return error_set(err, ERROR_CONFLICT, "The mail server has no NOTIFY");
    return client_run(client,
                      "NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) "
                      "(personal (MessageNew MessageExpunge FlagChange MailboxName "
                      "SubscriptionChange))",
                      NULL, NULL, err);
}

/* --- parking ---------------------------------------------------------------------------------- */

int imap_fd(const struct imap_client *client)
{
    return stream_fd(client->stream);
}

bool imap_can_park(const struct imap_client *client)
{
    return !client->is_dead && stream_is_quiet(client->stream);
}

void imap_park(struct imap_client *client)
{
    wire_park(&client->wire);
    arena_free(&client->arena);
    client->arena = arena_new();
    buf_free(&client->continue_text);
    stream_park(client->stream);
}
