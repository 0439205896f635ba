/* What became of a message that was sent, recipient by recipient, in words: where a server refused
 * one, or a report has come. */
#ifndef RESTANTE_HANDLERS_HTML_FATES_H
#define RESTANTE_HANDLERS_HTML_FATES_H

#include "handlers/html/page.h"

/* Fills `fates`; `recipients` is the JSON of a submission, or empty. */
void fates_set(struct value *view, struct arena *arena, struct str recipients);

#endif
