/* A pool of parser children, and a message to give them. The program that has it runs itself as the
 * child when its first argument is "parser". */
#ifndef RESTANTE_TESTS_PARSER_FIXTURE_H
#define RESTANTE_TESTS_PARSER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "server/parser/parser.h"

static inline struct parser_pool *new_pool(int children, int deadline_ms, size_t memory_bytes)
{
    const struct parser_options options = {
        .children = children, .deadline_ms = deadline_ms, .memory_bytes = memory_bytes};
    struct error err = ERROR_INIT;
    struct parser_pool *pool = parser_pool_new(&options, &err);
    assert_non_null(pool);
    return pool;
}

static const char simple[] =
    "Message-ID: <a@b>\r\nFrom: Ann <ann@example.org>\r\nTo: b@example.org\r\n"
    "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    "--x\r\nContent-Type: text/plain\r\n\r\nHello there, world.\r\n"
    "--x\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nzz\r\n--x--\r\n";

#endif
