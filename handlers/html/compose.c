/* Writing mail: one form, complete without JavaScript. GET begins (nothing is saved by looking);
 * each button saves the draft first, so that nothing typed is lost. */
#include "handlers/html/compose.h"

#include <stdio.h>

#include "handlers/download.h"
#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "server/base/clock.h"
#include "server/base/utf8.h"

enum {
    FIELD_BYTES_MAX = 4 * 1024 * 1024, /* of one text field */
    FIELDS_MAX = 64,
    FILES_MAX = 100,
    MANY_RECIPIENTS = 25,
    NAME_BYTES_MAX = 255,
};

/* --- reading the form ------------------------------------------------------------------------ */

struct form {
    struct http_field at[FIELDS_MAX];
    struct http_fields fields;
    struct request_part files[FILES_MAX];
    size_t file_count;
};

/* Valid UTF-8, line ends as LF: browsers send CRLF. */
static struct str clean_text(struct arena *arena, struct str text)
{
    struct buf clean = BUF_INIT(FIELD_BYTES_MAX * 3);
    while (text.length) {
        ptrdiff_t cr = str_find(text, STR("\r\n"));
        utf8_repair(&clean, str_sub(text, 0, cr < 0 ? text.length : (size_t)cr));
        text = cr < 0 ? STR_EMPTY : str_skip(text, (size_t)cr + 1);
    }
    struct str made = arena_str(arena, buf_view(&clean));
    buf_free(&clean);
    return made;
}

static bool read_field(struct request *req, const struct request_part *part, struct form *form,
                       struct error *err)
{
    if (part->bytes > FIELD_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "A field of this message is too long.");
    char *text = arena_alloc(req->arena, part->bytes + 1);
    size_t got = 0;
    while (got < part->bytes) {
        ssize_t n = request_body_read(req, part->at + got, text + got, part->bytes - got, err);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (form->fields.count < FIELDS_MAX)
        form->at[form->fields.count++] =
            (struct http_field){part->name, clean_text(req->arena, str_make(text, got))};
    return true;
}

static bool read_form(struct request *req, struct form *form, struct error *err)
{
    struct request_part *parts;
    size_t count;
    form->fields.at = form->at;
    if (!request_multipart(req, &parts, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool is_file = parts[i].file_name.at != NULL;
        if (!is_file && !read_field(req, &parts[i], form, err))
            return false;
        /* a file field that was left empty comes as a file without name and bytes */
        if (is_file && (parts[i].bytes || parts[i].file_name.length) &&
            form->file_count < FILES_MAX)
            form->files[form->file_count++] = parts[i];
    }
    return true;
}

static int64_t form_id(const struct form *form, const char *name)
{
    int64_t id = 0;
    return str_to_i64(form_text(&form->fields, name), &id) && id > 0 ? id : 0;
}

static const char *const takes[] = {"nothing", "pictures", "parts", "message"};

static void read_take(const struct form *form, struct writing_take *take)
{
    struct str how = form_text(&form->fields, "take");
    *take = (struct writing_take){TAKE_NOTHING, form_id(form, "takeFrom")};
    for (int i = TAKE_PICTURES; take->email_id && i <= TAKE_MESSAGE; i++)
        if (str_equal(how, str_of(takes[i])))
            take->how = (enum take)i;
}

/* What is formatted comes only from a script: without one the text is all there is. */
static void read_draft(const struct form *form, struct composing *c)
{
    struct draft *d = &c->draft;
    struct str priority = form_text(&form->fields, "priority");
    d->identity_id = form_id(form, "identity");
    d->to = form_text(&form->fields, "to");
    d->cc = form_text(&form->fields, "cc");
    d->bcc = form_text(&form->fields, "bcc");
    d->subject = form_text(&form->fields, "subject");
    d->text = form_raw(&form->fields, "text");
    d->html = form_raw(&form->fields, "html");
    d->priority = str_equal(priority, STR("high"))  ? PRIORITY_HIGH
                  : str_equal(priority, STR("low")) ? PRIORITY_LOW
                                                    : PRIORITY_NORMAL;
    d->wants_receipt = http_field_value(&form->fields, "receipt").at != NULL;
    d->wants_report = http_field_value(&form->fields, "report").at != NULL;
    read_take(form, &c->take);
    if (d->email_id)
        return;
    struct str how = form_text(&form->fields, "answersHow");
    d->in_reply_to = form_text(&form->fields, "inReplyTo");
    d->references = form_text(&form->fields, "references");
    d->answers_id = form_id(form, "answersId");
    d->answers_how = !d->answers_id                 ? ANSWERS_NOTHING
                     : str_equal(how, STR("reply")) ? ANSWERS_REPLY
                                                    : ANSWERS_FORWARD;
}

/* --- showing it ------------------------------------------------------------------------------ */

struct shown {
    const struct composing *composing;
    const struct error *problem; /* NULL: none */
    const char *warning;         /* asks once more before it is sent; NULL: none */
    bool is_saved;
};

static bool set_identities(struct request *req, struct db *db, struct value *page,
                           const struct composing *c, struct error *err)
{
    struct identity *list;
    size_t count;
    if (!identity_list(db, req->arena, c->account_id, &list, &count, err))
        return false;
    struct value *views = view_set_list(page, "identities");
    for (size_t i = 0; i < count; i++) {
        struct value *view = view_add_object(views);
        struct compose_address one = {list[i].name, list[i].email};
        view_set_i64(view, "id", list[i].id);
        view_set_str(view, "label",
                     compose_addresses_show(req->arena, (struct compose_addresses){&one, 1}));
        view_set_bool(view, "isChosen", list[i].id == c->draft.identity_id);
        view_set_str(view, "signature", list[i].text_signature);
        view_set_str(view, "htmlSignature", list[i].html_signature);
    }
    return true;
}

static bool set_attachments(struct request *req, struct db *db, struct value *page,
                            const struct composing *c, struct error *err)
{
    struct draft_attachment *list = NULL;
    size_t count = 0;
    if (c->draft.email_id &&
        !draft_attachments(db, req->arena, c->account_id, c->draft.email_id, &list, &count, err))
        return false;
    struct value *views = view_set_list(page, "attachments");
    for (size_t i = 0; i < count; i++) {
        struct value *view = view_add_object(views);
        view_set_i64(view, "number", list[i].n);
        view_set_str(view, "name", list[i].name.length ? list[i].name : STR("Unnamed"));
        view_set_str(view, "size", words_size(req->arena, list[i].size_bytes));
        view_set_str(view, "cid", list[i].cid);
        view_set_path(view, "url", "/mail/%lld/compose/%lld/attachment/%d",
                      (long long)c->account_id, (long long)c->draft.email_id, list[i].n);
    }
    return true;
}

static bool set_delays(struct request *req, struct db *db, struct value *page, struct error *err)
{
    static const int choices[] = {0, 5, 10, 30, 60};
    int chosen;
    if (!send_delay(db, signed_in(req)->user_id, &chosen, err))
        return false;
    struct value *list = view_set_list(page, "delays");
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        struct value *view = view_add_object(list);
        view_set_i64(view, "seconds", choices[i]);
        view_set_bool(view, "isNone", choices[i] == 0);
        view_set_bool(view, "isChosen", choices[i] == chosen);
    }
    return true;
}

static void set_fields(struct value *page, const struct composing *c)
{
    const struct draft *d = &c->draft;
    view_set_i64(page, "accountId", c->account_id);
    view_set_text(page, "draftId", NULL);
    if (d->email_id)
        view_set_i64(page, "draftId", d->email_id);
    view_set_i64(page, "revision", d->revision);
    view_set_str(page, "to", d->to);
    view_set_str(page, "cc", d->cc);
    view_set_str(page, "bcc", d->bcc);
    view_set_bool(page, "hasCopies", d->cc.length || d->bcc.length);
    view_set_str(page, "subject", d->subject);
    view_set_str(page, "text", d->text);
    view_set_str(page, "html", d->html);
    view_set_str(page, "inReplyTo", d->in_reply_to);
    view_set_str(page, "references", d->references);
    view_set_text(page, "answersId", NULL);
    if (d->answers_id)
        view_set_i64(page, "answersId", d->answers_id);
    view_set_text(page, "answersHow", d->answers_how == ANSWERS_REPLY ? "reply" : "forward");
    view_set_text(page, "takeFrom", NULL);
    if (c->take.how != TAKE_NOTHING)
        view_set_i64(page, "takeFrom", c->take.email_id);
    view_set_text(page, "take", takes[c->take.how]);
    view_set_bool(page, "takesFiles", c->take.how >= TAKE_PARTS);
    view_set_text(page, "quoting", quoting_name(c->quoting));
    view_set_bool(page, "isQuoteMissing", c->is_quote_missing);
    bool is_quoted = str_find(d->text, STR("\n>")) >= 0 || str_starts(d->text, STR(">"));
    view_set_bool(page, "canQuote",
                  d->answers_id && d->answers_how == ANSWERS_REPLY && !is_quoted &&
                      !c->is_quote_missing);
    view_set_bool(page, "isHigh", d->priority == PRIORITY_HIGH);
    view_set_bool(page, "isLow", d->priority == PRIORITY_LOW);
    view_set_bool(page, "wantsReceipt", d->wants_receipt);
    view_set_bool(page, "wantsReport", d->wants_report);
}

static bool show(struct request *req, struct response *res, struct db *db,
                 const struct shown *shown, struct error *err)
{
    struct str subject = shown->composing->draft.subject;
    struct value *page =
        page_new(req, subject.length ? arena_text(req->arena, subject) : "New message");
    set_fields(page, shown->composing);
    view_set_bool(page, "isSaved", shown->is_saved);
    view_set_text(page, "warning", shown->warning);
    if (shown->problem)
        page_set_problem(page, shown->problem);
    if (shown->problem || shown->warning)
        res->status = 422;
    return set_identities(req, db, page, shown->composing, err) &&
           set_attachments(req, db, page, shown->composing, err) &&
           set_delays(req, db, page, err) && page_send(req, res, "compose", page, err);
}

/* --- GET ------------------------------------------------------------------------------------- */

static bool find_account(struct request *req, struct db *db, struct composing *c, struct error *err)
{
    struct account account;
    return request_param_id(req, "account", &c->account_id, err) &&
           session_account(req, db, c->account_id, &account, err);
}

bool html_compose(struct request *req, struct response *res, struct error *err)
{
    struct composing c = {0};
    struct db *db = app_db(req, err);
    bool is_done = db && find_account(req, db, &c, err) && compose_begin(req, &db, &c, err) &&
                   show(req, res, db, &(struct shown){.composing = &c}, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

/* A draft that another program wrote is edited as a new one. */
static bool go_edit_as_new(struct request *req, struct response *res, const struct composing *c,
                           int64_t id, struct error *why)
{
    if (why->kind != ERROR_NOT_FOUND)
        return false;
    response_redirect(res, arena_printf(req->arena, "/mail/%lld/compose?again=%lld",
                                        (long long)c->account_id, (long long)id));
    return true;
}

bool html_draft(struct request *req, struct response *res, struct error *err)
{
    struct composing c = {0};
    int64_t id;
    if (!request_param_id(req, "draft", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && find_account(req, db, &c, err);
    if (is_done && !draft_by_id(db, req->arena, c.account_id, id, &c.draft, err)) {
        is_done = go_edit_as_new(req, res, &c, id, err);
    } else if (is_done && c.draft.is_hidden) {
        response_redirect(res,
                          arena_printf(req->arena, "/mail/%lld/outbox", (long long)c.account_id));
    } else if (is_done) {
        bool is_saved = request_argument(req, "saved").at != NULL;
        is_done = show(req, res, db, &(struct shown){.composing = &c, .is_saved = is_saved}, err);
    }
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_draft_attachment(struct request *req, struct response *res, struct error *err)
{
    struct composing c = {0};
    struct draft_attachment *list;
    size_t count = 0, i = 0;
    int64_t id, number;
    struct content_place place = {.is_here = true};
    if (!request_param_id(req, "draft", &id, err) ||
        !request_param_id(req, "attachment", &number, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_good = db && find_account(req, db, &c, err) &&
                   draft_attachments(db, req->arena, c.account_id, id, &list, &count, err);
    while (is_good && i < count && list[i].n != number)
        i++;
    if (is_good && i == count)
        is_good = error_set(err, ERROR_NOT_FOUND, "There is no such attachment.");
    is_good =
        is_good && blob_by_id(db, req->arena, c.account_id, list[i].blob_id, &place.blob, err);
    store_release(app_of(req)->store, &db);
    if (!is_good)
        return false;
    place.length = place.blob.size_bytes;
    download_headers(res, download_type(list[i].type), list[i].name);
    download_stream(req, res, &place, MIME_8BIT);
    return true;
}

/* --- POST ------------------------------------------------------------------------------------ */

static bool attach_files(struct request *req, struct db *db, const struct composing *c,
                         const struct form *form, struct error *err)
{
    for (size_t i = 0; i < form->file_count; i++) {
        const struct request_part *file = &form->files[i];
        struct draft_attachment one = {.name = str_sub(file->file_name, 0, NAME_BYTES_MAX),
                                       .type = file->content_type.length &&
                                                       file->content_type.length < 128
                                                   ? file->content_type
                                                   : STR("application/octet-stream")};
        if (!writing_upload(req, db, c->account_id, file->at, file->bytes, &one.blob_id, err) ||
            !draft_attach(db, c->account_id, c->draft.email_id, &one, err))
            return false;
    }
    return true;
}

/* Before the quote. */
static bool speaks_of_attachment(struct str text)
{
    /* English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Czech,
     * Russian, Japanese, Chinese */
    static const char *const words[] = {
        "attached",   "attachment",   "enclosed",  "anbei",        "angehängt",
        "Anhang",     "beigefügt",    "ci-joint",  "pièce jointe", "adjunto",
        "adjunta",    "allegato",     "allegata",  "em anexo",     "bijlage",
        "bijgevoegd", "w załączeniu", "załącznik", "bifogad",      "bilaga",
        "v příloze",  "вложении",     "прилагаю",  "添付",         "附件"};
    ptrdiff_t quote = str_find(text, STR("\n>"));
    struct str own = quote >= 0 ? str_sub(text, 0, (size_t)quote) : text;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_find_nocase(own, str_of(words[i])) >= 0)
            return true;
    return false;
}

static bool shows_many(struct request *req, struct db *db, const struct draft *d)
{
    struct compose_addresses to, cc;
    struct str all_to, all_cc;
    return writing_expand(req, db, d->to, &all_to, NULL) &&
           writing_expand(req, db, d->cc, &all_cc, NULL) &&
           compose_addresses_read(req->arena, all_to, &to, NULL) &&
           compose_addresses_read(req->arena, all_cc, &cc, NULL) &&
           to.count + cc.count > MANY_RECIPIENTS;
}

/* What people forget, all of it at once; NULL: nothing. */
static const char *warning_of(struct request *req, struct db *db, const struct composing *c)
{
    const struct draft *d = &c->draft;
    struct draft_attachment *list;
    size_t count = 0;
    bool has_none =
        draft_attachments(db, req->arena, c->account_id, d->email_id, &list, &count, NULL) &&
        count == 0;
    struct str all = arena_printf(
        req->arena, "%s%s%s", d->subject.length ? "" : "The subject is empty. ",
        shows_many(req, db, d) ? "Everybody will see the addresses of many others; Bcc hides them. "
                               : "",
        has_none && speaks_of_attachment(d->text)
            ? "The text speaks of an attachment, and there is none. "
            : "");
    return all.length ? arena_text(req->arena, str_trim(all)) : NULL;
}

/* "2026-11-26T08:00" of a datetime-local field, in the server's zone. */
static bool read_send_at(const struct form *form, int64_t *at, struct error *err)
{
    struct str text = form_text(&form->fields, "sendAt");
    char full[40];
    int zone = writing_zone();
    int magnitude = zone < 0 ? -zone : zone;
    if (!text.length)
        return true;
    int length =
        snprintf(full, sizeof full, "%.16s:00%c%02d:%02d", text.length >= 16 ? text.at : "",
                 zone < 0 ? '-' : '+', magnitude / 60, magnitude % 60);
    return (length > 0 && clock_parse_rfc3339(str_of(full), at)) ||
           error_set(err, ERROR_INVALID, "The time to send it makes no sense.");
}

static bool send(struct request *req, struct response *res, struct db *db,
                 const struct composing *c, const struct form *form, struct error *err)
{
    int64_t delay = 0;
    struct submission submission;
    struct str text = form_text(&form->fields, "delay");
    int64_t user_id = signed_in(req)->user_id;
    bool has_delay = str_to_i64(text, &delay) && delay >= 0 && delay <= SEND_DELAY_MAX_S;
    struct writing_send how = {.send_at = clock_now_us() + (has_delay ? delay : 0) * 1000000};
    if (!read_send_at(form, &how.send_at, err) ||
        (has_delay && !send_delay_set(db, user_id, (int)delay, err)) ||
        !writing_send(req, db, c->account_id, c->draft.email_id, &how, &submission, err))
        return false;
    response_redirect(res, arena_printf(req->arena, "/mail/%lld/outbox", (long long)c->account_id));
    return true;
}

static bool detach(struct db *db, const struct composing *c, struct str what, struct error *err)
{
    int64_t number;
    if (!str_to_i64(str_skip(what, 7), &number) || number > INT32_MAX)
        return error_set(err, ERROR_INVALID, "There is no such attachment.");
    return draft_detach(db, c->account_id, c->draft.email_id, (int)number, err);
}

/* Saves, then does what the button says. False with a form error: the form is shown again. */
static bool act(struct request *req, struct response *res, struct db **db, struct composing *c,
                const struct form *form, const char **warning, struct error *err)
{
    struct str what = form_text(&form->fields, "do");
    int64_t revision = form_id(form, "revision");
    if (str_equal(what, STR("discard"))) {
        if (c->draft.email_id && !draft_delete(*db, c->account_id, c->draft.email_id, err))
            return false;
        response_redirect(res, arena_printf(req->arena, "/mail/%lld", (long long)c->account_id));
        return true;
    }
    if (str_equal(what, STR("quote")) && !compose_add_quote(req, db, c, err))
        return false;
    if (!writing_begin(req, db, &c->draft, (int)revision, &c->take, err))
        return false;
    c->take = (struct writing_take){TAKE_NOTHING, 0};
    if (!attach_files(req, *db, c, form, err))
        return false;
    if (str_starts(what, STR("detach-")) && !detach(*db, c, what, err))
        return false;
    if (str_equal(what, STR("send"))) {
        *warning = http_field_value(&form->fields, "sure").at ? NULL : warning_of(req, *db, c);
        return !*warning && send(req, res, *db, c, form, err);
    }
    response_redirect(res, arena_printf(req->arena, "/mail/%lld/compose/%lld?saved=1",
                                        (long long)c->account_id, (long long)c->draft.email_id));
    return true;
}

/* What was typed stays; who saves again after a conflict writes over what is there. */
static bool show_again(struct request *req, struct response *res, struct db *db,
                       struct composing *c, const char *warning, const struct error *why,
                       struct error *err)
{
    struct draft now;
    if (c->draft.email_id &&
        draft_by_id(db, req->arena, c->account_id, c->draft.email_id, &now, NULL))
        c->draft.revision = now.revision;
    struct shown shown = {.composing = c, .warning = warning, .problem = warning ? NULL : why};
    return show(req, res, db, &shown, err);
}

static bool post(struct request *req, struct response *res, int64_t draft_id, struct error *err)
{
    struct composing c = {0};
    struct form *form = ARENA_NEW(req->arena, struct form);
    struct error why = ERROR_INIT;
    const char *warning = NULL;
    if (!read_form(req, form, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done =
        db && find_account(req, db, &c, err) &&
        (!draft_id || draft_by_id(db, req->arena, c.account_id, draft_id, &c.draft, err));
    if (is_done) {
        c.draft.account_id = c.account_id;
        read_draft(form, &c);
        is_done = act(req, res, &db, &c, form, &warning, &why);
        if (!is_done && db && (warning || page_is_form_error(&why)))
            is_done = show_again(req, res, db, &c, warning, &why, err);
        else if (!is_done)
            *err = why;
    }
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_compose_post(struct request *req, struct response *res, struct error *err)
{
    return post(req, res, 0, err);
}

bool html_draft_post(struct request *req, struct response *res, struct error *err)
{
    int64_t id;
    return request_param_id(req, "draft", &id, err) && post(req, res, id, err);
}
