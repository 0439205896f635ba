/* What every handler has at hand: req->context is a struct app. Read-only after start; each member
 * is thread-safe. */
#ifndef RESTANTE_HANDLERS_APP_H
#define RESTANTE_HANDLERS_APP_H

#include "server/base/config.h"
#include "server/base/seal.h"
#include "server/http/router.h"
#include "server/parser/parser.h"
#include "server/store/store.h"
#include "server/template/template.h"

struct static_files;
struct lately;
struct render_cache;
struct request_counts;
struct waiters;

struct app {
    struct store *store; /* opened as STORE_WEB */
    struct parser_pool *parsers;
    struct templates *templates;
    struct render_cache *renderings; /* see handlers/html/render_cache.h */
    struct lately *looked;           /* accounts and their folders: see handlers/look.h */
    struct lately *owned;            /* people and their accounts: see session_owns */
    struct static_files *statics;
    const struct config *config;
    struct seal_public_key seal_key; /* credentials are sealed to it, and cannot be opened here */
    struct waiters *waiters;         /* see handlers/wait.h */
    struct request_counts *request_counts; /* see handlers/system.h */
};

static inline const struct app *app_of(const struct request *req)
{
    return req->context;
}

/* A database connection for the person signed in (nobody: identity tables only). Give it back with
 * store_release(app_of(req)->store, &db). */
struct db *app_db(const struct request *req, struct error *err);

#endif
