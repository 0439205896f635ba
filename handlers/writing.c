#include "handlers/writing.h"

#include <time.h>

#include "handlers/once.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/mail/address.h"
#include "server/mail/decode.h"
#include "server/mail/html_text.h"
#include "server/mail/preview.h"
#include "server/store/accounts.h"
#include "server/store/contacts.h"

enum {
    SUBJECT_BYTES_MAX = 8 * 1024,
    TYPED_BYTES_MAX = 64 * 1024, /* of one field of addresses */
    HTML_BYTES_MAX = 2 * 1024 * 1024,
    TEXT_BYTES_MAX = 4 * 1024 * 1024,
    JSON_BYTES_MAX = 1024 * 1024,
    PIECE_BYTES = 64 * 1024,
};

int writing_zone(void)
{
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    return (int)(tm.tm_gmtoff / 60);
}

/* --- saving ---------------------------------------------------------------------------------- */

/* Addresses as typed, as far as they are any, for the lists. */
static struct str people_json(struct arena *arena, struct str typed)
{
    struct mail_addresses list;
    struct buf text = BUF_INIT(JSON_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    address_parse(arena, typed, &list);
    address_write_json(&json, &list);
    struct str made = list.count && !text.is_full ? arena_str(arena, buf_view(&text)) : STR_EMPTY;
    buf_free(&text);
    return made;
}

static struct str structure_json(struct arena *arena, struct str body)
{
    struct mime_part part = {.id = STR("1"),
                             .type = STR("text/plain"),
                             .charset = STR("utf-8"),
                             .body_length = body.length,
                             .size = body.length};
    struct buf text = BUF_INIT(JSON_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    json_write_object(&json);
    json_write_name(&json, "bodyStructure");
    mime_write_json(&json, &part);
    buf_text(&text, ",\"textBody\":[\"1\"],\"htmlBody\":[\"1\"],\"attachments\":[]}");
    struct str made = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return made;
}

/* One line of a header, as typed: whatever ends a line is a space. */
static void put_field(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, "%s: ", name);
    for (size_t i = 0; i < value.length; i++)
        buf_char(out, (unsigned char)value.at[i] < ' ' ? ' ' : value.at[i]);
    buf_text(out, "\r\n");
}

/* The words of a draft, found by a parser child like those of any message. */
static bool words_of(struct request *req, const struct draft *draft, struct str *words,
                     struct error *err)
{
    struct parser_summary summary;
    struct mime_part part = {.id = STR("1"), .type = STR("text/plain"), .charset = STR("utf-8")};
    struct buf header = BUF_INIT(SUBJECT_BYTES_MAX + 4 * (TYPED_BYTES_MAX + 16));
    put_field(&header, "Subject", draft->subject);
    put_field(&header, "To", draft->to);
    put_field(&header, "Cc", draft->cc);
    put_field(&header, "Bcc", draft->bcc);
    struct parser_headers_item item = {
        .header = buf_view(&header), .structure = &part, .text = draft->text, .text_part = &part};
    bool is_good = parser_headers(app_of(req)->parsers, req->arena, &item, 1, &summary, err);
    *words = is_good && summary.verdict == PARSER_PARSED ? summary.words : STR_EMPTY;
    buf_free(&header);
    return is_good;
}

static bool face_of(struct request *req, struct db *db, const struct draft *draft,
                    struct draft_face *face, struct error *err)
{
    struct identity identity;
    if (!writing_identity(req, db, draft->account_id, draft->identity_id, &identity, err))
        return false;
    struct compose_address from = {identity.name, identity.email};
    struct compose_addresses sender = {&from, 1};
    struct str to = people_json(req->arena, draft->to);
    *face = (struct draft_face){
        .from_json = people_json(req->arena, compose_addresses_show(req->arena, sender)),
        .to_json = to.length ? to : STR("[]"),
        .cc_json = people_json(req->arena, draft->cc),
        .bcc_json = people_json(req->arena, draft->bcc),
        .preview = preview_of_text(req->arena, draft->text),
        .structure = structure_json(req->arena, draft->text)};
    if (!words_of(req, draft, &face->words, err))
        return false;
    if (!face->from_json.length)
        face->from_json = STR("[]");
    return true;
}

/* Pictures of the draft's own stay as cid:. */
static bool sanitise(struct request *req, struct db *db, struct draft *draft, struct error *err)
{
    struct draft_attachment *attachments = NULL;
    struct parser_rendered rendered;
    size_t count = 0;
    if (!draft->html.length)
        return true;
    if (draft->email_id && !draft_attachments(db, req->arena, draft->account_id, draft->email_id,
                                              &attachments, &count, err))
        return false;
    struct mime_part root = {.type = STR("multipart/related")};
    struct mime_part *pictures = ARENA_ARRAY(req->arena, count, struct mime_part);
    for (size_t i = count; i-- > 0;) {
        pictures[i] = (struct mime_part){.id = attachments[i].cid,
                                         .cid = attachments[i].cid,
                                         .type = attachments[i].type,
                                         .parent = &root,
                                         .depth = 1,
                                         .next = root.first_child};
        root.first_child = &pictures[i];
    }
    struct mime_message message = {.root = &root, .part_count = count + 1};
    struct mime_part html = {.id = STR("1"), .type = STR("text/html"), .charset = STR("utf-8")};
    struct parser_render_options options = {
        .allow_remote = true, .part_url_prefix = STR("cid:"), .message = &message};
    if (!parser_render(app_of(req)->parsers, req->arena, &html, draft->html, &options, &rendered,
                       err))
        return false;
    draft->html = rendered.verdict == PARSER_PARSED ? rendered.html : STR_EMPTY;
    return true;
}

static bool check_sizes(const struct draft *draft, struct error *err)
{
    bool is_long = draft->subject.length > SUBJECT_BYTES_MAX ||
                   draft->to.length > TYPED_BYTES_MAX || draft->cc.length > TYPED_BYTES_MAX ||
                   draft->bcc.length > TYPED_BYTES_MAX || draft->text.length > TEXT_BYTES_MAX ||
                   draft->html.length > HTML_BYTES_MAX;
    return !is_long || error_set(err, ERROR_LIMIT, "A field of this message is too long.");
}

/* The plain form of a letter that was only written formatted. */
static void make_text(struct arena *arena, struct draft *draft)
{
    struct buf text = BUF_INIT(TEXT_BYTES_MAX + 1);
    if (!draft->html.length || draft->text.length)
        return;
    html_to_letter(&text, draft->html, TEXT_BYTES_MAX);
    draft->text = arena_str(arena, buf_view(&text));
    buf_free(&text);
}

static bool make_safe(struct request *req, struct db *db, struct draft *draft, struct error *err)
{
    if (!sanitise(req, db, draft, err))
        return false;
    make_text(req->arena, draft);
    return true;
}

bool writing_save(struct request *req, struct db *db, struct draft *draft, int expected,
                  struct error *err)
{
    struct draft_face face;
    draft->changed_at = clock_now_us();
    return check_sizes(draft, err) && make_safe(req, db, draft, err) &&
           face_of(req, db, draft, &face, err) && draft_put(db, draft, &face, expected, err);
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* A blob being written in a transaction of its own. */
struct intake {
    struct db *db;
    struct blob_writer *writer;
    struct error *err;
};

static bool intake_begin(struct intake *in, struct db *db, int64_t account_id, int64_t *blob_id,
                         struct error *err)
{
    *in = (struct intake){.db = db, .err = err};
    if (!upload_allocate(db, account_id, blob_id, err) || !db_begin(db, err))
        return false;
    in->writer = blob_begin(db, account_id, *blob_id, 0, STR_EMPTY, err);
    if (!in->writer)
        db_rollback(db);
    return in->writer != NULL;
}

static bool intake_end(struct intake *in, bool is_good)
{
    is_good = is_good && blob_finish(&in->writer, NULL, in->err) && db_commit(in->db, in->err);
    if (!is_good) {
        blob_abandon(&in->writer);
        db_rollback(in->db);
    }
    return is_good;
}

/* Bytes [offset, offset + length) of the request's body. */
static bool take_body(const struct request *req, struct intake *in, uint64_t offset,
                      uint64_t length)
{
    char *piece = arena_alloc(req->arena, PIECE_BYTES);
    while (length > 0) {
        ssize_t n = request_body_read(req, offset, piece,
                                      length < PIECE_BYTES ? (size_t)length : PIECE_BYTES, in->err);
        if (n == 0)
            error_set(in->err, ERROR_INVALID, "The upload is cut off.");
        if (n <= 0 || !blob_append(in->writer, str_make(piece, (size_t)n), in->err))
            return false;
        offset += (uint64_t)n;
        length -= (uint64_t)n;
    }
    return true;
}

bool writing_upload(struct request *req, struct db *db, int64_t account_id, uint64_t offset,
                    uint64_t length, int64_t *blob_id, struct error *err)
{
    struct intake in;
    return intake_begin(&in, db, account_id, blob_id, err) &&
           intake_end(&in, take_body(req, &in, offset, length));
}

bool writing_upload_once(struct request *req, struct db *db, int64_t account_id, int64_t *blob_id,
                         struct error *err)
{
    struct intake in;
    *blob_id = once_made(req);
    return *blob_id || (intake_begin(&in, db, account_id, blob_id, err) &&
                        intake_end(&in, take_body(req, &in, 0, req->body_bytes) &&
                                            once_note_made(req, db, *blob_id, err)));
}

bool writing_put(struct db *db, int64_t account_id, struct str bytes, int64_t *blob_id,
                 struct error *err)
{
    struct intake in;
    return intake_begin(&in, db, account_id, blob_id, err) &&
           intake_end(&in, blob_append(in.writer, bytes, err));
}

struct copy {
    struct intake in;
    struct mime_decoder decoder;
    struct buf decoded;
};

static bool copy_piece(void *context, struct str bytes)
{
    struct copy *copy = context;
    buf_reset(&copy->decoded);
    return mime_decoder_feed(&copy->decoder, bytes, &copy->decoded) &&
           blob_append(copy->in.writer, buf_view(&copy->decoded), copy->in.err);
}

bool writing_copy(struct request *req, struct db *db, const struct blob *blob, int64_t offset,
                  int64_t length, enum mime_encoding encoding, int64_t *blob_id, struct error *err)
{
    struct copy copy = {.decoder = mime_decoder(encoding),
                        .decoded = BUF_INIT(BLOB_CHUNK_BYTES * 2 + 4096)};
    (void)req;
    if (!intake_begin(&copy.in, db, blob->account_id, blob_id, err))
        return false;
    bool is_good = blob_stream(db, blob, offset, length, copy_piece, &copy, err);
    if (is_good) {
        buf_reset(&copy.decoded);
        is_good = mime_decoder_finish(&copy.decoder, &copy.decoded) &&
                  blob_append(copy.in.writer, buf_view(&copy.decoded), err);
    }
    buf_free(&copy.decoded);
    return intake_end(&copy.in, is_good);
}

/* --- sending --------------------------------------------------------------------------------- */

struct sending {
    struct request *req;
    struct db *db;
    struct submission_look look;
    const struct draft *draft; /* of the look, like what follows */
    const struct identity *identity;
    struct compose_addresses to, cc, bcc, reply_to;
    struct compose_attachment *attachments;
    struct submission submission;
    struct error write_err;
    struct blob_writer *writer;
};

struct attached_blob {
    struct db *db;
    const struct blob *blob;
};

static bool stream_blob(void *source, compose_write_fn *write, void *context, struct error *err)
{
    struct attached_blob *from = source;
    return blob_stream(from->db, from->blob, 0, from->blob->size_bytes, write, context, err);
}

static bool read_people(struct sending *s, struct error *err)
{
    struct arena *arena = s->req->arena;
    struct compose_addresses own;
    struct str to, cc, bcc;
    if (!writing_expand(s->req, s->db, s->draft->to, &to, err) ||
        !writing_expand(s->req, s->db, s->draft->cc, &cc, err) ||
        !writing_expand(s->req, s->db, s->draft->bcc, &bcc, err) ||
        !compose_addresses_read(arena, to, &s->to, err) ||
        !compose_addresses_read(arena, cc, &s->cc, err) ||
        !compose_addresses_read(arena, bcc, &s->bcc, err) ||
        !compose_addresses_read(arena, s->identity->reply_to, &s->reply_to, err) ||
        !compose_addresses_read(arena, s->identity->bcc, &own, err))
        return false;
    if (own.count) { /* copies that this sender always wants */
        size_t count = s->bcc.count + own.count;
        struct compose_address *all = ARENA_ARRAY(arena, count, struct compose_address);
        if (s->bcc.count)
            memcpy(all, s->bcc.at, s->bcc.count * sizeof *all);
        memcpy(all + s->bcc.count, own.at, own.count * sizeof *all);
        s->bcc = (struct compose_addresses){all, count};
    }
    size_t count = s->to.count + s->cc.count + s->bcc.count;
    if (count == 0)
        return error_set(err, ERROR_INVALID, "Say whom the message is for.");
    return count <= COMPOSE_ADDRESSES_MAX ||
           error_set(err, ERROR_LIMIT, "A message goes to at most %d addresses.",
                     COMPOSE_ADDRESSES_MAX);
}

static bool read_attachments(struct sending *s, struct error *err)
{
    struct arena *arena = s->req->arena;
    const struct draft_attachment *list = s->look.attachments;
    s->attachments = ARENA_ARRAY(arena, s->look.attachment_count, struct compose_attachment);
    for (size_t i = 0; i < s->look.attachment_count; i++) {
        struct blob *blob = ARENA_NEW(arena, struct blob);
        struct attached_blob *source = ARENA_NEW(arena, struct attached_blob);
        if (!blob_by_id(s->db, arena, s->draft->account_id, list[i].blob_id, blob, err))
            return false;
        *source = (struct attached_blob){s->db, blob};
        s->attachments[i] = (struct compose_attachment){.type = list[i].type,
                                                        .name = list[i].name,
                                                        .cid = list[i].cid,
                                                        .stream = stream_blob,
                                                        .source = source};
    }
    return true;
}

/* Each address once, in the order To, Cc, Bcc. */
static void write_recipients(struct sending *s)
{
    const struct compose_addresses lists[] = {s->to, s->cc, s->bcc};
    struct buf text = BUF_INIT(JSON_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    struct str seen[COMPOSE_ADDRESSES_MAX];
    size_t count = 0;
    json_write_array(&json);
    for (size_t l = 0; l < 3; l++) {
        for (size_t i = 0; i < lists[l].count; i++) {
            struct str email = lists[l].at[i].email;
            size_t k = 0;
            while (k < count && !str_equal_nocase(seen[k], email))
                k++;
            if (k < count)
                continue;
            seen[count++] = email;
            json_write_object(&json);
            json_write_name(&json, "email");
            json_write_str(&json, email);
            json_write_name(&json, "state");
            json_write_text(&json, "waiting");
            json_write_object_end(&json);
        }
    }
    json_write_array_end(&json);
    s->submission.recipients = arena_str(s->req->arena, buf_view(&text));
    buf_free(&text);
}

static bool take_bytes(void *context, struct str bytes)
{
    struct sending *s = context;
    return blob_append(s->writer, bytes, &s->write_err);
}

/* The message's bytes, frozen. */
static bool freeze(struct sending *s, struct error *err)
{
    struct submission *submission = &s->submission;
    struct compose_needs needs = {0};
    struct compose compose = {.from = {s->identity->name, s->identity->email},
                              .reply_to = s->reply_to,
                              .to = s->to,
                              .cc = s->cc,
                              .subject = s->draft->subject,
                              .text = s->draft->text,
                              .html = s->draft->html,
                              .message_id = submission->message_id,
                              .in_reply_to = s->draft->in_reply_to,
                              .references = s->draft->references,
                              .date_at = clock_now_us(),
                              .date_offset_minutes = writing_zone(),
                              .priority = (enum compose_priority)s->draft->priority,
                              .wants_receipt = s->draft->wants_receipt,
                              .attachments = s->attachments,
                              .attachment_count = s->look.attachment_count};
    s->writer = blob_begin(s->db, submission->account_id, submission->blob_id, 0, STR_EMPTY, err);
    bool is_good = s->writer && compose_write(&compose, take_bytes, s, &needs, err);
    if (!is_good && s->write_err.kind != ERROR_NONE)
        *err = s->write_err;
    is_good = is_good && blob_finish(&s->writer, NULL, err);
    blob_abandon(&s->writer);
    submission->needs_8bit = needs.eightbit;
    submission->needs_smtputf8 = needs.smtputf8;
    for (size_t i = 0; i < s->bcc.count; i++)
        for (size_t k = 0; k < s->bcc.at[i].email.length; k++)
            submission->needs_smtputf8 |= (unsigned char)s->bcc.at[i].email.at[k] >= 0x80;
    return is_good;
}

/* For completion: worth no failure of a message that is accepted. */
static void collect_people(struct sending *s)
{
    struct error err = ERROR_INIT;
    const struct compose_addresses lists[] = {s->to, s->cc, s->bcc};
    struct str emails[COMPOSE_ADDRESSES_MAX], names[COMPOSE_ADDRESSES_MAX];
    size_t count = 0;
    for (size_t l = 0; l < 3; l++) {
        for (size_t i = 0; i < lists[l].count; i++) {
            emails[count] = lists[l].at[i].email;
            names[count++] = lists[l].at[i].name;
        }
    }
    if (!contact_collect(s->db, signed_in(s->req)->user_id, emails, names, count, &err))
        LOG_WARN("contacts.collect", LOG_ERR(&err));
}

/* What could never leave is refused while the person is here. */
static bool check_server(const struct sending *s, struct error *err)
{
    if (s->look.account.smtp.host.length)
        return true;
    error_set(err, ERROR_INVALID, "This account has no server for outgoing mail.");
    return error_hint(err, "Add one in the settings of the account.");
}

/* Completion leaves one behind the last address. */
static struct str without_comma(struct str people)
{
    people = str_trim(people);
    while (people.length && strchr(", ", people.at[people.length - 1]))
        people.length--;
    return people;
}

static bool prepare(struct sending *s, struct error *err)
{
    struct arena *arena = s->req->arena;
    struct submission *submission = &s->submission;
    struct str from;
    if (!check_server(s, err) ||
        !(s->identity = writing_identity_choose(s->look.identities, s->look.identity_count,
                                                s->draft->identity_id, err)) ||
        !compose_email_check(arena, s->identity->email, &from, err) || !read_people(s, err) ||
        !read_attachments(s, err))
        return false;
    struct buf bcc = BUF_INIT(JSON_BYTES_MAX);
    if (!compose_bcc(&bcc, s->bcc, err))
        return false;
    submission->bcc_field = arena_str(arena, buf_view(&bcc));
    buf_free(&bcc);
    submission->account_id = s->draft->account_id;
    submission->id = s->look.first_id;
    submission->blob_id = s->look.first_id + 1;
    submission->identity_id = s->identity->id;
    submission->draft_id = s->draft->email_id;
    submission->wants_report = s->draft->wants_report;
    submission->answers_id = s->draft->answers_id;
    submission->answers_how = s->draft->answers_how;
    submission->message_id = compose_message_id(arena, from);
    submission->mail_from = from;
    submission->subject = s->draft->subject;
    submission->to = without_comma(s->draft->to.length ? s->draft->to : s->draft->cc);
    write_recipients(s);
    return true;
}

bool writing_send(struct request *req, struct db *db, int64_t account_id, int64_t draft_id,
                  const struct writing_send *how, struct submission *submission, struct error *err)
{
    struct sending s = {.req = req, .db = db};
    if (!submission_look(db, req->arena, account_id, draft_id, how->idempotency_key, &s.look, err))
        return false;
    if (s.look.known_id)
        return submission_by_id(db, req->arena, account_id, s.look.known_id, submission, err);
    s.draft = &s.look.draft;
    if (s.draft->is_hidden)
        return error_set(err, ERROR_CONFLICT, "This message is being sent already.");
    s.submission.send_at = how->send_at;
    if (!prepare(&s, err))
        return false;
    if (how->is_from_nobody)
        s.submission.mail_from = STR_EMPTY;
    if (!db_begin(db, err))
        return false;
    bool is_good =
        freeze(&s, err) && submission_create(db, &s.submission, how->idempotency_key, err);
    if (is_good && db_commit(db, err)) {
        *submission = s.submission;
        collect_people(&s);
        return true;
    }
    db_rollback(db);
    return false;
}
