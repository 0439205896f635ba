/* What operators and load balancers ask: health, readiness, metrics; and what is noted of each
 * request. */
#ifndef RESTANTE_HANDLERS_SYSTEM_H
#define RESTANTE_HANDLERS_SYSTEM_H

#include "handlers/app.h"

extern const struct route system_routes[];
extern const size_t system_route_count;

/* Counters of the requests of one router's table. */
struct request_counts;
/* `routes` must live on. */
struct request_counts *request_counts_new(const struct route *routes, size_t count);
void request_counts_free(struct request_counts **counts);

/* router_hooks.finished: a log line and the counters. */
void system_request_finished(const struct request *req, const struct route *route,
                             const struct response *res, int64_t duration_us);

#endif
