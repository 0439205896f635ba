/* STORE, COPY, MOVE, UID EXPUNGE. */
#include <stdlib.h>

#include "server/imap/client_private.h"

/* Calls `run` with pieces of `uids` that fit into a line. */
typedef bool piece_fn(struct imap_client *client, struct imap_set *piece, void *context,
                      struct error *err);

static bool in_pieces(struct imap_client *client, struct imap_set *uids, piece_fn *run,
                      void *context, size_t reserved, struct error *err)
{
    struct imap_set left = {0}, piece = {0};
    size_t bytes = client_line_bytes(client);
    bool is_good = true;
    if (!client_check(client, err))
        return false;
    if (imap_set_is_empty(uids))
        return true;
    imap_set_add_set(&left, uids);
    while (is_good && left.count) {
        imap_set_take_text(&left, bytes - reserved, &piece);
        is_good = run(client, &piece, context, err);
    }
    imap_set_free(&left);
    imap_set_free(&piece);
    return is_good;
}

/* --- STORE ------------------------------------------------------------------------------------ */

struct storing {
    const struct imap_store_params *params;
    unsigned flags;
    struct str *keywords; /* those that the mailbox takes; owned */
    size_t keyword_count;
    struct arena *arena;
    struct imap_set modified; /* owned */
};

static bool is_keyword(struct str word)
{
    for (size_t i = 0; i < word.length; i++) {
        unsigned char c = (unsigned char)word.at[i];
        if (c <= 0x20 || c >= 0x7f || strchr("(){%*\"\\]", c))
            return false;
    }
    return word.length > 0;
}

static bool is_storable(const struct imap_selected *selected, struct str keyword)
{
    if (!is_keyword(keyword))
        return false;
    for (size_t i = 0; i < selected->keyword_count; i++)
        if (str_equal_nocase(selected->keywords[i], keyword))
            return true;
    return selected->allows_keywords;
}

static bool take_store(void *context, const struct imap_response *response)
{
    struct storing *storing = context;
    if (response->code == IMAP_CODE_MODIFIED)
        imap_set_add_set(&storing->modified, &response->set);
    return false;
}

static bool store_piece(struct imap_client *client, struct imap_set *piece, void *context,
                        struct error *err)
{
    struct storing *storing = context;
    struct client_command command;
    client_begin(client, &command, "UID STORE ", take_store, storing);
    client_set(client, piece);
    if (storing->params->unchanged_since && imap_has_condstore(client)) {
        client_text(client, " (UNCHANGEDSINCE ");
        client_u64(client, storing->params->unchanged_since);
        client_text(client, ")");
    }
    client_text(client, storing->params->is_removal ? " -FLAGS" : " +FLAGS");
    client_flags(client, storing->flags, storing->keywords, storing->keyword_count);
    client_end(client);
    return client_finish(client, &command, err);
}

bool imap_store(struct imap_client *client, const struct imap_store_params *params,
                struct arena *arena, struct imap_set *modified, struct error *err)
{
    struct storing storing = {.params = params, .flags = params->flags, .arena = arena};
    storing.keywords = calloc(params->keyword_count + 1, sizeof *storing.keywords);
    if (!storing.keywords)
        abort();
    for (size_t i = 0; i < params->keyword_count; i++)
        if (is_storable(&client->selected, params->keywords[i]))
            storing.keywords[storing.keyword_count++] = params->keywords[i];
    bool is_good = !(storing.flags || storing.keyword_count) ||
                   in_pieces(client, params->uids, store_piece, &storing, 200, err);
    if (modified) {
        *modified = (struct imap_set){0};
        imap_set_sort(&storing.modified);
        modified->count = storing.modified.count;
        modified->at = ARENA_ARRAY(arena, storing.modified.count + 1, struct imap_range);
        if (modified->count)
            memcpy(modified->at, storing.modified.at, modified->count * sizeof *modified->at);
    }
    imap_set_free(&storing.modified);
    free(storing.keywords);
    return is_good;
}

/* --- COPY, MOVE ------------------------------------------------------------------------------- */

struct copying {
    const char *words;
    struct str wire_path;
    struct arena *arena;
    struct imap_copied *copied;
    uint32_t *from, *to; /* owned */
    size_t count, capacity;
};

/* COPYUID comes in the tagged OK, of MOVE in an untagged one before the EXPUNGEs (RFC 6851 section
 * 4.3). Exchange and others send UIDVALIDITY 0: then nothing was told. */
static bool take_copied(void *context, const struct imap_response *response)
{
    struct copying *copying = context;
    if (response->code != IMAP_CODE_COPYUID || !response->number || response->number > UINT32_MAX ||
        !response->copied_count)
        return false;
    size_t count = copying->count + response->copied_count;
    if (count > copying->capacity) {
        copying->capacity = count * 2;
        copying->from = reallocarray(copying->from, copying->capacity, sizeof *copying->from);
        copying->to = reallocarray(copying->to, copying->capacity, sizeof *copying->to);
        if (!copying->from || !copying->to)
            abort();
    }
    for (size_t i = 0; i < response->copied_count; i++) {
        copying->from[copying->count + i] = response->copied_from[i];
        copying->to[copying->count + i] = response->copied_to[i];
    }
    copying->count = count;
    copying->copied->uidvalidity = (uint32_t)response->number;
    return false;
}

static bool copy_piece(struct imap_client *client, struct imap_set *piece, void *context,
                       struct error *err)
{
    struct copying *copying = context;
    struct client_command command;
    client_begin(client, &command, copying->words, take_copied, copying);
    client_set(client, piece);
    if (client_mailbox(client, &command, copying->wire_path, err))
        client_end(client);
    return client_finish(client, &command, err);
}

static bool copy_all(struct imap_client *client, struct arena *arena, const char *words,
                     struct imap_set *uids, struct str wire_path, struct imap_copied *copied,
                     struct error *err)
{
    struct copying copying = {
        .words = words, .wire_path = wire_path, .arena = arena, .copied = copied};
    *copied = (struct imap_copied){0};
    bool is_good = client_check_name(client, wire_path, err) &&
                   in_pieces(client, uids, copy_piece, &copying, 200, err);
    uint32_t *from = ARENA_ARRAY(arena, copying.count + 1, uint32_t);
    uint32_t *to = ARENA_ARRAY(arena, copying.count + 1, uint32_t);
    if (copying.count) {
        memcpy(from, copying.from, copying.count * sizeof *from);
        memcpy(to, copying.to, copying.count * sizeof *to);
    }
    copied->from = from;
    copied->to = to;
    copied->count = copying.count;
    free(copying.from);
    free(copying.to);
    return is_good;
}

bool imap_copy(struct imap_client *client, struct arena *arena, struct imap_set *uids,
               struct str wire_path, struct imap_copied *copied, struct error *err)
{
    return copy_all(client, arena, "UID COPY ", uids, wire_path, copied, err);
}

bool imap_move(struct imap_client *client, struct arena *arena, struct imap_set *uids,
               struct str wire_path, struct imap_copied *copied, bool *is_left, struct error *err)
{
    if (is_left)
        *is_left = false;
    if (imap_has(client, IMAP_CAP_MOVE))
        return copy_all(client, arena, "UID MOVE ", uids, wire_path, copied, err);
    /* Each step only after the OK of the one before: a failed COPY that is followed by \Deleted
     * loses mail. */
    struct imap_store_params gone = {.uids = uids, .flags = IMAP_DELETED};
    if (!imap_copy(client, arena, uids, wire_path, copied, err) ||
        !imap_store(client, &gone, NULL, NULL, err))
        return false;
    if (imap_has(client, IMAP_CAP_UIDPLUS))
        return imap_expunge_uids(client, uids, err);
    if (is_left)
        *is_left = true;
    return true;
}

/* --- EXPUNGE ---------------------------------------------------------------------------------- */

static bool expunge_piece(struct imap_client *client, struct imap_set *piece, void *context,
                          struct error *err)
{
    (void)context;
    struct client_command command;
    client_begin(client, &command, "UID EXPUNGE ", NULL, NULL);
    client_set(client, piece);
    client_end(client);
    return client_finish(client, &command, err);
}

bool imap_expunge_uids(struct imap_client *client, struct imap_set *uids, struct error *err)
{
    if (!imap_has(client, IMAP_CAP_UIDPLUS))
        return error_set(err, ERROR_CONFLICT, "The mail server cannot remove single messages");
    return in_pieces(client, uids, expunge_piece, NULL, 50, err);
}
