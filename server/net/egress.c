#include "server/net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

struct network {
    unsigned char at[16];
    int family;
    int bits;
};

struct egress {
    struct network *networks;
    size_t network_count;
    char **hosts; /* lower case, without a dot at the end */
    size_t host_count;
    uint16_t *ports;
    size_t port_count;
};

enum { ANY_PORT = 0 };
static const uint16_t default_ports[] = {25, 80, 110, 143, 443, 465, 587, 993, 995, 2525};

/* Not for people's servers: the special-purpose registries of IANA (RFC 6890 and after). */
static const struct network special_v4[] = {
    {{0}, AF_INET, 8},             /* this network */
    {{10}, AF_INET, 8},            /* private */
    {{100, 64}, AF_INET, 10},      /* carrier-grade NAT, cloud metadata */
    {{127}, AF_INET, 8},           /* loopback */
    {{169, 254}, AF_INET, 16},     /* link-local, cloud metadata */
    {{172, 16}, AF_INET, 12},      /* private */
    {{192, 0, 0}, AF_INET, 24},    /* protocol assignments */
    {{192, 0, 2}, AF_INET, 24},    /* documentation */
    {{192, 88, 99}, AF_INET, 24},  /* 6to4 relays */
    {{192, 168}, AF_INET, 16},     /* private */
    {{198, 18}, AF_INET, 15},      /* benchmarks */
    {{198, 51, 100}, AF_INET, 24}, /* documentation */
    {{203, 0, 113}, AF_INET, 24},  /* documentation */
    {{224}, AF_INET, 4},           /* multicast */
    {{240}, AF_INET, 4},           /* reserved, broadcast */
};
/* Within 2000::/3; everything outside it is special too. */
static const struct network special_v6[] = {
    {{0x20, 0x01}, AF_INET6, 23},             /* protocol assignments, Teredo, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, AF_INET6, 32}, /* documentation */
    {{0x20, 0x02}, AF_INET6, 16},             /* 6to4: judged as its IPv4 before */
    {{0x3f, 0xff}, AF_INET6, 20},             /* documentation */
};
static const struct network global_v6 = {{0x20}, AF_INET6, 3};

static bool network_has(const struct network *network, int family, const unsigned char *address)
{
    if (network->family != family)
        return false;
    int whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->at, address, (size_t)whole) != 0)
        return false;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;
    return !rest || !((network->at[whole] ^ address[whole]) & mask);
}

/* --- the configuration ------------------------------------------------------------------------ */

/* The next word of a list separated by white space or commas; empty at the end. */
static struct str next_word(struct str *list)
{
    size_t from = 0;
    while (from < list->length && (ascii_is_space(list->at[from]) || list->at[from] == ','))
        from++;
    size_t to = from;
    while (to < list->length && !ascii_is_space(list->at[to]) && list->at[to] != ',')
        to++;
    struct str word = str_sub(*list, from, to - from);
    *list = str_skip(*list, to);
    return word;
}

static void *grown(void *array, size_t count, size_t size)
{
    array = reallocarray(array, count, size);
    if (!array)
        abort();
    return array;
}

static bool parse_network(struct str word, struct network *network)
{
    struct str rest = word;
    char text[64];
    if (!str_copy(str_cut(&rest, '/'), text, sizeof text))
        return false;
    uint32_t bits;
    int width;
    if (inet_pton(AF_INET, text, network->at) == 1)
        network->family = AF_INET, width = 32;
    else if (inet_pton(AF_INET6, text, network->at) == 1)
        network->family = AF_INET6, width = 128;
    else
        return false;
    bits = (uint32_t)width;
    if (rest.at && (!str_to_u32(rest, &bits) || bits > (uint32_t)width))
        return false;
    network->bits = (int)bits;
    return true;
}

static char *lower_host(struct str host)
{
    if (str_ends(host, STR(".")))
        host.length--;
    char *copy = strndup(host.at, host.length);
    if (!copy)
        abort();
    for (char *c = copy; *c; c++)
        *c = ascii_lower(*c);
    return copy;
}

static bool add_allowed(struct egress *egress, struct str word, struct error *err)
{
    struct network network = {0};
    if (parse_network(word, &network)) {
        egress->networks =
            grown(egress->networks, egress->network_count + 1, sizeof *egress->networks);
        egress->networks[egress->network_count++] = network;
        return true;
    }
    if (str_find_char(word, '/') >= 0 || !egress_check_host(word, NULL))
        return error_set(err, ERROR_INVALID,
                         "\"%" STR_FMT "\" is neither a network (10.0.0.0/8), an address nor a "
                         "host name",
                         STR_ARG(str_sub(word, 0, 80)));
    egress->hosts = grown(egress->hosts, egress->host_count + 1, sizeof *egress->hosts);
    egress->hosts[egress->host_count++] = lower_host(word);
    return true;
}

static bool add_port(struct egress *egress, struct str word, struct error *err)
{
    uint32_t port = ANY_PORT;
    if (!str_equal(word, STR("any")) && (!str_to_u32(word, &port) || port < 1 || port > 65535))
        return error_set(err, ERROR_INVALID, "\"%" STR_FMT "\" is not a port (1 to 65535)",
                         STR_ARG(str_sub(word, 0, 80)));
    egress->ports = grown(egress->ports, egress->port_count + 1, sizeof *egress->ports);
    egress->ports[egress->port_count++] = (uint16_t)port;
    return true;
}

struct egress *egress_new(struct str allow, struct str ports, struct error *err)
{
    struct egress *egress = calloc(1, sizeof *egress);
    if (!egress)
        abort();
    bool is_good = true;
    for (struct str word; is_good && (word = next_word(&allow)).length;)
        is_good = add_allowed(egress, word, err);
    for (struct str word; is_good && (word = next_word(&ports)).length;)
        is_good = add_port(egress, word, err);
    if (!is_good)
        egress_free(&egress);
    return egress;
}

void egress_free(struct egress **egress)
{
    if (!*egress)
        return;
    for (size_t i = 0; i < (*egress)->host_count; i++)
        free((*egress)->hosts[i]);
    free((*egress)->hosts);
    free((*egress)->networks);
    free((*egress)->ports);
    free(*egress);
    *egress = NULL;
}

/* --- the host as typed ------------------------------------------------------------------------ */

static bool is_number(struct str label)
{
    if (str_starts_nocase(label, STR("0x")))
        return true;
    for (size_t i = 0; i < label.length; i++)
        if (!ascii_is_digit(label.at[i]))
            return false;
    return label.length > 0;
}

static bool is_label(struct str label)
{
    if (label.length < 1 || label.length > 63 || label.at[0] == '-' ||
        label.at[label.length - 1] == '-')
        return false;
    for (size_t i = 0; i < label.length; i++) {
        char c = label.at[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && !(c & 0x80))
            return false;
    }
    return true;
}

static bool is_host(struct str host)
{
    char text[256];
    unsigned char address[16];
    if (host.length > 253 || !str_copy(host, text, sizeof text))
        return false;
    if (strchr(text, ':'))
        return inet_pton(AF_INET6, text, address) == 1;
    struct str rest = host, label;
    if (str_ends(rest, STR(".")))
        rest.length--;
    do {
        label = str_cut(&rest, '.');
        if (!is_label(label))
            return false;
    } while (rest.at);
    /* A name that ends in a number is an address to many resolvers, in forms such as 127.1 and
     * 0177.0.0.1 (WHATWG URL, "ends in a number"): only the usual form is taken. */
    return !is_number(label) || inet_pton(AF_INET, text, address) == 1;
}

bool egress_check_host(struct str host, struct error *err)
{
    if (is_host(host))
        return true;
    error_set(err, ERROR_INVALID, "\"%" STR_FMT "\" is not the name of a host",
              STR_ARG(str_sub(host, 0, 80)));
    return error_hint(err, "Write a name such as imap.example.org, or an address such as 192.0.2.1 "
                           "or 2001:db8::1.");
}

bool egress_check_port(const struct egress *egress, int port, struct error *err)
{
    const uint16_t *ports = egress->port_count ? egress->ports : default_ports;
    size_t count =
        egress->port_count ? egress->port_count : sizeof default_ports / sizeof *default_ports;
    for (size_t i = 0; i < count; i++)
        if (ports[i] == port || ports[i] == ANY_PORT)
            return true;
    error_set(err, ERROR_FORBIDDEN, "Connections to port %d are not allowed here", port);
    return error_hint(err, "Check the port; the administrator can allow others.");
}

/* --- the address ------------------------------------------------------------------------------ */

/* The IPv4 that an IPv6 address stands for, or NULL. */
static const unsigned char *embedded_v4(const unsigned char *v6, unsigned char inverted[4])
{
    static const struct network mapped = {{[10] = 0xff, [11] = 0xff}, AF_INET6, 96},
                                compatible = {{0}, AF_INET6, 96},
                                translated = {{[8] = 0xff, [9] = 0xff}, AF_INET6, 96},
                                nat64 = {{0x00, 0x64, 0xff, 0x9b}, AF_INET6, 96},
                                six_to_four = {{0x20, 0x02}, AF_INET6, 16},
                                teredo = {{0x20, 0x01}, AF_INET6, 32};
    if (network_has(&mapped, AF_INET6, v6) || network_has(&compatible, AF_INET6, v6) ||
        network_has(&translated, AF_INET6, v6) || network_has(&nat64, AF_INET6, v6))
        return v6 + 12;
    if (network_has(&six_to_four, AF_INET6, v6))
        return v6 + 2;
    if (network_has(&teredo, AF_INET6, v6)) { /* RFC 4380 section 4: bits inverted */
        for (int i = 0; i < 4; i++)
            inverted[i] = (unsigned char)~v6[12 + i];
        return inverted;
    }
    return NULL;
}

static bool is_allowed(const struct egress *egress, int family, const unsigned char *address)
{
    for (size_t i = 0; i < egress->network_count; i++)
        if (network_has(&egress->networks[i], family, address))
            return true;
    return false;
}

static bool is_public_v4(const unsigned char *address)
{
    for (size_t i = 0; i < sizeof special_v4 / sizeof *special_v4; i++)
        if (network_has(&special_v4[i], AF_INET, address))
            return false;
    return true;
}

static bool is_public_v6(const unsigned char *address)
{
    if (!network_has(&global_v6, AF_INET6, address))
        return false;
    for (size_t i = 0; i < sizeof special_v6 / sizeof *special_v6; i++)
        if (network_has(&special_v6[i], AF_INET6, address))
            return false;
    return true;
}

static bool is_allowed_host(const struct egress *egress, struct str host)
{
    if (str_ends(host, STR(".")))
        host.length--;
    for (size_t i = 0; i < egress->host_count; i++)
        if (str_equal_nocase(str_of(egress->hosts[i]), host))
            return true;
    return false;
}

bool egress_check_address(const struct egress *egress, struct str host,
                          const struct sockaddr *address, struct error *err)
{
    bool is_good = is_allowed_host(egress, host);
    if (!is_good && address->sa_family == AF_INET) {
        const unsigned char *v4 =
            (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr;
        is_good = is_allowed(egress, AF_INET, v4) || is_public_v4(v4);
    } else if (!is_good && address->sa_family == AF_INET6) {
        const unsigned char *v6 = ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr;
        unsigned char inverted[4];
        const unsigned char *v4 = embedded_v4(v6, inverted);
        is_good = is_allowed(egress, AF_INET6, v6) ||
                  (v4 ? is_allowed(egress, AF_INET, v4) || is_public_v4(v4) : is_public_v6(v6));
    }
    if (is_good)
        return true;
    error_set(err, ERROR_FORBIDDEN,
              "%" STR_FMT " is not a public server: connections to this machine and to private "
              "networks are not allowed",
              STR_ARG(str_sub(host, 0, 253)));
    return error_hint(err, "Check the host name; the administrator can allow hosts and networks.");
}
