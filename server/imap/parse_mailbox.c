/* Everything about mailboxes: LIST, STATUS, FLAGS, NAMESPACE, SEARCH, VANISHED, QUOTA, and ID. */
#include "server/imap/parse_private.h"

bool parse_flags(struct lexer *lex, struct imap_flags *flags)
{
    static const struct {
        struct str name;
        enum imap_flag flag;
    } known[] = {
        {{"\\Seen", 5}, IMAP_SEEN},       {{"\\Answered", 9}, IMAP_ANSWERED},
        {{"\\Flagged", 8}, IMAP_FLAGGED}, {{"\\Deleted", 8}, IMAP_DELETED},
        {{"\\Draft", 6}, IMAP_DRAFT},     {{"\\Recent", 7}, IMAP_RECENT},
        {{"\\*", 2}, IMAP_FLAG_ANY},
    };
    lex_spaces(lex);
    if (!lex_take(lex, '(')) {
        struct lex_string nil;
        return lex_string(lex, &nil) && nil.is_nil;
    }
    for (;;) {
        struct str flag;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_text(lex, &flag))
            return false;
        size_t i = 0;
        while (i < sizeof known / sizeof *known && !str_equal_nocase(flag, known[i].name))
            i++;
        if (i < sizeof known / sizeof *known) {
            flags->system |= known[i].flag;
            continue;
        }
        struct str *keywords =
            lex_grow(lex, flags->keywords, &flags->keyword_count, sizeof *keywords);
        if (!keywords)
            continue;
        flags->keywords = keywords;
        keywords[flags->keyword_count - 1] = flag;
    }
}

/* --- LIST ------------------------------------------------------------------------------------- */

static unsigned find_attribute(struct str name)
{
    static const struct {
        struct str name;
        unsigned attribute;
    } known[] = {
        {{"\\Noselect", 9}, IMAP_NOSELECT},
        {{"\\NonExistent", 12}, IMAP_NONEXISTENT | IMAP_NOSELECT},
        {{"\\Noinferiors", 12}, IMAP_NOINFERIORS | IMAP_HAS_NO_CHILDREN},
        {{"\\HasChildren", 12}, IMAP_HAS_CHILDREN},
        {{"\\HasNoChildren", 14}, IMAP_HAS_NO_CHILDREN},
        {{"\\Marked", 7}, IMAP_MARKED},
        {{"\\Unmarked", 9}, IMAP_UNMARKED},
        {{"\\Subscribed", 11}, IMAP_SUBSCRIBED},
        {{"\\Remote", 7}, IMAP_REMOTE},
        {{"\\All", 4}, IMAP_USE_ALL},
        {{"\\AllMail", 8}, IMAP_USE_ALL}, /* XLIST */
        {{"\\Archive", 8}, IMAP_USE_ARCHIVE},
        {{"\\Drafts", 7}, IMAP_USE_DRAFTS},
        {{"\\Flagged", 8}, IMAP_USE_FLAGGED},
        {{"\\Starred", 8}, IMAP_USE_FLAGGED}, /* XLIST */
        {{"\\Junk", 5}, IMAP_USE_JUNK},
        {{"\\Spam", 5}, IMAP_USE_JUNK}, /* XLIST */
        {{"\\Sent", 5}, IMAP_USE_SENT},
        {{"\\Trash", 6}, IMAP_USE_TRASH},
        {{"\\Important", 10}, IMAP_USE_IMPORTANT},
        {{"\\Inbox", 6}, IMAP_USE_INBOX},
        {{"\\Memos", 6}, IMAP_USE_MEMOS},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_equal_nocase(name, known[i].name))
            return known[i].attribute;
    return 0;
}

static bool parse_attributes(struct lexer *lex, unsigned *attributes)
{
    if (!lex_take(lex, '('))
        return false;
    for (;;) {
        struct str name;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_text(lex, &name))
            return false;
        *attributes |= find_attribute(name);
    }
}

/* A name; an unquoted one with spaces in it goes on up to `end` (0: all that is left). */
static bool parse_mailbox_name(struct lexer *lex, char end, struct str *name)
{
    lex_spaces(lex);
    size_t before = lex->at;
    char first = lex_peek(lex);
    bool is_marked = first == '"' || first == '{';
    struct lex_string string;
    if (is_marked ? !lex_string(lex, &string) : !lex_word(lex, name))
        return false;
    if (is_marked) {
        *name = string.text;
        return true;
    }
    lex_spaces(lex);
    while (!lex_is_end(lex) && !(end && lex_peek(lex) == end))
        lex->at++;
    *name = str_trim(str_sub(lex->text, before, lex->at - before));
    return true;
}

/* ("OLDNAME" ("x") "CHILDINFO" ("SUBSCRIBED")): only OLDNAME is of use. */
static bool parse_list_extension(struct lexer *lex, struct imap_mailbox *mailbox)
{
    lex_spaces(lex);
    if (!lex_take(lex, '('))
        return true;
    for (;;) {
        struct str name;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_text(lex, &name))
            return false;
        lex_spaces(lex);
        if (!str_equal_nocase(name, STR("OLDNAME"))) {
            if (!lex_skip(lex))
                return false;
            continue;
        }
        bool is_listed = lex_take(lex, '(');
        if (!lex_text(lex, &mailbox->old_wire_path) || (is_listed && !lex_take(lex, ')')))
            return false;
    }
}

bool parse_list(struct lexer *lex, struct imap_response *response)
{
    struct imap_mailbox *mailbox = &response->mailbox;
    *mailbox = (struct imap_mailbox){
        .path = STR_EMPTY, .delimiter = STR_EMPTY, .old_wire_path = STR_EMPTY};
    if (!parse_attributes(lex, &mailbox->attributes))
        return false;
    lex_spaces(lex);
    if (!lex_text(lex, &mailbox->delimiter) || !parse_mailbox_name(lex, '(', &mailbox->wire_path))
        return false;
    if (str_equal_nocase(mailbox->wire_path, STR("INBOX")))
        mailbox->attributes |= IMAP_USE_INBOX;
    return parse_list_extension(lex, mailbox);
}

bool parse_lsub(struct lexer *lex, struct imap_response *response)
{
    response->is_lsub = true;
    return parse_list(lex, response);
}

/* --- STATUS ----------------------------------------------------------------------------------- */

static bool parse_status_u32(struct lexer *lex, uint32_t *number)
{
    uint64_t wide; /* some count past 32 bits: as many as there can be */
    if (!lex_number(lex, &wide))
        return false;
    *number = wide > UINT32_MAX ? UINT32_MAX : (uint32_t)wide;
    return true;
}

static bool parse_status_item(struct lexer *lex, struct str name, struct imap_status *status)
{
    const struct {
        struct str name;
        enum imap_status_item item;
        uint32_t *narrow;
        uint64_t *wide;
    } items[] = {
        {STR("MESSAGES"), IMAP_STATUS_MESSAGES, &status->messages, NULL},
        {STR("UIDNEXT"), IMAP_STATUS_UIDNEXT, &status->uidnext, NULL},
        {STR("UIDVALIDITY"), IMAP_STATUS_UIDVALIDITY, &status->uidvalidity, NULL},
        {STR("UNSEEN"), IMAP_STATUS_UNSEEN, &status->unseen, NULL},
        {STR("RECENT"), IMAP_STATUS_RECENT, &status->recent, NULL},
        {STR("DELETED"), IMAP_STATUS_DELETED, &status->deleted, NULL},
        {STR("HIGHESTMODSEQ"), IMAP_STATUS_HIGHESTMODSEQ, NULL, &status->highestmodseq},
        {STR("SIZE"), IMAP_STATUS_SIZE, NULL, &status->size},
        {STR("APPENDLIMIT"), IMAP_STATUS_APPENDLIMIT, NULL, &status->appendlimit},
    };
    lex_spaces(lex);
    if (str_equal_nocase(name, STR("MAILBOXID"))) {
        bool is_listed = lex_take(lex, '(');
        if (!lex_text(lex, &status->mailbox_id) || (is_listed && !lex_take(lex, ')')))
            return false;
        status->has |= IMAP_STATUS_MAILBOXID;
        return true;
    }
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        if (!str_equal_nocase(name, items[i].name))
            continue;
        if (items[i].narrow ? parse_status_u32(lex, items[i].narrow)
                            : lex_number(lex, items[i].wide)) {
            status->has |= items[i].item;
            return true;
        }
        if (items[i].item == IMAP_STATUS_APPENDLIMIT) {
            status->appendlimit = UINT64_MAX;
            status->has |= IMAP_STATUS_APPENDLIMIT;
        }
        break;
    }
    return lex_skip(lex);
}

bool parse_status(struct lexer *lex, struct imap_response *response)
{
    struct imap_status *status = &response->status;
    *status = (struct imap_status){.mailbox_id = STR_EMPTY};
    if (!parse_mailbox_name(lex, '(', &status->wire_path))
        return false;
    lex_spaces(lex);
    if (!lex_take(lex, '('))
        return false;
    for (;;) {
        struct str name;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_word(lex, &name) || !parse_status_item(lex, name, status))
            return false;
    }
}

/* --- NAMESPACE -------------------------------------------------------------------------------- */

static bool parse_namespace_kind(struct lexer *lex, int kind, struct imap_response *response)
{
    lex_spaces(lex);
    if (!lex_take(lex, '(')) {
        struct lex_string nil;
        return lex_string(lex, &nil) && nil.is_nil;
    }
    for (;;) {
        struct imap_namespace entry = {.prefix = STR_EMPTY, .delimiter = STR_EMPTY};
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_take(lex, '(') || !lex_text(lex, &entry.prefix))
            return false;
        lex_spaces(lex);
        if (!lex_text(lex, &entry.delimiter))
            return false;
        while (lex_spaces(lex), !lex_take(lex, ')')) /* extensions */
            if (!lex_skip(lex))
                return false;
        entry.kind = kind;
        struct imap_namespace *all =
            lex_grow(lex, response->namespaces, &response->namespace_count, sizeof *all);
        if (!all)
            continue;
        response->namespaces = all;
        all[response->namespace_count - 1] = entry;
    }
}

bool parse_namespace(struct lexer *lex, struct imap_response *response)
{
    return parse_namespace_kind(lex, IMAP_NAMESPACE_PERSONAL, response) &&
           parse_namespace_kind(lex, IMAP_NAMESPACE_OTHERS, response) &&
           parse_namespace_kind(lex, IMAP_NAMESPACE_SHARED, response);
}

/* --- SEARCH, ESEARCH, VANISHED ---------------------------------------------------------------- */

bool parse_search(struct lexer *lex, struct imap_response *response)
{
    struct imap_found *found = &response->found;
    /* As many numbers as there are spaces, at most: the array is made once. */
    size_t most = 1;
    for (size_t i = lex->at; i < lex->text.length; i++)
        most += lex->text.at[i] == ' ';
    struct imap_range *at = NULL;
    struct imap_set set = {0};
    while (lex_spaces(lex), !lex_is_end(lex)) {
        uint32_t number;
        if (lex_take(lex, '(')) {
            if (!lex_is_word(lex, STR("MODSEQ")))
                return false;
            lex_spaces(lex);
            if (!lex_number(lex, &found->modseq) || !lex_take(lex, ')'))
                return false;
            continue;
        }
        if (!lex_u32(lex, &number))
            return false;
        if (!number)
            continue;
        if (!at)
            at = ARENA_ARRAY(lex->arena, most, struct imap_range);
        struct imap_range *last = set.count ? &at[set.count - 1] : NULL;
        if (last && last->high != UINT32_MAX && number == last->high + 1) {
            last->high = number;
            continue;
        }
        set.is_unsorted = set.is_unsorted || (last && number <= last->high);
        at[set.count++] = (struct imap_range){number, number};
    }
    set.at = at;
    imap_set_sort(&set);
    found->all = set;
    found->has_all = true;
    return true;
}

static bool parse_set_word(struct lexer *lex, struct imap_set *set)
{
    struct str word;
    lex_spaces(lex);
    return lex_word(lex, &word) && imap_set_parse(word, lex->arena, set);
}

/* PARTIAL (-1:-100 set) (RFC 9394); the set may be NIL. */
static bool parse_partial(struct lexer *lex, struct imap_found *found)
{
    struct str word;
    lex_spaces(lex);
    if (!lex_take(lex, '(') || !lex_word(lex, &word))
        return false;
    lex_spaces(lex);
    if (!lex_word(lex, &word) || !lex_take(lex, ')'))
        return false;
    found->has_all = true;
    return str_equal_nocase(word, STR("NIL")) || imap_set_parse(word, lex->arena, &found->all);
}

bool parse_esearch(struct lexer *lex, struct imap_response *response)
{
    struct imap_found *found = &response->found;
    found->tag = STR_EMPTY;
    if (lex_take(lex, '(')) {
        if (!lex_is_word(lex, STR("TAG")))
            return false;
        lex_spaces(lex);
        if (!lex_text(lex, &found->tag) || (lex_spaces(lex), !lex_take(lex, ')')))
            return false;
    }
    for (;;) {
        struct str name;
        lex_spaces(lex);
        if (lex_is_end(lex))
            return true;
        if (!lex_word(lex, &name))
            return false;
        lex_spaces(lex);
        bool is_good;
        if (str_equal_nocase(name, STR("UID")))
            is_good = found->is_uid = true;
        else if (str_equal_nocase(name, STR("ALL")))
            is_good = found->has_all = parse_set_word(lex, &found->all);
        else if (str_equal_nocase(name, STR("MIN")))
            is_good = lex_u32(lex, &found->min);
        else if (str_equal_nocase(name, STR("MAX")))
            is_good = lex_u32(lex, &found->max);
        else if (str_equal_nocase(name, STR("COUNT")))
            is_good = found->has_count = lex_number(lex, &found->count);
        else if (str_equal_nocase(name, STR("MODSEQ")))
            is_good = lex_number(lex, &found->modseq);
        else if (str_equal_nocase(name, STR("PARTIAL")))
            is_good = parse_partial(lex, found);
        else
            is_good = lex_skip(lex);
        if (!is_good)
            return false;
    }
}

bool parse_vanished(struct lexer *lex, struct imap_response *response)
{
    if (lex_take(lex, '(')) {
        response->is_earlier = lex_is_word(lex, STR("EARLIER"));
        if (!lex_take(lex, ')'))
            return false;
    }
    return parse_set_word(lex, &response->set);
}

/* --- QUOTA, ID -------------------------------------------------------------------------------- */

bool parse_quota(struct lexer *lex, struct imap_response *response)
{
    struct imap_quota *quota = &response->quota;
    *quota = (struct imap_quota){.storage_limit = UINT64_MAX, .messages_limit = UINT64_MAX};
    if (!lex_text(lex, &quota->root) || (lex_spaces(lex), !lex_take(lex, '(')))
        return false;
    for (;;) {
        struct str name;
        uint64_t used, limit;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_word(lex, &name) || (lex_spaces(lex), !lex_number(lex, &used)) ||
            (lex_spaces(lex), !lex_number(lex, &limit)))
            return false;
        if (str_equal_nocase(name, STR("STORAGE"))) {
            quota->storage_used = used;
            quota->storage_limit = limit;
        } else if (str_equal_nocase(name, STR("MESSAGE"))) {
            quota->messages_used = used;
            quota->messages_limit = limit;
        }
    }
}

bool parse_quotaroot(struct lexer *lex, struct imap_response *response)
{
    if (!lex_text(lex, &response->mailbox.wire_path))
        return false;
    for (;;) {
        struct str root;
        lex_spaces(lex);
        if (lex_is_end(lex))
            return true;
        if (!lex_text(lex, &root))
            return false;
        struct str *words = lex_grow(lex, response->words, &response->word_count, sizeof *words);
        if (!words)
            return true;
        response->words = words;
        words[response->word_count - 1] = root;
    }
}

bool parse_id(struct lexer *lex, struct imap_response *response)
{
    if (!lex_take(lex, '(')) {
        struct lex_string nil;
        return lex_string(lex, &nil) && nil.is_nil;
    }
    for (;;) {
        struct imap_pair pair;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_text(lex, &pair.name) || (lex_spaces(lex), !lex_text(lex, &pair.value)))
            return false;
        struct imap_pair *pairs =
            lex_grow(lex, response->pairs, &response->pair_count, sizeof *pairs);
        if (!pairs)
            continue;
        response->pairs = pairs;
        pairs[response->pair_count - 1] = pair;
    }
}
