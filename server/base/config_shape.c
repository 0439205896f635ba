/* What single values must look like. Their users read them again; here it is a matter of saying at
 * once which line is wrong, rather than later, in one role's log, that it does not start. */
#include <arpa/inet.h>

#include "server/base/config_table_private.h"

static bool is_address(struct str text)
{
    char name[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    return str_copy(text, name, sizeof name) &&
           (inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1);
}

static bool is_number(struct str text, uint32_t low, uint32_t high)
{
    uint32_t number;
    return str_to_u32(text, &number) && number >= low && number <= high;
}

static bool is_network(struct str text)
{
    struct str bits = text;
    struct str address = str_cut(&bits, '/');
    uint32_t most = str_find_char(address, ':') < 0 ? 32 : 128;
    return is_address(address) && (!bits.at || is_number(bits, 0, most));
}

static bool is_network_or_unix(struct str text)
{
    return str_equal(text, STR("unix")) || is_network(text);
}

static bool is_listener(struct str text)
{
    if (str_starts(text, STR("unix:")))
        return text.length > 6 && text.at[5] == '/';
    struct str host = text;
    while (host.length > 0 && host.at[host.length - 1] != ':')
        host.length--;
    bool has_port = host.length > 1 && is_number(str_skip(text, host.length), 0, 65535);
    host.length -= host.length > 0;
    bool is_bracketed = host.length > 2 && host.at[0] == '[' && host.at[host.length - 1] == ']';
    if (is_bracketed)
        host = str_sub(host, 1, host.length - 2);
    return has_port && is_address(host) && is_bracketed == (str_find_char(host, ':') >= 0);
}

static bool is_port_or_any(struct str text)
{
    return str_equal(text, STR("any")) || is_number(text, 1, 65535);
}

static bool is_mode(struct str text)
{
    bool is_good = text.length == 3 || (text.length == 4 && text.at[0] == '0');
    for (size_t i = 0; i < text.length; i++)
        is_good = is_good && text.at[i] >= '0' && text.at[i] <= '7';
    return is_good;
}

/* An origin: scheme, host and perhaps a port. */
static bool is_origin(struct str text)
{
    size_t scheme = str_starts(text, STR("https://"))  ? 8
                    : str_starts(text, STR("http://")) ? 7
                                                       : 0;
    struct str host = str_skip(text, scheme);
    if (host.length > 0 && host.at[host.length - 1] == '/')
        host.length--;
    bool is_good = scheme > 0 && host.length > 0;
    for (size_t i = 0; i < host.length; i++)
        is_good = is_good && host.at[i] > ' ' && host.at[i] < 0x7f && host.at[i] != '/' &&
                  host.at[i] != '@';
    return is_good;
}

static const struct {
    bool (*holds)(struct str text);
    const char *expected;
} shapes[] = {
    [SHAPE_LISTENER] = {is_listener,
                        "an address like 127.0.0.1:8080, [::1]:8080 or unix:/run/restante.sock"},
    [SHAPE_NETWORK] = {is_network, "an address or network like 192.0.2.1 or 10.0.0.0/8"},
    [SHAPE_NETWORK_OR_UNIX] = {is_network_or_unix,
                               "an address or network like 192.0.2.1 or 10.0.0.0/8, or unix"},
    [SHAPE_PORT] = {is_port_or_any, "a port from 1 to 65535, or any"},
    [SHAPE_MODE] = {is_mode, "an octal number like 0660"},
    [SHAPE_ORIGIN] = {is_origin, "an address like https://mail.example.org"},
};

bool config_check_shape(const struct option *option, const char *text, struct error *err)
{
    return option->shape == SHAPE_ANY || shapes[option->shape].holds(str_of(text)) ||
           error_set(err, ERROR_INVALID, "%s must be %s, not \"%s\"", option->name,
                     shapes[option->shape].expected, text);
}
