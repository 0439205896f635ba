#include "server/sync/imap_search.h"

#include <stdlib.h>
#include <time.h>

#include "server/base/json.h"
#include "server/mail/query.h"
#include "server/store/search.h"
#include "server/sync/imap_session.h"

enum {
    TERMS_MAX = 1000,
    FOUND_MAX = 200,           /* told */
    FOUND_IN_FOLDER_MAX = 500, /* the highest UIDs of a folder are looked up here */
    RESULT_BYTES_MAX = 64 * 1024,
};

/* --- the query in IMAP's words (RFC 9051 section 6.4.4) --------------------------------------- */

struct terms {
    struct arena *arena;
    const struct replica_mailbox *mailbox; /* where it will be asked */
    struct imap_term *at;
    size_t count;
    bool is_cut;
};

static struct imap_term *add_term(struct terms *t, const char *key)
{
    static struct imap_term spare;
    if (t->count == TERMS_MAX) {
        t->is_cut = true;
        return &spare;
    }
    struct imap_term *term = &t->at[t->count++];
    *term = (struct imap_term){.key = key};
    return term;
}

/* IMAP looks for a piece of text as it stands: a word, or all that stood in quotes. */
static void add_text(struct terms *t, const char *key, struct str text)
{
    struct imap_term *term = add_term(t, key);
    term->has_text = true;
    term->text = text;
}

static void add_date(struct terms *t, const char *key, int64_t at_us, int offset_minutes)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm day;
    time_t seconds = (time_t)(at_us / 1000000 + offset_minutes * 60);
    gmtime_r(&seconds, &day);
    add_term(t, key)->word =
        arena_printf(t->arena, "%d-%s-%d", day.tm_mday, months[day.tm_mon], day.tm_year + 1900).at;
}

static void add_size(struct terms *t, const char *key, int64_t bytes)
{
    if (bytes > UINT32_MAX)
        bytes = UINT32_MAX;
    add_term(t, key)->word = arena_printf(t->arena, "%lld", (long long)bytes).at;
}

/* A keyword as an atom; what is none no message has. */
static void add_keyword(struct terms *t, struct str keyword, bool is_set)
{
    static const struct {
        const char *keyword, *set, *unset;
    } flags[] = {{"$seen", "SEEN", "UNSEEN"},
                 {"$flagged", "FLAGGED", "UNFLAGGED"},
                 {"$answered", "ANSWERED", "UNANSWERED"},
                 {"$draft", "DRAFT", "UNDRAFT"}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (str_equal_nocase(keyword, str_of(flags[i].keyword))) {
            add_term(t, is_set ? flags[i].set : flags[i].unset);
            return;
        }
    for (size_t i = 0; i < keyword.length; i++)
        if (!ascii_is_alpha(keyword.at[i]) && !ascii_is_digit(keyword.at[i]) &&
            keyword.at[i] != '$' && keyword.at[i] != '-' && keyword.at[i] != '_') {
            add_term(t, is_set ? "NOT ALL" : "ALL");
            return;
        }
    add_term(t, is_set ? "KEYWORD" : "UNKEYWORD")->word = arena_text(t->arena, keyword);
}

static bool is_here(const struct terms *t, struct str name)
{
    const struct replica_mailbox *mailbox = t->mailbox;
    const char *role = mailbox_role_name(mailbox->role);
    return (role && str_equal_nocase(name, str_of(role))) ||
           str_equal_nocase(name, mailbox->name) || str_equal_nocase(name, mailbox->path);
}

static void add_query(struct terms *t, const struct query *q, int offset_minutes);

/* All of some things without parentheses: not one of them is missing. */
static void add_children(struct terms *t, const struct query *q, int offset_minutes)
{
    bool is_all = q->kind == QUERY_ALL_OF;
    if (!q->first_child) {
        add_term(t, is_all ? "ALL" : "NOT ALL");
        return;
    }
    if (is_all)
        add_term(t, "NOT");
    for (const struct query *child = q->first_child; child; child = child->next) {
        if (child->next)
            add_term(t, "OR");
        if (is_all)
            add_term(t, "NOT");
        add_query(t, child, offset_minutes);
    }
}

static void add_query(struct terms *t, const struct query *q, int offset_minutes)
{
    switch (q->kind) {
    case QUERY_ALL_OF:
    case QUERY_ANY_OF:
        add_children(t, q, offset_minutes);
        break;
    case QUERY_NONE_OF:
        add_term(t, "NOT");
        add_query(t, q->first_child, offset_minutes);
        break;
    case QUERY_ANYWHERE:
        add_text(t, "TEXT", q->text);
        break;
    case QUERY_FROM:
        add_text(t, "FROM", q->text);
        break;
    case QUERY_TO:
        add_text(t, "TO", q->text);
        break;
    case QUERY_CC:
        add_text(t, "CC", q->text);
        break;
    case QUERY_BCC:
        add_text(t, "BCC", q->text);
        break;
    case QUERY_SUBJECT:
        add_text(t, "SUBJECT", q->text);
        break;
    case QUERY_BODY:
    case QUERY_FILENAME: /* which IMAP has no key for */
        add_text(t, "BODY", q->text);
        break;
    case QUERY_ATTACHMENT: /* IMAP does not know; most that have one are this */
        add_text(t, "HEADER Content-Type", STR("multipart/mixed"));
        break;
    case QUERY_KEYWORD:
        add_keyword(t, q->text, q->is_set);
        break;
    case QUERY_LABEL:
        add_keyword(t, q->text, true);
        break;
    case QUERY_MAILBOX:
        add_term(t, is_here(t, q->text) ? "ALL" : "NOT ALL");
        break;
    case QUERY_BEFORE:
        add_date(t, "BEFORE", q->number, offset_minutes);
        break;
    case QUERY_AFTER:
        add_date(t, "SINCE", q->number, offset_minutes);
        break;
    case QUERY_LARGER:
        add_size(t, "LARGER", q->number);
        break;
    case QUERY_SMALLER:
        add_size(t, "SMALLER", q->number);
        break;
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

struct finding {
    struct slice *slice;
    struct query *query;
    struct query_clock clock;
    struct search_place_found *found;
    size_t count, capacity;
    int64_t unknown;
    bool is_cut;
};

static int newest_first(const void *a, const void *b)
{
    const struct search_place_found *x = a, *y = b;
    if (x->received_at != y->received_at)
        return x->received_at < y->received_at ? 1 : -1;
    return (x->email_id < y->email_id) - (x->email_id > y->email_id);
}

/* Keeps the newest of all folders, each once. */
static void keep_newest(struct finding *f)
{
    size_t kept = 0;
    qsort(f->found, f->count, sizeof *f->found, newest_first);
    for (size_t i = 0; i < f->count; i++)
        if (kept == 0 || f->found[kept - 1].email_id != f->found[i].email_id)
            f->found[kept++] = f->found[i];
    f->is_cut |= kept > FOUND_MAX;
    f->count = kept > FOUND_MAX ? FOUND_MAX : kept;
}

static bool take_uids(struct finding *f, const struct session_mailbox *mailbox,
                      struct imap_set *uids, struct error *err)
{
    struct arena *arena = f->slice->arena;
    int64_t *wanted = ARENA_ARRAY(arena, FOUND_IN_FOLDER_MAX, int64_t);
    size_t count = 0, known;
    struct search_place_found *found;
    for (size_t i = uids->count; i-- > 0 && count < FOUND_IN_FOLDER_MAX;)
        for (uint64_t uid = uids->at[i].high; uid >= uids->at[i].low && uid > 0; uid--) {
            if (count == FOUND_IN_FOLDER_MAX)
                break;
            wanted[count++] = (int64_t)uid;
        }
    f->is_cut |= imap_set_size(uids) > count;
    if (!search_of_uids(f->slice->db, arena, f->slice->account->id, mailbox->known.id, wanted,
                        count, &found, &known, err))
        return false;
    f->unknown += (int64_t)(count - known);
    for (size_t i = 0; i < known; i++)
        f->found[f->count++] = found[i];
    keep_newest(f);
    return true;
}

static bool search_one(struct finding *f, struct session_mailbox *mailbox, struct error *err)
{
    struct slice *slice = f->slice;
    struct terms t = {.arena = slice->arena,
                      .mailbox = &mailbox->known,
                      .at = ARENA_ARRAY(slice->arena, TERMS_MAX, struct imap_term)};
    struct imap_found found = {0};
    bool is_reset = false;
    add_query(&t, f->query, f->clock.offset_minutes);
    if (t.is_cut)
        return error_set(err, ERROR_LIMIT, "This search is too long for the mail server.");
    if (!imap_session_select(slice, mailbox, &is_reset, err))
        return false;
    if (is_reset) {
        mailbox->is_stale = true;
        return true;
    }
    const struct imap_search_params params = {.terms = t.at, .term_count = t.count};
    return imap_search(slice->account->imap->client, slice->arena, &params, &found, err) &&
           take_uids(f, mailbox, &found.all, err);
}

static struct str write_result(const struct finding *f)
{
    struct buf text = BUF_INIT(RESULT_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    json_write_object(&json);
    json_write_name(&json, "emailIds");
    json_write_array(&json);
    for (size_t i = 0; i < f->count; i++)
        json_write_i64(&json, f->found[i].email_id);
    json_write_array_end(&json);
    json_write_name(&json, "unknown");
    json_write_i64(&json, f->unknown);
    json_write_name(&json, "isCut");
    json_write_bool(&json, f->is_cut);
    json_write_object_end(&json);
    struct str result = arena_str(f->slice->arena, buf_view(&text));
    buf_free(&text);
    return result;
}

bool imap_search_folders(struct slice *slice, const struct operation *operation,
                         const json_t *arguments, struct str *result, struct error *err)
{
    (void)operation;
    struct imap_session *session = slice->account->imap;
    struct finding f = {
        .slice = slice,
        .clock = {json_integer_value(json_object_get(arguments, "now")),
                  (int)json_integer_value(json_object_get(arguments, "offsetMinutes"))},
        .found =
            ARENA_ARRAY(slice->arena, FOUND_MAX + FOUND_IN_FOLDER_MAX, struct search_place_found)};
    const char *text = json_string_value(json_object_get(arguments, "query"));
    f.query = query_parse(slice->arena, str_of(text ? text : ""), f.clock, err);
    if (!f.query)
        return false;
    for (size_t i = 0; i < session->mailbox_count; i++) {
        struct session_mailbox *mailbox = &session->mailboxes[i];
        struct error why = ERROR_INIT;
        if (!mailbox->known.is_selectable || mailbox->known.is_local)
            continue;
        if (search_one(&f, mailbox, &why))
            continue;
        if (why.scope != ERROR_SCOPE_MAILBOX || !imap_is_alive(session->client)) {
            *err = why;
            return false;
        }
        f.is_cut = true; /* a folder that cannot be searched takes nothing from the others */
    }
    *result = write_result(&f);
    return true;
}
