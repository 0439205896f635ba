/* Files that stand uuencoded within plain text, as mail had them before MIME. */
#ifndef RESTANTE_MAIL_UUENCODE_H
#define RESTANTE_MAIL_UUENCODE_H

#include "server/base/str.h"

struct uuencode_file {
    size_t offset;   /* of its "begin" line, from the start of the text */
    size_t length;   /* to behind its "end" line */
    struct str name; /* as written; a slice of the text */
};

/* The first file in `text` from byte `from` on, which is the start of a line; false when there is
 * none. Only what decodes line for line and has its "end" is one: a sentence that starts with
 * "begin 644" stays text. */
bool uuencode_find(struct str text, size_t from, struct uuencode_file *file);

#endif
