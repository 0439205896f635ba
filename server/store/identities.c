#include "server/store/identities.h"

#include "server/store/changes_private.h"
#include "server/store/db.h"
#include "server/store/drafts_private.h"

static const char no_identity[] = "there is no such sender";

static const char *const quoting_names[] = {
    [QUOTING_BELOW] = "below", [QUOTING_ABOVE] = "above", [QUOTING_NONE] = "none"};

const char *quoting_name(enum quoting quoting)
{
    return quoting_names[quoting];
}

bool quoting_parse(struct str name, enum quoting *quoting)
{
    for (int i = 0; i < QUOTINGS; i++) {
        if (str_equal(name, str_of(quoting_names[i]))) {
            *quoting = (enum quoting)i;
            return true;
        }
    }
    return false;
}

static void read_identity(struct db_rows *rows, struct arena *arena, int64_t account_id,
                          struct identity *identity)
{
    identity->account_id = account_id;
    identity->id = db_get_i64(rows);
    identity->name = db_get_str(rows, arena);
    identity->email = db_get_str(rows, arena);
    identity->reply_to = db_get_str(rows, arena);
    identity->bcc = db_get_str(rows, arena);
    identity->text_signature = db_get_str(rows, arena);
    identity->html_signature = db_get_str(rows, arena);
    quoting_parse(db_get_slice(rows), &identity->quoting);
    identity->is_html = db_get_bool(rows);
}

struct identity *identities_read(struct db_rows *rows, struct arena *arena, int64_t account_id,
                                 size_t *count)
{
    *count = (size_t)rows->row_count;
    struct identity *all = ARENA_ARRAY(arena, *count, struct identity);
    for (struct identity *identity = all; db_next(rows); identity++)
        read_identity(rows, arena, account_id, identity);
    return all;
}

bool identity_list(struct db *db, struct arena *arena, int64_t account_id,
                   struct identity **identities, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "identity_list", &rows, err, db_i64(account_id)))
        return false;
    *identities = identities_read(&rows, arena, account_id, count);
    db_rows_free(&rows);
    return true;
}

bool identity_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                    struct identity *identity, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "identity_by_id", &rows, no_identity, err, db_i64(account_id),
                       db_i64(id)))
        return false;
    read_identity(&rows, arena, account_id, identity);
    db_rows_free(&rows);
    return true;
}

bool identity_among(struct db *db, struct arena *arena, int64_t account_id,
                    const struct str *emails, size_t email_count, struct identity *identity,
                    struct error *err)
{
    struct identity *list;
    size_t count, chosen = 0;
    if (!identity_list(db, arena, account_id, &list, &count, err))
        return false;
    if (count == 0)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_identity);
    for (size_t i = count; i-- > 0;)
        for (size_t k = 0; k < email_count; k++)
            if (str_equal_nocase(list[i].email, emails[k]))
                chosen = i;
    *identity = list[chosen];
    return true;
}

bool identity_has(struct db *db, struct arena *arena, int64_t account_id, struct str email,
                  bool *is_own, struct error *err)
{
    struct identity *list;
    size_t count;
    *is_own = false;
    if (!identity_list(db, arena, account_id, &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        *is_own = *is_own || str_equal_nocase(list[i].email, email);
    return true;
}

static bool write(struct db *db, struct identity *i, bool is_new, struct error *err)
{
    int64_t affected = 0;
    if (is_new && !account_next_ids(db, i->account_id, 1, &i->id, err))
        return false;
    if (!db_execute(db, is_new ? "identity_insert" : "identity_update", &affected, err,
                    db_i64(i->account_id), db_i64(i->id), db_text(i->name), db_text(i->email),
                    db_text(i->reply_to), db_text(i->bcc), db_text(i->text_signature),
                    db_text(i->html_signature), db_name(quoting_name(i->quoting)),
                    db_bool(i->is_html)))
        return false;
    return affected || error_set(err, ERROR_NOT_FOUND, "%s", no_identity);
}

bool identity_put(struct db *db, struct identity *identity, struct error *err)
{
    bool started, is_new = identity->id == 0;
    struct change change = {.type = CHANGE_IDENTITY,
                            .created = &identity->id,
                            .created_count = is_new,
                            .updated = &identity->id,
                            .updated_count = !is_new};
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = write(db, identity, is_new, err) &&
                   changes_write(db, identity->account_id, &change, 1, NULL, err);
    return db_leave(db, started, is_good, err);
}

bool identity_delete(struct db *db, int64_t account_id, int64_t id, struct error *err)
{
    bool started;
    int64_t affected = 0;
    struct change change = {.type = CHANGE_IDENTITY, .destroyed = &id, .destroyed_count = 1};
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_execute(db, "identity_delete", &affected, err, db_i64(account_id), db_i64(id));
    if (is_good && !affected)
        is_good = error_set(err, ERROR_CONFLICT, "An account keeps its last sender.");
    is_good = is_good && changes_write(db, account_id, &change, 1, NULL, err);
    return db_leave(db, started, is_good, err);
}

bool send_delay(struct db *db, int64_t user_id, int *seconds, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "send_delay", &rows, "there is no such person", err, db_i64(user_id)))
        return false;
    *seconds = db_get_i32(&rows);
    db_rows_free(&rows);
    return true;
}

bool send_delay_set(struct db *db, int64_t user_id, int seconds, struct error *err)
{
    return db_execute(db, "send_delay_set", NULL, err, db_i64(user_id), db_i32(seconds));
}
