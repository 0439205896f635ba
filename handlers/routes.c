#include "handlers/routes.h"

#include <string.h>

#include "handlers/api/api.h"
#include "handlers/html/html.h"
#include "handlers/once.h"
#include "handlers/session.h"
#include "handlers/system.h"

const struct route *all_routes(struct arena *arena, size_t *count)
{
    const struct {
        const struct route *at;
        size_t count;
    } tables[] = {{html_routes, html_route_count},
                  {api_routes, api_route_count},
                  {system_routes, system_route_count}};
    *count = 0;
    struct route *all =
        ARENA_ARRAY(arena, html_route_count + api_route_count + system_route_count, struct route);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        memcpy(all + *count, tables[i].at, tables[i].count * sizeof *all);
        *count += tables[i].count;
    }
    return all;
}

const struct router_hooks app_hooks = {.guard = session_guard,
                                       .run = once_run,
                                       .error_page = html_error_page,
                                       .finished = system_request_finished};
