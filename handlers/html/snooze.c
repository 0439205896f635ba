#include "handlers/html/snooze.h"

#include "handlers/html/screens.h"
#include "handlers/html/words.h"
#include "handlers/zone.h"
#include "server/base/clock.h"
#include "server/store/mailboxes.h"
#include "server/store/snooze.h"

enum { MORNING = 8, YEARS_MAX = 10 };
static const int64_t hour_us = 3600 * INT64_C(1000000);

/* --- when ------------------------------------------------------------------------------------ */

/* "2026-11-27T08:00", as <input type="datetime-local"> sends it: a clock without a zone. */
static bool read_own(struct arena *arena, struct str text, struct tm *clock)
{
    int64_t as_utc;
    if (!clock_parse_rfc3339(arena_printf(arena, "%" STR_FMT ":00Z", STR_ARG(text)), &as_utc))
        return false;
    time_t seconds = (time_t)(as_utc / 1000000);
    return gmtime_r(&seconds, clock) != NULL;
}

int64_t snooze_until(struct arena *arena, const struct http_fields *form, int64_t now)
{
    struct str choice = form_text(form, "until"), zone = form_text(form, "zone");
    struct tm clock;
    zone_clock(zone, now, &clock);
    clock.tm_min = clock.tm_sec = 0;
    int to_saturday = 6 - clock.tm_wday, to_monday = (8 - clock.tm_wday) % 7;
    if (str_equal(choice, STR("today"))) { /* in three hours, at the full hour */
        clock.tm_hour += 3;
    } else if (str_equal(choice, STR("tomorrow"))) {
        clock.tm_mday += 1;
        clock.tm_hour = MORNING;
    } else if (str_equal(choice, STR("weekend"))) {
        clock.tm_mday += to_saturday ? to_saturday : 7;
        clock.tm_hour = MORNING;
    } else if (str_equal(choice, STR("week"))) {
        clock.tm_mday += to_monday ? to_monday : 7;
        clock.tm_hour = MORNING;
    } else if (!str_equal(choice, STR("own")) || !read_own(arena, form_text(form, "at"), &clock)) {
        return 0;
    }
    int64_t until = zone_moment(zone, &clock);
    return until > now && until < now + YEARS_MAX * 366 * 24 * hour_us ? until : 0;
}

/* --- the page -------------------------------------------------------------------------------- */

static bool show(struct request *req, struct response *res, struct db *db, struct error *err)
{
    int64_t account_id, now = clock_now_us();
    struct account account;
    struct snoozed *list;
    struct email *emails;
    size_t count, email_count;
    if (!request_param_id(req, "account", &account_id, err) ||
        !session_account(req, db, account_id, &account, err) ||
        !snooze_list(db, req->arena, account_id, &list, &count, err))
        return false;
    int64_t *ids = ARENA_ARRAY(req->arena, count + 1, int64_t);
    for (size_t i = 0; i < count; i++)
        ids[i] = list[i].email_id;
    if (!emails_by_ids(db, req->arena, account_id, ids, count, &emails, &email_count, err))
        return false;
    struct value *page = page_new(req, "Snoozed");
    struct value *view = view_set_object(page, "account");
    view_set_i64(view, "id", account.id);
    view_set_str(view, "name", account.name);
    struct value *rows = view_set_list(page, "snoozed");
    for (size_t i = 0, k = 0; i < count && k < email_count; i++) {
        if (emails[k].id != list[i].email_id)
            continue; /* it went meanwhile */
        struct value *row = view_add_object(rows);
        struct person *people;
        size_t person_count;
        people_read(req->arena, emails[k].from_json, &people, &person_count);
        view_set_i64(row, "id", emails[k].id);
        view_set_str(row, "subject", emails[k].subject);
        view_set_str(row, "name", people_summary(req->arena, people, person_count));
        view_set_path(row, "url", "/mail/%lld/%lld/%lld", (long long)account_id,
                      (long long)emails[k].mailbox_id, (long long)emails[k].id);
        view_set_str(row, "when", words_moment(req->arena, list[i].until, now));
        view_set_str(row, "iso", words_iso(req->arena, list[i].until));
        k++;
    }
    return page_send(req, res, "snoozed", page, err);
}

bool html_snoozed(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && show(req, res, db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}

bool html_snoozed_end(struct request *req, struct response *res, struct error *err)
{
    int64_t account_id, id;
    struct account account;
    struct error why = ERROR_INIT;
    if (!request_param_id(req, "account", &account_id, err) ||
        !request_param_id(req, "email", &id, err))
        return false;
    struct db *db = app_db(req, err);
    bool is_done = db && session_account(req, db, account_id, &account, err) &&
                   (snooze_hurry(db, account_id, &id, 1, &why) || why.kind == ERROR_NOT_FOUND);
    store_release(app_of(req)->store, &db);
    if (is_done)
        response_redirect(res,
                          arena_printf(req->arena, "/mail/%lld/snoozed", (long long)account_id));
    else if (why.kind != ERROR_NONE)
        *err = why;
    return is_done;
}
