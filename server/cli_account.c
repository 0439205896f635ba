/* Mail accounts, as the administrator sees them. */
#include <poll.h>
#include <stdio.h>

#include "handlers/setup.h"
#include "server/base/clock.h"
#include "server/cli.h"
#include "server/store/users.h"

enum { TRIAL_MS = 90 * 1000, LOOK_MS = 200 };

/* The sync role answers within the time its own time-outs add up to. */
static bool await_trial(struct cli *cli, struct db *db, struct trial *trial, struct error *err)
{
    struct str id = arena_str(cli->arena, str_of(trial->id));
    struct deadline deadline = deadline_in_ms(TRIAL_MS);
    while (!deadline_passed(deadline)) {
        if (!trial_by_id(db, cli->arena, id, trial->user_id, trial, err))
            return false;
        if (trial->is_done)
            return true;
        poll(NULL, 0, LOOK_MS);
    }
    error_set(err, ERROR_TIMEOUT, "the sync role did not answer");
    return error_hint(err, "Is `restante serve` running? `restante doctor` tells.");
}

static bool take_server(const struct cli *cli, struct server_settings *server, char host, char port,
                        char tls, struct error *err)
{
    int64_t number = 0;
    if (cli->values[(int)host])
        server->host = str_of(cli->values[(int)host]);
    if (cli->values[(int)port] &&
        !cli_number(cli->values[(int)port], "the port", 1, 65535, &number, err))
        return false;
    if (number > 0)
        server->port = (int)number;
    return !cli->values[(int)tls] || tls_mode_parse(str_of(cli->values[(int)tls]), &server->tls) ||
           error_set(err, ERROR_INVALID, "TLS modes are implicit, starttls and none");
}

/* What was typed, over what was found out when no host was. */
static bool gather(struct cli *cli, struct db *db, int64_t user_id, struct setup_settings *settings,
                   struct error *err)
{
    const char *email = cli->values['e'] ? cli->values['e'] : cli->arguments[0];
    const char *kind = cli->values['k'];
    if (!cli->values['h']) {
        struct trial trial;
        struct setup_settings *found;
        size_t count, best;
        if (!setup_begin_discovery(db, cli->arena, user_id, str_of(email), &trial, err) ||
            !await_trial(cli, db, &trial, err) ||
            !setup_candidates(cli->arena, &trial, &found, &count, &best, err))
            return false;
        trial_delete(db, str_of(trial.id), NULL);
        if (count == 0) {
            error_set(err, ERROR_NOT_FOUND, "the servers of %s could not be found out", email);
            return error_hint(err, "Give them with --host, --port and --tls.");
        }
        *settings = found[best];
    }
    settings->email = str_of(email);
    if (kind && !account_kind_parse(str_of(kind), &settings->kind))
        return error_set(err, ERROR_INVALID, "kinds are imap and pop3");
    if (cli->values['u'])
        settings->incoming.username = str_of(cli->values['u']);
    return take_server(cli, &settings->incoming, 'h', 'p', 't', err) &&
           take_server(cli, &settings->smtp, 's', 'P', 'T', err) &&
           setup_check(cli->arena, settings, cli->config.allow_plaintext, err);
}

static bool choose_pop3(const struct cli *cli, struct setup_pop3 *pop3, struct error *err)
{
    int64_t days = pop3->days;
    pop3->is_chosen = cli->values['o'] != NULL;
    if (pop3->is_chosen && !pop3_policy_parse(str_of(cli->values['o']), &pop3->policy))
        return error_set(err, ERROR_INVALID,
                         "policies are remove, leave, remove-after and remove-deleted");
    if (cli->values['d'] &&
        !cli_number(cli->values['d'], "the number of days", 0, 3650, &days, err))
        return false;
    pop3->days = (int)days;
    return true;
}

static bool report(const struct setup_outcome *outcome, struct error *err)
{
    if (outcome->is_good)
        return true;
    error_set(err, ERROR_REFUSED, "%" STR_FMT "%s%" STR_FMT ": %" STR_FMT, STR_ARG(outcome->part),
              outcome->part.length ? " server, " : "", STR_ARG(outcome->step),
              STR_ARG(outcome->message));
    return error_hint(err, "%" STR_FMT, STR_ARG(outcome->hint));
}

static bool try_settings(struct cli *cli, struct db *db, struct trial *trial, struct error *err)
{
    struct setup_outcome outcome;
    return await_trial(cli, db, trial, err) &&
           setup_read_outcome(cli->arena, trial, &outcome, err) && report(&outcome, err);
}

static bool add(struct cli *cli, struct db *db, struct setup_settings *settings,
                struct setup_pop3 *pop3, int64_t *id, struct error *err)
{
    struct user user;
    struct trial trial;
    struct seal_public_key key;
    struct secret password = {0};
    if (!seal_read_public(config_state_path(cli->arena, &cli->config, "keys/seal.pub"), &key,
                          err) ||
        !choose_pop3(cli, pop3, err) || !cli_find_user(cli, db, &user, err) ||
        !gather(cli, db, user.id, settings, err) ||
        !cli_password("Password of the mail account: ", false, &password, err))
        return false;
    bool is_begun = setup_begin_trial(db, cli->arena, &key, TRIAL_ACCOUNT, user.id, 0, settings,
                                      secret_reveal(&password), &trial, err);
    secret_free(&password);
    struct str sealed = trial.secret;
    return is_begun && (cli->values['U'] || try_settings(cli, db, &trial, err)) &&
           setup_save(db, cli->arena, user.id, STR_EMPTY, &trial, sealed, pop3, id, err);
}

/* POP3 is where mail may come to be here and nowhere else: never without a word. */
static void print_pop3(const struct setup_pop3 *pop3)
{
    static const char *const words[] = {
        [POP3_REMOVE] = "Each message is removed from the server once it is stored here.",
        [POP3_LEAVE] = "Messages stay on the server.",
        [POP3_REMOVE_AFTER] = "Messages are removed from the server some days after they came.",
        [POP3_REMOVE_DELETED] = "A message is removed from the server when it is deleted here.",
    };
    puts(pop3->is_chosen
             ? words[pop3->policy]
             : "Messages are fetched and stay on the server until the person confirms, on "
               "the account's page,\nthat they may be removed there (or name a "
               "--pop3-policy here).");
}

int cli_account_add(struct cli *cli, struct error *err)
{
    struct setup_settings settings = {0};
    struct setup_pop3 pop3 = setup_pop3_default;
    int64_t id;
    struct db *db = cli_db(cli, err);
    bool is_added = db && add(cli, db, &settings, &pop3, &id, err);
    cli_release(cli, &db);
    if (!is_added)
        return -1;
    printf("Account %lld: %" STR_FMT " (%s) on %" STR_FMT ":%d.\n", (long long)id,
           STR_ARG(settings.email), account_kind_name(settings.kind),
           STR_ARG(settings.incoming.host), settings.incoming.port);
    if (settings.kind == ACCOUNT_POP3)
        print_pop3(&pop3);
    return 0;
}

static const char *moment(struct cli *cli, int64_t at)
{
    char text[CLOCK_TEXT_BYTES];
    return arena_text(cli->arena, clock_format_utc(at, text));
}

static void print_account(struct cli *cli, const struct account *a)
{
    const char *state =
        a->sync_state == SYNC_CURRENT ? "up to date" : sync_state_name(a->sync_state);
    printf("%-6lld %-32" STR_FMT " %-4s %" STR_FMT ":%d  %s since %s", (long long)a->id,
           STR_ARG(a->email), account_kind_name(a->kind), STR_ARG(a->incoming.host),
           a->incoming.port, state, moment(cli, a->sync_since));
    if (a->sync_state == SYNC_SYNCING)
        printf(", %lld of %lld messages", (long long)a->sync_done, (long long)a->sync_total);
    if (a->sync_state == SYNC_CURRENT)
        printf(", looked at %s", moment(cli, a->synced_at));
    if (a->sync_error.length > 0)
        printf("\n       %" STR_FMT " %" STR_FMT, STR_ARG(a->sync_error), STR_ARG(a->sync_hint));
    if (a->sync_state == SYNC_UNREACHABLE)
        printf(" Tried again at %s.", moment(cli, a->next_sync_at));
    if (a->send_error.length > 0)
        printf("\n       Nothing can be sent. %" STR_FMT " %" STR_FMT, STR_ARG(a->send_error),
               STR_ARG(a->send_hint));
    putchar('\n');
}

int cli_account_list(struct cli *cli, struct error *err)
{
    struct user user = {0};
    struct account *accounts;
    size_t count;
    struct db *db = cli_db(cli, err);
    bool is_listed = db && (cli->argument_count == 0 || cli_find_user(cli, db, &user, err)) &&
                     account_list(db, cli->arena, user.id, &accounts, &count, err);
    cli_release(cli, &db);
    if (!is_listed)
        return -1;
    for (size_t i = 0; i < count; i++)
        print_account(cli, &accounts[i]);
    return 0;
}

int cli_account_test(struct cli *cli, struct error *err)
{
    struct account account;
    int64_t id;
    if (!cli_number(cli->arguments[0], "ID", 1, INT64_MAX, &id, err))
        return -1;
    struct db *db = cli_db(cli, err);
    struct trial trial;
    bool is_good = db && account_by_id(db, cli->arena, id, &account, err) &&
                   setup_begin_retrial(db, cli->arena, &account, &trial, err) &&
                   try_settings(cli, db, &trial, err);
    cli_release(cli, &db);
    if (!is_good)
        return -1;
    puts("Sign-in works.");
    return 0;
}

int cli_account_delete(struct cli *cli, struct error *err)
{
    int64_t id;
    if (!cli_number(cli->arguments[0], "ID", 1, INT64_MAX, &id, err))
        return -1;
    struct db *db = cli_db(cli, err);
    bool is_gone = db && account_delete(db, id, err);
    cli_release(cli, &db);
    return is_gone ? 0 : -1;
}
