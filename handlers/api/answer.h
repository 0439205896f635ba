/* What all resources of the API share: reading JSON, writing JSON, finding the account. */
#ifndef RESTANTE_HANDLERS_API_ANSWER_H
#define RESTANTE_HANDLERS_API_ANSWER_H

#include <jansson.h>

#include "handlers/session.h"
#include "server/base/json.h"
#include "server/store/accounts.h"
#include "server/store/emails.h"
#include "server/store/operations.h"

/* Begins a JSON answer on the response's body. */
struct json answer_json(struct response *res);
/* Members. An id is written as a string, 0 as null; a moment as UTCDate (RFC 8620 section 1.4), 0
 * as null; JSON text as it stands, empty as null. */
void answer_id(struct json *json, const char *name, int64_t id);
void answer_time(struct json *json, const char *name, int64_t at_us);
void answer_str(struct json *json, const char *name, struct str text);
void answer_text(struct json *json, const char *name, const char *text); /* NULL: null */
void answer_i64(struct json *json, const char *name, int64_t number);
void answer_bool(struct json *json, const char *name, bool is_true);
/* Words separated by spaces, as a list. */
void answer_words(struct json *json, const char *name, struct str words);
void answer_raw(struct json *json, const char *name, struct str text);

/* The request's body as a JSON object, to be json_decref'd; NULL with ERROR_UNSUPPORTED for another
 * type, ERROR_INVALID for broken JSON, duplicate names, lone surrogates or too much nesting
 * (security.md 43). */
json_t *body_json(const struct request *req, struct error *err);
/* A member that must be a string; `is_needed`: ERROR_INVALID when it is missing. Empty when it is
 * not. In the arena. */
bool body_str(struct arena *arena, const json_t *object, const char *name, bool is_needed,
              struct str *text, struct error *err);
/* A number from `low` to `high`, left alone when it is missing. */
/* Texts that are left alone when they are not there. */
struct body_text {
    const char *name;
    struct str *text;
};
bool body_texts(struct arena *arena, const json_t *object, const struct body_text *texts,
                size_t count, struct error *err);
bool body_int(const json_t *object, const char *name, int64_t low, int64_t high, int64_t *number,
              struct error *err);

/* The account of {account}, with a connection for the person; release it with answer_done. */
bool answer_account(struct request *req, struct db **db, struct account *account,
                    struct error *err);
/* The same where the id is enough: what only reads hardly ever asks the database for it. */
bool answer_account_id(struct request *req, struct db **db, int64_t *account_id, struct error *err);
/* The same for what writes, where the store's function asks for the account once more. */
bool answer_account_known(struct request *req, struct db **db, int64_t *account_id,
                          struct error *err);
/* Gives the connection back and passes `is_good` on. */
static inline bool answer_done(struct request *req, struct db **db, bool is_good)
{
    store_release(app_of(req)->store, db);
    return is_good;
}

/* An Email's metadata (RFC 8621 section 4.1.1-3). `mailboxes` and flags from `placements` of that
 * email. */
void answer_email_metadata(struct json *json, const struct email *email,
                           const struct placement *placements, size_t count);

/* One row of the change log: {"state", "type", "created", "updated", "destroyed"}. */
void answer_change(struct json *json, const struct change *change);

#endif
