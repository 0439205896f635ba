#include "server/sync/imap_replay.h"

#include <stdlib.h>

#include "server/base/log.h"
#include "server/store/emails.h"
#include "server/store/replay.h"
#include "server/sync/imap_pull.h"

enum { KEYWORDS_MAX = 128, JOURNAL_BYTES_MAX = 200 };

/* An operation under way. */
struct replaying {
    struct slice *slice;
    struct imap_client *client;
    const struct operation *operation;
    const json_t *arguments;
    struct replay replay;
    struct session_mailbox *source, *target;
    struct str journal; /* of the mailbox whose turn it is */
};

/* Carries out what is loaded, with the source selected. */
typedef bool work_fn(struct replaying *r, struct error *err);

/* --- beginning ------------------------------------------------------------------------------- */

static int64_t number_of(const json_t *arguments, const char *name)
{
    return json_integer_value(json_object_get(arguments, name));
}

/* A mailbox that is not at hand: gone for good, or set aside for a while? */
static bool find_mailbox(struct replaying *r, int64_t id, struct session_mailbox **mailbox,
                         struct error *err)
{
    struct replica_mailbox *known;
    size_t count;
    *mailbox = imap_session_mailbox(r->slice->account->imap, id);
    if (*mailbox)
        return true;
    if (!replica_mailboxes(r->slice->db, r->slice->arena, r->slice->account->id, false, &known,
                           &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (known[i].id == id && known[i].is_selectable)
            return error_set(err, ERROR_UNAVAILABLE, "The folder is not to be had now.");
    return error_set(err, ERROR_NOT_FOUND, "The folder is not there any more.");
}

/* `*has_unknown`: of some neither the UID is known nor that they have arrived. */
static bool load_items(struct replaying *r, bool *has_unknown, struct error *err)
{
    if (!replay_load(r->slice->db, r->slice->arena, r->slice->account->id, &r->replay, err))
        return false;
    *has_unknown = false;
    for (size_t i = 0; i < r->replay.count; i++)
        *has_unknown =
            *has_unknown || (r->replay.items[i].uid == 0 && r->replay.items[i].there_uid == 0);
    return true;
}

/* Selects where they lie, with UIDVALIDITY checked, before anything is sent that destroys. */
static bool select_source(struct replaying *r, struct error *err)
{
    bool is_reset = false;
    if (!imap_session_select(r->slice, r->source, &is_reset, err))
        return false;
    if (!is_reset)
        return true;
    r->source->is_stale = true;
    return error_set(err, ERROR_UNAVAILABLE, "The folder is being read anew.");
}

/* What an earlier move brought there has a UID that only a look can tell; and where UIDVALIDITY
 * changed all have, for the ones known are other messages' by now. */
static bool find_uids(struct replaying *r, bool has_unknown, struct error *err)
{
    bool is_reset = false;
    if (!imap_session_select(r->slice, r->source, &is_reset, err))
        return false;
    if (!is_reset && !has_unknown)
        return true;
    r->source->is_stale = true;
    /* Nothing was read of a folder that was made a moment ago, whose COPYUID could tell nothing. */
    if (!is_reset && r->source->known.backfill_uid == 0)
        return error_set(err, ERROR_UNAVAILABLE, "The folder is being read.");
    /* a try whose answer was lost may have brought them there */
    bool may_be_there = has_unknown && r->target && r->operation->attempts > 1;
    if ((may_be_there && !imap_pull_news(r->slice, r->target, err)) ||
        !imap_pull_news(r->slice, r->source, err) || !load_items(r, &has_unknown, err))
        return false;
    /* They may lie further back: waiting is right, saying that they are gone would not be. */
    if (has_unknown && r->source->known.backfill_uid != 1)
        return error_set(err, ERROR_UNAVAILABLE, "The folder is being read anew.");
    return true;
}

/* True with nothing loaded: others have it as theirs now. */
static bool begin(struct replaying *r, struct error *err)
{
    bool has_unknown = false;
    if (!load_items(r, &has_unknown, err))
        return false;
    if (r->replay.count == 0)
        return true;
    if (!find_mailbox(r, r->replay.mailbox_id, &r->source, err))
        return false;
    if (r->replay.target_id && !find_mailbox(r, r->replay.target_id, &r->target, err))
        return false;
    return find_uids(r, has_unknown, err) && select_source(r, err);
}

static size_t collect_uids(const struct replaying *r, struct imap_set *uids)
{
    size_t count = 0;
    for (size_t i = 0; i < r->replay.count; i++) {
        const struct replay_item *item = &r->replay.items[i];
        if (item->uid == 0 || item->is_done)
            continue;
        imap_set_add(uids, item->uid);
        count++;
    }
    return count;
}

/* --- ending ---------------------------------------------------------------------------------- */

static bool end(struct replaying *r, const struct error *why, struct error *err)
{
    struct replica_batch *batch = replica_begin(r->slice->db, r->slice->account->id, err);
    if (batch && replay_end(batch, &r->replay, why, err))
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

/* `is_good` with what `why` says otherwise: for good, it is undone here; else it is tried again. */
static bool settle(struct replaying *r, bool is_good, const struct error *why, struct error *err)
{
    static const struct error gone = {
        .kind = ERROR_NOT_FOUND, .message = "The messages are not on the mail server any more."};
    size_t done = 0;
    if (r->target)
        r->target->is_stale = true; /* what arrived there has more to tell than its UID */
    for (size_t i = 0; i < r->replay.count; i++)
        done += r->replay.items[i].is_done;
    if (is_good)
        return end(r, done == 0 && r->replay.count > 0 && !r->replay.has_more ? &gone : NULL, err);
    if (operation_may_pass(why) || !imap_is_alive(r->client)) {
        *err = *why;
        return false;
    }
    LOG_WARN("imap.refused", log_str("kind", r->operation->kind),
             log_int("operation", r->operation->id), LOG_ERR(why));
    return end(r, why, err);
}

/* One mailbox after the other, where moves passed on what lies in several. */
static bool replay(struct slice *slice, const struct operation *operation, const json_t *arguments,
                   enum replay_kind kind, work_fn *work, struct error *err)
{
    struct replaying r = {.slice = slice,
                          .client = slice->account->imap->client,
                          .operation = operation,
                          .arguments = arguments,
                          .replay = {.kind = kind,
                                     .operation_id = operation->id,
                                     .mailbox_id = number_of(arguments, "mailboxId"),
                                     .target_id = kind == REPLAY_DESTROY
                                                      ? number_of(arguments, "thereId")
                                                      : number_of(arguments, "toId")},
                          .journal = operation->journal};
    while (!r.replay.is_ended) {
        struct error why = ERROR_INIT;
        bool is_good = begin(&r, &why) && (r.replay.count == 0 || work(&r, &why));
        if (!settle(&r, is_good, &why, err))
            return false;
        r.journal = STR_EMPTY;
    }
    return true;
}

/* --- keywords -------------------------------------------------------------------------------- */

struct flags_to_store {
    unsigned system;
    struct str keywords[KEYWORDS_MAX];
    size_t keyword_count;
};

static bool takes_keyword(const struct imap_selected *selected, struct str keyword)
{
    for (size_t i = 0; i < selected->keyword_count; i++)
        if (str_equal_nocase(selected->keywords[i], keyword))
            return true;
    return selected->allows_keywords;
}

/* The bits of `flags` that this mailbox can keep. */
static int storable(const struct imap_selected *selected, int flags)
{
    int kept = 0;
    for (const struct flag_name *name = flag_names; name->flag; name++)
        if ((flags & name->flag) &&
            (name->upstream[0] == '\\' || takes_keyword(selected, str_of(name->upstream))))
            kept |= name->flag;
    return kept;
}

static void add_bits(struct flags_to_store *to, int flags)
{
    static const struct {
        enum email_flag flag;
        unsigned system;
    } system_flags[] = {{FLAG_SEEN, IMAP_SEEN},
                        {FLAG_ANSWERED, IMAP_ANSWERED},
                        {FLAG_FLAGGED, IMAP_FLAGGED},
                        {FLAG_DELETED, IMAP_DELETED},
                        {FLAG_DRAFT, IMAP_DRAFT}};
    for (size_t i = 0; i < sizeof system_flags / sizeof *system_flags; i++)
        if (flags & system_flags[i].flag)
            to->system |= system_flags[i].system;
    for (const struct flag_name *name = flag_names; name->flag; name++)
        if ((flags & name->flag) && name->upstream[0] != '\\')
            to->keywords[to->keyword_count++] = str_of(name->upstream);
}

/* Those that no later operation decides. */
static void add_words(struct flags_to_store *to, const json_t *words, struct str later)
{
    for (size_t i = 0; i < json_array_size(words) && to->keyword_count < KEYWORDS_MAX; i++) {
        struct str word = str_of(json_string_value(json_array_get(words, i)));
        if (!str_has_word(later, word))
            to->keywords[to->keyword_count++] = word;
    }
}

static bool store(struct replaying *r, struct imap_set *uids, const struct replay_item *like,
                  bool is_removal, struct error *err)
{
    struct flags_to_store to = {0};
    add_bits(&to, is_removal ? like->clear : like->set);
    add_words(&to, json_object_get(r->arguments, is_removal ? "remove" : "add"), like->later);
    struct imap_store_params params = {.uids = uids,
                                       .is_removal = is_removal,
                                       .flags = to.system,
                                       .keywords = to.keywords,
                                       .keyword_count = to.keyword_count};
    return imap_store(r->client, &params, NULL, NULL, err);
}

/* All items that want the same of their flags. */
static bool store_alike(struct replaying *r, size_t first, struct error *err)
{
    const struct replay_item *like = &r->replay.items[first];
    struct imap_set uids = {0};
    for (size_t i = first; i < r->replay.count; i++) {
        struct replay_item *item = &r->replay.items[i];
        if (item->uid && !item->is_done && item->set == like->set && item->clear == like->clear &&
            str_equal(item->later, like->later)) {
            imap_set_add(&uids, item->uid);
            item->is_done = true;
        }
    }
    bool is_good = store(r, &uids, like, false, err) && store(r, &uids, like, true, err);
    imap_set_free(&uids);
    return is_good;
}

/* Servers say OK to what PERMANENTFLAGS does not allow, and forget it (RFC 9051 section 6.4.6). */
static bool check_words(const struct replaying *r, struct error *err)
{
    const json_t *words = json_object_get(r->arguments, "add");
    for (size_t i = 0; i < json_array_size(words); i++)
        if (!takes_keyword(imap_selected(r->client),
                           str_of(json_string_value(json_array_get(words, i)))))
            return error_set(err, ERROR_REFUSED,
                             "The mail server keeps no new labels in this folder.");
    return true;
}

static bool store_all(struct replaying *r, struct error *err)
{
    const struct imap_selected *selected = imap_selected(r->client);
    if (!check_words(r, err))
        return false;
    struct replay_item *items = r->replay.items;
    bool is_good = true;
    for (size_t i = 0; i < r->replay.count; i++) {
        items[i].set = storable(selected, items[i].set);
        items[i].clear = storable(selected, items[i].clear);
    }
    for (size_t i = 0; i < r->replay.count && is_good; i++)
        if (items[i].uid && !items[i].is_done)
            is_good = store_alike(r, i, err);
    for (size_t i = 0; i < r->replay.count && !is_good; i++)
        items[i].is_done = false; /* what was stored in part comes with the flags */
    return is_good;
}

bool imap_replay_keywords(struct slice *slice, const struct operation *operation,
                          const json_t *arguments, struct str *result, struct error *err)
{
    (void)result;
    return replay_leave_to_later(slice->db, slice->account->id, operation->id, err) &&
           replay(slice, operation, arguments, REPLAY_KEYWORDS, store_all, err);
}

/* --- destroying ------------------------------------------------------------------------------ */

/* \Deleted and, where single messages can be removed, UID EXPUNGE. */
static bool remove_uids(struct replaying *r, struct imap_set *uids, struct error *err)
{
    struct imap_store_params params = {.uids = uids, .flags = IMAP_DELETED};
    r->replay.is_left = !imap_has(r->client, IMAP_CAP_UIDPLUS);
    return imap_store(r->client, &params, NULL, NULL, err) &&
           (r->replay.is_left || imap_expunge_uids(r->client, uids, err));
}

/* Which of the items do not lie in the target upstream, whatever is known here: another program may
 * have taken them from there. With the source selected again. */
static bool find_missing(struct replaying *r, struct imap_set *missing, struct error *err)
{
    struct imap_set there = {0};
    struct imap_found found = {0};
    struct imap_term term = {.key = "UID", .set = &there};
    struct imap_search_params search = {.terms = &term, .term_count = 1};
    bool is_reset = false;
    if (!imap_session_select(r->slice, r->target, &is_reset, err))
        return false;
    if (is_reset) {
        r->target->is_stale = true;
        return error_set(err, ERROR_UNAVAILABLE, "The folder is being read anew.");
    }
    for (size_t i = 0; i < r->replay.count; i++)
        if (r->replay.items[i].there_uid)
            imap_set_add(&there, r->replay.items[i].there_uid);
    bool is_good =
        imap_set_is_empty(&there) || imap_search(r->client, r->slice->arena, &search, &found, err);
    for (size_t i = 0; i < r->replay.count && is_good; i++) {
        const struct replay_item *item = &r->replay.items[i];
        if (item->uid && !(item->there_uid && imap_set_has(&found.all, item->there_uid)))
            imap_set_add(missing, item->uid);
    }
    imap_set_free(&there);
    imap_set_free(&found.all);
    return is_good && select_source(r, err);
}

/* A move to where the messages lie already has only to take them from here; those that do not lie
 * there any more are moved after all, or it were the end of them. */
static bool move_missing(struct replaying *r, struct error *err)
{
    struct imap_set missing = {0};
    struct imap_copied copied = {0};
    bool is_good = find_missing(r, &missing, err);
    if (is_good && !imap_set_is_empty(&missing))
        is_good = imap_has(r->client, IMAP_CAP_MOVE)
                      ? imap_move(r->client, r->slice->arena, &missing, r->target->known.wire_path,
                                  &copied, NULL, err)
                      : error_set(err, ERROR_CONFLICT,
                                  "The messages are not in the other folder any more.");
    imap_set_free(&missing);
    return is_good;
}

static bool destroy(struct replaying *r, struct error *err)
{
    struct imap_set uids = {0};
    if (r->target && !move_missing(r, err))
        return false;
    bool is_good = collect_uids(r, &uids) == 0 || remove_uids(r, &uids, err);
    imap_set_free(&uids);
    for (size_t i = 0; i < r->replay.count && is_good; i++)
        r->replay.items[i].is_done = true; /* also what is not there any more */
    return is_good;
}

bool imap_replay_destroy(struct slice *slice, const struct operation *operation,
                         const json_t *arguments, struct str *result, struct error *err)
{
    (void)result;
    return replay(slice, operation, arguments, REPLAY_DESTROY, destroy, err);
}

/* --- moving and copying ---------------------------------------------------------------------- */

/* New UIDs as COPYUID told them. One of another UIDVALIDITY tells nothing (greenmail#423). */
static void take_copied(struct replaying *r, const struct imap_copied *copied, bool is_move)
{
    bool is_told = copied->uidvalidity && copied->uidvalidity == r->target->known.uidvalidity;
    for (size_t i = 0; i < copied->count; i++)
        for (size_t k = 0; k < r->replay.count; k++) {
            struct replay_item *item = &r->replay.items[k];
            if (item->uid != copied->from[i])
                continue;
            item->is_done = item->is_done || is_move;
            item->new_uid = is_told ? copied->to[i] : 0;
        }
}

static bool all_done(struct replaying *r)
{
    for (size_t i = 0; i < r->replay.count; i++) {
        struct replay_item *item = &r->replay.items[i];
        if (item->uid == 0 && item->there_uid != 0)
            item->new_uid = item->there_uid; /* somebody moved it there already */
        item->is_done = item->uid != 0 || item->there_uid != 0;
    }
    return true;
}

/* --- copies that may have been made --- */

struct arrivals {
    struct replaying *r;
    bool *is_found; /* by item */
};

/* "<id>" in a Message-ID field, folded or not. */
static bool names(struct str field, struct str message_id)
{
    return message_id.length > 0 && str_find(field, message_id) >= 0;
}

static bool on_arrival(void *context, const struct imap_fetch *fetch)
{
    struct arrivals *arrivals = context;
    struct replay *replay = &arrivals->r->replay;
    if (!fetch->uid || !(fetch->has & IMAP_ITEM_SIZE) || fetch->section_count == 0)
        return true;
    for (size_t i = 0; i < replay->count; i++) {
        struct replay_item *item = &replay->items[i];
        bool is_it = item->message_id.length > 0 ? names(fetch->sections[0].bytes, item->message_id)
                                                 : (int64_t)fetch->size == item->size_bytes;
        if (arrivals->is_found[i] || item->uid == 0 || !is_it)
            continue;
        arrivals->is_found[i] = true;
        item->new_uid = fetch->uid;
        break;
    }
    return true;
}

/* After a lost answer: which of them are in the target, at or above where it stood before. */
static bool find_copies(struct replaying *r, uint32_t uidnext, uint32_t uidvalidity, bool *is_found,
                        struct error *err)
{
    struct imap_set above = {0};
    struct arrivals arrivals = {.r = r, .is_found = is_found};
    bool is_reset = false;
    struct imap_fetch_params params = {
        .uids = &above, .items = IMAP_ITEM_UID | IMAP_ITEM_SIZE, .section_count = 1};
    params.sections[0].name = STR("HEADER.FIELDS (MESSAGE-ID)");
    if (!imap_session_select(r->slice, r->target, &is_reset, err))
        return false;
    /* numbered anew since: it may be any of them, and none is where UIDs were told */
    bool is_same = !is_reset && imap_selected(r->client)->uidvalidity == uidvalidity;
    imap_set_add_range(&above, is_same ? uidnext : 1, UINT32_MAX);
    bool is_good = imap_fetch(r->client, &params, on_arrival, &arrivals, err);
    for (size_t i = 0; i < r->replay.count && is_reset; i++)
        r->replay.items[i].new_uid = 0;
    imap_set_free(&above);
    return is_good && select_source(r, err);
}

/* Where the target stood before the first try; 0: this is the first, and it stands there now. */
static bool journal(struct replaying *r, uint32_t *uidnext, uint32_t *uidvalidity,
                    struct error *err)
{
    struct imap_status status = {0};
    char text[JOURNAL_BYTES_MAX];
    json_t *told = json_loadb(r->journal.at, r->journal.length, 0, NULL);
    *uidnext = (uint32_t)number_of(told, "uidnext");
    *uidvalidity = (uint32_t)number_of(told, "uidvalidity");
    json_decref(told);
    if (*uidnext)
        return true;
    if (!imap_status(r->client, r->slice->arena, &r->target->known.wire_path, 1, &status, err))
        return false;
    uint32_t now = status.has & IMAP_STATUS_UIDNEXT ? status.uidnext : r->target->known.uidnext;
    uint32_t valid =
        status.has & IMAP_STATUS_UIDVALIDITY ? status.uidvalidity : r->target->known.uidvalidity;
    int length =
        snprintf(text, sizeof text, "{\"uidnext\":%u,\"uidvalidity\":%u}", now ? now : 1, valid);
    return operation_journal(r->slice->db, r->slice->account->id, r->operation->id,
                             str_make(text, (size_t)length), err);
}

static bool copy(struct replaying *r, struct error *err)
{
    struct imap_set uids = {0};
    struct imap_copied copied = {0};
    uint32_t uidnext = 0, uidvalidity = 0;
    bool *is_found = ARENA_ARRAY(r->slice->arena, r->replay.count + 1, bool);
    bool is_good = journal(r, &uidnext, &uidvalidity, err) &&
                   (uidnext == 0 || find_copies(r, uidnext, uidvalidity, is_found, err));
    for (size_t i = 0; i < r->replay.count && is_good; i++)
        if (r->replay.items[i].uid && !is_found[i])
            imap_set_add(&uids, r->replay.items[i].uid);
    if (is_good && !imap_set_is_empty(&uids)) {
        is_good =
            imap_copy(r->client, r->slice->arena, &uids, r->target->known.wire_path, &copied, err);
        take_copied(r, &copied, false);
    }
    imap_set_free(&uids);
    return is_good;
}

static bool copy_all(struct replaying *r, struct error *err)
{
    return copy(r, err) && all_done(r);
}

bool imap_replay_copy(struct slice *slice, const struct operation *operation,
                      const json_t *arguments, struct str *result, struct error *err)
{
    (void)result;
    return replay(slice, operation, arguments, REPLAY_COPY, copy_all, err);
}

/* Without MOVE, each step only after the OK of the one before: a failed COPY that is followed by
 * \Deleted loses mail. */
static bool copy_and_remove(struct replaying *r, struct error *err)
{
    struct imap_set uids = {0};
    bool is_good = copy(r, err);
    if (is_good && collect_uids(r, &uids) > 0)
        is_good = remove_uids(r, &uids, err);
    imap_set_free(&uids);
    return is_good;
}

static bool move(struct replaying *r, struct error *err)
{
    struct imap_set uids = {0};
    struct imap_copied copied = {0};
    bool is_good = true;
    if (!imap_has(r->client, IMAP_CAP_MOVE))
        return copy_and_remove(r, err);
    if (collect_uids(r, &uids) > 0) {
        is_good = imap_move(r->client, r->slice->arena, &uids, r->target->known.wire_path, &copied,
                            NULL, err);
        take_copied(r, &copied, true); /* on a NO some may have moved (RFC 6851 section 3.3) */
    }
    imap_set_free(&uids);
    return is_good;
}

static bool move_all(struct replaying *r, struct error *err)
{
    return move(r, err) && all_done(r);
}

bool imap_replay_move(struct slice *slice, const struct operation *operation,
                      const json_t *arguments, struct str *result, struct error *err)
{
    (void)result;
    if (operation->attempts == 1 &&
        !replay_pass_on(slice->db, slice->account->id, operation->id, err))
        return false;
    return replay(slice, operation, arguments, REPLAY_MOVE, move_all, err);
}
