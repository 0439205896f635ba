#include "handlers/app.h"

#include "handlers/session.h"

struct db *app_db(const struct request *req, struct error *err)
{
    const struct signed_in *who = signed_in(req);
    return store_acquire(app_of(req)->store, who ? who->user_id : 0, err);
}
