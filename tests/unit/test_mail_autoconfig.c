/* Autoconfig files: good ones, odd ones, and what is no such file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>

#include "server/base/buf.h"
#include "server/mail/autoconfig.h"

static struct arena *arena;
static struct autoconfig_server servers[AUTOCONFIG_SERVERS_MAX];

#define assert_text(actual, expected)                                                      \
    do {                                                                                   \
        struct str actual_ = (actual);                                                     \
        if (!str_equal(actual_, str_of(expected)))                                         \
            fail_msg("\"%.*s\" is not \"%s\"", (int)actual_.length, actual_.at, expected); \
    } while (0)

static size_t read_text(const char *text)
{
    return autoconfig_read(arena, str_of(text), STR("ada@example.org"), servers);
}

static void test_servers_come_in_order_with_placeholders_filled(void **state)
{
    (void)state;
    size_t count = read_text(
        "<?xml version='1.0'?><clientConfig><emailProvider id='x'>"
        "<!-- <incomingServer type=\"imap\"><hostname>no</hostname></incomingServer> -->"
        "<incomingServer type=\"imap\"><hostname>imap.%EMAILDOMAIN%</hostname><port> 993 </port>"
        "<socketType>SSL</socketType><username>%EMAILADDRESS%</username>"
        "<authentication>password-cleartext</authentication></incomingServer>"
        "<incomingServer type='POP3'><hostname>p</hostname><port>110</port>"
        "<socketType>STARTTLS</socketType><username>%EMAILLOCALPART%&amp;x</username>"
        "<authentication>OAuth2</authentication></incomingServer>"
        "<outgoingServer type=\"smtp\"><hostname>s</hostname><port>25</port>"
        "<socketType>plain</socketType></outgoingServer></emailProvider></clientConfig>");
    assert_int_equal(count, 3);
    assert_text(servers[0].type, "imap");
    assert_text(servers[0].host, "imap.example.org");
    assert_int_equal(servers[0].port, 993);
    assert_int_equal(servers[0].security, AUTOCONFIG_TLS);
    assert_text(servers[0].username, "ada@example.org");
    assert_true(servers[0].takes_passwords);
    assert_text(servers[1].type, "pop3");
    assert_int_equal(servers[1].security, AUTOCONFIG_STARTTLS);
    assert_text(servers[1].username, "ada&x");
    assert_false(servers[1].takes_passwords);
    assert_int_equal(servers[2].security, AUTOCONFIG_PLAIN);
}

static void test_what_is_no_such_file_has_no_servers(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "<",
        "<html><body>Not found</body></html>",
        "<incomingServer",
        "<incomingServer type=\"imap\">",
        "<incomingServer type=\"imap\"><hostname>h</hostname></incomingServer>",
        "<incomingServer type=\"imap\"><hostname>h</hostname><port>0</port></incomingServer>",
        "<incomingServer type=\"imap\"><hostname>h</hostname><port>99999</port></incomingServer>",
        "<incomingServer type=\"exchange\"><hostname>h</hostname><port>1</port></incomingServer>",
        "<!-- <incomingServer type=\"imap\"><hostname>h</hostname><port>1</port></incomingServer>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(read_text(texts[i]), 0);
}

static void test_many_servers_are_cut(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i < 100; i++)
        buf_text(&text, "<incomingServer type=\"imap\"><hostname>h</hostname><port>1</port>"
                        "</incomingServer>");
    assert_int_equal(autoconfig_read(arena, buf_view(&text), STR("a@b"), servers),
                     AUTOCONFIG_SERVERS_MAX);
    buf_free(&text);
}

static void test_a_value_too_long_once_repaired_is_none(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(4096);
    buf_text(&text, "<incomingServer type=\"imap\"><port>993</port><hostname>");
    for (int i = 0; i < 400; i++)
        buf_char(&text, (char)0xff); /* becomes three bytes: U+FFFD */
    buf_text(&text, "</hostname></incomingServer>");
    assert_int_equal(autoconfig_read(arena, buf_view(&text), STR("ada@example.org"), servers), 0);
    buf_free(&text);
}

static void test_each_file_of_the_corpus_has_incoming_and_outgoing(void **state)
{
    (void)state;
    const char *folder = "../shared/corpus/ispdb";
    DIR *list = opendir(folder);
    if (!list) {
        print_message("skipped: %s is not there\n", folder);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(list))) {
        char path[600];
        static char text[AUTOCONFIG_BYTES_MAX];
        if (!str_ends(str_of(entry->d_name), STR(".xml")))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        size_t length = fread(text, 1, sizeof text, file);
        fclose(file);
        size_t count = autoconfig_read(arena, str_make(text, length), STR("a@b.example"), servers);
        if (count == 0)
            fail_msg("%s has no servers", entry->d_name);
    }
    closedir(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers_come_in_order_with_placeholders_filled),
        cmocka_unit_test(test_what_is_no_such_file_has_no_servers),
        cmocka_unit_test(test_many_servers_are_cut),
        cmocka_unit_test(test_a_value_too_long_once_repaired_is_none),
        cmocka_unit_test(test_each_file_of_the_corpus_has_incoming_and_outgoing),
    };
    arena = arena_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
