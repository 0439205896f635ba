/* What a process gives up for good, whatever it is made to do later. */
#ifndef RESTANTE_BASE_FENCE_H
#define RESTANTE_BASE_FENCE_H

#include <stdbool.h>

/* From now on this process, its threads to come and its children can open no file below `folder`
 * for reading, nor one that is made later right in a folder above it; what lies beside stays open
 * to them. Without `has_network` they connect to nobody by TCP either, where the kernel can forbid
 * that (Linux 6.7). False, and nothing is given up, where it has no Landlock (5.13) or there is no
 * such folder. Before threads. */
bool fence_off(const char *folder, bool has_network);

#endif
