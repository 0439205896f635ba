/* Cutting text into lexemes: what words.c stores and what it asks for come from here. */
#ifndef RESTANTE_MAIL_WORDS_PRIVATE_H
#define RESTANTE_MAIL_WORDS_PRIVATE_H

#include "server/base/str.h"

/* Takes one lexeme, folded, at most WORDS_LEXEME_BYTES_MAX bytes long, valid until it returns.
 * `is_whole` is false when it may be the beginning of a longer one. False ends the work. */
typedef bool (*words_taker)(void *context, struct str lexeme, bool is_whole);

/* All lexemes of text to be found. */
void words_segment(struct str text, words_taker take, void *context);
/* The lexemes to look for: of ideographs only the pairs; a single one, and the last word when
 * nothing stands behind it, may be a beginning. */
void words_segment_query(struct str text, words_taker take, void *context);

#endif
