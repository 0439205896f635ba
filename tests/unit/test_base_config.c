/* The configuration file: what is read, what is refused, and how it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/config.h"

static struct arena *arena;

static const char *written(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/restante-config-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static bool read_text(const char *text, struct config *config, struct error *err)
{
    const char *path = written(text);
    bool is_read = config_read(arena, path, config, err);
    unlink(path);
    return is_read;
}

static void test_defaults_are_there_without_a_file(void **state)
{
    (void)state;
    struct config config;
    struct error err = ERROR_INIT;
    assert_true(read_text("", &config, &err));
    assert_string_equal(config.state_directory, "/var/lib/restante");
    assert_int_equal(config.listen.count, 1);
    assert_string_equal(config.listen.at[0], "127.0.0.1:8080");
    assert_int_equal(config.upload_bytes, 52428800);
    assert_false(config.allow_plaintext);
    assert_int_equal(config.domain_count, 0);
}

static void test_values_lists_and_domains_are_read(void **state)
{
    (void)state;
    struct config config;
    struct error err = ERROR_INIT;
    assert_true(read_text("listen = {\"127.0.0.1:1\", \"unix:/run/x\"}\n"
                          "allow_plaintext = true\nweb_threads = 3\n"
                          "domain \"Example.ORG\" {\n host = \"imap.example.org\"\n"
                          " username = \"%n\"\n tls = \"starttls\" }\n"
                          "domain \"b.example\" { host = \"b\" kind = \"pop3\" }\n",
                          &config, &err));
    assert_int_equal(config.listen.count, 2);
    assert_string_equal(config.listen.at[1], "unix:/run/x");
    assert_true(config.allow_plaintext);
    assert_int_equal(config.web_threads, 3);
    assert_int_equal(config.domain_count, 2);
    const struct config_domain *domain = config_domain_of(&config, STR("EXAMPLE.org"));
    assert_non_null(domain);
    assert_string_equal(domain->username, "%n");
    assert_string_equal(domain->tls, "starttls");
    assert_string_equal(domain->kind, "imap");
    assert_null(config_domain_of(&config, STR("other.example")));
}

static void test_bad_files_name_line_and_what_is_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *says;
    } cases[] = {
        {"listn = {\"x\"}\n", ":1:", "listn"},
        {"\n\nweb_threads = many\n", ":3:", "web_threads"},
        {"web_threads = 0\n", ":1:", "from 1 to 256"},
        {"\nlog_level = \"loud\"\n", ":2:", "debug info warn error"},
        {"domain \"x\" { tls = \"yes\" host = \"h\" }\n", ":1:", "implicit starttls none"},
        {"domain \"x\" { kind = \"imap\" }\n", ":1:", "needs a host"},
        {"listen = {\"127.0.0.1:1\"\n", ":", ""},
        {"\nlisten = {\"127.0.0.1:1\",\n\"8080\"}\n", ":3:", "127.0.0.1:8080"},
        {"listen = {\"localhost:80\"}\n", ":1:", "listen must be an address like"},
        {"listen = {\"127.0.0.1:65536\"}\n", ":1:", "listen"},
        {"listen = {\"::1:80\"}\n", ":1:", "[::1]"},
        {"listen = {\"unix:here\"}\n", ":1:", "unix:/"},
        {"listen_fastcgi = {\"[127.0.0.1]:80\"}\n", ":1:", "listen_fastcgi"},
        {"socket_mode = \"rw\"\n", ":1:", "octal"},
        {"socket_mode = \"0990\"\n", ":1:", "octal"},
        {"public_url = \"mail.example.org\"\n", ":1:", "https://mail.example.org"},
        {"public_url = \"https://mail.example.org/mail\"\n", ":1:", "public_url"},
        {"trusted_proxies = {\"127.0.0.1\", \"nginx\"}\n", ":1:", "or unix"},
        {"egress_networks = {\"10.0.0.0/33\"}\n", ":1:", "network like"},
        {"egress_networks = {\"mail.example.org\"}\n", ":1:", "network like"},
        {"egress_ports = {\"imap\"}\n", ":1:", "from 1 to 65535, or any"},
        {"egress_ports = {\"0\"}\n", ":1:", "from 1 to 65535, or any"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config;
        struct error err = ERROR_INIT;
        assert_false(read_text(cases[i].text, &config, &err));
        assert_int_equal(err.kind, ERROR_INVALID);
        if (!strstr(err.message, cases[i].line) || !strstr(err.message, cases[i].says))
            fail_msg("\"%s\" was answered: %s", cases[i].text, err.message);
    }
}

static void test_the_environment_overrides_and_is_checked(void **state)
{
    (void)state;
    struct config config;
    struct error err = ERROR_INIT;
    setenv("RESTANTE_WEB_THREADS", "5", 1);
    setenv("RESTANTE_LISTEN", "127.0.0.1:0, unix:/tmp/s", 1);
    setenv("RESTANTE_ALLOW_PLAINTEXT", "yes", 1);
    assert_true(read_text("web_threads = 3\n", &config, &err));
    assert_int_equal(config.web_threads, 5);
    assert_int_equal(config.listen.count, 2);
    assert_string_equal(config.listen.at[1], "unix:/tmp/s");
    assert_true(config.allow_plaintext);
    setenv("RESTANTE_WEB_THREADS", "x", 1);
    assert_false(read_text("", &config, &err));
    assert_non_null(strstr(err.message, "RESTANTE_WEB_THREADS"));
    unsetenv("RESTANTE_WEB_THREADS");
    setenv("RESTANTE_EGRESS_NETWORKS", "10.0.0.0/8, ten", 1);
    assert_false(read_text("", &config, &err));
    assert_non_null(strstr(err.message, "RESTANTE_EGRESS_NETWORKS"));
    assert_non_null(strstr(err.message, "\"ten\""));
    unsetenv("RESTANTE_EGRESS_NETWORKS");
    unsetenv("RESTANTE_LISTEN");
    unsetenv("RESTANTE_ALLOW_PLAINTEXT");
}

static void test_good_addresses_networks_and_modes_are_taken(void **state)
{
    (void)state;
    struct config config;
    struct error err = ERROR_INIT;
    if (!read_text("listen = {\"0.0.0.0:80\", \"[::1]:8080\", \"unix:/run/r.sock\"}\n"
                   "listen_fastcgi = {}\nsocket_mode = \"666\"\n"
                   "public_url = \"https://mail.example.org:8443/\"\n"
                   "trusted_proxies = {\"unix\", \"2001:db8::/32\", \"192.0.2.1\"}\n"
                   "egress_networks = {\"10.0.0.0/8\", \"fd00::/8\", \"127.0.0.1\"}\n"
                   "egress_ports = {\"any\"}\n",
                   &config, &err))
        fail_msg("%s", err.message);
    assert_int_equal(config.listen.count, 3);
    assert_int_equal(config.listen_fastcgi.count, 0);
}

static void test_a_database_password_is_not_shown(void **state)
{
    (void)state;
    static const char *const databases[] = {"host=db password=opensesame",
                                            "postgresql://me:opensesame@db/mail"};
    for (size_t i = 0; i < sizeof databases / sizeof *databases; i++) {
        struct config config;
        struct error err = ERROR_INIT;
        struct buf text = BUF_INIT(1 << 20), shown = BUF_INIT(1 << 20);
        buf_printf(&text, "database = \"%s\"\n", databases[i]);
        assert_true(read_text(text.at, &config, &err));
        config_write_effective(&shown, &config);
        assert_null(strstr(shown.at, "opensesame"));
        buf_free(&text);
        buf_free(&shown);
    }
}

static void test_what_is_in_force_is_read_again_whatever_characters_it_has(void **state)
{
    (void)state;
    struct config config, again;
    struct error err = ERROR_INIT;
    struct buf shown = BUF_INIT(1 << 20);
    assert_true(read_text("public_url = \"http://a\\\"b\\\\c\\${HOME}'\"\n"
                          "listen = {\"unix:/run/a\\\"}b\"}\n"
                          "domain \"b.example\" { host = \"b\" username = \"\\\\%n\" }\n",
                          &config, &err));
    config_write_effective(&shown, &config);
    if (!read_text(shown.at, &again, &err))
        fail_msg("%s", err.message);
    assert_string_equal(again.public_url, "http://a\"b\\c${HOME}'");
    assert_string_equal(again.listen.at[0], "unix:/run/a\"}b");
    assert_string_equal(again.domains[0].username, "\\%n");
    buf_free(&shown);
}

static void test_a_missing_file_that_was_asked_for_is_said(void **state)
{
    (void)state;
    struct config config;
    struct error err = ERROR_INIT;
    assert_false(config_read(arena, "/nonexistent/restante.conf", &config, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/restante.conf"));
}

static void test_the_example_uncommented_is_a_good_file_of_the_defaults(void **state)
{
    (void)state;
    struct buf example = BUF_INIT(1 << 20), stripped = BUF_INIT(1 << 20);
    config_write_example(&example);
    struct str rest = buf_view(&example);
    while (rest.at) {
        struct str line = str_cut(&rest, '\n');
        if (str_starts(line, STR("# ")) && str_find(line, STR(" = ")) > 0 &&
            !str_starts(line, STR("#  ")) && str_find_char(line, ':') != 2)
            buf_str(&stripped, str_skip(line, 2));
        buf_char(&stripped, '\n');
    }
    struct config config, standard;
    struct error err = ERROR_INIT;
    if (!read_text(stripped.at, &config, &err))
        fail_msg("%s", err.message);
    assert_true(read_text("", &standard, &err));
    assert_int_equal(config.upload_bytes, standard.upload_bytes);
    assert_string_equal(config.public_url, standard.public_url);
    assert_int_equal(config.egress_ports.count, standard.egress_ports.count);
    buf_free(&example);
    buf_free(&stripped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_there_without_a_file),
        cmocka_unit_test(test_values_lists_and_domains_are_read),
        cmocka_unit_test(test_bad_files_name_line_and_what_is_expected),
        cmocka_unit_test(test_the_environment_overrides_and_is_checked),
        cmocka_unit_test(test_good_addresses_networks_and_modes_are_taken),
        cmocka_unit_test(test_a_database_password_is_not_shown),
        cmocka_unit_test(test_what_is_in_force_is_read_again_whatever_characters_it_has),
        cmocka_unit_test(test_a_missing_file_that_was_asked_for_is_said),
        cmocka_unit_test(test_the_example_uncommented_is_a_good_file_of_the_defaults),
    };
    arena = arena_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
