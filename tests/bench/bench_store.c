/* What the store costs, beside the least it could cost: pages of a small and a large mailbox
 * against a bare prepared statement of libpq, the metadata of many messages, and their bodies. All
 * in one run on a private cluster, so that ratios can be compared between machines.
 *
 *     build/release/bench/bench_store [messages, 100000]
 *
 * With RESTANTE_BENCH_EXPLAIN=1 it also prints the plan of a page. */
#include <math.h>

#include "server/base/clock.h"
#include "server/store/blobs.h"
#include "server/store/emails.h"
#include "server/store/search.h"
#include "tests/bench/bench_cluster.h"

enum { BATCH = 500, ROUNDS = 2000 };

static size_t header_words = 16; /* of a message's subject and people */

/* Seconds of processor that a process has had. */
static double cpu_seconds_of(int pid)
{
    return (double)bench_cpu_us_of(pid) / 1e6;
}

/* --- words ------------------------------------------------------------------------------------ */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A tsvector as tsvectorrecv reads it, of `count` words that are as common as words are: the nth
 * most common one is met in proportion to 1/n. The first `subject` of them have weight A. */
static struct str make_words(int64_t n, size_t count, size_t subject)
{
    enum { VOCABULARY = 60000 };
    static char names[VOCABULARY][16]; /* as words in a subject are tagged, "\1A" in front */
    const char *words[512];
    struct buf out = BUF_INIT(64 * 1024);
    size_t kept = 0;
    if (!names[0][0])
        for (int i = 0; i < VOCABULARY; i++)
            snprintf(names[i], sizeof names[i], "\1Aw%llx",
                     (unsigned long long)scramble((uint64_t)i) & 0xffffffffff);
    for (size_t i = 0; i < count; i++) {
        double at = (double)((uint64_t)scramble((uint64_t)n * 1000 + i) >> 11) / 9007199254740992.0;
        words[i] = names[(int)exp(at * log(VOCABULARY - 1))] + 2;
        if (i < subject)
            words[count + i] = words[i] - 2;
    }
    count += subject;
    qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 0; i < count; i++)
        kept += i == 0 || strcmp(words[i], words[i - 1]) != 0;
    buf_printf(&out, "%c%c%c%c", 0, 0, (int)(kept >> 8), (int)(kept & 255));
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(words[i], words[i - 1]) == 0)
            continue;
        buf_append(&out, words[i], strlen(words[i]) + 1);
        buf_printf(&out, "%c%c%c%c", 0, 1, words[i][0] == '\1' ? 0xc0 : 0, (int)(i % 200) + 1);
    }
    struct str vector = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return vector;
}

/* The nth message upstream: about a kilobyte of what lists and threads need; conversations of four.
 */
static void make_message(int64_t n, struct replica_email *email)
{
    int64_t *keys = ARENA_ARRAY(arena, 4, int64_t);
    struct buf references = BUF_INIT(1000);
    size_t depth = (size_t)(n % 4);
    for (size_t i = 0; i <= depth; i++) {
        keys[i] = (int64_t)(scramble((uint64_t)(n - (int64_t)i)) | 1);
        if (i)
            buf_printf(&references, "%s%lld.%llx@mail.example", i > 1 ? " " : "",
                       (long long)(n - (int64_t)i), (long long)keys[i]);
    }
    *email = (struct replica_email){
        .placed = {.uid = (uint32_t)n + 1, .flags = n % 3 ? FLAG_SEEN : 0, .modseq = 7},
        .message_id =
            arena_printf(arena, "%lld.%llx@mail.example", (long long)n, (long long)keys[0]),
        .message_key = keys[0],
        .references = arena_str(arena, buf_view(&references)),
        .subject =
            arena_printf(arena, "The minutes of meeting %lld, and what to do next", (long long)n),
        .from_json = arena_printf(
            arena, "[{\"name\":\"Person %lld\",\"email\":\"person%lld@mail.example\"}]",
            (long long)(n % 97), (long long)(n % 97)),
        .to_json = STR("[{\"name\":\"Alice\",\"email\":\"alice@mail.example\"}]"),
        .sent_at = INT64_C(1700000000000000) + n * 61000000,
        .received_at = INT64_C(1700000001000000) + n * 61000000,
        .size_bytes = 4000 + n % 9000,
        .preview =
            STR("Dear all, thank you for coming. Attached you find what we have agreed upon; "
                "please read it before Thursday and tell me what is missing from it."),
        .structure = STR(
            "{\"type\":\"multipart/alternative\",\"subParts\":[{\"partId\":\"1\",\"type\":\"text/"
            "plain\",\"charset\":\"utf-8\",\"size\":812},{\"partId\":\"2\",\"type\":\"text/html\","
            "\"charset\":\"utf-8\",\"size\":2907}]}"),
        .thread_keys = keys,
        .thread_key_count = depth + 1,
        .words = make_words(n, header_words, header_words / 2)};
    buf_free(&references);
}

/* Seconds. Newest first, as sync does it. */
static double fill(struct db *db, int64_t mailbox_id, int64_t from, int64_t to)
{
    struct replica_email emails[BATCH];
    int64_t spent = 0;
    for (int64_t high = to; high > from; high -= BATCH) {
        size_t count = 0;
        arena_reset(arena);
        for (int64_t n = high; n > from && count < BATCH; n--)
            make_message(n - 1, &emails[count++]);
        int64_t began = clock_monotonic_us();
        struct replica_batch *batch = replica_begin(db, ACCOUNT, &err);
        must(batch != NULL, "begin");
        must(replica_emails_add(batch, mailbox_id, emails, count, &err), "add");
        struct replica_mailbox cursor = {.id = mailbox_id,
                                         .uidvalidity = 1,
                                         .uidnext = (uint32_t)to + 1,
                                         .backfill_uid = (uint32_t)(high - (int64_t)count) + 1};
        must(replica_mailbox_cursor(batch, &cursor, &err), "cursor");
        must(replica_commit(&batch, &err), "commit");
        spent += clock_monotonic_us() - began;
    }
    return (double)spent / 1e6;
}

/* --- pages ----------------------------------------------------------------------------------- */

static int64_t median_page(struct store *store, int64_t mailbox_id)
{
    int64_t times[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct email *emails;
        size_t count;
        bool has_more;
        arena_reset(arena);
        int64_t began = clock_monotonic_us();
        struct db *db = store_acquire(store, USER, &err);
        must(db != NULL, "acquire");
        must(emails_page(db, arena, ACCOUNT, mailbox_id, (struct email_cursor){0}, false, 50,
                         &emails, &count, &has_more, &err),
             "page");
        store_release(store, &db);
        times[i] = clock_monotonic_us() - began;
        must(count == 50, "fifty rows");
    }
    qsort(times, ROUNDS, sizeof *times, bench_compare_us);
    return times[ROUNDS / 2];
}

/* The same columns of fifty rows of one table, nothing else. */
static int64_t median_bare(PGconn *pg, const char *sql, int count, const char *const *values)
{
    int64_t times[ROUNDS];
    PQclear(PQexec(pg, "SET plan_cache_mode = force_generic_plan"));
    PQclear(PQprepare(pg, "", sql, 0, NULL));
    for (int i = 0; i < ROUNDS; i++) {
        int64_t began = clock_monotonic_us();
        PGresult *result = PQexecPrepared(pg, "", count, values, NULL, NULL, 1);
        times[i] = clock_monotonic_us() - began;
        must(PQntuples(result) == 51, "bare rows");
        PQclear(result);
    }
    qsort(times, ROUNDS, sizeof *times, bench_compare_us);
    return times[ROUNDS / 2];
}

static const char bare_sql[] =
    "SELECT id, thread_id, message_id, in_reply_to, \"references\", subject, from_json,"
    " sender_json, reply_to_json, to_json, cc_json, bcc_json, sent_at, received_at, size_bytes,"
    " has_attachment, preview, state FROM email"
    " WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT 51";

static void explain(struct db *db, PGconn *pg, const char *name, const char *values)
{
    const struct queries *queries = &db->store->queries;
    char sql[8192];
    PQclear(PQexec(pg, "SET plan_cache_mode = force_generic_plan"));
    PQclear(PQprepare(pg, name, queries->at[queries_find(queries, name)].sql, 0, NULL));
    snprintf(sql, sizeof sql, "EXPLAIN (ANALYZE, BUFFERS) EXECUTE %s(%s)", name, values);
    PGresult *result = PQexec(pg, sql);
    printf("\n%s%s\n", name, PQresultErrorMessage(result));
    for (int i = 0; i < PQntuples(result); i++)
        printf("    %s\n", PQgetvalue(result, i, 0));
    PQclear(result);
}

static void explain_pages(struct db *db, int64_t mailbox_id)
{
    char values[128];
    PGconn *pg = connect_bare();
    snprintf(values, sizeof values, "1, %lld, 'infinity', 0, 51", (long long)mailbox_id);
    PQclear(PQexec(pg, "SET ROLE restante_web"));
    PQclear(PQexec(pg, "SELECT set_config('restante.user_id', '1', false)"));
    explain(db, pg, "emails_page", values);
    PQfinish(pg);
}

/* --- bodies ---------------------------------------------------------------------------------- */

static double write_bodies(struct db *db, int count, size_t length)
{
    struct buf body = BUF_INIT(1 << 20);
    for (size_t i = 0; body.length < length; i++)
        buf_printf(&body, "%llx line %zu of a letter\r\n", (long long)scramble(i), i);
    int64_t began = clock_monotonic_us();
    for (int done = 0; done < count; done += 100) {
        int64_t first, size;
        must(replica_allocate_ids(db, ACCOUNT, 100, &first, &err), "ids");
        must(db_begin(db, &err), "begin");
        for (int i = 0; i < 100; i++) {
            struct blob_writer *writer = blob_begin(db, ACCOUNT, first + i, 0, STR_EMPTY, &err);
            must(writer && blob_append(writer, str_make(body.at, length), &err), "append");
            must(blob_finish(&writer, &size, &err), "finish");
        }
        must(db_commit(db, &err), "commit");
    }
    buf_free(&body);
    return (double)(clock_monotonic_us() - began) / 1e6;
}

/* --- the daily work of sync ------------------------------------------------------------------ */

static int64_t began_at;

static void lap(const char *what)
{
    printf("%-27s %.1f ms\n", what, (double)(clock_monotonic_us() - began_at) / 1e3);
    began_at = clock_monotonic_us();
}

static struct replica_batch *begin(struct db *db)
{
    arena_reset(arena);
    began_at = clock_monotonic_us();
    struct replica_batch *batch = replica_begin(db, ACCOUNT, &err);
    must(batch != NULL, "begin");
    return batch;
}

static void sync_work(struct db *db, int64_t mailbox_id, int64_t messages)
{
    enum { MANY = 2000 };
    static struct replica_flags flags[MANY];
    static uint32_t uids[MANY];
    struct replica_flags *known;
    size_t count;
    for (int i = 0; i < MANY; i++) {
        uids[i] = (uint32_t)(i * (messages / MANY)) + 1;
        flags[i] = (struct replica_flags){
            .uid = uids[i], .flags = (uids[i] - 1) % 3 ? FLAG_SEEN : 0, .modseq = 7};
    }
    struct replica_batch *batch = begin(db);
    must(replica_flags_set(batch, mailbox_id, flags, MANY, &err), "flags");
    must(replica_commit(&batch, &err), "flags");
    lap("2000 flags, none changed");
    for (int i = 0; i < MANY; i++)
        flags[i].flags ^= FLAG_SEEN;
    batch = begin(db);
    must(replica_flags_set(batch, mailbox_id, flags, MANY, &err), "flags");
    must(replica_commit(&batch, &err), "flags");
    lap("2000 flags, all changed");
    must(replica_uids(db, arena, ACCOUNT, mailbox_id, 1, UINT32_MAX, &known, &count, &err), "uids");
    lap("all known UIDs");
    batch = begin(db);
    must(replica_expunge(batch, mailbox_id, uids, MANY, &count, &err), "expunge");
    must(replica_commit(&batch, &err), "expunge");
    lap("2000 expunged");
    batch = begin(db);
    must(replica_uids_forget(batch, mailbox_id, &err), "forget");
    must(replica_commit(&batch, &err), "forget");
    lap("all UIDs forgotten");
    printf("%-27s %.2f s\n", "and met again", fill(db, mailbox_id, 0, messages));
    batch = begin(db);
    must(replica_uids_settle(batch, mailbox_id, &err), "settle");
    must(replica_commit(&batch, &err), "settle");
    lap("settled");
    batch = begin(db);
    must(replica_mailbox_remove(batch, mailbox_id, &err), "remove");
    must(replica_commit(&batch, &err), "remove");
    lap("mailbox removed");
}

/* --- search ----------------------------------------------------------------------------------- */

/* Texts that come after their messages: 150 words each. */
static void add_texts(struct db *db, int64_t first_id, int64_t messages)
{
    enum { WORDS = 150, AT_ONCE = 50 };
    int64_t spent = 0;
    int backend = PQbackendPID(db->pg);
    double cpu = cpu_seconds_of(backend);
    for (int64_t done = 0; done < messages; done += AT_ONCE) {
        struct str words[AT_ONCE];
        arena_reset(arena);
        for (int64_t i = 0; i < AT_ONCE; i++)
            words[i] = make_words(INT64_C(5000000) + done + i, WORDS, 0);
        int64_t began = clock_monotonic_us();
        struct replica_batch *batch = replica_begin(db, ACCOUNT, &err);
        must(batch != NULL, "begin");
        for (int64_t i = 0; i < AT_ONCE; i++)
            must(replica_words_append(batch, first_id + done + i, words[i], &err), "words");
        must(replica_commit(&batch, &err), "commit");
        spent += clock_monotonic_us() - began;
    }
    printf("words of %lld texts       %.2f s   %.0f/s   (PostgreSQL: %.2f s)\n",
           (long long)messages, (double)spent / 1e6, (double)messages * 1e6 / (double)spent,
           cpu_seconds_of(backend) - cpu);
}

/* The word that so many are more common than. */
static void time_search(struct store *store, int nth, bool is_subject, enum search_order order)
{
    enum { TURNS = 200 };
    int64_t times[TURNS];
    char word[16];
    struct search_answer answer;
    snprintf(word, sizeof word, "%sw%llx", is_subject ? "\1A" : "",
             (unsigned long long)scramble((uint64_t)nth) & 0xffffffffff);
    const struct search_word words[] = {{.lexeme = str_of(word), .position = 1}};
    const struct search_condition condition = {
        .kind = SEARCH_WORDS, .words = words, .word_count = 1, .weights = SEARCH_ANYWHERE};
    const struct search_condition *conditions[] = {&condition};
    const int64_t accounts[] = {ACCOUNT};
    const struct search_request request = {.account_ids = accounts,
                                           .conditions = conditions,
                                           .account_count = 1,
                                           .order = order,
                                           .limit = 50};
    for (int i = 0; i < TURNS; i++) {
        arena_reset(arena);
        int64_t began = clock_monotonic_us();
        struct db *db = store_acquire(store, USER, &err);
        must(db && search_emails(db, arena, &request, &answer, &err), "search");
        store_release(store, &db);
        times[i] = clock_monotonic_us() - began;
    }
    qsort(times, TURNS, sizeof *times, bench_compare_us);
    printf("    %s, word %-6d %s  %6lld us, worst %6lld us   (%zu shown%s)\n",
           is_subject ? "subject " : "anywhere", nth,
           order == SEARCH_BY_RELEVANCE ? "ranked" : "newest", (long long)times[TURNS / 2],
           (long long)times[TURNS - 1], answer.count, answer.has_more ? ", more" : "");
}

static void search_work(struct store *web)
{
    static const int words[] = {1, 10, 100, 1000, 10000, 50000};
    printf("search, first page\n");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        time_search(web, words[i], true, SEARCH_NEWEST_FIRST);
        time_search(web, words[i], false, SEARCH_NEWEST_FIRST);
        time_search(web, words[i], false, SEARCH_BY_RELEVANCE);
    }
}

int main(int argc, char **argv)
{
    int64_t messages = argc > 1 ? atoll(argv[1]) : 100000;
    void *state = NULL;
    fixture_setup(&state);
    arena = arena_new();
    struct store *sync = fixture_store(STORE_SYNC, 1), *web = fixture_store(STORE_WEB, 1);
    struct db *db = store_acquire(sync, 0, &err);
    must(db != NULL, "acquire");
    add_account(db);
    int64_t small = add_mailbox(db, "small"), large = add_mailbox(db, "INBOX");
    fill(db, small, 2000000, 2001000);
    int backend = PQbackendPID(db->pg);
    int64_t first_id;
    must(replica_allocate_ids(db, ACCOUNT, 1, &first_id, &err), "ids");
    double cpu = cpu_seconds_of(backend) + cpu_seconds_of(getpid());
    double spent = fill(db, large, 0, messages);
    cpu = cpu_seconds_of(backend) + cpu_seconds_of(getpid()) - cpu;
    printf("metadata of %lld messages   %.2f s   %.0f/s   (processor: %.2f s)\n",
           (long long)messages, spent, (double)messages / spent, cpu);
    if (getenv("RESTANTE_BENCH_EXPLAIN"))
        explain_pages(db, large);
    PGconn *bare = connect_bare();
    int64_t cold_small = median_page(web, small), cold_large = median_page(web, large);
    run_script(db, "VACUUM ANALYZE");
    int64_t floor = median_bare(bare, bare_sql, 2, (const char *[]){"1", "99999999"});
    char mailbox[32];
    snprintf(mailbox, sizeof mailbox, "%lld", (long long)large);
    const struct queries *queries = &db->store->queries;
    int64_t unwalled = median_bare(bare, queries->at[queries_find(queries, "emails_page")].sql, 5,
                                   (const char *[]){"1", mailbox, "infinity", "0", "51"});
    int64_t page_small = median_page(web, small), page_large = median_page(web, large);
    printf("fifty rows, bare            %lld us\n", (long long)floor);
    printf("a page's statement, bare    %lld us   x%.2f\n", (long long)unwalled,
           (double)unwalled / (double)floor);
    printf("page of 1000                %lld us   x%.2f   (before any ANALYZE: %lld us)\n",
           (long long)page_small, (double)page_small / (double)floor, (long long)cold_small);
    printf("page of %-8lld            %lld us   x%.2f   (before any ANALYZE: %lld us)\n",
           (long long)messages, (long long)page_large, (double)page_large / (double)floor,
           (long long)cold_large);
    spent = write_bodies(db, 10000, 21400);
    printf("10000 bodies of 21 kB       %.2f s\n", spent);
    if (getenv("RESTANTE_BENCH_EXPLAIN"))
        explain_pages(db, large);
    PQfinish(bare);
    add_texts(db, first_id, messages);
    search_work(web);
    run_script(db, "VACUUM ANALYZE");
    search_work(web);
    sync_work(db, large, messages);
    store_release(sync, &db);
    store_close(&sync);
    store_close(&web);
    arena_free(&arena);
    return fixture_teardown(&state);
}
