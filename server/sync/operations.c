#include "server/sync/operations.h"

#include "server/base/clock.h"
#include "server/base/log.h"

enum {
    RETRY_S = 30,
    BREAKS_MAX = 50, /* an operation that ends the session each time is given up */
};

bool operation_read_body(const json_t *arguments, struct body_wanted *wanted, struct error *err)
{
    const json_t *parts = json_object_get(arguments, "parts");
    *wanted =
        (struct body_wanted){.email_id = json_integer_value(json_object_get(arguments, "emailId")),
                             .is_whole = json_is_true(json_object_get(arguments, "whole"))};
    for (size_t i = 0; i < json_array_size(parts) && i < BODY_PARTS_MAX; i++)
        wanted->parts[wanted->part_count++] = str_of(json_string_value(json_array_get(parts, i)));
    return wanted->is_whole || wanted->part_count > 0 ||
           error_set(err, ERROR_INVALID, "no part was named");
}

static const struct operation_kind *find_kind(const struct operation_kinds *kinds, struct str name)
{
    for (size_t i = 0; i < kinds->count; i++)
        if (str_equal(name, str_of(kinds->at[i].name)))
            return &kinds->at[i];
    return NULL;
}

static bool carry_out(struct slice *slice, const struct operation_kind *kind,
                      const struct operation *operation, struct str *result, struct error *err)
{
    if (!kind)
        return error_set(err, ERROR_INVALID, "unknown operation %" STR_FMT,
                         STR_ARG(operation->kind));
    json_t *arguments = json_loadb(operation->arguments.at, operation->arguments.length, 0, NULL);
    bool is_done = kind->run(slice, operation, arguments, result, err);
    json_decref(arguments);
    return is_done;
}

bool operation_may_pass(const struct error *why)
{
    switch (why->kind) {
    case ERROR_CLOSED:
    case ERROR_TIMEOUT:
    case ERROR_UNREACHABLE:
    case ERROR_TLS:
    case ERROR_AUTH:
    case ERROR_PROTOCOL:
    case ERROR_UNAVAILABLE:
    case ERROR_DATABASE:
        return true;
    default:
        return false;
    }
}

/* Back to the lane, or given up. A session that broke has a back-off of its own. */
static bool put_back(struct slice *slice, const struct operation *operation, bool is_alive,
                     const struct error *why, struct error *err)
{
    LOG_WARN("sync.operation", log_str("kind", operation->kind),
             log_int("operation", operation->id), LOG_ERR(why));
    int64_t retry_at = clock_now_us() + (is_alive ? (int64_t)RETRY_S * 1000000 : 0);
    bool is_given_up = !operation_may_pass(why) || (!is_alive && operation->attempts >= BREAKS_MAX);
    return operation_fail(slice->db, operation->account_id, operation->id, why,
                          is_given_up ? 0 : retry_at, err);
}

static bool settle(struct slice *slice, const struct operation_kinds *kinds,
                   const struct operation_kind *kind, const struct operation *operation,
                   bool is_done, struct str result, const struct error *why, struct error *err)
{
    if (is_done && kind->ends_itself)
        return true;
    return is_done ? operation_finish(slice->db, operation->account_id, operation->id,
                                      result.length ? result : STR("{}"), err)
                   : put_back(slice, operation, kinds->is_alive(slice), why, err);
}

bool operations_run(struct slice *slice, const struct operation_kinds *kinds, struct error *err)
{
    for (;;) {
        struct operation operation;
        struct error why = ERROR_INIT;
        struct str result = STR_EMPTY;
        arena_reset(slice->arena);
        if (!operation_take(slice->db, slice->arena, slice->account->id, &operation, &why)) {
            if (why.kind == ERROR_NOT_FOUND)
                return true;
            *err = why;
            return false;
        }
        const struct operation_kind *kind = find_kind(kinds, operation.kind);
        bool is_done = carry_out(slice, kind, &operation, &result, &why);
        if (!settle(slice, kinds, kind, &operation, is_done, result, &why, err))
            return false;
        if (!is_done && !kinds->is_alive(slice)) {
            *err = why;
            return false;
        }
    }
}
