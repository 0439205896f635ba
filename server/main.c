/* One binary: its commands, their options and their help. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/assets.h"
#include "server/base/seal.h"
#include "server/cli.h"
#include "server/parser/parser.h"

#define VERSION "0.1.0"
const char *argp_program_version = "restante " VERSION;

enum { EXIT_USAGE = 2, OPTIONS_MAX = 24 };

static const struct cli_option serve_options[] = {
    {"role", 'r', "ROLE", "Run only one role: web or sync (default: both, supervised)"},
    {"assets", 'a', "DIRECTORY", "Read sql/, templates/ and static/ from a checkout"},
    {NULL, 0, NULL, NULL}};
static const struct cli_option user_add_options[] = {
    {"admin", 'A', NULL, "May see the state of the service"}, {NULL, 0, NULL, NULL}};
static const struct cli_option account_options[] = {
    {"email", 'e', "ADDRESS", "The mail address (default: LOGIN, if it is one)"},
    {"kind", 'k', "KIND", "imap or pop3 (default: found out)"},
    {"host", 'h', "HOST", "The mail server (default: found out)"},
    {"port", 'p', "PORT", "Its port (default: the usual one)"},
    {"tls", 't', "MODE", "implicit, starttls or none (default: implicit)"},
    {"username", 'u', "NAME", "What the mail server calls the person (default: the address)"},
    {"smtp-host", 's', "HOST", "Where mail is sent through (default: no sending)"},
    {"smtp-port", 'P', "PORT", "Its port (default: the usual one)"},
    {"smtp-tls", 'T', "MODE", "implicit, starttls or none (default: implicit)"},
    {"pop3-policy", 'o', "POLICY",
     "What becomes of mail on a POP3 server: remove (once it is stored here), leave, remove-after, "
     "remove-deleted"},
    {"pop3-days", 'd', "DAYS", "Of remove-after (default: 14)"},
    {"untested", 'U', NULL, "Save without trying it first"},
    {NULL, 0, NULL, NULL}};
static const struct cli_option export_options[] = {
    {"format", 'F', "FORMAT", "mbox (a file for each folder) or zip (a file for each message)"},
    {"folder", 'f', "PATH", "Only this one (default: the whole account)"},
    {"output", 'o', "FILE", "Where to write the archive (default: standard output)"},
    {NULL, 0, NULL, NULL}};
static const struct cli_option import_options[] = {
    {"folder", 'f', "PATH", "The folder that the messages come into (default: the inbox)"},
    {"seen", 's', NULL, "Mark them as read"},
    {NULL, 0, NULL, NULL}};
static const struct cli_option token_options[] = {
    {"scopes", 's', "SCOPES", "Of read, write, send, with commas (default: read)"},
    {"days", 'd', "DAYS", "Days until it ends (default: never)"},
    {NULL, 0, NULL, NULL}};
static const struct cli_option config_options_[] = {
    {"example", 'E', NULL, "Print a file with every option and its default"},
    {NULL, 0, NULL, NULL}};

static int run_parser(struct cli *cli, struct error *err)
{
    (void)cli;
    (void)err;
    return parser_child_main(STDIN_FILENO);
}

static const struct cli_command commands[] = {
    {"serve", "", 0, 0, "Run the service", serve_options, cli_serve, false},
    {"fcgi", "", 0, 0, "Answer FastCGI on the descriptor a web server passed, or one CGI request",
     NULL, cli_fcgi, false},
    {"migrate", "", 0, 0, "Bring the database to this version's shape", NULL, cli_migrate, false},
    {"doctor", "", 0, 0, "Check configuration, database, keys and ports, and say what to do", NULL,
     cli_doctor, false},
    {"config", "", 0, 0, "Check the configuration and print what is in force", config_options_,
     cli_config, false},
    {"user add", "LOGIN", 1, 1, "Add a person (asks for a password)", user_add_options,
     cli_user_add, false},
    {"user list", "", 0, 0, "List people", NULL, cli_user_list, false},
    {"user passwd", "LOGIN", 1, 1, "Set a person's password", NULL, cli_user_passwd, false},
    {"user delete", "LOGIN", 1, 1, "Delete a person with all accounts and mail kept here", NULL,
     cli_user_delete, false},
    {"account add", "LOGIN", 1, 1, "Add a mail account for a person (asks for its password)",
     account_options, cli_account_add, false},
    {"account list", "[LOGIN]", 0, 1, "List mail accounts and how they are", NULL, cli_account_list,
     false},
    {"account test", "ID", 1, 1, "Try to sign in to an account's servers", NULL, cli_account_test,
     false},
    {"account delete", "ID", 1, 1, "Delete an account and its mail here (not on the server)", NULL,
     cli_account_delete, false},
    {"account export", "ID", 1, 1, "Write an account's mail as an archive", export_options,
     cli_account_export, false},
    {"account import", "ID FILE", 2, 2, "Bring mail in: an mbox file, or a zip of .eml or .mbox",
     import_options, cli_account_import, false},
    {"token create", "LOGIN NAME", 2, 2, "Make an API token and print it once", token_options,
     cli_token_create, false},
    {"token list", "LOGIN", 1, 1, "List a person's API tokens", NULL, cli_token_list, false},
    {"token revoke", "LOGIN ID", 2, 2, "End an API token", NULL, cli_token_revoke, false},
    {"parser", NULL, 0, 0, NULL, NULL, run_parser, true}, /* for ourselves: not in the help */
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* --- help and options ------------------------------------------------------------------------ */

static void print_help(FILE *to)
{
    fputs("restante keeps a replica of people's POP3 and IMAP mail and serves it.\n\n"
          "Usage: restante COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n",
          to);
    for (int i = 0; i < COMMANDS; i++) {
        const struct cli_command *c = &commands[i];
        if (!c->about)
            continue;
        char words[64];
        snprintf(words, sizeof words, "%s %s", c->name, c->arguments);
        fprintf(to, "  %-26s %s\n", words, c->about);
    }
    fputs("\nEvery command takes --config FILE (default: $RESTANTE_CONFIG, else\n"
          "/etc/restante/restante.conf) and --help. `restante config --example` documents\n"
          "the file.\n",
          to);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct cli *cli = state->input;
    const struct cli_command *command = cli->command;
    if (key == ARGP_KEY_ARG) {
        if (cli->argument_count == command->arguments_max)
            argp_error(state, "too many arguments");
        cli->arguments[cli->argument_count++] = argument;
        return 0;
    }
    if (key == ARGP_KEY_END) {
        if (cli->argument_count < command->arguments_min)
            argp_error(state, "missing: %s", command->arguments);
        return 0;
    }
    if (key <= 0 || key >= 128)
        return ARGP_ERR_UNKNOWN;
    cli->values[key] = argument ? argument : "";
    return 0;
}

static void parse_options(struct cli *cli, int argc, char **argv)
{
    const struct cli_command *command = cli->command;
    struct argp_option options[OPTIONS_MAX] = {
        {"config", 'c', "FILE", 0, "The configuration file", 1}};
    int count = 1;
    for (const struct cli_option *o = command->options; o && o->name; o++)
        options[count++] = (struct argp_option){o->name, o->key, o->argument, 0, o->about, 0};
    struct argp argp = {.options = options,
                        .parser = parse_option,
                        .args_doc = command->arguments,
                        .doc = command->about};
    char name[64];
    snprintf(name, sizeof name, "restante %s", command->name);
    argv[0] = name;
    cli->arguments = ARENA_ARRAY(cli->arena, (size_t)argc + 1, const char *);
    argp_parse(&argp, argc, argv, 0, NULL, cli);
}

/* The command that the first words name; `*words` tells how many they are. */
static const struct cli_command *find_command(int argc, char **argv, int *words)
{
    for (int i = 0; i < COMMANDS; i++) {
        struct str rest = str_of(commands[i].name);
        int n = 0;
        bool is_it = true;
        while (rest.at && is_it) {
            struct str word = str_cut(&rest, ' ');
            n++;
            is_it = n < argc && str_equal(word, str_of(argv[n]));
        }
        if (is_it) {
            *words = n;
            return &commands[i];
        }
    }
    return NULL;
}

/* For words that are no command: the commands that begin with the first of them, if any. */
static int suggest(int argc, char **argv)
{
    bool has_second = argc > 2 && argv[2][0] != '-';
    bool is_help = argc > 2 && strcmp(argv[argc - 1], "--help") == 0;
    bool is_group = false;
    for (int i = 0; i < COMMANDS; i++) {
        struct str name = str_of(commands[i].name);
        bool is_below = commands[i].about && str_find_char(name, ' ') > 0 &&
                        str_equal(str_cut(&name, ' '), str_of(argv[1]));
        if (is_below && !is_group && !is_help)
            fprintf(stderr, "restante: \"%s\" is not whole; there are:\n", argv[1]);
        if (is_below)
            fprintf(is_help ? stdout : stderr, "  restante %s %s\n", commands[i].name,
                    commands[i].arguments);
        is_group = is_group || is_below;
    }
    if (is_group)
        return is_help ? EXIT_SUCCESS : EXIT_USAGE;
    fprintf(stderr, "restante: there is no command \"%s%s%s\"; see `restante --help`\n", argv[1],
            has_second ? " " : "", has_second ? argv[2] : "");
    return EXIT_USAGE;
}

/* Started by a web server without arguments: FastCGI when descriptor 0 is a listening socket, CGI
 * when the environment says so. */
static bool is_gateway(int argc)
{
    int is_listening = 0;
    socklen_t length = sizeof is_listening;
    if (argc > 1)
        return false;
    if (getenv("GATEWAY_INTERFACE"))
        return true;
    return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == 0 &&
           is_listening;
}

static int complain(const struct cli *cli, const struct error *err)
{
    fprintf(stderr, "restante %s: %s\n", cli->command->name, err->message);
    if (err->hint[0])
        fprintf(stderr, "  %s\n", err->hint);
    return EXIT_FAILURE;
}

static int run(struct cli *cli)
{
    struct error err = ERROR_INIT;
    enum log_level level = LOG_LEVEL_INFO;
    if (!cli->command->needs_no_config) {
        if (!config_read(cli->arena, cli->values['c'], &cli->config, &err) || !seal_init(&err))
            return complain(cli, &err);
        log_level_parse(str_of(cli->config.log_level), &level);
        log_set_level(level);
    }
    int status = cli->command->run(cli, &err);
    store_close(&cli->store);
    return status < 0 ? complain(cli, &err) : status;
}

int main(int argc, char **argv)
{
    char *gateway[] = {argv[0], (char *)"fcgi", NULL};
    if (is_gateway(argc)) {
        argc = 2;
        argv = gateway;
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(argp_program_version);
        return EXIT_SUCCESS;
    }
    int words = 0;
    struct cli cli = {.command = find_command(argc, argv, &words)};
    if (!cli.command)
        return suggest(argc, argv);
    cli.arena = arena_new();
    argp_err_exit_status = EXIT_USAGE;
    parse_options(&cli, argc - words, argv + words);
    int status = run(&cli);
    arena_free(&cli.arena);
    return status;
}
