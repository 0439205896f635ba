/* What search costs: the words of many messages found, stored and sorted into the index, in time of
 * the processor; and the first page of each kind of search among them. One run on a private
 * cluster.
 *
 *     build/release/bench/bench_search [messages, 100000]
 *
 * Prints a name and a number a line. */
#include <math.h>

#include "server/base/clock.h"
#include "server/mail/words.h"
#include "server/store/search.h"
#include "tests/bench/bench_cluster.h"

enum { BATCH = 500, VOCABULARY = 60000, BODY_WORDS = 150, TURNS = 200 };

static char vocabulary[VOCABULARY][16];
static int64_t words_us; /* to find words and write vectors */

/* Words that can be spoken, all different: the commoner, the shorter. */
static void make_vocabulary(void)
{
    static const char consonants[] = "bcdfghklmnprstvz", vowels[] = "aeiou";
    for (unsigned i = 0; i < VOCABULARY; i++) {
        char *to = vocabulary[i];
        for (unsigned rest = i + 80; rest; rest /= 80) {
            *to++ = consonants[rest % 16];
            *to++ = vowels[rest / 16 % 5];
        }
        *to = '\0';
    }
}

/* As common as words are: the nth most common one is met in proportion to 1/n. */
static const char *pick_word(uint64_t n)
{
    double at = (double)(scramble(n) >> 11) / 9007199254740992.0;
    return vocabulary[(int)exp(at * log(VOCABULARY - 1))];
}

static struct str make_text(struct buf *text, uint64_t n, int count)
{
    buf_reset(text);
    for (int i = 0; i < count; i++)
        buf_printf(text, "%s%s", i ? i % 12 ? " " : ". " : "",
                   pick_word(n * 1000 + (uint64_t)i + 1));
    return buf_view(text);
}

static struct str make_vector(uint64_t n)
{
    struct buf text = BUF_INIT(64 * 1024), vector = BUF_INIT(256 * 1024);
    struct words *words = words_new(arena);
    struct str subject = arena_str(arena, make_text(&text, n + (UINT64_C(1) << 40), 6));
    struct str body = make_text(&text, n, BODY_WORDS);
    int64_t began = bench_user_us();
    words_add(words, subject, WORDS_SUBJECT);
    words_add(words, STR("Ann Lee ann.lee@mail.example"), WORDS_FROM);
    words_add(words, STR("Alice alice@mail.example"), WORDS_TO);
    words_add(words, body, WORDS_BODY);
    words_write_tsvector(words, &vector);
    words_us += bench_user_us() - began;
    struct str copy = arena_str(arena, buf_view(&vector));
    buf_free(&text);
    buf_free(&vector);
    return copy;
}

static void make_message(int64_t n, bool has_words, struct replica_email *email)
{
    int64_t *keys = ARENA_ARRAY(arena, 1, int64_t);
    keys[0] = (int64_t)(scramble((uint64_t)n) | 1);
    *email = (struct replica_email){
        .placed = {.uid = (uint32_t)n + 1, .modseq = 7},
        .message_id = arena_printf(arena, "%lld@mail.example", (long long)n),
        .message_key = keys[0],
        .references = STR_EMPTY,
        .subject = STR("A subject"),
        .from_json = STR("[{\"name\":\"Ann Lee\",\"email\":\"ann.lee@mail.example\"}]"),
        .to_json = STR("[{\"name\":\"Alice\",\"email\":\"alice@mail.example\"}]"),
        .sent_at = INT64_C(1700000000000000) + n * 61000000,
        .received_at = INT64_C(1700000001000000) + n * 61000000,
        .size_bytes = 4000 + n % 9000,
        .preview = STR_EMPTY,
        .structure = STR_EMPTY,
        .thread_keys = keys,
        .thread_key_count = 1,
        .words = has_words ? make_vector((uint64_t)n) : STR_EMPTY};
}

/* Microseconds of the backend's and our own processor, but for the making of what is stored. */
static int64_t fill(struct db *db, const char *path, int64_t from, int64_t messages, bool has_words)
{
    struct replica_email emails[BATCH];
    int backend = PQbackendPID(db->pg);
    int64_t mailbox_id = add_mailbox(db, path), spent = -bench_cpu_us_of(backend);
    for (int64_t done = 0; done < messages; done += BATCH) {
        arena_reset(arena);
        size_t count = 0;
        for (int64_t n = done; n < messages && count < BATCH; n++)
            make_message(from + n, has_words, &emails[count++]);
        int64_t began = bench_user_us();
        struct replica_batch *batch = replica_begin(db, ACCOUNT, &err);
        must(batch != NULL, "begin");
        must(replica_emails_add(batch, mailbox_id, emails, count, &err), "add");
        must(replica_commit(&batch, &err), "commit");
        spent += bench_user_us() - began;
    }
    return spent + bench_cpu_us_of(backend);
}

static double number_of(const char *sql)
{
    PGconn *pg = connect_bare();
    PGresult *result = PQexec(pg, sql);
    must(PQntuples(result) == 1, PQerrorMessage(pg));
    double number = atof(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(pg);
    return number;
}

static void build(struct db *db, int64_t messages)
{
    int64_t bare = fill(db, "bare", 0, messages, false);
    int64_t filled = fill(db, "INBOX", INT64_C(10000000), messages, true);
    int backend = PQbackendPID(db->pg);
    int64_t tidied = -bench_cpu_us_of(backend);
    run_script(db, "SELECT gin_clean_pending_list('search_words')");
    tidied += bench_cpu_us_of(backend);
    int64_t stored = filled > bare ? filled - bare : 0;
    double all = (double)(words_us + stored + tidied) / (double)messages;
    printf("index_per_s %.0f\nwords_us %.1f\nstored_us %.1f\nsorted_us %.1f\n", 1e6 / all,
           (double)words_us / (double)messages, (double)stored / (double)messages,
           (double)tidied / (double)messages);
    run_script(db, "VACUUM ANALYZE");
    printf("index_bytes %.0f\nvector_bytes %.0f\n",
           number_of("SELECT pg_relation_size('search_words')") / (double)messages,
           number_of("SELECT pg_table_size('search')") / (double)messages);
}

/* --- searches --------------------------------------------------------------------------------- */

struct kind {
    const char *name;
    enum words_place place;
    unsigned weights;
    int count; /* words */
    bool is_prefix, is_phrase;
    enum search_order order;
};

/* Milliseconds of the clock, the median; of both processors' time, the mean. */
struct cost {
    double clock_ms, cpu_ms;
};

static struct cost cost_of(struct store *web, const struct kind *kind, int nth)
{
    int64_t times[TURNS];
    struct search_word words[2];
    struct search_answer answer;
    for (int i = 0; i < kind->count; i++) {
        struct str lexeme = str_of(vocabulary[nth + i]);
        if (kind->is_prefix)
            lexeme = str_sub(lexeme, 0, 4);
        words[i] = (struct search_word){words_tagged(arena, lexeme, kind->place), (unsigned)i + 1,
                                        kind->is_prefix};
    }
    const struct search_condition condition = {.kind = SEARCH_WORDS,
                                               .words = words,
                                               .word_count = (size_t)kind->count,
                                               .is_phrase = kind->is_phrase,
                                               .weights = kind->weights};
    const struct search_condition *conditions[] = {&condition};
    const int64_t accounts[] = {ACCOUNT};
    const struct search_request request = {.account_ids = accounts,
                                           .conditions = conditions,
                                           .account_count = 1,
                                           .order = kind->order,
                                           .limit = 50};
    struct db *first = store_acquire(web, USER, &err);
    must(first != NULL, "acquire");
    int backend = PQbackendPID(first->pg);
    store_release(web, &first);
    int64_t cpu = -bench_cpu_us_of(backend) - bench_user_us();
    for (int i = 0; i < TURNS; i++) {
        struct arena *turn = arena_new();
        int64_t began = clock_monotonic_us();
        struct db *db = store_acquire(web, USER, &err);
        must(db && search_emails(db, turn, &request, &answer, &err), "search");
        store_release(web, &db);
        times[i] = clock_monotonic_us() - began;
        arena_free(&turn);
    }
    cpu += bench_cpu_us_of(backend) + bench_user_us();
    qsort(times, TURNS, sizeof *times, bench_compare_us);
    return (struct cost){(double)times[TURNS / 2] / 1000, (double)cpu / TURNS / 1000};
}

/* Of each kind with words of five degrees of commonness: all of them, and the worst. */
static void search(struct store *web)
{
    static const int nths[] = {1, 30, 1000, 10000, 50000};
    static const struct kind kinds[] = {
        {"subject", WORDS_SUBJECT, SEARCH_ANYWHERE, 1, false, false, SEARCH_NEWEST_FIRST},
        {"anywhere", WORDS_BODY, SEARCH_ANYWHERE, 1, false, false, SEARCH_NEWEST_FIRST},
        {"body", WORDS_BODY, SEARCH_IN_BODY, 1, false, false, SEARCH_NEWEST_FIRST},
        {"two", WORDS_BODY, SEARCH_ANYWHERE, 2, false, false, SEARCH_NEWEST_FIRST},
        {"phrase", WORDS_BODY, SEARCH_ANYWHERE, 2, false, true, SEARCH_NEWEST_FIRST},
        {"prefix", WORDS_BODY, SEARCH_ANYWHERE, 1, true, false, SEARCH_NEWEST_FIRST},
        {"ranked", WORDS_BODY, SEARCH_ANYWHERE, 1, false, false, SEARCH_BY_RELEVANCE},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct cost worst = {0, 0};
        for (size_t k = 0; k < sizeof nths / sizeof *nths; k++) {
            struct cost cost = cost_of(web, &kinds[i], nths[k]);
            fprintf(stderr, "%s, word %d: %.2f ms (processor %.2f ms)\n", kinds[i].name, nths[k],
                    cost.clock_ms, cost.cpu_ms);
            worst.clock_ms = fmax(worst.clock_ms, cost.clock_ms);
            worst.cpu_ms = fmax(worst.cpu_ms, cost.cpu_ms);
        }
        printf("%s_ms %.2f\n%s_cpu_ms %.2f\n", kinds[i].name, worst.clock_ms, kinds[i].name,
               worst.cpu_ms);
    }
}

int main(int argc, char **argv)
{
    int64_t messages = argc > 1 ? atoll(argv[1]) : 100000;
    void *state = NULL;
    fixture_setup(&state);
    arena = arena_new();
    make_vocabulary();
    struct store *sync = fixture_store(STORE_SYNC, 1), *web = fixture_store(STORE_WEB, 1);
    struct db *db = store_acquire(sync, 0, &err);
    must(db != NULL, "acquire");
    add_account(db);
    build(db, messages);
    search(web);
    store_release(sync, &db);
    store_close(&sync);
    store_close(&web);
    arena_free(&arena);
    return fixture_teardown(&state);
}
