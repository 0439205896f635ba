/* All that is known of each option, for config.c: reading, overriding, checking and documenting go
 * by these rows alone. */
#ifndef RESTANTE_BASE_CONFIG_TABLE_PRIVATE_H
#define RESTANTE_BASE_CONFIG_TABLE_PRIVATE_H

#include "server/base/config.h"

enum option_type { OPTION_TEXT, OPTION_NUMBER, OPTION_SWITCH, OPTION_LIST };

/* Of a text, or of each item of a list. */
enum option_shape {
    SHAPE_ANY,
    SHAPE_LISTENER,
    SHAPE_NETWORK,
    SHAPE_NETWORK_OR_UNIX,
    SHAPE_PORT,
    SHAPE_MODE,
    SHAPE_ORIGIN,
};

struct option {
    const char *name;
    enum option_type type;
    size_t offset;        /* of the member in struct config, or struct config_domain */
    const char *standard; /* the default, as one would write it; NULL: must be given */
    int64_t low, high;    /* of numbers */
    const char *choices;  /* of texts: words allowed, separated by spaces; NULL: anything */
    const char *about;    /* lines for the example file */
    enum option_shape shape;
};

extern const struct option config_options[];
extern const size_t config_option_count;
extern const struct option config_domain_options[];
extern const size_t config_domain_option_count;

/* ERROR_INVALID says what is expected. */
bool config_check_shape(const struct option *option, const char *text, struct error *err);

#endif
