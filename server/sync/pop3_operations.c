#include "server/sync/pop3_operations.h"

#include "server/sync/operations.h"
#include "server/sync/pop3_download.h"
#include "server/sync/unsubscribe.h"

static bool say_gone(struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "The mail server no longer has this message.");
    if (err)
        err->scope = ERROR_SCOPE_MESSAGE;
    return false;
}

static bool say_oversized(struct error *err)
{
    error_set(
        err, ERROR_LIMIT,
        "This message is larger than is taken here: only its beginning was fetched. It stays on "
        "the mail server.");
    if (err)
        err->scope = ERROR_SCOPE_MESSAGE;
    return false;
}

static struct pop3_step *find_step(struct pop3_session *session, const struct pop3_uidl *row)
{
    for (size_t i = 0; i < session->plan.count; i++) {
        struct pop3_step *step = &session->plan.at[i];
        if (step->row >= 0 && str_equal(session->plan.rows[step->row].uidl, row->uidl) &&
            session->plan.rows[step->row].occurrence == row->occurrence)
            return step;
    }
    return NULL;
}

/* "Download the rest". Of whole messages everything is here, and nothing is to be done. */
static bool fetch_body(struct slice *slice, const struct operation *operation,
                       const json_t *arguments, struct str *result, struct error *err)
{
    struct body_wanted wanted;
    struct pop3_uidl row;
    int64_t id = slice->account->id;
    (void)operation;
    (void)result;
    if (!operation_read_body(arguments, &wanted, err) ||
        !pop3_uidl_of_email(slice->db, slice->arena, id, wanted.email_id, &row, err))
        return false;
    if (row.state == POP3_UIDL_OVERSIZED)
        return say_oversized(err);
    if (row.state != POP3_UIDL_PARTIAL)
        return true;
    if (!pop3_session_open(slice, err))
        return false;
    struct pop3_step *step = find_step(slice->account->pop3, &row);
    if (!step)
        return say_gone(err);
    if (!pop3_download_one(slice, step, err) ||
        !pop3_uidl_of_email(slice->db, slice->arena, id, wanted.email_id, &row, err))
        return false;
    return row.state == POP3_UIDL_OVERSIZED ? say_oversized(err)
                                            : row.state != POP3_UIDL_PARTIAL || say_gone(err);
}

static bool is_alive(const struct slice *slice)
{
    const struct pop3_session *session = slice->account->pop3;
    return session && pop3_is_alive(session->client);
}

bool pop3_run_operations(struct slice *slice, struct error *err)
{
    static const struct operation_kind list[] = {
        {"fetch-body", fetch_body, false},
        {"unsubscribe", unsubscribe_run, false},
    };
    static const struct operation_kinds kinds = {list, sizeof list / sizeof *list, is_alive};
    return operations_run(slice, &kinds, err);
}
