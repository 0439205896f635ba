/* All routes of the service in one table, and the hooks the router calls around each request. */
#ifndef RESTANTE_HANDLERS_ROUTES_H
#define RESTANTE_HANDLERS_ROUTES_H

#include "handlers/app.h"

/* Concatenates the tables of handlers/html, handlers/api and handlers/system.c; in the arena. */
const struct route *all_routes(struct arena *arena, size_t *count);
extern const struct router_hooks app_hooks;

#endif
