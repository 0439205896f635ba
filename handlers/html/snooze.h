/* Snoozing on pages: when a message comes back. */
#ifndef RESTANTE_HANDLERS_HTML_SNOOZE_H
#define RESTANTE_HANDLERS_HTML_SNOOZE_H

#include "handlers/html/page.h"

/* What a form says: `until` is today, tomorrow, weekend or week, or own with the time in `at`
 * ("2026-11-27T08:00"), in the zone `zone`. 0: nothing that lies ahead. */
int64_t snooze_until(struct arena *arena, const struct http_fields *form, int64_t now);

#endif
