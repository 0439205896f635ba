#include "server/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "handlers/session.h"
#include "server/store/cluster.h"
#include "server/store/migrate.h"

enum { PASSWORD_BYTES_MAX = 1024, STATEMENT_MS = 5 * 60 * 1000 };

bool cli_conninfo(struct arena *arena, const struct config *config, bool is_web,
                  const char **conninfo, struct error *err)
{
    if (config->database[0] != '\0') {
        *conninfo = config->database;
        return true;
    }
    struct buf text = BUF_INIT(8192);
    bool is_made =
        cluster_conninfo(config_state_path(arena, config, "postgresql"), is_web, &text, err);
    *conninfo = arena_text(arena, buf_view(&text));
    buf_free(&text);
    return is_made;
}

bool cli_is_closed(struct cli *cli, const char *path)
{
    return access(config_state_path(cli->arena, &cli->config, path), F_OK) != 0 && errno == EACCES;
}

/* Said before a statement stumbles over a column. */
static bool is_of_our_version(struct store *store, struct error *err)
{
    struct migrate_state state;
    return migrate_look(store, &state, err) && migrate_check(&state, err);
}

struct db *cli_db(struct cli *cli, struct error *err)
{
    struct store_options options = {.role = STORE_OWNER,
                                    .connections_max = 2,
                                    .statement_timeout_ms = STATEMENT_MS,
                                    .is_hasty = cli->is_doctor};
    bool is_first = !cli->store;
    if (is_first) {
        if (!cli_conninfo(cli->arena, &cli->config, false, &options.conninfo, err))
            return NULL;
        cli->store = store_open(&options, err);
    }
    struct db *db = cli->store ? store_acquire(cli->store, 0, err) : NULL;
    if (!db && cli->config.database[0] == '\0')
        error_hint(err, cli_is_closed(cli, "postgresql/data")
                            ? "Run this as root, or as the user whom the service runs as."
                            : "The private database runs while `restante serve` does: start it "
                              "first.");
    if (db && is_first && !cli->is_doctor && !is_of_our_version(cli->store, err))
        cli_release(cli, &db);
    return db;
}

void cli_release(struct cli *cli, struct db **db)
{
    store_release(cli->store, db);
}

/* One line of standard input, without echo when it is a terminal. */
static bool read_line_quietly(const char *prompt, char *line, size_t size, bool *is_cut)
{
    struct termios before, quiet;
    bool is_terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (is_terminal) {
        fputs(prompt, stderr);
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool is_read = fgets(line, (int)size, stdin) != NULL;
    *is_cut = is_read && !strchr(line, '\n') && strlen(line) + 1 == size;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (is_read)
        line[strcspn(line, "\r\n")] = '\0';
    return is_read;
}

bool cli_password(const char *prompt, bool is_new, struct secret *password, struct error *err)
{
    char line[PASSWORD_BYTES_MAX + 2], again[PASSWORD_BYTES_MAX + 2]; /* line feed, NUL */
    bool is_cut = false;
    bool is_good = read_line_quietly(prompt, line, sizeof line, &is_cut) && line[0] != '\0';
    if (is_cut)
        is_good =
            error_set(err, ERROR_INVALID, "a password has at most %d bytes", PASSWORD_BYTES_MAX);
    else if (!is_good)
        error_set(err, ERROR_INVALID, "a password is needed, on the first line of standard input");
    if (is_good && is_new && isatty(STDIN_FILENO)) {
        is_good = read_line_quietly("Once more: ", again, sizeof again, &is_cut) &&
                  strcmp(line, again) == 0;
        if (!is_good)
            error_set(err, ERROR_INVALID, "the two are not the same");
        secret_wipe(again, sizeof again);
    }
    if (is_good)
        *password = secret_new(str_of(line));
    secret_wipe(line, sizeof line);
    return is_good;
}

bool cli_number(const char *text, const char *what, int64_t low, int64_t high, int64_t *number,
                struct error *err)
{
    if (str_to_i64(str_of(text), number) && *number >= low && *number <= high)
        return true;
    if (high == INT64_MAX)
        return error_set(err, ERROR_INVALID, "%s must be a number from %lld, not \"%s\"", what,
                         (long long)low, text);
    return error_set(err, ERROR_INVALID, "%s must be a number from %lld to %lld, not \"%s\"", what,
                     (long long)low, (long long)high, text);
}

bool cli_find_user(struct cli *cli, struct db *db, struct user *user, struct error *err)
{
    struct str name;
    struct error why = ERROR_INIT;
    const char *login = cli->arguments[0];
    bool is_name = sign_in_name(cli->arena, str_of(login), &name);
    if (is_name && user_by_login(db, cli->arena, name, user, &why))
        return true;
    if (!is_name || why.kind == ERROR_NOT_FOUND)
        return error_set(err, ERROR_NOT_FOUND, "there is nobody called %s", login);
    *err = why;
    return false;
}
