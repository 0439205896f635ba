/* The values of queries: dates and sizes as people write them. */
#ifndef RESTANTE_MAIL_QUERY_PRIVATE_H
#define RESTANTE_MAIL_QUERY_PRIVATE_H

#include "server/mail/query.h"

/* "2026-11-24", "2026/11/24", "2026-11", "2026", "today", "yesterday", "7d", "2w", "6m", "1y": the
 * beginning of that day, month or year. */
bool query_read_date(struct str text, struct query_clock clock, int64_t *at_us);
/* The day as "2026-11-24"; for moments within a day too. */
void query_write_date(struct buf *out, int64_t at_us, struct query_clock clock);
/* "5M", "500k", "1.5MB", "1000": bytes, by 1024. */
bool query_read_size(struct str text, int64_t *bytes);

#endif
