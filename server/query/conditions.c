#include "server/query/conditions.h"

#include "server/store/labels.h"
#include "server/store/mailboxes.h"

struct translating {
    struct arena *arena;
    const struct mailbox *mailboxes; /* of the account */
    size_t mailbox_count;
    const struct label *labels; /* of the account, where the query asks for one */
    size_t label_count;
    bool *is_known; /* by the `in:` conditions in their order: some account has that folder */
    size_t folder_count;
};

static void set_words(struct translating *t, const struct query *q, enum words_place place,
                      struct search_condition *c)
{
    struct search_word *words = ARENA_ARRAY(t->arena, q->word_count, struct search_word);
    for (size_t i = 0; i < q->word_count; i++)
        words[i] = (struct search_word){.lexeme = words_tagged(t->arena, q->words[i].lexeme, place),
                                        .position = q->words[i].position,
                                        .is_prefix = q->words[i].is_prefix};
    c->kind = SEARCH_WORDS;
    c->words = words;
    c->word_count = q->word_count;
    c->is_phrase = q->is_phrase;
}

static struct search_condition *keyword(struct arena *arena, struct str word,
                                        struct search_condition *next)
{
    struct search_condition *made = ARENA_NEW(arena, struct search_condition);
    *made = (struct search_condition){.kind = SEARCH_KEYWORD, .text = word, .next = next};
    return made;
}

/* A label's name, or any keyword that it has or had. */
static bool set_label(const struct translating *t, struct str name, struct search_condition *c)
{
    for (size_t i = 0; i < t->label_count; i++) {
        const struct label *label = &t->labels[i];
        struct str rest = label->former;
        if (!str_equal_nocase(name, label->name) && !label_is_on(label, name))
            continue;
        c->kind = SEARCH_ANY_OF;
        c->first_child = keyword(t->arena, label->keyword, NULL);
        while (rest.length)
            c->first_child = keyword(t->arena, str_cut(&rest, ' '), c->first_child);
        return true;
    }
    return false;
}

static void set_keyword(const struct translating *t, const struct query *q,
                        struct search_condition *c)
{
    if (q->kind == QUERY_LABEL && set_label(t, q->text, c))
        return;
    for (const struct flag_name *name = flag_names; name->flag; name++) {
        if (!name->keyword || !str_equal_nocase(q->text, str_of(name->keyword)))
            continue;
        c->kind = SEARCH_FLAG;
        c->flag = name->flag;
        c->is_set = q->kind == QUERY_LABEL || q->is_set;
        return;
    }
    c->kind = SEARCH_KEYWORD;
    c->text = q->text;
}

/* A folder's role, as people call it, or its name, or its whole path. */
static bool is_called(const struct mailbox *mailbox, struct str name)
{
    static const struct {
        const char *name;
        enum mailbox_role role;
    } others[] = {{"spam", ROLE_JUNK}, {"bin", ROLE_TRASH}, {"starred", ROLE_FLAGGED}};
    const char *role = mailbox_role_name(mailbox->role);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (mailbox->role == others[i].role && str_equal_nocase(name, str_of(others[i].name)))
            return true;
    return (role && str_equal_nocase(name, str_of(role))) ||
           str_equal_nocase(name, mailbox->name) || str_equal_nocase(name, mailbox->path);
}

static void set_mailboxes(struct translating *t, const struct query *q, struct search_condition *c)
{
    int64_t *ids = ARENA_ARRAY(t->arena, t->mailbox_count, int64_t);
    size_t index = t->folder_count++;
    for (size_t i = 0; i < t->mailbox_count; i++)
        if (is_called(&t->mailboxes[i], q->text))
            ids[c->mailbox_count++] = t->mailboxes[i].id;
    t->is_known[index] |= c->mailbox_count > 0;
    c->kind = SEARCH_MAILBOX;
    c->mailbox_ids = ids;
}

static struct search_condition *translate(struct translating *t, const struct query *q)
{
    static const enum search_kind plain[] = {
        [QUERY_ALL_OF] = SEARCH_ALL_OF,         [QUERY_ANY_OF] = SEARCH_ANY_OF,
        [QUERY_NONE_OF] = SEARCH_NONE_OF,       [QUERY_BEFORE] = SEARCH_BEFORE,
        [QUERY_AFTER] = SEARCH_AFTER,           [QUERY_LARGER] = SEARCH_LARGER,
        [QUERY_ATTACHMENT] = SEARCH_ATTACHMENT, [QUERY_SMALLER] = SEARCH_SMALLER};
    struct search_condition *c = ARENA_NEW(t->arena, struct search_condition);
    *c = (struct search_condition){.weights = SEARCH_ANYWHERE, .number = q->number};
    switch (q->kind) {
    case QUERY_ANYWHERE:
        set_words(t, q, WORDS_BODY, c);
        break;
    case QUERY_BODY:
        set_words(t, q, WORDS_BODY, c);
        c->weights = SEARCH_IN_BODY;
        break;
    case QUERY_FILENAME:
        set_words(t, q, WORDS_FILENAME, c);
        break;
    case QUERY_FROM:
        set_words(t, q, WORDS_FROM, c);
        break;
    case QUERY_TO:
        set_words(t, q, WORDS_TO, c);
        break;
    case QUERY_CC:
        set_words(t, q, WORDS_CC, c);
        break;
    case QUERY_BCC:
        set_words(t, q, WORDS_BCC, c);
        break;
    case QUERY_SUBJECT:
        set_words(t, q, WORDS_SUBJECT, c);
        break;
    case QUERY_KEYWORD:
    case QUERY_LABEL:
        set_keyword(t, q, c);
        break;
    case QUERY_MAILBOX:
        set_mailboxes(t, q, c);
        break;
    default:
        c->kind = plain[q->kind];
    }
    struct search_condition **last = &c->first_child;
    for (const struct query *child = q->first_child; child; child = child->next) {
        *last = translate(t, child);
        last = &(*last)->next;
    }
    return c;
}

static bool asks_for_label(const struct query *q)
{
    bool is_asked = q->kind == QUERY_LABEL;
    for (const struct query *child = q->first_child; child && !is_asked; child = child->next)
        is_asked = asks_for_label(child);
    return is_asked;
}

/* The first folder of the query that no account has. */
static const struct query *find_unknown(const struct query *q, const bool *is_known, size_t *index)
{
    if (q->kind == QUERY_MAILBOX && !is_known[(*index)++])
        return q;
    for (const struct query *child = q->first_child; child; child = child->next) {
        const struct query *unknown = find_unknown(child, is_known, index);
        if (unknown)
            return unknown;
    }
    return NULL;
}

bool query_conditions(struct db *db, struct arena *arena, const struct query *query,
                      const int64_t *account_ids, size_t count,
                      const struct search_condition *const **conditions, struct error *err)
{
    size_t index = 0;
    const struct search_condition **made =
        ARENA_ARRAY(arena, count, const struct search_condition *);
    struct translating t = {.arena = arena, .is_known = ARENA_ARRAY(arena, QUERY_NODES_MAX, bool)};
    for (size_t i = 0; i < count; i++) {
        struct mailbox *mailboxes;
        struct label *labels = NULL;
        if (!mailbox_list(db, arena, account_ids[i], &mailboxes, &t.mailbox_count, err) ||
            (asks_for_label(query) &&
             !label_list(db, arena, account_ids[i], &labels, &t.label_count, err)))
            return false;
        t.mailboxes = mailboxes;
        t.labels = labels;
        t.folder_count = 0;
        made[i] = translate(&t, query);
    }
    *conditions = made;
    const struct query *unknown = count ? find_unknown(query, t.is_known, &index) : NULL;
    if (!unknown)
        return true;
    error_set(err, ERROR_INVALID, "There is no folder “%" STR_FMT "”.", STR_ARG(unknown->text));
    return error_hint(err, "Give a folder's name, or inbox, sent, drafts, archive, junk or trash.");
}
