/* The lexer: words, strings, literals and lists of one response. Knows no commands. It never reads
 * past the text, and every function leaves it where it was when it returns false, unless said. */
#ifndef RESTANTE_IMAP_LEX_PRIVATE_H
#define RESTANTE_IMAP_LEX_PRIVATE_H

#include "server/imap/parse.h"

struct lexer {
    struct arena *arena;
    struct str text;
    const struct imap_literal *literals;
    size_t literal_count;
    size_t next_literal; /* the first whose marker is not passed yet */
    size_t at;
    size_t nodes; /* left of IMAP_NODES_MAX */
};

void lex_begin(struct lexer *lex, struct arena *arena, const struct imap_text *text);
bool lex_is_end(const struct lexer *lex);
/* The next byte, or 0 at the end. */
char lex_peek(const struct lexer *lex);
bool lex_take(struct lexer *lex, char c);
/* Skips any number of spaces (servers send none, or several). */
void lex_spaces(struct lexer *lex);
/* Everything up to the end, which is where it is then. */
struct str lex_rest(struct lexer *lex);

/* A word: up to a space, parenthesis, quote, or the end. Not empty. */
bool lex_word(struct lexer *lex, struct str *word);
/* The same, but brackets and what they hold belong to it: "BODY[HEADER.FIELDS (DATE)]<0>". */
bool lex_item(struct lexer *lex, struct str *item);
/* Takes the word if it is that one (ASCII case ignored). */
bool lex_is_word(struct lexer *lex, struct str expected);
bool lex_number(struct lexer *lex, uint64_t *number);
bool lex_u32(struct lexer *lex, uint32_t *number);

/* A string in any form: quoted (also with stray quotes inside, as iCloud sends), a literal, NIL, or
 * a bare word. `literal` (may be NULL) is set when it was one. */
struct lex_string {
    struct str text;
    bool is_nil;
    const struct imap_literal *literal;
};
bool lex_string(struct lexer *lex, struct lex_string *string);
/* The text alone; NIL is empty. */
bool lex_text(struct lexer *lex, struct str *text);
/* Skips a value of any form, nested lists too. */
bool lex_skip(struct lexer *lex);

/* A node of the budget; false when it is used up (what is read then is not kept). */
bool lex_node(struct lexer *lex);
/* Appends to an array in the arena that grows by doubling; `*count` must start at 0. NULL when the
 * budget is used up. */
void *lex_grow(struct lexer *lex, void *array, size_t *count, size_t size);

#endif
