#include "handlers/html/pop3_choice.h"

#include <string.h>

#include "handlers/html/page.h"

enum { DAYS_MAX = 3650, MB_MAX = 1000000 };
#define MB INT64_C(1000000)

static const struct {
    const char *label, *explanation;
} choices[] = {
    [POP3_REMOVE] =
        {"Remove it from the server",
         "Each message is removed from the server once it is stored here for good. From "
         "then on it exists only here: other programs no longer find it."},
    [POP3_LEAVE] = {"Leave it on the server",
                    "Messages stay on the server, also when you delete them here; other programs "
                    "can fetch them too. The server's space may run out."},
    [POP3_REMOVE_AFTER] = {"Remove it after some days",
                           "Messages stay on the server for the number of days below, counted from "
                           "when they came here, then they are removed there."},
    [POP3_REMOVE_DELETED] = {"Remove it when I delete it",
                             "Messages stay on the server until you delete them here for good (or "
                             "empty the Trash)."},
};
static const enum pop3_policy order[] = {POP3_REMOVE, POP3_LEAVE, POP3_REMOVE_AFTER,
                                         POP3_REMOVE_DELETED};

void pop3_choice_set(struct value *view, const struct setup_pop3 *pop3, struct arena *arena)
{
    struct value *list = view_set_list(view, "pop3");
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct value *choice = view_add_object(list);
        view_set_text(choice, "value", pop3_policy_name(order[i]));
        view_set_text(choice, "label", choices[order[i]].label);
        view_set_text(choice, "explanation", choices[order[i]].explanation);
        view_set_bool(choice, "isChosen", order[i] == pop3->policy);
    }
    view_set_i64(view, "pop3Days", pop3->days);
    view_set_str(view, "pop3MaxMb",
                 pop3->max_bytes
                     ? arena_printf(arena, "%lld", (long long)((pop3->max_bytes + MB - 1) / MB))
                     : STR_EMPTY);
}

bool pop3_choice_read(const struct http_fields *form, struct setup_pop3 *pop3, struct error *err)
{
    uint32_t days = 0, mb = 0;
    struct str policy = form_text(form, "pop3"), days_text = form_text(form, "pop3Days");
    struct str mb_text = form_text(form, "pop3MaxMb");
    pop3->is_chosen = policy.length > 0;
    if (pop3->is_chosen && !pop3_policy_parse(policy, &pop3->policy))
        return error_set(err, ERROR_INVALID, "Choose what happens on the server.");
    if (days_text.length && (!str_to_u32(days_text, &days) || days < 1 || days > DAYS_MAX))
        return error_set(err, ERROR_INVALID,
                         "The days on the server must be a number from 1 to %d.", DAYS_MAX);
    if (mb_text.length && (!str_to_u32(mb_text, &mb) || mb > MB_MAX))
        return error_set(err, ERROR_INVALID, "The largest size must be a number of megabytes.");
    if (days_text.length)
        pop3->days = (int)days;
    if (http_field_value(form, "pop3MaxMb").at)
        pop3->max_bytes = (int64_t)mb * MB;
    return true;
}

void pop3_choice_ask(struct value *view, const char *name, const struct account *account,
                     bool only_if_any, struct arena *arena)
{
    if (!account_asks_to_remove(account) ||
        (only_if_any && (account->synced_at == 0 || account->sync_total == 0))) {
        view_set_text(view, name, NULL);
        return;
    }
    struct value *removal = view_set_object(view, name);
    view_set_path(removal, "url", "/accounts/%lld/pop3", (long long)account->id);
    view_set_text(removal, "policy", pop3_policy_name(account->pop3_policy));
    view_set_bool(removal, "isMail", only_if_any);
    switch (account->pop3_policy) {
    case POP3_REMOVE_AFTER:
        view_set_str(removal, "words",
                     arena_printf(arena,
                                  "This account is set to remove each message from the "
                                  "server %d days after it came here.",
                                  account->pop3_days));
        break;
    case POP3_REMOVE_DELETED:
        view_set_text(removal, "words",
                      "This account is set to remove a message from the server when you delete it "
                      "here for good.");
        break;
    default:
        view_set_text(removal, "words",
                      "This account is set to remove each message from the server once it is "
                      "stored here for good. From then on it exists only here.");
    }
}
