/* The files of static/: styles, scripts, icons. Each has two addresses:
 *
 *     /static/app.3f2a9c01b4d7.css   by static_url(), for templates; it never changes, so browsers
 *                                    keep it for a year without asking
 *     /static/app.css                for what files say to each other (`url(icons.svg)`,
 *                                    `import "./list.js"`): asked for each time, answered by 304
 *
 * So files need no rewriting, and reference each other relatively. A script that is imported by
 * others must be named in templates by its plain address too: under two addresses it would be two
 * modules. When assets are read from disk, all addresses are plain and each edit shows at once. */
#ifndef RESTANTE_HTTP_STATIC_H
#define RESTANTE_HTTP_STATIC_H

#include "server/http/response.h"

struct static_files;

/* Hashes and compresses the embedded files once. */
struct static_files *static_new(void);
void static_free(struct static_files **files);
/* The address of a file by its name below static/ ("app.css"): lives as long as `files`. Asserts
 * that the file is there: templates and static/ are built together. */
struct str static_url(const struct static_files *files, struct str name);
/* The same, but an empty slice with a NULL pointer for a file that is not there. */
struct str static_find_url(const struct static_files *files, struct str name);
/* Answers for `path`, the route's `{path*}` below /static/: the file, 304, or ERROR_NOT_FOUND. Only
 * names that static/ had at build time exist, so no spelling of a path leads out of it. */
bool static_answer(const struct static_files *files, const struct request *req, struct str path,
                   struct response *res, struct error *err);

#endif
