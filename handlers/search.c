#include "handlers/search.h"

#include <jansson.h>
#include <time.h>

#include "handlers/content.h"
#include "handlers/wait.h"
#include "server/base/clock.h"
#include "server/base/json.h"
#include "server/mail/snippet.h"
#include "server/query/conditions.h"
#include "server/store/operations.h"

enum {
    MARKED_WORDS_MAX = 100,
    SNIPPET_BYTES_MAX = 64 * 1024,
    TEXTS_MAX = 10,              /* of a page are looked into for where the words stand */
    TEXT_BYTES_MAX = 128 * 1024, /* of each */
    ASK_AGAIN_S = 60, /* the same question within this time joins the operation under way */
};

/* --- conditions ------------------------------------------------------------------------------- */

static bool translate_all(struct db *db, struct arena *arena, const struct search_wanted *wanted,
                          const struct query *query, struct search_request *request,
                          struct error *err)
{
    size_t count = wanted->account_count;
    int64_t *ids = ARENA_ARRAY(arena, count, int64_t);
    for (size_t i = 0; i < count; i++)
        ids[i] = wanted->accounts[i].id;
    request->account_ids = ids;
    request->account_count = count;
    return query_conditions(db, arena, query, ids, count, &request->conditions, err);
}

/* --- pages ------------------------------------------------------------------------------------ */

static bool read_cursor(struct str text, enum search_order order, struct search_cursor *cursor,
                        struct error *err)
{
    int64_t position = 0;
    bool is_good = true;
    if (text.length && order == SEARCH_BY_RELEVANCE) {
        is_good = str_to_i64(text, &position) && position >= 0 && position <= INT32_MAX;
        cursor->position = (int)position;
    } else if (text.length) {
        struct str received_at = str_cut(&text, '.'), account_id = str_cut(&text, '.');
        is_good = str_to_i64(received_at, &cursor->received_at) &&
                  str_to_i64(account_id, &cursor->account_id) && str_to_i64(text, &cursor->id);
    }
    return is_good || error_set(err, ERROR_INVALID, "This is no place in what was found.");
}

static struct str write_cursor(struct arena *arena, const struct search_cursor *cursor,
                               enum search_order order)
{
    if (order == SEARCH_BY_RELEVANCE)
        return arena_printf(arena, "%d", cursor->position);
    return arena_printf(arena, "%lld.%lld.%lld", (long long)cursor->received_at,
                        (long long)cursor->account_id, (long long)cursor->id);
}

/* Words that are to be there: what is denied is not marked. */
static void collect_words(const struct query *q, struct search_found *found)
{
    if (q->kind == QUERY_NONE_OF)
        return;
    for (size_t i = 0; i < q->word_count && found->word_count < MARKED_WORDS_MAX; i++)
        found->words[found->word_count++] = q->words[i];
    for (const struct query *child = q->first_child; child; child = child->next)
        collect_words(child, found);
}

static bool has_words(const struct search_found *found, struct str text)
{
    struct buf html = BUF_INIT(SNIPPET_BYTES_MAX);
    bool has_any = snippet_write_html(&html, text, found->words, found->word_count);
    buf_free(&html);
    return has_any;
}

/* The text of a message as it is seen, as far as it is here; empty otherwise. */
static struct str read_text(const struct request *req, struct db *db, const struct email *listed)
{
    struct email email;
    struct content_place place;
    const struct mime_message *message = NULL;
    struct str bytes, text;
    bool is_poison;
    if (!email_by_id(db, req->arena, listed->account_id, listed->id, &email, NULL) ||
        !content_structure(req->arena, &email, &message, NULL) || !message ||
        message->text_body.count == 0)
        return STR_EMPTY;
    const struct mime_part *part = message->text_body.at[0];
    if (!str_starts(part->type, STR("text/")) ||
        !content_find(req, db, &email, part, &place, NULL) || !place.is_here ||
        !content_read(db, req->arena, &place, TEXT_BYTES_MAX, &bytes, NULL) ||
        !parser_visible_text(app_of(req)->parsers, req->arena, place.part, bytes, TEXT_BYTES_MAX,
                             &text, &is_poison, NULL))
        return STR_EMPTY;
    return text;
}

/* Where neither subject nor preview has the words, the text is looked into, for the first ones. */
static void find_places(const struct request *req, struct db *db, struct search_found *found)
{
    size_t looked = 0;
    found->places = ARENA_ARRAY(req->arena, found->answer.count, struct str);
    for (size_t i = 0; i < found->answer.count; i++) {
        const struct email *email = &found->answer.emails[i];
        struct buf html = BUF_INIT(SNIPPET_BYTES_MAX);
        found->places[i] = STR_EMPTY;
        if (found->word_count && looked < TEXTS_MAX && !has_words(found, email->subject) &&
            !has_words(found, email->preview)) {
            looked++;
            if (snippet_write_html(&html, read_text(req, db, email), found->words,
                                   found->word_count))
                found->places[i] = arena_str(req->arena, buf_view(&html));
        }
        buf_free(&html);
    }
}

struct query_clock search_clock(void)
{
    struct tm local;
    int64_t now = clock_now_us();
    time_t seconds = (time_t)(now / 1000000);
    localtime_r(&seconds, &local);
    return (struct query_clock){now, (int)(local.tm_gmtoff / 60)};
}

bool search_run(const struct request *req, struct db *db, const struct search_wanted *wanted,
                struct search_found *found, struct error *err)
{
    struct query_clock clock = search_clock();
    struct search_request request = {.order = wanted->order, .limit = wanted->limit};
    *found = (struct search_found){0};
    found->query = query_parse(req->arena, wanted->text, clock, err);
    if (!found->query)
        return false;
    struct buf understood = BUF_INIT(QUERY_BYTES_MAX * 4);
    query_write(&understood, found->query, clock);
    found->understood = arena_str(req->arena, buf_view(&understood));
    buf_free(&understood);
    found->words = ARENA_ARRAY(req->arena, MARKED_WORDS_MAX, struct word);
    collect_words(found->query, found);
    if (!translate_all(db, req->arena, wanted, found->query, &request, err) ||
        !read_cursor(wanted->cursor, wanted->order, &request.cursor, err) ||
        !search_emails(db, req->arena, &request, &found->answer, err))
        return false;
    find_places(req, db, found);
    if (found->answer.has_more)
        found->next = write_cursor(req->arena, &found->answer.next, wanted->order);
    return true;
}

bool search_check(const struct request *req, struct db *db, int64_t account_id, struct str text,
                  struct error *err)
{
    const struct search_condition *const *conditions;
    const struct query *query = query_parse(req->arena, text, search_clock(), err);
    return query && query_conditions(db, req->arena, query, &account_id, 1, &conditions, err);
}

void search_snippets(struct arena *arena, const struct search_found *found,
                     const struct email *email, struct str *subject, struct str *preview)
{
    struct buf html = BUF_INIT(SNIPPET_BYTES_MAX);
    snippet_write_whole_html(&html, email->subject, found->words, found->word_count);
    *subject = arena_str(arena, buf_view(&html));
    buf_reset(&html);
    *preview = STR_EMPTY;
    if (snippet_write_html(&html, email->preview, found->words, found->word_count))
        *preview = arena_str(arena, buf_view(&html));
    const struct email *first = found->answer.emails;
    if (!preview->length && first && email >= first && email < first + found->answer.count)
        *preview = found->places[email - first];
    buf_free(&html);
}

/* --- on the mail server ----------------------------------------------------------------------- */

static struct str upstream_arguments(struct arena *arena, struct str text)
{
    struct buf arguments = BUF_INIT(QUERY_BYTES_MAX * 8);
    struct json json = JSON_INIT(&arguments);
    struct query_clock clock = search_clock();
    json_write_object(&json);
    json_write_name(&json, "query");
    json_write_str(&json, text);
    json_write_name(&json, "now");
    json_write_i64(&json, clock.now_us);
    json_write_name(&json, "offsetMinutes");
    json_write_i64(&json, clock.offset_minutes);
    json_write_object_end(&json);
    struct str copy = arena_str(arena, buf_view(&arguments));
    buf_free(&arguments);
    return copy;
}

static void read_upstream(struct arena *arena, struct str text, struct search_upstream *found)
{
    json_t *result = json_loadb(text.at, text.length, 0, NULL);
    const json_t *ids = json_object_get(result, "emailIds");
    found->email_ids = ARENA_ARRAY(arena, SEARCH_UPSTREAM_MAX, int64_t);
    for (size_t i = 0; i < json_array_size(ids) && found->count < SEARCH_UPSTREAM_MAX; i++)
        found->email_ids[found->count++] = json_integer_value(json_array_get(ids, i));
    found->unknown = json_integer_value(json_object_get(result, "unknown"));
    found->is_cut = json_is_true(json_object_get(result, "isCut"));
    json_decref(result);
}

bool search_upstream(struct request *req, int64_t account_id, struct str text, int64_t wait_ms,
                     struct search_upstream *found, struct error *err)
{
    struct operation operation;
    int64_t id;
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(text, hash);
    struct str key = arena_printf(req->arena, "search-%02x%02x%02x%02x%02x%02x%02x%02x-%lld",
                                  hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6],
                                  hash[7], (long long)(clock_now_us() / 1000000 / ASK_AGAIN_S));
    *found = (struct search_upstream){0};
    struct db *db = app_db(req, err);
    bool is_asked =
        db && operation_enqueue(db, account_id, STR("search"), upstream_arguments(req->arena, text),
                                true, key, &id, err);
    store_release(app_of(req)->store, &db);
    if (!is_asked ||
        !wait_for_operation(req, account_id, id, deadline_in_ms(wait_ms), &operation, err))
        return false;
    if (operation.state != OPERATION_DONE) {
        error_set(err, ERROR_UNAVAILABLE, "%" STR_FMT,
                  STR_ARG(operation.error.length ? operation.error
                                                 : STR("The mail server did not search.")));
        return error_hint(err, "What is here was searched; try the mail server again later.");
    }
    read_upstream(req->arena, operation.result, found);
    return true;
}
