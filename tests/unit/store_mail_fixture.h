/* On top of store_fixture.h: two people with an account each, mailboxes, and messages made from a
 * few words. */
#ifndef RESTANTE_TESTS_STORE_MAIL_FIXTURE_H
#define RESTANTE_TESTS_STORE_MAIL_FIXTURE_H

#include "server/store/blobs.h"
#include "server/store/db.h"
#include "server/store/emails.h"
#include "server/store/mailboxes.h"
#include "server/store/operations.h"
#include "server/store/replica.h"
#include "tests/unit/store_fixture.h"

enum { ALICE = 1, BOB = 2 }; /* users, and their accounts */
enum { DAY_US = 86400 };     /* in millionths, close enough for an order */

static struct store *mail_sync, *mail_web;
static struct db *mail_db; /* of the sync role */
static struct arena *mail_arena;
static struct error err;

static inline void mail_script(const char *sql)
{
    assert_good(db_run_script(mail_db, sql, &err));
}

static inline int64_t mail_number(const char *sql)
{
    char script[2048];
    struct mailbox mailbox;
    /* a number travels in a mailbox's sort order: the only way out that needs no statement */
    snprintf(script, sizeof script,
             "INSERT INTO mailbox (account_id, id, name, path, wire_path, sort_order)"
             " VALUES (3, 1, '', '', '', (%s)) ON CONFLICT (account_id, id) DO UPDATE"
             " SET sort_order = excluded.sort_order",
             sql);
    mail_script(script);
    assert_good(mailbox_by_id(mail_db, mail_arena, 3, 1, &mailbox, &err));
    return mailbox.sort_order;
}

static inline int mail_setup(void **state)
{
    if (fixture_setup(state))
        return -1;
    mail_arena = arena_new();
    mail_sync = fixture_store(STORE_SYNC, 1);
    mail_web = fixture_store(STORE_WEB, 2);
    mail_db = store_acquire(mail_sync, 0, &err);
    assert_good(mail_db != NULL);
    mail_script("INSERT INTO \"user\" (id, login) VALUES (1, 'alice'), (2, 'bob'), (3, 'carol');"
                "INSERT INTO account (id, user_id, name, email, kind, host, port, tls, username,"
                " secret) SELECT id, id, login, login || '@mail.example', 'imap', 'mail.example',"
                " 993, 'implicit', login, '' FROM \"user\"");
    return 0;
}

static inline int mail_teardown(void **state)
{
    store_release(mail_sync, &mail_db);
    store_close(&mail_sync);
    store_close(&mail_web);
    arena_free(&mail_arena);
    return fixture_teardown(state);
}

static inline int64_t add_mailbox(int64_t account_id, const char *path, enum mailbox_role role,
                                  int64_t parent_id)
{
    struct replica_mailbox mailbox = {.parent_id = parent_id,
                                      .name = str_of(path),
                                      .path = str_of(path),
                                      .wire_path = str_of(path),
                                      .delimiter = STR("/"),
                                      .role = role,
                                      .is_selectable = true};
    struct replica_batch *batch = replica_begin(mail_db, account_id, &err);
    assert_good(batch && replica_mailbox_put(batch, &mailbox, &err));
    assert_good(replica_commit(&batch, &err));
    return mailbox.id;
}

static inline struct replica_email make_email(uint32_t uid, const char *message_id,
                                              int64_t received_at, int flags)
{
    struct str id = str_of(message_id);
    uint64_t hash = 5381;
    for (size_t i = 0; i < id.length; i++)
        hash = hash * 33 + (unsigned char)id.at[i];
    return (struct replica_email){.placed = {.uid = uid, .flags = flags},
                                  .message_id = id,
                                  .message_key = id.length ? (int64_t)hash : 0,
                                  .subject = id,
                                  .received_at = received_at,
                                  .size_bytes = 1000 + (int64_t)id.length};
}

static inline void add_emails(int64_t account_id, int64_t mailbox_id, struct replica_email *emails,
                              size_t count)
{
    struct replica_batch *batch = replica_begin(mail_db, account_id, &err);
    assert_good(batch && replica_emails_add(batch, mailbox_id, emails, count, &err));
    assert_good(replica_commit(&batch, &err));
}

static inline int64_t add_email(int64_t account_id, int64_t mailbox_id, struct replica_email email)
{
    add_emails(account_id, mailbox_id, &email, 1);
    return email.id;
}

/* What people see of a mailbox's counts, checked against its rows. */
static inline struct mailbox counted(int64_t account_id, int64_t mailbox_id)
{
    struct mailbox mailbox;
    char sql[512];
    assert_good(mailbox_by_id(mail_db, mail_arena, account_id, mailbox_id, &mailbox, &err));
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM placement WHERE account_id = %lld AND mailbox_id = %lld"
             " AND NOT is_hidden",
             (long long)account_id, (long long)mailbox_id);
    assert_int_equal(mailbox.total, mail_number(sql));
    strcat(sql, " AND flags & 17 = 0");
    assert_int_equal(mailbox.unread, mail_number(sql));
    return mailbox;
}

#endif
