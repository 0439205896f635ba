/* LIST, STATUS, NAMESPACE, QUOTA, and what changes mailboxes. */
#include <stdlib.h>

#include "server/imap/client_private.h"

bool imap_mailbox_wire(const struct imap_client *client, struct arena *arena, struct str path,
                       struct str *wire_path, struct error *err)
{
    bool is_good = path.length > 0 && path.length <= IMAP_MAILBOX_BYTES_MAX;
    for (size_t i = 0; i < path.length; i++)
        is_good = is_good && (unsigned char)path.at[i] >= 0x20 && path.at[i] != 0x7f;
    if (!is_good)
        return error_set(err, ERROR_INVALID, "No folder can have that name");
    *wire_path = imap_mailbox_encode(arena, path, client->has_utf8);
    return true;
}

/* --- LIST ------------------------------------------------------------------------------------- */

struct listing {
    struct arena *arena;
    struct imap_mailbox *listed; /* owned */
    size_t listed_count, listed_capacity;
    struct imap_mailbox *subscribed; /* from LSUB; owned */
    size_t subscribed_count, subscribed_capacity;
    struct imap_status *statuses; /* owned */
    size_t status_count, status_capacity;
    bool is_utf8; /* names come as they are */
    /* Sent right behind what lists, if there is one: Dovecot answers it last wherever it stands,
     * and what comes while it is the oldest under way would be nobody's. */
    struct client_command *noop;
};

/* Room for one more, or NULL at the cap. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count >= CLIENT_LIST_MAX)
        return NULL;
    if (count < *capacity)
        return array;
    *capacity = *capacity ? *capacity * 2 : 64;
    array = reallocarray(array, *capacity, size);
    if (!array)
        abort();
    return array;
}

static struct imap_mailbox kept_mailbox(struct listing *listing, const struct imap_mailbox *told)
{
    struct imap_mailbox mailbox = *told;
    mailbox.wire_path = arena_str(listing->arena, told->wire_path);
    mailbox.delimiter = arena_str(listing->arena, told->delimiter);
    mailbox.old_wire_path = arena_str(listing->arena, told->old_wire_path);
    mailbox.path = imap_mailbox_decode(listing->arena, told->wire_path, listing->is_utf8);
    return mailbox;
}

static struct imap_status kept_status(struct arena *arena, const struct imap_status *told)
{
    struct imap_status status = *told;
    status.wire_path = arena_str(arena, told->wire_path);
    status.mailbox_id = arena_str(arena, told->mailbox_id);
    return status;
}

static bool take_list(void *context, const struct imap_response *response)
{
    struct listing *listing = context;
    if (response->type == IMAP_RESPONSE_STATUS) {
        struct imap_status *grown = grow(listing->statuses, listing->status_count,
                                         &listing->status_capacity, sizeof *grown);
        if (grown) {
            listing->statuses = grown;
            grown[listing->status_count++] = kept_status(listing->arena, &response->status);
        }
        return true;
    }
    if (response->type != IMAP_RESPONSE_LIST)
        return false;
    if (!client_is_name(response->mailbox.wire_path))
        return true; /* nothing could be asked of it: the others shall not suffer for it */
    struct imap_mailbox **to = response->is_lsub ? &listing->subscribed : &listing->listed;
    size_t *count = response->is_lsub ? &listing->subscribed_count : &listing->listed_count;
    size_t *capacity =
        response->is_lsub ? &listing->subscribed_capacity : &listing->listed_capacity;
    struct imap_mailbox *grown = grow(*to, *count, capacity, sizeof *grown);
    if (grown) {
        *to = grown;
        grown[(*count)++] = kept_mailbox(listing, &response->mailbox);
    }
    return true;
}

/* Not SIZE, which nobody here needs: for it servers look at every message. */
static void put_status_items(struct imap_client *client)
{
    client_text(client, " (MESSAGES UIDNEXT UIDVALIDITY UNSEEN");
    if (imap_has_condstore(client))
        client_text(client, " HIGHESTMODSEQ");
    if (imap_has(client, IMAP_CAP_OBJECTID))
        client_text(client, " MAILBOXID");
    client_text(client, ")");
}

/* INBOX in any case is one mailbox (RFC 9051 section 5.1); others differ by each byte. */
static int compare_paths(struct str a, struct str b)
{
    if (str_equal_nocase(a, STR("INBOX")))
        a = STR("INBOX");
    if (str_equal_nocase(b, STR("INBOX")))
        b = STR("INBOX");
    return str_compare(a, b);
}

static int compare_mailboxes(const void *a, const void *b)
{
    return compare_paths(((const struct imap_mailbox *)a)->wire_path,
                         ((const struct imap_mailbox *)b)->wire_path);
}

static struct imap_mailbox *find_mailbox(struct listing *listing, struct str wire_path)
{
    struct imap_mailbox key = {.wire_path = wire_path};
    return listing->listed_count ? bsearch(&key, listing->listed, listing->listed_count, sizeof key,
                                           compare_mailboxes)
                                 : NULL;
}

/* Sorts, joins what was listed twice, and adds subscriptions and counts. */
static void settle(struct listing *listing, struct imap_mailboxes *mailboxes)
{
    size_t kept = 0;
    if (listing->listed_count)
        qsort(listing->listed, listing->listed_count, sizeof *listing->listed, compare_mailboxes);
    for (size_t i = 0; i < listing->listed_count; i++) {
        if (kept && !compare_mailboxes(&listing->listed[kept - 1], &listing->listed[i]))
            listing->listed[kept - 1].attributes |= listing->listed[i].attributes;
        else
            listing->listed[kept++] = listing->listed[i];
    }
    listing->listed_count = kept;
    for (size_t i = 0; i < listing->subscribed_count; i++) {
        struct imap_mailbox *mailbox = find_mailbox(listing, listing->subscribed[i].wire_path);
        if (mailbox && !(listing->subscribed[i].attributes & IMAP_NOSELECT))
            mailbox->attributes |= IMAP_SUBSCRIBED;
    }
    for (size_t i = 0; i < listing->status_count; i++) {
        struct imap_mailbox *mailbox = find_mailbox(listing, listing->statuses[i].wire_path);
        if (mailbox) {
            mailbox->has_status = listing->statuses[i].has;
            mailbox->status = listing->statuses[i];
        }
    }
    mailboxes->count = kept;
    mailboxes->at = ARENA_ARRAY(listing->arena, kept + 1, struct imap_mailbox);
    if (kept)
        memcpy(mailboxes->at, listing->listed, kept * sizeof *mailboxes->at);
}

static void put_noop(struct imap_client *client, struct listing *listing)
{
    if (!listing->noop)
        return;
    client_begin(client, listing->noop, "NOOP", NULL, NULL);
    client_end(client);
}

static bool ask_extended(struct imap_client *client, bool with_status, struct listing *listing,
                         struct error *err)
{
    struct client_command command;
    client_begin(client, &command, "LIST \"\" \"*\" RETURN (SUBSCRIBED", take_list, listing);
    if (imap_has(client, IMAP_CAP_SPECIAL_USE))
        client_text(client, " SPECIAL-USE");
    if (with_status && imap_has(client, IMAP_CAP_LIST_STATUS)) {
        client_text(client, " STATUS");
        put_status_items(client);
    }
    client_text(client, ")");
    client_end(client);
    put_noop(client, listing);
    return client_finish(client, &command, err);
}

static bool ask_plain(struct imap_client *client, struct listing *listing, struct error *err)
{
    struct client_command list, lsub;
    bool is_xlist = imap_has(client, IMAP_CAP_XLIST) && !imap_has(client, IMAP_CAP_SPECIAL_USE);
    client_begin(client, &list, is_xlist ? "XLIST \"\" \"*\"" : "LIST \"\" \"*\"", take_list,
                 listing);
    client_end(client);
    client_begin(client, &lsub, "LSUB \"\" \"*\"", take_list, listing);
    client_end(client);
    put_noop(client, listing);
    bool is_listed = client_finish(client, &list, err);
    client_finish(client, &lsub, NULL); /* without subscriptions life goes on */
    return is_listed && !client->is_dead;
}

static bool add_statuses(struct imap_client *client, struct arena *arena,
                         struct imap_mailboxes *mailboxes, struct error *err)
{
    struct str *paths = ARENA_ARRAY(arena, mailboxes->count + 1, struct str);
    struct imap_mailbox **owners = ARENA_ARRAY(arena, mailboxes->count + 1, struct imap_mailbox *);
    size_t count = 0;
    for (size_t i = 0; i < mailboxes->count; i++)
        if (!mailboxes->at[i].has_status && !(mailboxes->at[i].attributes & IMAP_NOSELECT)) {
            owners[count] = &mailboxes->at[i];
            paths[count++] = mailboxes->at[i].wire_path;
        }
    struct imap_status *statuses = ARENA_ARRAY(arena, count + 1, struct imap_status);
    if (!imap_status(client, arena, paths, count, statuses, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        owners[i]->has_status = statuses[i].has;
        owners[i]->status = statuses[i];
    }
    return true;
}

static bool list(struct imap_client *client, struct arena *arena, bool with_status,
                 struct client_command *noop, struct imap_mailboxes *mailboxes, struct error *err)
{
    struct listing listing = {.arena = arena, .is_utf8 = client->has_utf8, .noop = noop};
    bool has_extended = imap_has(client, IMAP_CAP_LIST_EXTENDED);
    bool is_listed = has_extended ? ask_extended(client, with_status, &listing, err)
                                  : ask_plain(client, &listing, err);
    if (is_listed)
        settle(&listing, mailboxes);
    free(listing.listed);
    free(listing.subscribed);
    free(listing.statuses);
    if (!is_listed || !with_status || (has_extended && imap_has(client, IMAP_CAP_LIST_STATUS)))
        return is_listed;
    return add_statuses(client, arena, mailboxes, err);
}

bool imap_list(struct imap_client *client, struct arena *arena, bool with_status,
               struct imap_mailboxes *mailboxes, struct error *err)
{
    *mailboxes = (struct imap_mailboxes){0};
    return client_check(client, err) && list(client, arena, with_status, NULL, mailboxes, err);
}

bool imap_look(struct imap_client *client, struct arena *arena, struct imap_mailboxes *mailboxes,
               struct error *err)
{
    struct client_command noop = {.is_done = true};
    bool was_idling = client_leave_idle(client);
    *mailboxes = (struct imap_mailboxes){0};
    if (!client_check(client, err))
        return false;
    bool has_selected = client->selected.wire_path.length > 0;
    bool is_listed = list(client, arena, true, has_selected ? &noop : NULL, mailboxes, err);
    if (was_idling)
        client_finish(client, &client->idle, NULL); /* a NO to the end of IDLE ends it as well */
    client_finish(client, &noop, NULL);
    return is_listed && (!client->is_dead || client_die(client, &client->failure, err));
}

/* --- STATUS ----------------------------------------------------------------------------------- */

struct statuses {
    struct arena *arena;
    const struct str *wire_paths;
    struct imap_status *at;
    size_t count;
    size_t first; /* of those under way */
};

/* NetEase answers with an empty list, others spell INBOX their way: matched by name among those
 * under way. */
static bool take_status(void *context, const struct imap_response *response)
{
    struct statuses *statuses = context;
    if (response->type != IMAP_RESPONSE_STATUS)
        return false;
    for (size_t i = statuses->first; i < statuses->count && i < statuses->first + CLIENT_PIPELINE;
         i++)
        if (!compare_paths(statuses->wire_paths[i], response->status.wire_path)) {
            statuses->at[i] = kept_status(statuses->arena, &response->status);
            return true;
        }
    return false;
}

bool imap_status(struct imap_client *client, struct arena *arena, const struct str *wire_paths,
                 size_t count, struct imap_status *statuses, struct error *err)
{
    struct statuses context = {
        .arena = arena, .wire_paths = wire_paths, .at = statuses, .count = count};
    for (size_t i = 0; i < count; i++) {
        statuses[i] = (struct imap_status){.wire_path = wire_paths[i], .mailbox_id = STR_EMPTY};
        if (!client_check_name(client, wire_paths[i], err))
            return false;
    }
    for (size_t from = 0; from < count && !client->is_dead; from += CLIENT_PIPELINE) {
        struct client_command commands[CLIENT_PIPELINE];
        size_t batch = count - from < CLIENT_PIPELINE ? count - from : CLIENT_PIPELINE;
        context.first = from;
        for (size_t i = 0; i < batch; i++) {
            client_begin(client, &commands[i], "STATUS", take_status, &context);
            if (!client_mailbox(client, &commands[i], wire_paths[from + i], NULL))
                continue;
            put_status_items(client);
            client_end(client);
        }
        for (size_t i = 0; i < batch; i++)
            client_finish(client, &commands[i], NULL);
    }
    return !client->is_dead || client_check(client, err);
}

/* --- NAMESPACE, QUOTA ------------------------------------------------------------------------- */

struct namespaces {
    struct arena *arena;
    struct imap_namespace *at;
    size_t count;
};

static bool take_namespaces(void *context, const struct imap_response *response)
{
    struct namespaces *namespaces = context;
    if (response->type != IMAP_RESPONSE_NAMESPACE)
        return false;
    namespaces->count = response->namespace_count;
    namespaces->at =
        ARENA_ARRAY(namespaces->arena, response->namespace_count + 1, struct imap_namespace);
    for (size_t i = 0; i < response->namespace_count; i++)
        namespaces->at[i] = (struct imap_namespace){
            .prefix = arena_str(namespaces->arena, response->namespaces[i].prefix),
            .delimiter = arena_str(namespaces->arena, response->namespaces[i].delimiter),
            .kind = response->namespaces[i].kind};
    return true;
}

bool imap_namespaces(struct imap_client *client, struct arena *arena,
                     struct imap_namespace **namespaces, size_t *count, struct error *err)
{
    struct namespaces context = {.arena = arena};
    bool is_good = !imap_has(client, IMAP_CAP_NAMESPACE) ||
                   client_run(client, "NAMESPACE", take_namespaces, &context, err);
    *namespaces = context.at;
    *count = context.count;
    return is_good;
}

struct quotas {
    struct arena *arena;
    struct imap_quotas *to;
    size_t capacity;
};

static bool take_quotas(void *context, const struct imap_response *response)
{
    enum { MOST = 64 };
    struct quotas *quotas = context;
    if (response->type == IMAP_RESPONSE_QUOTAROOT)
        return true;
    if (response->type != IMAP_RESPONSE_QUOTA)
        return false;
    if (!quotas->to->at)
        quotas->to->at = ARENA_ARRAY(quotas->arena, MOST, struct imap_quota);
    if (quotas->to->count < MOST) {
        struct imap_quota *quota = &quotas->to->at[quotas->to->count++];
        *quota = response->quota;
        quota->root = arena_str(quotas->arena, response->quota.root);
    }
    return true;
}

bool imap_quota(struct imap_client *client, struct arena *arena, struct str wire_path,
                struct imap_quotas *quotas, struct error *err)
{
    struct quotas context = {.arena = arena, .to = quotas};
    struct client_command command;
    *quotas = (struct imap_quotas){0};
    if (!client_check_name(client, wire_path, err))
        return false;
    if (!imap_has(client, IMAP_CAP_QUOTA))
        return true;
    client_begin(client, &command, "GETQUOTAROOT", take_quotas, &context);
    if (client_mailbox(client, &command, wire_path, err))
        client_end(client);
    return client_finish(client, &command, err);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* A command of one or two mailbox names. */
static bool run_on(struct imap_client *client, const char *words, struct str first,
                   const struct str *second, const char *rest, struct error *err)
{
    struct client_command command;
    if (!client_check_name(client, first, err) ||
        (second && !client_check_name(client, *second, err)))
        return false;
    client_begin(client, &command, words, NULL, NULL);
    if (client_mailbox(client, &command, first, err) &&
        (!second || client_mailbox(client, &command, *second, err))) {
        client_text(client, rest);
        client_end(client);
    }
    return client_finish(client, &command, err);
}

static const struct {
    unsigned use;
    const char *words;
} uses[] = {
    {0, ""},
    {IMAP_USE_ARCHIVE, " (USE (\\Archive))"},
    {IMAP_USE_DRAFTS, " (USE (\\Drafts))"},
    {IMAP_USE_JUNK, " (USE (\\Junk))"},
    {IMAP_USE_SENT, " (USE (\\Sent))"},
    {IMAP_USE_TRASH, " (USE (\\Trash))"},
};

bool imap_create(struct imap_client *client, struct str wire_path, unsigned use, struct error *err)
{
    struct error refused = ERROR_INIT;
    size_t i = 0;
    if (imap_has(client, IMAP_CAP_CREATE_SPECIAL_USE))
        while (i < sizeof uses / sizeof *uses - 1 && uses[i].use != use)
            i++;
    if (uses[i].use != use)
        i = 0;
    if (run_on(client, "CREATE", wire_path, NULL, uses[i].words, &refused) ||
        (refused.kind == ERROR_CONFLICT && !client->is_dead))
        return true;
    /* Some offer special uses and refuse each (NO [USEATTR]): a folder without one is better. */
    if (i && !client->is_dead)
        return imap_create(client, wire_path, 0, err);
    if (err)
        *err = refused;
    return false;
}

bool imap_rename(struct imap_client *client, struct str from, struct str to, struct error *err)
{
    return run_on(client, "RENAME", from, &to, "", err);
}

bool imap_delete(struct imap_client *client, struct str wire_path, struct error *err)
{
    return run_on(client, "DELETE", wire_path, NULL, "", err);
}

bool imap_subscribe(struct imap_client *client, struct str wire_path, bool is_subscribed,
                    struct error *err)
{
    return run_on(client, is_subscribed ? "SUBSCRIBE" : "UNSUBSCRIBE", wire_path, NULL, "", err);
}
