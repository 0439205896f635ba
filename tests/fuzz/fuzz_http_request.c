/* What a stranger's request can hold: the target, cookies, a form, an upload (in memory and
 * spooled), a FastCGI head, a CGI environment, a file name. The first byte chooses. */
#include <assert.h>
#include <stdlib.h>

#include "server/base/utf8.h"
#include "server/http/cgi.h"
#include "server/http/fcgi_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_fields(const struct http_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        assert(utf8_is_valid(fields->at[i].name) && utf8_is_valid(fields->at[i].value) &&
               str_find_char(fields->at[i].value, '\0') < 0);
}

static void take_form(struct exchange *exchange, struct str input)
{
    struct http_fields form = {0};
    struct error err = ERROR_INIT;
    request_add_header(&exchange->req, STR("Content-Type"),
                       STR("application/x-www-form-urlencoded"));
    if (!exchange_add_body(exchange, input, 1 << 20, &err))
        return;
    exchange_end_body(exchange);
    if (request_form(&exchange->req, &form, &err))
        check_fields(&form);
}

/* The first line is the Content-Type. */
static void take_upload(struct exchange *exchange, struct str input)
{
    struct request_part *parts;
    struct error err = ERROR_INIT;
    size_t count;
    request_add_header(&exchange->req, STR("Content-Type"), str_cut(&input, '\n'));
    if (!exchange_add_body(exchange, input, 1 << 20, &err))
        return;
    exchange_end_body(exchange);
    if (!request_multipart(&exchange->req, &parts, &count, &err))
        return;
    for (size_t i = 0; i < count; i++) {
        char piece[64];
        assert(parts[i].at <= exchange->req.body_bytes &&
               parts[i].bytes <= exchange->req.body_bytes - parts[i].at);
        assert(utf8_is_valid(parts[i].name) && utf8_is_valid(parts[i].file_name));
        request_body_read(&exchange->req, parts[i].at, piece, sizeof piece, &err);
    }
}

/* One variable a line. */
static void take_environment(struct exchange *exchange, struct str input)
{
    char *environment[64];
    size_t count = 0;
    uint64_t length;
    struct error err = ERROR_INIT;
    while (input.at && count < 63)
        environment[count++] = arena_text(exchange->arena, str_cut(&input, '\n'));
    environment[count] = NULL;
    if (cgi_read_environment(exchange, environment, &length, &err)) {
        assert(exchange->req.path.length > 0 && *exchange->req.path.at == '/');
        check_fields(&exchange->req.arguments);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct network proxies = {.bits = 0};
    struct door_options options = door_defaults(NULL);
    struct exchange exchange;
    struct error err = ERROR_INIT;
    if (size == 0)
        return 0;
    struct str input = str_make(bytes + 1, size - 1);
    options.proxies = &proxies;
    options.proxy_count = 1;
    if (bytes[0] & 16)
        options.memory_body_bytes = 8;
    exchange_init(&exchange, &options);
    switch (bytes[0] & 7) {
    case 0:
        if (request_set_target(&exchange.req, input, &err))
            check_fields(&exchange.req.arguments);
        break;
    case 1:
        request_add_header(&exchange.req, STR("Cookie"), input);
        request_cookie(&exchange.req, "a");
        break;
    case 2:
        take_form(&exchange, input);
        break;
    case 3:
        take_upload(&exchange, input);
        break;
    case 4:
        fcgi_check_head(input);
        break;
    case 5:
        take_environment(&exchange, input);
        break;
    case 6:
        response_set_disposition(&exchange.res, true, input);
        assert(utf8_is_valid(response_header(&exchange.res, "Content-Disposition")));
        break;
    case 7:
        request_add_header(&exchange.req, STR("X-Forwarded-For"), input);
        exchange_set_peer(&exchange, NULL);
        break;
    }
    exchange_release(&exchange);
    return 0;
}
