#include "handlers/limits.h"

#include "handlers/app.h"
#include "handlers/session.h"
#include "server/store/users.h"

enum { TRIAL_WINDOW_S = 15 * 60, TOKENS = 50, TOKEN_WINDOW_S = 60 * 60 };

static const struct {
    const char *bucket;
    int window_s;
    const char *sentence;
} limits[] = {
    [LIMIT_DISCOVERIES] = {"discover", TRIAL_WINDOW_S, "Too many searches for mail servers."},
    [LIMIT_TRIALS] = {"trial", TRIAL_WINDOW_S, "Too many tries of mail accounts."},
    [LIMIT_TOKENS] = {"token", TOKEN_WINDOW_S, "Too many new tokens."},
};

bool limit_hit(struct request *req, struct db *db, enum limit limit, struct error *err)
{
    int hits, left_s;
    int64_t most = limit == LIMIT_TOKENS ? TOKENS : app_of(req)->config->account_tries;
    struct str bucket = arena_printf(req->arena, "%s:%lld", limits[limit].bucket,
                                     (long long)signed_in(req)->user_id);
    if (!rate_hit(db, bucket, limits[limit].window_s, &hits, &left_s, err))
        return false;
    if (hits <= most)
        return true;
    int minutes = (left_s + 59) / 60;
    error_set(err, ERROR_THROTTLED, "%s", limits[limit].sentence);
    error_hint(err, "Wait %d minute%s and try again.", minutes, minutes == 1 ? "" : "s");
    err->retry_after_ms = left_s * 1000;
    return false;
}
