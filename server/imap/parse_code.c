/* Response codes: what stands in brackets behind OK, NO, BAD and BYE. */
#include "server/imap/parse_private.h"

enum { COPIED_MAX = 100000 }; /* pairs of one COPYUID */

static void code_number(struct lexer *lex, struct imap_response *response)
{
    lex_number(lex, &response->number);
}

static void code_words(struct lexer *lex, struct imap_response *response)
{
    parse_words(lex, response);
}

static void code_flags(struct lexer *lex, struct imap_response *response)
{
    parse_flags(lex, &response->flags);
}

static void code_set(struct lexer *lex, struct imap_response *response)
{
    struct str word;
    if (!lex_word(lex, &word) || !imap_set_parse(word, lex->arena, &response->set))
        response->set = (struct imap_set){0};
}

/* APPENDUID 38505 3955 */
static void code_appenduid(struct lexer *lex, struct imap_response *response)
{
    code_number(lex, response);
    lex_spaces(lex);
    code_set(lex, response);
}

/* COPYUID 38505 304,319:320 3956:3958 */
static void code_copyuid(struct lexer *lex, struct imap_response *response)
{
    struct str from, to;
    size_t from_count, to_count;
    code_number(lex, response);
    lex_spaces(lex);
    if (!lex_word(lex, &from) || (lex_spaces(lex), !lex_word(lex, &to)))
        return;
    if (!imap_set_parse_ordered(from, lex->arena, COPIED_MAX, &response->copied_from,
                                &from_count) ||
        !imap_set_parse_ordered(to, lex->arena, COPIED_MAX, &response->copied_to, &to_count))
        return;
    response->copied_count = from_count == to_count ? from_count : 0;
}

static void code_id(struct lexer *lex, struct imap_response *response)
{
    lex_take(lex, '(');
    lex_text(lex, &response->id);
}

static const struct {
    const char *name;
    void (*argument)(struct lexer *lex, struct imap_response *response); /* NULL: none */
} codes[IMAP_CODES] = {
    [IMAP_CODE_ALERT] = {"ALERT", NULL},
    [IMAP_CODE_ALREADYEXISTS] = {"ALREADYEXISTS", NULL},
    [IMAP_CODE_APPENDUID] = {"APPENDUID", code_appenduid},
    [IMAP_CODE_AUTHENTICATIONFAILED] = {"AUTHENTICATIONFAILED", NULL},
    [IMAP_CODE_AUTHORIZATIONFAILED] = {"AUTHORIZATIONFAILED", NULL},
    [IMAP_CODE_BADCHARSET] = {"BADCHARSET", NULL},
    [IMAP_CODE_BADURL] = {"BADURL", NULL},
    [IMAP_CODE_CANNOT] = {"CANNOT", NULL},
    [IMAP_CODE_CAPABILITY] = {"CAPABILITY", code_words},
    [IMAP_CODE_CLIENTBUG] = {"CLIENTBUG", NULL},
    [IMAP_CODE_CLOSED] = {"CLOSED", NULL},
    [IMAP_CODE_COMPRESSIONACTIVE] = {"COMPRESSIONACTIVE", NULL},
    [IMAP_CODE_CONTACTADMIN] = {"CONTACTADMIN", NULL},
    [IMAP_CODE_COPYUID] = {"COPYUID", code_copyuid},
    [IMAP_CODE_CORRUPTION] = {"CORRUPTION", NULL},
    [IMAP_CODE_EXPIRED] = {"EXPIRED", NULL},
    [IMAP_CODE_EXPUNGEISSUED] = {"EXPUNGEISSUED", NULL},
    [IMAP_CODE_HASCHILDREN] = {"HASCHILDREN", NULL},
    [IMAP_CODE_HIGHESTMODSEQ] = {"HIGHESTMODSEQ", code_number},
    [IMAP_CODE_INUSE] = {"INUSE", NULL},
    [IMAP_CODE_LIMIT] = {"LIMIT", NULL},
    [IMAP_CODE_MAILBOXID] = {"MAILBOXID", code_id},
    [IMAP_CODE_MODIFIED] = {"MODIFIED", code_set},
    [IMAP_CODE_NOMODSEQ] = {"NOMODSEQ", NULL},
    [IMAP_CODE_NONEXISTENT] = {"NONEXISTENT", NULL},
    [IMAP_CODE_NOPERM] = {"NOPERM", NULL},
    [IMAP_CODE_NOTIFICATIONOVERFLOW] = {"NOTIFICATIONOVERFLOW", NULL},
    [IMAP_CODE_NOTSAVED] = {"NOTSAVED", NULL},
    [IMAP_CODE_NOUPDATE] = {"NOUPDATE", NULL},
    [IMAP_CODE_OVERQUOTA] = {"OVERQUOTA", NULL},
    [IMAP_CODE_PARSE] = {"PARSE", NULL},
    [IMAP_CODE_PERMANENTFLAGS] = {"PERMANENTFLAGS", code_flags},
    [IMAP_CODE_PRIVACYREQUIRED] = {"PRIVACYREQUIRED", NULL},
    [IMAP_CODE_READ_ONLY] = {"READ-ONLY", NULL},
    [IMAP_CODE_READ_WRITE] = {"READ-WRITE", NULL},
    [IMAP_CODE_REFERRAL] = {"REFERRAL", NULL},
    [IMAP_CODE_SERVERBUG] = {"SERVERBUG", NULL},
    [IMAP_CODE_THROTTLED] = {"THROTTLED", NULL},
    [IMAP_CODE_TOOBIG] = {"TOOBIG", NULL},
    [IMAP_CODE_TRYCREATE] = {"TRYCREATE", NULL},
    [IMAP_CODE_UIDNEXT] = {"UIDNEXT", code_number},
    [IMAP_CODE_UIDNOTSTICKY] = {"UIDNOTSTICKY", NULL},
    [IMAP_CODE_UIDVALIDITY] = {"UIDVALIDITY", code_number},
    [IMAP_CODE_UNAVAILABLE] = {"UNAVAILABLE", NULL},
    [IMAP_CODE_UNKNOWN_CTE] = {"UNKNOWN-CTE", NULL},
    [IMAP_CODE_UNSEEN] = {"UNSEEN", code_number},
    [IMAP_CODE_USEATTR] = {"USEATTR", NULL},
};

enum imap_code parse_code(struct lexer *lex, struct imap_response *response)
{
    struct str name;
    lex_spaces(lex);
    if (!lex_word(lex, &name))
        return IMAP_CODE_UNKNOWN;
    for (int i = IMAP_CODE_UNKNOWN + 1; i < IMAP_CODES; i++) {
        if (!str_equal_nocase(name, str_of(codes[i].name)))
            continue;
        lex_spaces(lex);
        if (codes[i].argument)
            codes[i].argument(lex, response);
        return (enum imap_code)i;
    }
    return IMAP_CODE_UNKNOWN;
}
