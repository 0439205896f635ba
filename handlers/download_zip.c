/* All attachments of a message as one archive, written as it is read: memory stays the same. */
#include "handlers/download.h"

#include "handlers/session.h"
#include "server/base/utf8.h"
#include "server/base/zip.h"
#include "server/store/accounts.h"

enum { ZIP_PARTS_MAX = 500, ZIP_WAIT_MS = 25000 };

struct entry {
    struct content_place place;
    struct str name;
};

struct archive {
    struct store *store;
    int64_t user_id, modified_at;
    struct entry entries[ZIP_PARTS_MAX];
    size_t count;
    struct response_sink *sink;
    struct zip *zip;
    struct error *err;
};

static bool write_bytes(void *context, struct str bytes)
{
    struct archive *archive = context;
    return response_write(archive->sink, bytes);
}

static bool append(void *context, struct str bytes)
{
    struct archive *archive = context;
    return zip_append(archive->zip, bytes, archive->err);
}

static bool write_entries(struct archive *archive, struct error *err)
{
    for (size_t i = 0; i < archive->count; i++) {
        const struct entry *entry = &archive->entries[i];
        const struct zip_entry head = {.name = entry->name, .modified_at = archive->modified_at};
        if (!zip_begin(archive->zip, &head, err) ||
            !download_each(archive->store, archive->user_id, &entry->place,
                           entry->place.part->encoding, append, archive, err) ||
            !zip_end(archive->zip, err))
            return false;
    }
    return zip_finish(archive->zip, err);
}

static bool send_archive(struct response_sink *sink, void *context, struct error *err)
{
    struct archive *archive = context;
    archive->sink = sink;
    archive->err = err;
    archive->zip = zip_new(write_bytes, archive);
    bool is_sent = write_entries(archive, err);
    zip_free(&archive->zip);
    return is_sent;
}

/* The part's name, unlike the others in the archive, and in no folder. */
static struct str entry_name(struct arena *arena, const struct archive *archive,
                             const struct mime_part *part)
{
    struct str name = part->name;
    if (!name.length)
        name = str_starts(part->type, STR("message/")) ? STR("message.eml") : STR("attachment");
    char *text = arena_text(arena, name);
    for (size_t i = 0; i < name.length; i++)
        if (text[i] == '/' || text[i] == '\\')
            text[i] = '_';
    name = str_make(text, name.length);
    for (size_t i = 0; i < archive->count; i++)
        if (str_equal_nocase(archive->entries[i].name, name))
            return arena_printf(arena, "%zu-%" STR_FMT, archive->count + 1, STR_ARG(name));
    return name;
}

/* Finds each attachment's bytes; ids of those that are not here go to `missing`. */
static bool look(struct request *req, struct email *email, struct archive *archive,
                 struct str *missing, size_t *missing_count, struct error *err)
{
    int64_t account_id, email_id;
    struct account account;
    const struct mime_message *message = NULL;
    archive->count = *missing_count = 0;
    struct db *db = app_db(req, err);
    bool is_good = db && request_param_id(req, "account", &account_id, err) &&
                   request_param_id(req, "email", &email_id, err) &&
                   session_account(req, db, account_id, &account, err) &&
                   email_by_id(db, req->arena, account_id, email_id, email, err) &&
                   content_structure(req->arena, email, &message, err);
    for (size_t i = 0; is_good && message && i < message->attachments.count; i++) {
        const struct mime_part *part = message->attachments.at[i];
        if (archive->count == ZIP_PARTS_MAX)
            break;
        struct entry *entry = &archive->entries[archive->count];
        is_good = content_find(req, db, email, part, &entry->place, err);
        if (is_good && !entry->place.is_here)
            missing[(*missing_count)++] = part->id;
        entry->name = entry_name(req->arena, archive, part);
        archive->count++;
    }
    store_release(app_of(req)->store, &db);
    return is_good;
}

/* A fetch names a bounded number of parts. */
static bool fetch_missing(struct request *req, const struct email *email, const struct str *missing,
                          size_t count, struct error *err)
{
    enum { AT_ONCE = 32 };
    for (size_t done = 0; done < count; done += AT_ONCE) {
        size_t some = count - done < AT_ONCE ? count - done : AT_ONCE;
        if (!content_fetch(req, email, missing + done, some, ZIP_WAIT_MS, err))
            return false;
    }
    return true;
}

bool download_attachments(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    size_t missing_count;
    struct str *missing = ARENA_ARRAY(req->arena, ZIP_PARTS_MAX, struct str);
    struct archive *archive = ARENA_NEW(res->arena, struct archive);
    archive->store = app_of(req)->store;
    archive->user_id = signed_in(req)->user_id;
    if (!look(req, &email, archive, missing, &missing_count, err))
        return false;
    if (missing_count && (!fetch_missing(req, &email, missing, missing_count, err) ||
                          !look(req, &email, archive, missing, &missing_count, err)))
        return false;
    if (missing_count)
        return error_set(err, ERROR_UNAVAILABLE, "The mail server did not give all of it.");
    if (archive->count == 0)
        return error_set(err, ERROR_NOT_FOUND, "This message has no attachments.");
    archive->modified_at = email.received_at;
    struct str subject = email.subject.length ? email.subject : STR("attachments");
    download_headers(
        res, STR("application/zip"),
        arena_printf(req->arena, "%" STR_FMT ".zip", STR_ARG(utf8_prefix(subject, 100))));
    res->stream = send_archive;
    res->stream_context = archive;
    return true;
}
