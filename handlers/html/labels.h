/* Labels on pages: what a message has, which ones can be chosen. */
#ifndef RESTANTE_HANDLERS_HTML_LABELS_H
#define RESTANTE_HANDLERS_HTML_LABELS_H

#include "handlers/html/page.h"
#include "server/store/labels.h"

/* `tags` of a row or a letter: which of the labels (of any accounts) are among its keywords. */
void labels_set_tags(struct value *view, const struct label *labels, size_t count,
                     const struct email *email);
/* `labels` of the page: what can be put on messages, and searched for. */
void labels_set_choice(struct value *page, int64_t account_id, const struct label *labels,
                       size_t count, struct arena *arena);
/* The label that a form says; false: none, or none of this account. */
bool labels_asked(const struct request *req, struct db *db, int64_t account_id,
                  const struct http_fields *form, struct label *label);

#endif
