/* People and their API tokens. */
#include <stdio.h>

#include "handlers/session.h"
#include "server/base/clock.h"
#include "server/base/seal.h"
#include "server/base/utf8.h"
#include "server/cli.h"
#include "server/store/users.h"

static bool ask_for_hash(struct buf *hash, struct error *err)
{
    struct secret password = {0};
    bool is_hashed = cli_password("New password: ", true, &password, err) &&
                     password_hash(secret_reveal(&password), hash, err);
    secret_free(&password);
    return is_hashed;
}

int cli_user_add(struct cli *cli, struct error *err)
{
    struct buf hash = BUF_INIT(1024);
    struct str login;
    int64_t id = 0;
    if (!sign_in_name(cli->arena, str_of(cli->arguments[0]), &login)) {
        error_set(err, ERROR_INVALID, "\"%s\" is no name to sign in with", cli->arguments[0]);
        error_hint(err, "Names have no spaces in them and at most 320 bytes.");
        return -1;
    }
    struct db *db = cli_db(cli, err);
    bool is_added = db && ask_for_hash(&hash, err) &&
                    user_create(db, login, buf_view(&hash), false, &id, err) &&
                    (!cli->values['A'] || user_set_admin(db, id, true, err));
    buf_free(&hash);
    cli_release(cli, &db);
    if (!is_added)
        return -1;
    printf("%" STR_FMT " can sign in.\n", STR_ARG(login));
    return 0;
}

static struct str moment(int64_t at, char text[CLOCK_TEXT_BYTES])
{
    return at ? clock_format_utc(at, text) : STR("never");
}

int cli_user_list(struct cli *cli, struct error *err)
{
    struct user *users;
    size_t count;
    char text[CLOCK_TEXT_BYTES];
    struct db *db = cli_db(cli, err);
    bool is_listed = db && user_list(db, cli->arena, &users, &count, err);
    cli_release(cli, &db);
    if (!is_listed)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct str since = moment(users[i].created_at, text);
        printf("%-6lld %-32" STR_FMT " since %" STR_FMT "%s%s\n", (long long)users[i].id,
               STR_ARG(users[i].login), STR_ARG(since), users[i].is_admin ? "  administrator" : "",
               users[i].is_mail_login ? "  signs in with the mail password" : "");
    }
    return 0;
}

int cli_user_passwd(struct cli *cli, struct error *err)
{
    struct user user;
    struct buf hash = BUF_INIT(1024);
    struct db *db = cli_db(cli, err);
    bool is_set = db && cli_find_user(cli, db, &user, err) && ask_for_hash(&hash, err) &&
                  user_set_password(db, user.id, buf_view(&hash), err) &&
                  session_delete_all(db, user.id, err);
    buf_free(&hash);
    cli_release(cli, &db);
    if (!is_set)
        return -1;
    printf("The password is set; %s is signed out everywhere.\n", cli->arguments[0]);
    return 0;
}

int cli_user_delete(struct cli *cli, struct error *err)
{
    struct user user;
    struct db *db = cli_db(cli, err);
    bool is_gone = db && cli_find_user(cli, db, &user, err) && user_delete(db, user.id, err);
    cli_release(cli, &db);
    if (!is_gone)
        return -1;
    printf("%s is deleted, with the mail kept here.\n", cli->arguments[0]);
    return 0;
}

/* --- API tokens ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    unsigned scope;
} scopes[] = {{"read", TOKEN_READ}, {"write", TOKEN_WRITE}, {"send", TOKEN_SEND}};
enum { SCOPES = sizeof scopes / sizeof *scopes, DAYS_MAX = 36500, TOKEN_NAME_BYTES_MAX = 200 };

static bool parse_scopes(const char *text, unsigned *set, struct error *err)
{
    struct str rest = str_of(text ? text : "read");
    *set = 0;
    while (rest.at) {
        struct str word = str_trim(str_cut(&rest, ','));
        int i = 0;
        while (i < SCOPES && !str_equal(word, str_of(scopes[i].name)))
            i++;
        if (i == SCOPES)
            return error_set(err, ERROR_INVALID,
                             "scopes are read, write and send, not \"%" STR_FMT "\"",
                             STR_ARG(word));
        *set |= scopes[i].scope;
    }
    return true;
}

int cli_token_create(struct cli *cli, struct error *err)
{
    struct user user;
    struct buf token = BUF_INIT(256);
    unsigned char hash[TOKEN_HASH_BYTES];
    unsigned set = 0;
    int64_t days = 0, id = 0;
    struct str name = str_of(cli->arguments[1]);
    if (!parse_scopes(cli->values['s'], &set, err) ||
        (cli->values['d'] && !cli_number(cli->values['d'], "--days", 1, DAYS_MAX, &days, err)))
        return -1;
    if (name.length == 0 || name.length > TOKEN_NAME_BYTES_MAX || !utf8_is_valid(name)) {
        error_set(err, ERROR_INVALID, "a token's name is a text of 1 to %d bytes",
                  TOKEN_NAME_BYTES_MAX);
        return -1;
    }
    int64_t end = days > 0 ? clock_now_us() + days * 86400 * 1000000 : 0;
    token_generate(&token);
    token_hash(buf_view(&token), hash);
    struct db *db = cli_db(cli, err);
    bool is_made = db && cli_find_user(cli, db, &user, err) &&
                   token_create(db, user.id, name, set, hash, end, &id, err);
    cli_release(cli, &db);
    if (is_made)
        printf("%s\n", token.at);
    secret_wipe(token.at, token.length);
    buf_free(&token);
    return is_made ? 0 : -1;
}

int cli_token_list(struct cli *cli, struct error *err)
{
    struct user user;
    struct token *tokens;
    size_t count;
    char made[CLOCK_TEXT_BYTES], used[CLOCK_TEXT_BYTES], ends[CLOCK_TEXT_BYTES];
    struct db *db = cli_db(cli, err);
    bool is_listed = db && cli_find_user(cli, db, &user, err) &&
                     token_list(db, cli->arena, user.id, &tokens, &count, err);
    cli_release(cli, &db);
    if (!is_listed)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct str a = moment(tokens[i].created_at, made), b = moment(tokens[i].used_at, used),
                   c = moment(tokens[i].expires_at, ends);
        printf("%-6lld %-24" STR_FMT " made %" STR_FMT "  used %" STR_FMT "  ends %" STR_FMT " ",
               (long long)tokens[i].id, STR_ARG(tokens[i].name), STR_ARG(a), STR_ARG(b),
               STR_ARG(c));
        for (int s = 0; s < SCOPES; s++)
            if (tokens[i].scopes & scopes[s].scope)
                printf(" %s", scopes[s].name);
        putchar('\n');
    }
    return 0;
}

int cli_token_revoke(struct cli *cli, struct error *err)
{
    struct user user;
    int64_t id;
    if (!cli_number(cli->arguments[1], "ID", 1, INT64_MAX, &id, err))
        return -1;
    struct db *db = cli_db(cli, err);
    bool is_gone = db && cli_find_user(cli, db, &user, err) && token_revoke(db, user.id, id, err);
    cli_release(cli, &db);
    return is_gone ? 0 : -1;
}
