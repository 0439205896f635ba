#include "handlers/html/list.h"

#include "handlers/html/act.h"
#include "handlers/html/labels.h"
#include "handlers/html/pop3_choice.h"
#include "handlers/html/told.h"
#include "handlers/html/words.h"
#include "handlers/look.h"
#include "server/base/clock.h"

enum { LEVEL_MAX = 6, PATH_BYTES_MAX = 200 };

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_INBOX] = "Inbox",  [ROLE_DRAFTS] = "Drafts",   [ROLE_SENT] = "Sent",
    [ROLE_TRASH] = "Trash",  [ROLE_JUNK] = "Junk",       [ROLE_ARCHIVE] = "Archive",
    [ROLE_ALL] = "All mail", [ROLE_FLAGGED] = "Starred", [ROLE_IMPORTANT] = "Important",
};

struct str list_folder_name(const struct mailbox *mailbox)
{
    return mailbox->role == ROLE_NONE ? mailbox->name : str_of(role_names[mailbox->role]);
}

struct str list_folder_path(struct arena *arena, const struct mailbox *mailbox)
{
    struct str below = str_skip(mailbox->path, strlen("INBOX"));
    if (mailbox->role != ROLE_NONE)
        return list_folder_name(mailbox);
    if (!str_starts(mailbox->path, STR("INBOX")) || !mailbox->delimiter.length ||
        !str_starts(below, mailbox->delimiter))
        return mailbox->path;
    return arena_printf(arena, "%s%" STR_FMT, role_names[ROLE_INBOX], STR_ARG(below));
}

struct str list_place_name(struct arena *arena, const struct account *account,
                           const struct mailbox *mailbox)
{
    return arena_printf(arena, "%" STR_FMT ", %" STR_FMT, STR_ARG(account->name),
                        STR_ARG(list_folder_name(mailbox)));
}

/* "1764031234567890-42" */
static bool parse_cursor(struct str text, struct email_cursor *cursor)
{
    struct str received_at = str_cut(&text, '-');
    return text.at && str_to_i64(received_at, &cursor->received_at) &&
           str_to_i64(text, &cursor->id);
}

struct list_place list_place_of(const struct request *req)
{
    struct list_place place = {0};
    if (parse_cursor(request_argument(req, "after"), &place.cursor))
        return place;
    place.is_backward = parse_cursor(request_argument(req, "before"), &place.cursor);
    if (!place.is_backward)
        place.cursor = (struct email_cursor){0};
    return place;
}

struct str list_query(struct arena *arena, struct list_place place)
{
    if (!place.cursor.id)
        return STR_EMPTY;
    return arena_printf(arena, "?%s=%lld-%lld", place.is_backward ? "before" : "after",
                        (long long)place.cursor.received_at, (long long)place.cursor.id);
}

/* --- folders --------------------------------------------------------------------------------- */

static int level_of(const struct mailbox *mailboxes, size_t count, const struct mailbox *mailbox)
{
    int level = 0;
    int64_t parent_id = mailbox->parent_id;
    while (parent_id && level < LEVEL_MAX) {
        size_t i = 0;
        while (i < count && mailboxes[i].id != parent_id)
            i++;
        if (i == count)
            break;
        parent_id = mailboxes[i].parent_id;
        level++;
    }
    return level;
}

static void add_folder(struct value *list, const struct mailbox *mailbox, int level,
                       bool is_current, struct arena *arena)
{
    struct value *view = view_add_object(list);
    const char *role = mailbox_role_name(mailbox->role);
    bool is_draft = mailbox->role == ROLE_DRAFTS;
    int shown = is_draft ? mailbox->total : mailbox->unread;
    view_set_i64(view, "id", mailbox->id);
    view_set_str(view, "name", list_folder_name(mailbox));
    view_set_text(view, "icon", role ? role : "folder");
    view_set_i64(view, "level", level);
    view_set_path(view, "url", "/mail/%lld/%lld", (long long)mailbox->account_id,
                  (long long)mailbox->id);
    view_set_bool(view, "isCurrent", is_current);
    view_set_bool(view, "isSelectable", mailbox->is_selectable);
    view_set_bool(view, "isUnread", mailbox->unread > 0 && !is_draft);
    view_set_str(view, "count", shown > 0 ? words_count(arena, shown) : STR_EMPTY);
    view_set_text(view, "counts", is_draft ? "messages" : "unread");
}

void list_set_folders(const struct request *req, struct value *page,
                      const struct mailbox *mailboxes, size_t count, int64_t current_id)
{
    struct value *list = view_set_list(page, "folders");
    for (size_t i = 0; i < count; i++)
        add_folder(list, &mailboxes[i], level_of(mailboxes, count, &mailboxes[i]),
                   mailboxes[i].id == current_id, req->arena);
}

/* --- rows ------------------------------------------------------------------------------------ */

/* Whose name a row bears: in Sent and Drafts the receiver's. */
static void set_person(struct value *row, const struct email *email, bool is_outgoing,
                       struct arena *arena)
{
    struct person *people;
    size_t count;
    people_read(arena, is_outgoing ? email->to_json : email->from_json, &people, &count);
    static const struct person nobody = {.name = {"", 0}, .email = {"", 0}};
    const struct person *first = count ? &people[0] : &nobody;
    struct str names = people_summary(arena, people, count);
    view_set_str(row, "name", names);
    view_set_bool(row, "isOutgoing", is_outgoing && count > 0);
    view_set_str(row, "initials", person_initials(arena, first));
    view_set_i64(row, "hue", person_hue(first));
}

/* A conversation of several: who takes part, how many messages it has, what is true of any of them;
 * its boxes and buttons are about all that lie in the folder. */
static void set_conversation(struct value *row, const struct email *email, struct str query,
                             struct arena *arena)
{
    struct person *people;
    size_t count, kept = 0;
    people_read(arena, email->thread_people, &people, &count);
    for (size_t i = 0; i < count; i++) { /* each once */
        size_t k = 0;
        while (k < kept && !str_equal_nocase(people[k].email, people[i].email))
            k++;
        if (k == kept)
            people[kept++] = people[i];
    }
    view_set_str(row, "name", people_summary(arena, people, kept));
    view_set_bool(row, "isOutgoing", false);
    view_set_str(row, "pick", email->thread_ids);
    view_set_i64(row, "total", email->thread_total);
    view_set_bool(row, "isMany", email->thread_total == EMAIL_THREAD_MAX);
    view_set_path(row, "url", "/mail/%lld/thread/%lld?in=%lld%s%" STR_FMT,
                  (long long)email->account_id, (long long)email->thread_id,
                  (long long)email->mailbox_id, query.length ? "&" : "",
                  STR_ARG(str_skip(query, 1)));
    view_set_bool(row, "isUnread", email->is_thread_unread);
    view_set_bool(row, "isFlagged", email->thread_flags & FLAG_FLAGGED);
    view_set_bool(row, "hasAttachment", email->has_thread_attachment);
}

static void add_row(struct value *list, const struct email *email, const struct panes *panes,
                    struct str query, bool is_current, int64_t now, struct arena *arena)
{
    const struct mailbox *mailbox = panes->mailbox;
    struct value *row = view_add_object(list);
    bool is_outgoing = mailbox->role == ROLE_SENT || mailbox->role == ROLE_DRAFTS;
    view_set_i64(row, "id", email->id);
    view_set_i64(row, "pick", email->id);
    view_set_text(row, "total", NULL);
    /* the fragment keeps the row in sight when the list is drawn anew beside its message */
    view_set_path(row, "url", "/mail/%lld/%lld/%lld%" STR_FMT "#m%lld",
                  (long long)email->account_id, (long long)mailbox->id, (long long)email->id,
                  STR_ARG(query), (long long)email->id);
    set_person(row, email, is_outgoing, arena);
    view_set_str(row, "subject", email->subject);
    view_set_str(row, "preview", email->preview);
    view_set_str(row, "when", words_when(arena, email->received_at, now));
    view_set_str(row, "iso", words_iso(arena, email->received_at));
    view_set_str(row, "long", words_when_long(arena, email->received_at));
    view_set_bool(row, "isUnread", !(email->flags & FLAG_SEEN));
    view_set_bool(row, "isFlagged", email->flags & FLAG_FLAGGED);
    view_set_bool(row, "isAnswered", email->flags & FLAG_ANSWERED);
    view_set_bool(row, "isForwarded", email->flags & FLAG_FORWARDED);
    view_set_bool(row, "isDraft", email->flags & FLAG_DRAFT);
    view_set_bool(row, "hasAttachment", email->has_attachment);
    view_set_bool(row, "isCurrent", is_current);
    labels_set_tags(row, panes->labels, panes->label_count, email);
    if (email->thread_total > 1)
        set_conversation(row, email, query, arena);
}

void list_foresee(const struct request *req, struct db *db, int64_t account_id, int64_t mailbox_id)
{
    struct list_place place = list_place_of(req);
    mailbox_page_foresee(db, signed_in(req)->user_id, account_id, mailbox_id, place.cursor,
                         place.is_backward, signed_in(req)->lists_conversations, LIST_ROWS);
}

/* One page of the folder, by message or by conversation as the person likes it. A draft stands for
 * itself: it is opened to be written on. */
static bool read_page(const struct request *req, struct db *db, const struct mailbox *mailbox,
                      struct list_place place, struct email **emails, size_t *count, bool *has_more,
                      struct error *err)
{
    bool by_thread = signed_in(req)->lists_conversations && mailbox->role != ROLE_DRAFTS;
    return (by_thread ? threads_page : emails_page)(db, req->arena, mailbox->account_id,
                                                    mailbox->id, place.cursor, place.is_backward,
                                                    LIST_ROWS, emails, count, has_more, err);
}

static void set_page_link(struct value *page, const char *name, const struct mailbox *mailbox,
                          const struct email *edge, bool is_backward, struct arena *arena)
{
    struct list_place place = {{edge->received_at, edge->id}, is_backward};
    view_set_path(page, name, "/mail/%lld/%lld%" STR_FMT, (long long)mailbox->account_id,
                  (long long)mailbox->id, STR_ARG(list_query(arena, place)));
}

bool list_set_rows(const struct request *req, struct db *db, struct value *page,
                   const struct panes *panes, struct list_place place, int64_t current_id,
                   struct error *err)
{
    const struct mailbox *mailbox = panes->mailbox;
    struct email *emails;
    size_t count;
    bool has_more;
    if (!read_page(req, db, mailbox, place, &emails, &count, &has_more, err))
        return false;
    if (place.is_backward && !has_more) { /* the top is reached: show it whole */
        place = (struct list_place){0};
        if (!read_page(req, db, mailbox, place, &emails, &count, &has_more, err))
            return false;
    }
    struct str query = list_query(req->arena, place);
    struct value *rows = view_set_list(page, "rows");
    int64_t now = clock_now_us();
    for (size_t i = 0; i < count; i++)
        add_row(rows, &emails[i], panes, query, emails[i].id == current_id, now, req->arena);
    view_set_bool(page, "isFirstPage", !place.cursor.id);
    view_set_text(page, "newerUrl", NULL);
    view_set_text(page, "olderUrl", NULL);
    if (count && place.cursor.id)
        set_page_link(page, "newerUrl", mailbox, &emails[0], true, req->arena);
    if (count && (has_more || place.is_backward))
        set_page_link(page, "olderUrl", mailbox, &emails[count - 1], false, req->arena);
    return true;
}

/* "12,345 messages, 7 unread", or how far the first sync has come. */
static struct str mailbox_words(const struct mailbox *mailbox, struct arena *arena)
{
    struct str total = words_count(arena, mailbox->total);
    if (!mailbox->is_complete && mailbox->upstream_total > mailbox->total)
        return arena_printf(arena, "%" STR_FMT " of %" STR_FMT " messages here so far",
                            STR_ARG(total), STR_ARG(words_count(arena, mailbox->upstream_total)));
    const char *plural = mailbox->total == 1 ? "" : "s";
    if (!mailbox->unread)
        return arena_printf(arena, "%" STR_FMT " message%s", STR_ARG(total), plural);
    return arena_printf(arena, "%" STR_FMT " message%s, %" STR_FMT " unread", STR_ARG(total),
                        plural, STR_ARG(words_count(arena, mailbox->unread)));
}

/* What an empty folder is told to be for. */
static const char *empty_hint(enum mailbox_role role)
{
    static const char *const hints[ROLE_COUNT] = {
        [ROLE_DRAFTS] = "What you write is kept here until you send it.",
        [ROLE_SENT] = "What you send is kept here.",
        [ROLE_TRASH] = "What you delete lies here until it is deleted for good.",
        [ROLE_JUNK] = "What you or your mail server take for junk lies here.",
        [ROLE_ARCHIVE] = "What you archive leaves the inbox and is kept here.",
    };
    return hints[role];
}

bool list_is_awaited(const struct account *account, const struct mailbox *mailbox)
{
    bool is_first_sync = !account->synced_at || !mailbox->is_complete;
    return !mailbox->total && is_first_sync &&
           (account->sync_state == SYNC_NEW || account->sync_state == SYNC_SYNCING);
}

bool list_load_panes(struct request *req, struct db *db, int64_t account_id, int64_t mailbox_id,
                     struct panes *panes, struct error *err)
{
    *panes = (struct panes){0};
    if (!account_list(db, req->arena, signed_in(req)->user_id, &panes->accounts,
                      &panes->account_count, err))
        return false;
    for (size_t i = 0; i < panes->account_count; i++)
        if (panes->accounts[i].id == account_id)
            panes->account = &panes->accounts[i];
    if (!panes->account)
        return error_set(err, ERROR_NOT_FOUND, "There is no such account.");
    if (!mailbox_list(db, req->arena, account_id, &panes->mailboxes, &panes->mailbox_count, err))
        return false;
    for (size_t i = 0; i < panes->mailbox_count; i++)
        if (panes->mailboxes[i].id == mailbox_id)
            panes->mailbox = &panes->mailboxes[i];
    if (!panes->mailbox)
        return error_set(err, ERROR_NOT_FOUND, "there is no such folder");
    return look_at_mailbox(req, db, account_id, mailbox_id, err) &&
           label_list(db, req->arena, account_id, &panes->labels, &panes->label_count, err);
}

bool list_set_panes(struct request *req, struct db *db, struct value *page,
                    const struct panes *panes, int64_t current_email_id, struct error *err)
{
    const struct account *account = panes->account;
    const struct mailbox *mailbox = panes->mailbox;
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account->id);
    view_set_str(view, "name", account->name);
    view_set_i64(view, "state", account->modseq);
    page_set_sync(view, account, req->arena);
    pop3_choice_ask(view, "removal", account, true, req->arena);
    struct str back = arena_printf(req->arena, "mailbox=%lld", (long long)mailbox->id);
    if (!told_set_news(req, db, view, account, back, err) ||
        !told_set_notice(req, db, page, account, err))
        return false;
    list_set_folders(req, page, panes->mailboxes, panes->mailbox_count, mailbox->id);
    labels_set_choice(page, account->id, panes->labels, panes->label_count, req->arena);
    act_set_forms(req, page, mailbox, panes->mailboxes, panes->mailbox_count, current_email_id);
    view = view_set_object(page, "mailbox");
    view_set_i64(view, "id", mailbox->id);
    view_set_str(view, "name", list_folder_name(mailbox));
    view_set_str(view, "words", mailbox_words(mailbox, req->arena));
    view_set_str(view, "total", words_count(req->arena, mailbox->total));
    view_set_text(view, "emptyHint", empty_hint(mailbox->role));
    view_set_bool(view, "isAwaited", list_is_awaited(account, mailbox));
    view_set_path(view, "url", "/mail/%lld/%lld", (long long)account->id, (long long)mailbox->id);
    page_show_accounts(page, panes->accounts, panes->account_count, account->id, req->arena);
    return list_set_rows(req, db, page, panes, list_place_of(req), current_email_id, err);
}
