/* The command line: one table of commands in main.c, each a function here. Commands work on the
 * database as its owner, so they are for administrators. */
#ifndef RESTANTE_CLI_H
#define RESTANTE_CLI_H

#include "server/base/config.h"
#include "server/base/secret.h"
#include "server/store/store.h"

/* A long option of a command; `key` is its place in cli.values. */
struct cli_option {
    const char *name;     /* "host" */
    char key;             /* an ASCII letter, also the short option */
    const char *argument; /* "NAME"; NULL: takes none */
    const char *about;
};

struct cli {
    const struct cli_command *command;
    struct arena *arena;
    struct config config;
    const char *values[128]; /* of options by key; "" for those without argument; NULL: not given */
    const char **arguments;
    int argument_count;
    struct store *store; /* set by cli_db */
    bool is_doctor;      /* looks at the store itself, and tells an outage at once */
};

struct cli_command {
    const char *name;      /* "user add" */
    const char *arguments; /* "LOGIN": for the help */
    int arguments_min, arguments_max;
    const char *about;
    const struct cli_option *options;               /* ends with a NULL name; may be NULL */
    int (*run)(struct cli *cli, struct error *err); /* exit status; -1: `err` says why */
    bool needs_no_config;
};

/* Whether what lies there in the state directory is closed to whoever started us. */
bool cli_is_closed(struct cli *cli, const char *path);

/* The database as its owner, opened once. NULL with a hint when it does not run. */
struct db *cli_db(struct cli *cli, struct error *err);
void cli_release(struct cli *cli, struct db **db);
/* The database's connection string: configured, or the private one's. */
bool cli_conninfo(struct arena *arena, const struct config *config, bool is_web,
                  const char **conninfo, struct error *err);
/* A password: from the terminal (twice if `is_new`), or the first line of standard input. */
bool cli_password(const char *prompt, bool is_new, struct secret *password, struct error *err);
/* A number from `low` to `high`, given as an argument. */
bool cli_number(const char *text, const char *what, int64_t low, int64_t high, int64_t *number,
                struct error *err);

/* The person whom the first argument names. */
struct user;
bool cli_find_user(struct cli *cli, struct db *db, struct user *user, struct error *err);

int cli_user_add(struct cli *cli, struct error *err);
int cli_user_list(struct cli *cli, struct error *err);
int cli_user_passwd(struct cli *cli, struct error *err);
int cli_user_delete(struct cli *cli, struct error *err);
int cli_account_add(struct cli *cli, struct error *err);
int cli_account_list(struct cli *cli, struct error *err);
int cli_account_test(struct cli *cli, struct error *err);
int cli_account_delete(struct cli *cli, struct error *err);
int cli_account_export(struct cli *cli, struct error *err);
int cli_account_import(struct cli *cli, struct error *err);
int cli_token_create(struct cli *cli, struct error *err);
int cli_token_list(struct cli *cli, struct error *err);
int cli_token_revoke(struct cli *cli, struct error *err);
int cli_migrate(struct cli *cli, struct error *err);
int cli_config(struct cli *cli, struct error *err);
int cli_doctor(struct cli *cli, struct error *err);
int cli_serve(struct cli *cli, struct error *err);
int cli_fcgi(struct cli *cli, struct error *err);

#endif
