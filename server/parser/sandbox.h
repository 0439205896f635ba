/* What a parser child gives up before it looks at foreign bytes: new files, sockets, processes,
 * privileges, memory beyond a limit. Whoever breaks the rules dies at once (SIGSYS), but in
 * sanitizer builds, whose run-time needs more, where the forbidden call fails with EPERM. */
#ifndef RESTANTE_PARSER_SANDBOX_H
#define RESTANTE_PARSER_SANDBOX_H

#include "server/base/error.h"

#include <stddef.h>

struct sandbox_options {
    size_t memory_bytes; /* of its own, not limited in sanitizer builds */
    size_t mapped_bytes; /* of files to be read, beside that */
    int keep_fd;         /* the only descriptor that stays open, with standard error */
    bool is_permissive;  /* no seccomp filter */
};

/* Once, from the process's only thread. What is needed later (tables of ICU) is loaded before. */
bool sandbox_enter(const struct sandbox_options *options, struct error *err);
/* Lets the process use `seconds` more of CPU time from now: a parser that loops ends even when the
 * process that waits for it is gone. */
void sandbox_allow_cpu(int seconds);

#endif
