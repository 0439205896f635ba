/* What comes along with an answer or a forward, taken from the original into the saved draft. */
#include "handlers/content.h"
#include "handlers/writing.h"

enum { ORIGINAL_WAIT_MS = 5000 };

struct taking {
    const struct draft *draft;
    struct str html; /* names the pictures that are wanted */
};

/* The bytes of a part, or of the whole message, fetched first where they are not here. */
static bool obtain(struct request *req, struct db **db, struct email *email,
                   const struct mime_part *part, struct content_place *place, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        bool is_good = part ? content_find(req, *db, email, part, place, err)
                            : content_find_whole(*db, req->arena, email, place, err);
        if (!is_good || place->is_here)
            return is_good;
        if (i == 1)
            break;
        store_release(app_of(req)->store, db);
        is_good =
            content_fetch(req, email, part ? &part->id : NULL, part != NULL, ORIGINAL_WAIT_MS, err);
        *db = is_good ? app_db(req, err) : app_db(req, NULL);
        if (!is_good || !*db)
            return false;
    }
    return error_set(err, ERROR_UNAVAILABLE, "The mail server did not give the attachment.");
}

static bool take_one(struct request *req, struct db **db, const struct taking *t,
                     struct email *email, const struct mime_part *part, struct str cid,
                     struct error *err)
{
    struct content_place place;
    struct draft_attachment one = {.type = STR("message/rfc822"), .cid = cid};
    if (!obtain(req, db, email, part, &place, err))
        return false;
    if (part) {
        one.type = part->type;
        one.name = part->name;
    } else {
        one.name = arena_printf(
            req->arena, "%" STR_FMT ".eml",
            STR_ARG(email->subject.length ? str_sub(email->subject, 0, 80) : STR("message")));
    }
    return writing_copy(req, *db, &place.blob, place.offset, place.length,
                        part ? place.part->encoding : MIME_8BIT, &one.blob_id, err) &&
           draft_attach(*db, t->draft->account_id, t->draft->email_id, &one, err);
}

/* "cid:o<email>@<part>": how the HTML of an answer names a picture of its original. */
struct str writing_picture_cid(struct arena *arena, int64_t email_id, struct str part_id)
{
    return arena_printf(arena, "o%lld@%" STR_FMT, (long long)email_id, STR_ARG(part_id));
}

static bool take_picture(struct request *req, struct db **db, const struct taking *t,
                         struct email *email, const struct mime_part *part, bool *is_taken,
                         struct error *err)
{
    struct str cid = writing_picture_cid(req->arena, email->id, part->id);
    *is_taken =
        part->cid.length &&
        str_find(t->html, arena_printf(req->arena, "\"cid:%" STR_FMT "\"", STR_ARG(cid))) >= 0;
    return !*is_taken || take_one(req, db, t, email, part, cid, err);
}

static bool is_attachment(const struct mime_message *message, const struct mime_part *part)
{
    for (size_t i = 0; i < message->attachments.count; i++)
        if (message->attachments.at[i] == part)
            return true;
    return false;
}

static bool take_parts(struct request *req, struct db **db, const struct taking *t,
                       struct email *email, bool with_files, struct error *err)
{
    const struct mime_message *message;
    if (!content_structure(req->arena, email, &message, err))
        return false;
    for (struct mime_part *part = message ? message->root : NULL; part; part = mime_next(part)) {
        bool is_taken;
        if (!take_picture(req, db, t, email, part, &is_taken, err))
            return false;
        if (!is_taken && with_files && is_attachment(message, part) &&
            !take_one(req, db, t, email, part, STR_EMPTY, err))
            return false;
    }
    return true;
}

static bool take(struct request *req, struct db **db, const struct taking *t,
                 const struct writing_take *wish, struct error *err)
{
    struct email email;
    if (!email_by_id(*db, req->arena, t->draft->account_id, wish->email_id, &email, err))
        return false;
    return wish->how == TAKE_MESSAGE ? take_one(req, db, t, &email, NULL, STR_EMPTY, err)
                                     : take_parts(req, db, t, &email, wish->how == TAKE_PARTS, err);
}

/* Pictures are let into the HTML once they are there: it is saved after them. */
bool writing_begin(struct request *req, struct db **db, struct draft *draft, int expected,
                   const struct writing_take *wish, struct error *err)
{
    const struct taking taking = {draft, draft->html};
    if (wish->how == TAKE_NOTHING)
        return writing_save(req, *db, draft, expected, err);
    draft->html = STR_EMPTY;
    bool is_good =
        writing_save(req, *db, draft, expected, err) && take(req, db, &taking, wish, err);
    draft->html = taking.html;
    return is_good && (!draft->html.length || writing_save(req, *db, draft, draft->revision, err));
}
