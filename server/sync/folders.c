#include "server/sync/folders.h"

#include <stdlib.h>

/* What servers and clients call these folders when SPECIAL-USE (RFC 6154) does not say. ASCII case
 * does not matter. */
static const struct {
    const char *name;
    enum mailbox_role role;
} names[] = {
    {"INBOX", ROLE_INBOX},
    {"Drafts", ROLE_DRAFTS},
    {"Draft", ROLE_DRAFTS},
    {"Entwürfe", ROLE_DRAFTS},
    {"Brouillons", ROLE_DRAFTS},
    {"Borradores", ROLE_DRAFTS},
    {"Bozze", ROLE_DRAFTS},
    {"Rascunhos", ROLE_DRAFTS},
    {"Concepten", ROLE_DRAFTS},
    {"Utkast", ROLE_DRAFTS},
    {"Черновики", ROLE_DRAFTS},
    {"Szkice", ROLE_DRAFTS},
    {"草稿箱", ROLE_DRAFTS},
    {"草稿夹", ROLE_DRAFTS},
    {"下書き", ROLE_DRAFTS},
    {"Sent", ROLE_SENT},
    {"Sent Items", ROLE_SENT},
    {"Sent Messages", ROLE_SENT},
    {"Sent Mail", ROLE_SENT},
    {"Gesendet", ROLE_SENT},
    {"Gesendete Objekte", ROLE_SENT},
    {"Gesendete Elemente", ROLE_SENT},
    {"Envoyés", ROLE_SENT},
    {"Éléments envoyés", ROLE_SENT},
    {"Enviados", ROLE_SENT},
    {"Elementos enviados", ROLE_SENT},
    {"Inviata", ROLE_SENT},
    {"Posta inviata", ROLE_SENT},
    {"Verzonden", ROLE_SENT},
    {"Skickat", ROLE_SENT},
    {"Отправленные", ROLE_SENT},
    {"Wysłane", ROLE_SENT},
    {"已发送", ROLE_SENT},
    {"送信済み", ROLE_SENT},
    {"Trash", ROLE_TRASH},
    {"Bin", ROLE_TRASH},
    {"Deleted", ROLE_TRASH},
    {"Deleted Items", ROLE_TRASH},
    {"Deleted Messages", ROLE_TRASH},
    {"Papierkorb", ROLE_TRASH},
    {"Gelöschte Elemente", ROLE_TRASH},
    {"Corbeille", ROLE_TRASH},
    {"Éléments supprimés", ROLE_TRASH},
    {"Papelera", ROLE_TRASH},
    {"Cestino", ROLE_TRASH},
    {"Lixeira", ROLE_TRASH},
    {"Prullenbak", ROLE_TRASH},
    {"Papperskorg", ROLE_TRASH},
    {"Корзина", ROLE_TRASH},
    {"Kosz", ROLE_TRASH},
    {"已删除", ROLE_TRASH},
    {"ゴミ箱", ROLE_TRASH},
    {"Junk", ROLE_JUNK},
    {"Junk E-mail", ROLE_JUNK},
    {"Junk Email", ROLE_JUNK},
    {"Spam", ROLE_JUNK},
    {"Bulk", ROLE_JUNK},
    {"Bulk Mail", ROLE_JUNK},
    {"Spamverdacht", ROLE_JUNK},
    {"Indésirables", ROLE_JUNK},
    {"Courrier indésirable", ROLE_JUNK},
    {"Correo no deseado", ROLE_JUNK},
    {"Posta indesiderata", ROLE_JUNK},
    {"Ongewenste e-mail", ROLE_JUNK},
    {"Skräppost", ROLE_JUNK},
    {"Спам", ROLE_JUNK},
    {"垃圾邮件", ROLE_JUNK},
    {"迷惑メール", ROLE_JUNK},
    {"Archive", ROLE_ARCHIVE},
    {"Archives", ROLE_ARCHIVE},
    {"Archiv", ROLE_ARCHIVE},
    {"Archivo", ROLE_ARCHIVE},
    {"Archivio", ROLE_ARCHIVE},
    {"Archief", ROLE_ARCHIVE},
    {"Arkiv", ROLE_ARCHIVE},
    {"Архив", ROLE_ARCHIVE},
    {"All Mail", ROLE_ALL},
};

enum mailbox_role folder_role_of_name(struct str name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal_nocase(name, str_of(names[i].name)))
            return names[i].role;
    return ROLE_NONE;
}

/* The order parents come before children in: by depth, then by path. */
static size_t depth_of(const struct replica_mailbox *m)
{
    size_t depth = 0;
    struct str rest = m->path;
    ptrdiff_t at;
    if (m->delimiter.length == 0)
        return 0;
    while ((at = str_find(rest, m->delimiter)) >= 0) {
        depth++;
        rest = str_skip(rest, (size_t)at + m->delimiter.length);
    }
    return depth;
}

static int compare_place(const void *a, const void *b)
{
    const struct replica_mailbox *left = a, *right = b;
    size_t left_depth = depth_of(left), right_depth = depth_of(right);
    if (left_depth != right_depth)
        return left_depth < right_depth ? -1 : 1;
    return str_compare(left->path, right->path);
}

static bool is_inbox(struct str path)
{
    return str_equal_nocase(path, STR("INBOX"));
}

/* INBOX changes case between passes on some servers: it is one mailbox however it is spelt
 * (RFC 9051 section 5.1). */
static bool is_same_path(struct str a, struct str b)
{
    return str_equal(a, b) || (is_inbox(a) && is_inbox(b));
}

static struct str last_part(struct str path, struct str delimiter)
{
    if (delimiter.length == 0)
        return path;
    ptrdiff_t at;
    while ((at = str_find(path, delimiter)) >= 0 && (size_t)at + delimiter.length < path.length)
        path = str_skip(path, (size_t)at + delimiter.length);
    return path;
}

static void copy_listed(struct arena *arena, const struct listed_mailbox *from,
                        struct replica_mailbox *to)
{
    *to = (struct replica_mailbox){
        .path = is_inbox(from->path) ? STR("INBOX") : arena_str(arena, from->path),
        .wire_path = arena_str(arena, from->wire_path),
        .delimiter = arena_str(arena, from->delimiter),
        .role = is_inbox(from->path) ? ROLE_INBOX : from->role,
        .is_selectable = from->is_selectable,
        .is_subscribed = from->is_subscribed,
        .object_id = arena_str(arena, from->object_id),
    };
    to->name = last_part(to->path, to->delimiter);
}

/* Roles by name fill what SPECIAL-USE left open; each role is given once, and top-level names come
 * first because the array is sorted by depth. */
static void guess_roles(struct replica_mailbox *put, size_t count)
{
    bool is_taken[ROLE_COUNT] = {false};
    for (size_t i = 0; i < count; i++) {
        if (put[i].role != ROLE_NONE && is_taken[put[i].role])
            put[i].role = ROLE_NONE;
        is_taken[put[i].role] = true;
    }
    for (size_t i = 0; i < count; i++) {
        if (put[i].role != ROLE_NONE || !put[i].is_selectable)
            continue;
        enum mailbox_role role = folder_role_of_name(put[i].name);
        if (role != ROLE_NONE && role != ROLE_INBOX && !is_taken[role]) {
            put[i].role = role;
            is_taken[role] = true;
        }
    }
}

/* Which known mailbox a listed one is: by object id (it may have been renamed), else by path. */
static const struct replica_mailbox *find_known(const struct replica_mailbox *listed,
                                                const struct replica_mailbox *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (listed->object_id.length && !known[i].is_local &&
            str_equal(listed->object_id, known[i].object_id))
            return &known[i];
    for (size_t i = 0; i < count; i++) {
        /* the same path under another id is a new folder in the place of a removed one */
        bool is_other = listed->object_id.length && known[i].object_id.length;
        if (!known[i].is_local && !is_other && is_same_path(listed->path, known[i].path))
            return &known[i];
    }
    return NULL;
}

static bool differs(const struct replica_mailbox *a, const struct replica_mailbox *b)
{
    return !str_equal(a->path, b->path) || !str_equal(a->wire_path, b->wire_path) ||
           !str_equal(a->delimiter, b->delimiter) || a->role != b->role ||
           a->is_selectable != b->is_selectable || a->is_subscribed != b->is_subscribed ||
           a->is_pending != b->is_pending || !str_equal(a->object_id, b->object_id);
}

/* Takes over the cursor of the known mailbox; what the listing says stays. */
static void adopt(struct replica_mailbox *listed, const struct replica_mailbox *known)
{
    struct replica_mailbox place = *listed;
    *listed = *known;
    listed->name = place.name;
    listed->path = place.path;
    listed->wire_path = place.wire_path;
    listed->delimiter = place.delimiter;
    listed->role = place.role;
    listed->is_selectable = place.is_selectable;
    listed->is_subscribed = place.is_subscribed;
    listed->object_id = place.object_id;
    listed->is_pending = false; /* what was asked for is there */
}

/* A listed mailbox that nobody knows and a known one that nobody lists, with the same UIDVALIDITY
 * and no other of either kind that has it: it was renamed by a server without MAILBOXID. One that
 * was made anew in the place of a removed one has another (RFC 9051 section 2.3.1.1). */
static const struct replica_mailbox *find_renamed(const struct folder_plan *plan, size_t at,
                                                  const uint32_t *validities,
                                                  const struct replica_mailbox *known,
                                                  const bool *is_met, size_t known_count)
{
    const struct replica_mailbox *found = NULL;
    if (validities[at] == 0)
        return NULL;
    for (size_t i = 0; i < plan->put_count; i++)
        if (i != at && plan->put[i].id == 0 && validities[i] == validities[at])
            return NULL;
    for (size_t i = 0; i < known_count; i++) {
        if (known[i].is_local || known[i].uidvalidity != validities[at])
            continue;
        if (found || is_met[i])
            return NULL;
        found = &known[i];
    }
    bool is_other = found && found->object_id.length && plan->put[at].object_id.length;
    return is_other ? NULL : found;
}

static uint32_t validity_of(const struct listed_mailbox *listed, size_t count, struct str path)
{
    for (size_t i = 0; i < count; i++)
        if (is_same_path(listed[i].path, path))
            return listed[i].uidvalidity;
    return 0;
}

void folders_plan(struct arena *arena, const struct listed_mailbox *listed, size_t listed_count,
                  const struct replica_mailbox *known, size_t known_count, struct folder_plan *plan)
{
    *plan = (struct folder_plan){0};
    bool has_inbox = false;
    plan->put = ARENA_ARRAY(arena, listed_count + 1, struct replica_mailbox);
    plan->is_changed = ARENA_ARRAY(arena, listed_count + 1, bool);
    plan->remove = ARENA_ARRAY(arena, known_count + 1, int64_t);
    for (size_t i = 0; i < listed_count; i++) {
        bool is_repeated = false;
        for (size_t k = 0; k < plan->put_count; k++)
            is_repeated = is_repeated || is_same_path(plan->put[k].path, listed[i].path);
        if (is_repeated)
            continue;
        has_inbox = has_inbox || is_inbox(listed[i].path);
        copy_listed(arena, &listed[i], &plan->put[plan->put_count++]);
    }
    qsort(plan->put, plan->put_count, sizeof *plan->put, compare_place);
    guess_roles(plan->put, plan->put_count);

    bool *is_met = ARENA_ARRAY(arena, known_count + 1, bool);
    for (size_t i = 0; i < plan->put_count; i++) {
        const struct replica_mailbox *match = find_known(&plan->put[i], known, known_count);
        plan->is_changed[i] = !match || differs(match, &plan->put[i]);
        if (match && !is_met[match - known]) {
            is_met[match - known] = true;
            adopt(&plan->put[i], match);
        }
    }
    uint32_t *validities = ARENA_ARRAY(arena, plan->put_count + 1, uint32_t);
    for (size_t i = 0; i < plan->put_count; i++)
        validities[i] = validity_of(listed, listed_count, plan->put[i].path);
    for (size_t i = 0; i < plan->put_count; i++) {
        const struct replica_mailbox *renamed =
            plan->put[i].id == 0 ? find_renamed(plan, i, validities, known, is_met, known_count)
                                 : NULL;
        if (!renamed)
            continue;
        is_met[renamed - known] = true;
        adopt(&plan->put[i], renamed);
    }
    for (size_t i = 0; has_inbox && i < known_count; i++)
        if (!is_met[i] && !known[i].is_local && !known[i].is_pending)
            plan->remove[plan->remove_count++] = known[i].id;
}

void folders_set_parent(struct folder_plan *plan, size_t i)
{
    struct replica_mailbox *mailbox = &plan->put[i];
    int64_t parent_id = 0;
    size_t parent_length = mailbox->path.length - mailbox->name.length;
    if (parent_length > mailbox->delimiter.length && mailbox->delimiter.length > 0) {
        struct str parent = str_sub(mailbox->path, 0, parent_length - mailbox->delimiter.length);
        for (size_t k = 0; k < i && parent_id == 0; k++)
            if (is_same_path(plan->put[k].path, parent))
                parent_id = plan->put[k].id;
    }
    plan->is_changed[i] = plan->is_changed[i] || mailbox->parent_id != parent_id;
    mailbox->parent_id = parent_id;
}

int64_t folders_flags_rest_ms(int messages)
{
    /* Some 20 us a message there, on the way and here: a look takes a thousandth of the time, but
     * none is put off for longer than a person has patience, nor are small ones asked at each poll.
     */
    enum { PER_MESSAGE_MS = 20, LEAST_MS = 2 * 60 * 1000, MOST_MS = 10 * 60 * 1000 };
    int64_t rest_ms = (int64_t)messages * PER_MESSAGE_MS;
    return rest_ms < LEAST_MS ? LEAST_MS : rest_ms > MOST_MS ? MOST_MS : rest_ms;
}
