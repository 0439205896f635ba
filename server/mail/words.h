/* The words of a message for search: segmented, case and accents folded, as a PostgreSQL tsvector
 * in binary. Scripts with spaces are cut at what is neither letter nor digit; Han, kana and Hangul
 * into overlapping pairs (plus the last character alone, so that any substring is found by pairs or
 * by prefix); Thai, Lao, Khmer and Burmese by ICU's dictionaries. Queries go through the same
 * function, so what is typed meets what was stored. */
#ifndef RESTANTE_MAIL_WORDS_H
#define RESTANTE_MAIL_WORDS_H

#include "server/base/arena.h"
#include "server/base/buf.h"

enum {
    WORDS_LEXEME_BYTES_MAX = 2046,        /* PostgreSQL drops longer ones */
    WORDS_INPUT_BYTES_MAX = 256 * 1024,   /* of text looked at, over all adds */
    WORDS_VECTOR_BYTES_MAX = 1000 * 1000, /* PostgreSQL refuses 1,048,576 */
    WORDS_POSITIONS_MAX = 255,            /* of one lexeme */
    WORDS_POSITION_MAX = 16383,
};

/* Where a word stands. It has a tsvector weight, for the order by relevance, and all but the text's
 * are in the vector twice, once with a tag in front ("\1A" and the word of a subject): so
 * `subject:` and `cc:` are found by the index alone, whereas for a weight each message would have
 * to be read. Only `body:` goes by its weight, which nothing else has: the text has most of the
 * words, and twice all of them would be twice the index. */
#define WORDS_TAG '\1'
enum { WORDS_TAG_BYTES = 2 };
enum words_place {
    WORDS_BODY,     /* weight D */
    WORDS_TO,       /* C */
    WORDS_FROM,     /* B: From, Sender, Reply-To */
    WORDS_SUBJECT,  /* A */
    WORDS_CC,       /* C */
    WORDS_BCC,      /* C */
    WORDS_FILENAME, /* C: names of attachments */
};

struct words;

struct words *words_new(struct arena *arena);
/* Adds UTF-8 text; false once a cap was reached (what was added before stays). */
bool words_add(struct words *words, struct str text, enum words_place place);
/* Appends the tsvector as tsvectorrecv reads it. */
void words_write_tsvector(struct words *words, struct buf *out);

/* A word of a query. */
struct word {
    struct str lexeme;
    unsigned position; /* from 1, for phrases */
    bool is_prefix;    /* may match as a prefix: a single ideograph, or the last word typed */
};
/* The words of a query's text, in order, repeated ones too; at most 100. */
struct word *words_of_query(struct arena *arena, struct str text, size_t *count);

/* A word of a query as it stands in that place alone; for WORDS_BODY as it is. */
struct str words_tagged(struct arena *arena, struct str lexeme, enum words_place place);

/* Loads ICU's tables; called once before the sandbox closes. */
void words_prepare(void);

#endif
