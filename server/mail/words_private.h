/* Cutting text into lexemes: what words.c stores and what it asks for come from here. */
#ifndef RESTANTE_MAIL_WORDS_PRIVATE_H
#define RESTANTE_MAIL_WORDS_PRIVATE_H

#include "server/base/str.h"

struct segment {
    struct str lexeme; /* folded, at most WORDS_LEXEME_BYTES_MAX bytes; valid until the next one;
                          empty in queries: a place without a word */
    struct str source; /* the slice of the text it was made from */
    bool is_whole;     /* false when it may be the beginning of a longer one */
};

/* Takes one; false ends the work. */
typedef bool (*words_taker)(void *context, const struct segment *segment);

/* All lexemes of text to be found. */
void words_segment(struct str text, words_taker take, void *context);
/* The lexemes to look for: of ideographs only the pairs; a single one, and the last word when
 * nothing stands behind it, may be a beginning. */
void words_segment_query(struct str text, words_taker take, void *context);

#endif
