/* A tree of conditions, planned: words become a tsquery, bounds at the top become values, and what
 * stands deeper is decided for each row. */
#include "server/store/search_private.h"

/* --- words ------------------------------------------------------------------------------------ */

static void write_weights(struct buf *out, unsigned weights, bool is_prefix)
{
    static const char letters[] = "DCBA";
    bool is_anywhere = (weights & SEARCH_ANYWHERE) == SEARCH_ANYWHERE;
    if (!is_prefix && is_anywhere)
        return;
    buf_char(out, ':');
    if (is_prefix)
        buf_char(out, '*');
    for (unsigned i = 0; i < 4 && !is_anywhere; i++)
        if (weights & 1u << i)
            buf_char(out, letters[i]);
}

static void write_lexeme(struct buf *out, const struct search_word *word, unsigned weights)
{
    buf_char(out, '\'');
    for (size_t i = 0; i < word->lexeme.length; i++) {
        char c = word->lexeme.at[i];
        if (c == '\'' || c == '\\')
            buf_char(out, c);
        buf_char(out, c);
    }
    buf_char(out, '\'');
    write_weights(out, weights, word->is_prefix);
}

static void write_words(struct buf *out, const struct search_condition *c)
{
    buf_char(out, '(');
    for (size_t i = 0; i < c->word_count; i++) {
        if (i > 0 && c->is_phrase)
            buf_printf(out, " <%u> ", c->words[i].position - c->words[i - 1].position);
        else if (i > 0)
            buf_text(out, " & ");
        write_lexeme(out, &c->words[i], c->weights);
    }
    buf_char(out, ')');
}

/* Words and nothing else, so that a tsquery says it all. */
static bool is_pure(const struct search_condition *c)
{
    if (c->kind == SEARCH_WORDS)
        return c->word_count > 0;
    if (c->kind != SEARCH_ALL_OF && c->kind != SEARCH_ANY_OF && c->kind != SEARCH_NONE_OF)
        return false;
    for (const struct search_condition *child = c->first_child; child; child = child->next)
        if (!is_pure(child))
            return false;
    return c->first_child != NULL;
}

/* Of pure ones: it names a word that must be there, so that an index finds it. */
static bool is_positive(const struct search_condition *c)
{
    bool is_any = c->kind == SEARCH_WORDS, is_all = true;
    for (const struct search_condition *child = c->first_child; child; child = child->next) {
        bool is_child = is_positive(child);
        is_any |= is_child;
        is_all &= is_child;
    }
    if (c->kind == SEARCH_NONE_OF)
        return false;
    return c->kind == SEARCH_ANY_OF ? is_all : is_any;
}

static void write_pure(struct buf *out, const struct search_condition *c)
{
    if (c->kind == SEARCH_WORDS) {
        write_words(out, c);
        return;
    }
    buf_text(out, c->kind == SEARCH_NONE_OF ? "!(" : "(");
    for (const struct search_condition *child = c->first_child; child; child = child->next) {
        write_pure(out, child);
        if (child->next)
            buf_text(out, c->kind == SEARCH_ANY_OF ? " | " : " & ");
    }
    buf_char(out, ')');
}

/* --- planning --------------------------------------------------------------------------------- */

struct planning {
    struct arena *arena;
    struct search_plan *plan;
    struct buf words; /* of the top */
    bool is_cut;
};

/* The tsqueries of the rest, in the order in which `matches` meets them. */
static void add_leaves(struct planning *p, const struct search_condition *c)
{
    if (!is_pure(c)) {
        for (const struct search_condition *child = c->first_child; child; child = child->next)
            add_leaves(p, child);
        return;
    }
    struct buf leaf = BUF_INIT(SEARCH_QUERY_BYTES_MAX);
    write_pure(&leaf, c);
    if (leaf.is_full || p->plan->leaf_count == SEARCH_LEAVES_MAX)
        p->is_cut = true;
    else
        p->plan->leaves[p->plan->leaf_count++] = arena_str(p->arena, buf_view(&leaf));
    buf_free(&leaf);
}

static void add_flag(struct search_plan *plan, const struct search_condition *c, bool is_set)
{
    if (is_set)
        plan->flags_set |= c->flag;
    else
        plan->flags_clear |= c->flag;
    plan->is_never |= (plan->flags_set & plan->flags_clear) != 0;
}

static void add_attachment(struct search_plan *plan, int wanted)
{
    plan->is_never |= plan->attachment == -wanted;
    plan->attachment = wanted;
}

/* One condition at the top: true when a value of the plan says all of it. */
static bool add_bound(struct search_plan *plan, const struct search_condition *c)
{
    const struct search_condition *denied = c->kind == SEARCH_NONE_OF ? c->first_child : NULL;
    switch (c->kind) {
    case SEARCH_BEFORE:
        plan->until = c->number < plan->until ? c->number : plan->until;
        return true;
    case SEARCH_AFTER:
        plan->since = c->number > plan->since ? c->number : plan->since;
        return true;
    case SEARCH_LARGER:
        plan->larger = c->number > plan->larger ? c->number : plan->larger;
        return true;
    case SEARCH_SMALLER:
        plan->smaller = c->number < plan->smaller ? c->number : plan->smaller;
        return true;
    case SEARCH_ATTACHMENT:
        add_attachment(plan, 1);
        return true;
    case SEARCH_FLAG:
        add_flag(plan, c, c->is_set);
        return true;
    case SEARCH_MAILBOX:
        plan->is_never |= c->mailbox_count == 0;
        if (c->mailbox_count != 1 || plan->mailbox_id)
            return false;
        plan->mailbox_id = c->mailbox_ids[0];
        return true;
    case SEARCH_NONE_OF:
        if (denied && denied->kind == SEARCH_FLAG)
            add_flag(plan, denied, !denied->is_set);
        else if (denied && denied->kind == SEARCH_ATTACHMENT)
            add_attachment(plan, -1);
        else
            return false;
        return true;
    default:
        return false;
    }
}

static void add_top(struct planning *p, const struct search_condition *c)
{
    if (c->kind == SEARCH_ALL_OF && !is_pure(c)) {
        for (const struct search_condition *child = c->first_child; child; child = child->next)
            add_top(p, child);
    } else if (is_pure(c)) {
        if (p->words.length)
            buf_text(&p->words, " & ");
        write_pure(&p->words, c);
        p->plan->is_indexable |= is_positive(c);
    } else if (!add_bound(p->plan, c)) {
        p->plan->has_rest = true;
        add_leaves(p, c);
    }
}

bool search_plan(struct arena *arena, const struct search_condition *condition,
                 struct search_plan *plan, struct error *err)
{
    struct planning p = {.arena = arena, .plan = plan, .words = BUF_INIT(SEARCH_QUERY_BYTES_MAX)};
    *plan = (struct search_plan){
        .since = INT64_MIN / 100, .until = INT64_MAX, .larger = -1, .smaller = INT64_MAX};
    add_top(&p, condition);
    p.is_cut |= p.words.is_full;
    plan->words = arena_str(arena, buf_view(&p.words));
    buf_free(&p.words);
    return !p.is_cut ||
           error_set(err, ERROR_LIMIT, "This search has more conditions than can be looked at.");
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool is_in(const struct search_condition *c, const struct search_row *row)
{
    for (size_t i = 0; i < c->mailbox_count; i++)
        for (size_t k = 0; k < row->mailbox_count; k++)
            if (c->mailbox_ids[i] == row->mailboxes[k])
                return true;
    return false;
}

static bool matches(const struct search_condition *c, const struct search_row *row, size_t *leaf);

/* All are asked, whatever the first ones say: the leaves are counted as they are met. */
static bool matches_children(const struct search_condition *c, const struct search_row *row,
                             size_t *leaf)
{
    bool is_any = false, is_all = true;
    for (const struct search_condition *child = c->first_child; child; child = child->next) {
        bool is_met = matches(child, row, leaf);
        is_any |= is_met;
        is_all &= is_met;
    }
    if (c->kind == SEARCH_ALL_OF)
        return is_all;
    return c->kind == SEARCH_ANY_OF ? is_any : !is_any;
}

static bool matches(const struct search_condition *c, const struct search_row *row, size_t *leaf)
{
    if (is_pure(c))
        return row->hits >> (*leaf)++ & 1;
    switch (c->kind) {
    case SEARCH_ALL_OF:
    case SEARCH_ANY_OF:
    case SEARCH_NONE_OF:
        return matches_children(c, row, leaf);
    case SEARCH_WORDS:
        return false; /* without any */
    case SEARCH_ATTACHMENT:
        return row->has_attachment;
    case SEARCH_FLAG:
        return ((row->flags & c->flag) != 0) == c->is_set;
    case SEARCH_KEYWORD:
        return str_has_word_nocase(row->keywords, c->text);
    case SEARCH_MAILBOX:
        return is_in(c, row);
    case SEARCH_BEFORE:
        return row->received_at < c->number;
    case SEARCH_AFTER:
        return row->received_at >= c->number;
    case SEARCH_LARGER:
        return row->size_bytes > c->number;
    case SEARCH_SMALLER:
        return row->size_bytes < c->number;
    }
    return false;
}

/* As add_top went: bounds are met already, or say the same here. */
static bool matches_top(const struct search_condition *c, const struct search_row *row,
                        size_t *leaf)
{
    struct search_plan ignored = {.since = INT64_MIN, .until = INT64_MAX};
    if (c->kind == SEARCH_ALL_OF && !is_pure(c)) {
        bool is_all = true;
        for (const struct search_condition *child = c->first_child; child; child = child->next)
            is_all &= matches_top(child, row, leaf);
        return is_all;
    }
    if (is_pure(c))
        return true;
    if (c->kind != SEARCH_MAILBOX && add_bound(&ignored, c))
        return true;
    return matches(c, row, leaf);
}

bool search_matches(const struct search_condition *condition, const struct search_row *row)
{
    size_t leaf = 0;
    return matches_top(condition, row, &leaf);
}
