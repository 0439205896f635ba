#include "server/store/contacts.h"

#include "server/base/buf.h"
#include "server/store/contacts_private.h"
#include "server/store/db.h"

static const char no_contact[] = "there is no such contact";

static void read_contact(struct db_rows *rows, struct arena *arena, struct contact *contact)
{
    contact->id = db_get_i64(rows);
    contact->name = db_get_str(rows, arena);
    contact->emails = db_get_str(rows, arena);
    contact->organization = db_get_str(rows, arena);
    contact->note = db_get_str(rows, arena);
    contact->is_collected = db_get_bool(rows);
    contact->used_at = db_get_time(rows);
}

bool contacts_read(struct db_rows *rows, struct arena *arena, struct contact **contacts,
                   size_t *count)
{
    *count = (size_t)rows->row_count;
    *contacts = ARENA_ARRAY(arena, *count, struct contact);
    for (struct contact *contact = *contacts; db_next(rows); contact++)
        read_contact(rows, arena, contact);
    db_rows_free(rows);
    return true;
}

bool contact_list(struct db *db, struct arena *arena, int64_t user_id, bool with_collected,
                  int64_t after, int limit, struct contact **contacts, size_t *count,
                  struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "contact_list", &rows, err, db_i64(user_id), db_bool(with_collected),
                   db_i64(after), db_i64(limit)))
        return false;
    return contacts_read(&rows, arena, contacts, count);
}

bool contact_by_id(struct db *db, struct arena *arena, int64_t user_id, int64_t id,
                   struct contact *contact, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "contact_by_id", &rows, no_contact, err, db_i64(user_id), db_i64(id)))
        return false;
    read_contact(&rows, arena, contact);
    db_rows_free(&rows);
    return true;
}

bool contact_by_email(struct db *db, int64_t user_id, struct str email, int64_t *id,
                      struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "contact_by_email", &rows, no_contact, err, db_i64(user_id),
                       db_text(email)))
        return false;
    *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

static size_t cut_emails(struct str emails, struct str at[CONTACT_EMAILS_MAX])
{
    size_t count = 0;
    while (emails.at && emails.length && count < CONTACT_EMAILS_MAX) {
        struct str email = str_cut(&emails, ' ');
        if (email.length)
            at[count++] = email;
    }
    return count;
}

bool contact_put(struct db *db, int64_t user_id, struct contact *contact, struct error *err)
{
    struct str emails[CONTACT_EMAILS_MAX];
    struct db_value list = db_text_array(emails, cut_emails(contact->emails, emails));
    struct db_rows rows;
    int64_t affected = 0;
    if (contact->id) {
        if (!db_execute(db, "contact_update", &affected, err, db_i64(user_id), db_i64(contact->id),
                        db_text(contact->name), list, db_text(contact->organization),
                        db_text(contact->note)))
            return false;
        return affected || error_set(err, ERROR_NOT_FOUND, "%s", no_contact);
    }
    if (!db_select_one(db, "contact_insert", &rows, no_contact, err, db_i64(user_id),
                       db_text(contact->name), list, db_text(contact->organization),
                       db_text(contact->note)))
        return false;
    contact->id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool contact_delete(struct db *db, int64_t user_id, int64_t id, struct error *err)
{
    int64_t affected = 0;
    if (!db_execute(db, "contact_delete", &affected, err, db_i64(user_id), db_i64(id)))
        return false;
    return affected || error_set(err, ERROR_NOT_FOUND, "%s", no_contact);
}

struct str contacts_pattern(struct arena *arena, const char *before, struct str typed)
{
    struct buf text = BUF_INIT(1024);
    buf_text(&text, before);
    for (size_t i = 0; i < typed.length; i++) {
        if (strchr("\\%_", typed.at[i]))
            buf_char(&text, '\\');
        buf_char(&text, typed.at[i]);
    }
    buf_char(&text, '%');
    struct str made = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return made;
}

bool contact_complete(struct db *db, struct arena *arena, int64_t user_id, struct str typed,
                      int limit, struct contact_match **matches, size_t *count, struct error *err)
{
    struct db_rows rows;
    typed = str_sub(typed, 0, 200);
    if (!db_select(db, "contact_complete", &rows, err, db_i64(user_id),
                   db_text(contacts_pattern(arena, "", typed)),
                   db_text(contacts_pattern(arena, "% ", typed)),
                   db_text(contacts_pattern(arena, "%@", typed)), db_i64(limit)))
        return false;
    *count = (size_t)rows.row_count;
    *matches = ARENA_ARRAY(arena, *count, struct contact_match);
    for (struct contact_match *match = *matches; db_next(&rows); match++) {
        match->id = db_get_i64(&rows);
        match->name = db_get_str(&rows, arena);
        match->email = db_get_str(&rows, arena);
    }
    db_rows_free(&rows);
    return true;
}

bool contact_collect(struct db *db, int64_t user_id, const struct str *emails,
                     const struct str *names, size_t count, struct error *err)
{
    if (count == 0)
        return true;
    db_be_lazy(db);
    return db_execute(db, "contact_collect", NULL, err, db_i64(user_id),
                      db_text_array(emails, count), db_text_array(names, count));
}
