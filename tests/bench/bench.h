/* What the benches in C share. */
#ifndef RESTANTE_TESTS_BENCH_H
#define RESTANTE_TESTS_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Microseconds of user time that this process has had. */
static inline int64_t bench_user_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
}

/* Microseconds of processor, user and system, that a process has had. */
static inline int64_t bench_cpu_us_of(int pid)
{
    char path[64], stat[1024] = "";
    unsigned long user = 0, system_time = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    const char *rest = fgets(stat, sizeof stat, file) ? strrchr(stat, ')') : NULL;
    if (rest)
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system_time);
    fclose(file);
    return (int64_t)((user + system_time) * 1000000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

static inline int bench_compare_us(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

#endif
