/* Pictures that a message brings along (cid:), for its sandboxed frame. The frame has an origin of
 * its own, so the browser sends no cookie with them: a ticket in the URL names session, message and
 * end, under a MAC keyed by the session's secret. */
#include "handlers/html/body.h"
#include "handlers/html/screens.h"
#include "handlers/session.h"
#include "server/base/clock.h"
#include "server/base/encode.h"
#include "server/mail/decode.h"
#include "server/mail/sniff.h"

enum {
    TICKET_SECONDS = 3600,
    TICKET_TEXT_MAX = 256,
    PICTURE_BYTES_MAX = 12 * 1024 * 1024,
    PICTURE_WAIT_MS = 10000,
};

struct ticket {
    unsigned char session[TOKEN_HASH_BYTES];
    int64_t account_id, email_id, until_us;
    unsigned char mac[TOKEN_HASH_BYTES];
};

static void sign(struct ticket *ticket, const unsigned char secret[TOKEN_HASH_BYTES],
                 unsigned char mac[TOKEN_HASH_BYTES])
{
    struct buf purpose = BUF_INIT(256);
    buf_printf(&purpose, "picture %lld %lld %lld", (long long)ticket->account_id,
               (long long)ticket->email_id, (long long)ticket->until_us);
    token_derive(str_make(secret, TOKEN_HASH_BYTES), buf_view(&purpose), mac);
    buf_free(&purpose);
}

bool picture_prefix(const struct request *req, struct db *db, const struct email *email,
                    struct str *prefix, struct error *err)
{
    struct session session;
    const struct signed_in *who = signed_in(req);
    if (!session_use(db, req->arena, who->token_hash, app_of(req)->config->session_idle, &session,
                     err))
        return false;
    struct ticket ticket = {.account_id = email->account_id,
                            .email_id = email->id,
                            .until_us = clock_now_us() + TICKET_SECONDS * INT64_C(1000000)};
    memcpy(ticket.session, who->token_hash, sizeof ticket.session);
    sign(&ticket, session.csrf, ticket.mac);
    struct buf text = BUF_INIT(TICKET_TEXT_MAX);
    buf_text(&text, "/picture/");
    encode_base64url(&text, str_make(&ticket, sizeof ticket));
    buf_char(&text, '/');
    *prefix = arena_str(req->arena, buf_view(&text));
    buf_free(&text);
    return true;
}

static bool refuse(struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, "There is no such picture.");
}

static bool read_ticket(struct str text, struct ticket *ticket)
{
    struct buf bytes = BUF_INIT(TICKET_TEXT_MAX);
    bool is_good = decode_base64url(&bytes, text) && bytes.length == sizeof *ticket;
    if (is_good)
        memcpy(ticket, bytes.at, sizeof *ticket);
    buf_free(&bytes);
    return is_good;
}

/* Signs the request in as the ticket's session, for this picture. */
static bool open_ticket(struct request *req, struct ticket *ticket, struct error *err)
{
    struct session session;
    unsigned char mac[TOKEN_HASH_BYTES];
    if (!read_ticket(request_param(req, "ticket"), ticket) || ticket->until_us < clock_now_us())
        return refuse(err);
    struct db *db = store_acquire(app_of(req)->store, 0, err);
    if (!db)
        return false;
    bool is_found = session_use(db, req->arena, ticket->session, app_of(req)->config->session_idle,
                                &session, err);
    store_release(app_of(req)->store, &db);
    if (!is_found)
        return false;
    sign(ticket, session.csrf, mac);
    if (!secret_equal(str_make(mac, sizeof mac), str_make(ticket->mac, sizeof mac)))
        return refuse(err);
    struct signed_in *who = ARENA_NEW(req->arena, struct signed_in);
    who->user_id = session.user_id;
    who->login = session.login;
    req->session = who;
    return true;
}

/* Raster pictures only (security.md 13). */
static bool set_raster_type(struct response *res, struct error *err)
{
    struct str type = sniff_type(buf_view(&res->body));
    if (!sniff_is_raster(type))
        return refuse(err);
    response_set_header(res, "Content-Type", type);
    return true;
}

static bool load(struct request *req, struct response *res, struct db *db,
                 const struct ticket *ticket, struct email *email, struct content_place *place,
                 struct error *err)
{
    const struct mime_message *message;
    if (!email_by_id(db, req->arena, ticket->account_id, ticket->email_id, email, err) ||
        !content_structure(req->arena, email, &message, err))
        return false;
    const struct mime_part *part = message ? mime_find(message, request_param(req, "part")) : NULL;
    if (!part || !str_starts(part->type, STR("image/")))
        return refuse(err);
    if (!content_find(req, db, email, part, place, err))
        return false;
    if (!place->is_here)
        return true;
    struct str bytes;
    if (!content_read(db, req->arena, place, PICTURE_BYTES_MAX, &bytes, err))
        return false;
    if (!mime_decode(&res->body, bytes, place->part->encoding))
        return error_set(err, ERROR_LIMIT, "This picture is too large to be shown.");
    return set_raster_type(res, err);
}

bool html_picture(struct request *req, struct response *res, struct error *err)
{
    struct ticket ticket = {0};
    struct email email;
    struct content_place place = {0};
    if (!open_ticket(req, &ticket, err))
        return false;
    struct str part_id = request_param(req, "part");
    for (int turn = 0; turn < 2; turn++) {
        struct db *db = app_db(req, err);
        bool is_good = db && load(req, res, db, &ticket, &email, &place, err);
        store_release(app_of(req)->store, &db);
        if (!is_good)
            return false;
        if (place.is_here)
            break;
        if (turn == 1 || !content_fetch(req, &email, &part_id, 1, PICTURE_WAIT_MS, err))
            return turn == 1 ? refuse(err) : false;
    }
    /* the frame's origin is opaque, hence cross-origin; its URL is nobody's guess */
    response_set_header(res, "Cross-Origin-Resource-Policy", STR("cross-origin"));
    response_set_header(res, "Content-Security-Policy", STR("default-src 'none'; sandbox"));
    response_set_header(res, "Cache-Control", STR("private, max-age=3600"));
    return true;
}
