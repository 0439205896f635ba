/* The header of a message or part (RFC 5322 section 2.2, RFC 2045): fields, their decoded text, and
 * structured values with parameters. Everything foreign is capped; what was cut is said. All text
 * handed out is valid UTF-8 without NUL or other control characters. */
#ifndef RESTANTE_MAIL_HEADER_H
#define RESTANTE_MAIL_HEADER_H

#include "server/base/arena.h"
#include "server/base/buf.h"

enum {
    HEADER_BLOCK_BYTES_MAX = 1024 * 1024, /* what lies behind it is not looked at */
    HEADER_LINES_MAX = 10000,             /* lines, folded ones included */
    HEADER_TEXT_BYTES_MAX = 32 * 1024,    /* decoded text of one field */
    HEADER_PARAMS_MAX = 100,              /* parameters and RFC 2231 pieces of one field */
};

struct header_field {
    struct str name; /* as written, without white space before the colon */
    struct str
        value;     /* raw: behind the colon, folds and encodings and all, without the last CRLF */
    size_t offset; /* of the field's first byte, from the start of the block */
    size_t length; /* bytes of the whole field with its line end */
};

/* Walks a header. `rest` is what is left of it. */
struct header_walk {
    struct str rest;
    size_t offset; /* of `rest` in the block; after the walk: where the body begins */
    size_t lines;
    bool is_cut; /* a cap ended the walk before the header's end */
    /* Set when the header ended at a line that is no header field, rather than at an empty line:
     * that line belongs to the body. */
    bool has_no_empty_line;
};

/* `block` may go on beyond the header (into the body): the walk ends at the empty line. */
struct header_walk header_begin(struct str block);
/* The next field; false at the end. Lines that are no field (mbox "From ", garbage) are skipped. */
bool header_next(struct header_walk *walk, struct header_field *field);

/* The raw value of the first field called `name` (letters in either case); false if none. */
bool header_find(struct str block, struct str name, struct str *value);

/* "Unstructured" text: unfolded, encoded words decoded (RFC 2047, also broken ones: characters
 * split across words, unknown charsets, raw 8-bit), control characters to spaces, white space
 * trimmed. */
struct str header_text(struct arena *arena, struct str value);
/* The same appended to `out`, white space at the ends kept. */
void header_decode_words(struct buf *out, struct str value);

struct header_param {
    struct str name; /* lower case */
    struct str
        value; /* decoded: RFC 2231 charset, language and pieces, RFC 2047 in quotes, 8-bit */
};

/* A value with parameters: Content-Type, Content-Disposition. */
struct header_value {
    struct str value; /* lower case, without comments: "text/plain", "attachment" */
    struct header_param *params;
    size_t count;
    bool is_cut;
};

void header_parse_value(struct arena *arena, struct str value, struct header_value *parsed);
/* The parameter's value, or an empty slice. `name` in lower case. */
struct str header_param(const struct header_value *parsed, struct str name);

/* An identifier like Content-ID's or Message-ID's: what stands in the first <...>, without white
 * space, or the first word when there are no brackets. Not decoded, but valid UTF-8; in the arena.
 */
struct str header_id(struct arena *arena, struct str value);

/* `text` as it may be handed out: repaired UTF-8 (guessed, when it is none), control characters as
 * spaces, trimmed, at most `bytes_max` bytes; in the arena. */
struct str header_clean(struct arena *arena, struct str text, size_t bytes_max);

#endif
