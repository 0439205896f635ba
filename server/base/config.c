#include "server/base/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/config_table_private.h"

#define STANDARD_PATH "/etc/restante/restante.conf"

enum {
    OPTIONS_MAX = 64,
    VALUE_BYTES_MAX = 64 * 1024, /* of one environment variable */
};

/* libconfuse reports through a callback without context: the error under way. Configuration is read
 * once, before threads. */
static struct error *reported;

__attribute__((format(printf, 2, 0))) static void report(cfg_t *cfg, const char *format,
                                                         va_list args)
{
    char text[400];
    vsnprintf(text, sizeof text, format, args);
    if (reported && reported->kind == ERROR_NONE)
        error_set(reported, ERROR_INVALID, "%s:%d: %s", cfg && cfg->filename ? cfg->filename : "?",
                  cfg ? cfg->line : 0, text);
}

static bool check_number(const struct option *option, int64_t number, struct error *err)
{
    if (number >= option->low && number <= option->high)
        return true;
    return error_set(err, ERROR_INVALID, "%s must be a number from %lld to %lld, not %lld",
                     option->name, (long long)option->low, (long long)option->high,
                     (long long)number);
}

static bool check_text(const struct option *option, const char *text, struct error *err)
{
    if (!option->choices || str_has_word(str_of(option->choices), str_of(text)))
        return config_check_shape(option, text, err);
    return error_set(err, ERROR_INVALID, "%s must be one of: %s", option->name, option->choices);
}

static const struct option *option_of(const char *name, bool is_domain)
{
    const struct option *options = is_domain ? config_domain_options : config_options;
    size_t count = is_domain ? config_domain_option_count : config_option_count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

/* Called by libconfuse after each value, with the line at hand. */
static int validate(cfg_t *cfg, cfg_opt_t *opt)
{
    const struct option *option = option_of(opt->name, strcmp(cfg->name, "domain") == 0);
    struct error why = ERROR_INIT;
    bool is_good = true;
    if (option && option->type == OPTION_LIST && cfg_opt_size(opt) > 0) /* the one just read */
        is_good = config_check_shape(option, cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1), &why);
    else if (option && option->type == OPTION_NUMBER)
        is_good = check_number(option, cfg_opt_getnint(opt, 0), &why);
    else if (option && option->type == OPTION_TEXT)
        is_good = check_text(option, cfg_opt_getnstr(opt, 0), &why);
    if (!is_good)
        cfg_error(cfg, "%s", why.message);
    return is_good ? 0 : -1;
}

static void describe(const struct option *options, size_t count, cfg_opt_t *described)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &options[i];
        char *standard = (char *)(o->standard ? o->standard : "");
        switch (o->type) {
        case OPTION_TEXT:
            described[i] = (cfg_opt_t)CFG_STR(o->name, standard, CFGF_NONE);
            break;
        case OPTION_NUMBER:
            described[i] = (cfg_opt_t)CFG_INT(o->name, strtol(standard, NULL, 10), CFGF_NONE);
            break;
        case OPTION_SWITCH:
            described[i] = (cfg_opt_t)CFG_BOOL(o->name, strcmp(standard, "true") == 0, CFGF_NONE);
            break;
        case OPTION_LIST:
            described[i] = (cfg_opt_t)CFG_STR_LIST(o->name, standard, CFGF_NONE);
            break;
        }
        described[i].validcb = validate;
    }
    described[count] = (cfg_opt_t)CFG_END();
}

static const char *keep(struct arena *arena, const char *text)
{
    return arena_text(arena, str_of(text));
}

static void take(struct arena *arena, cfg_t *cfg, const struct option *options, size_t count,
                 void *target)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &options[i];
        void *member = (char *)target + o->offset;
        if (o->type == OPTION_TEXT) {
            *(const char **)member = keep(arena, cfg_getstr(cfg, o->name));
        } else if (o->type == OPTION_NUMBER) {
            *(int64_t *)member = cfg_getint(cfg, o->name);
        } else if (o->type == OPTION_SWITCH) {
            *(bool *)member = cfg_getbool(cfg, o->name) == cfg_true;
        } else {
            struct config_list *list = member;
            list->count = cfg_size(cfg, o->name);
            list->at = ARENA_ARRAY(arena, list->count, const char *);
            for (size_t n = 0; n < list->count; n++)
                list->at[n] = keep(arena, cfg_getnstr(cfg, o->name, (unsigned)n));
        }
    }
}

static void lower(struct arena *arena, const char **text)
{
    char *copy = arena_text(arena, str_of(*text));
    for (char *c = copy; *c; c++)
        *c = ascii_lower(*c);
    *text = copy;
}

static bool take_domains(struct arena *arena, cfg_t *cfg, struct config *config, struct error *err)
{
    config->domain_count = cfg_size(cfg, "domain");
    config->domains = ARENA_ARRAY(arena, config->domain_count, struct config_domain);
    for (size_t i = 0; i < config->domain_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "domain", (unsigned)i);
        struct config_domain *domain = &config->domains[i];
        domain->name = cfg_title(section);
        lower(arena, &domain->name);
        take(arena, section, config_domain_options, config_domain_option_count, domain);
        if (domain->host[0] == '\0')
            return error_set(err, ERROR_INVALID, "%s:%d: domain \"%s\" needs a host", config->path,
                             section->line, domain->name);
    }
    return true;
}

static bool parse_switch(struct str text, bool *is_on)
{
    *is_on = str_has_word(STR("true yes on 1"), text);
    return *is_on || str_has_word(STR("false no off 0"), text);
}

static bool override_list(struct arena *arena, const struct option *o, struct str text,
                          struct config_list *list, struct error *err)
{
    struct str rest = text;
    list->count = 0;
    list->at = ARENA_ARRAY(arena, text.length + 1, const char *);
    while (rest.at) {
        struct str item = str_trim(str_cut(&rest, ','));
        if (item.length == 0)
            continue;
        list->at[list->count] = arena_text(arena, item);
        if (!config_check_shape(o, list->at[list->count++], err))
            return false;
    }
    return true;
}

static bool override(struct arena *arena, const struct option *o, const char *text, void *member,
                     struct error *err)
{
    if (o->type == OPTION_TEXT) {
        *(const char **)member = keep(arena, text);
        return check_text(o, text, err);
    }
    if (o->type == OPTION_NUMBER)
        return (str_to_i64(str_of(text), member) ||
                error_set(err, ERROR_INVALID, "%s must be a number", o->name)) &&
               check_number(o, *(int64_t *)member, err);
    if (o->type == OPTION_SWITCH)
        return parse_switch(str_of(text), member) ||
               error_set(err, ERROR_INVALID, "%s must be true or false", o->name);
    return override_list(arena, o, str_of(text), member, err);
}

static bool override_all(struct arena *arena, struct config *config, struct error *err)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *o = &config_options[i];
        char name[80] = "RESTANTE_";
        for (size_t n = 0; o->name[n]; n++)
            name[9 + n] = ascii_upper(o->name[n]);
        const char *text = getenv(name);
        if (!text)
            continue;
        if (strlen(text) > VALUE_BYTES_MAX)
            return error_set(err, ERROR_INVALID, "environment variable %s is too long", name);
        if (!override(arena, o, text, (char *)config + o->offset, err))
            return error_wrap(err, "environment variable %s", name);
    }
    return true;
}

static const char *find_file(const char *path)
{
    if (!path)
        path = getenv("RESTANTE_CONFIG");
    if (path && *path)
        return path;
    return access(STANDARD_PATH, F_OK) == 0 ? STANDARD_PATH : NULL;
}

static bool parse_file(cfg_t *cfg, const char *path, struct error *err)
{
    struct stat found;
    if (path && stat(path, &found) == 0 && S_ISDIR(found.st_mode)) /* flex would exit */
        return error_set(err, ERROR_INVALID, "%s is a folder, not a file", path);
    reported = err;
    int status = path ? cfg_parse(cfg, path) : cfg_parse_buf(cfg, "");
    reported = NULL;
    if (status == CFG_FILE_ERROR)
        return error_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_INVALID, "%s", path);
    if (status != CFG_SUCCESS && err->kind == ERROR_NONE)
        return error_set(err, ERROR_INVALID, "%s cannot be read", path);
    return status == CFG_SUCCESS ||
           error_hint(err, "See `restante config --example` for every name and its meaning.");
}

bool config_read(struct arena *arena, const char *path, struct config *config, struct error *err)
{
    cfg_opt_t options[OPTIONS_MAX], domain_options[OPTIONS_MAX];
    *config = (struct config){0};
    describe(config_domain_options, config_domain_option_count, domain_options);
    describe(config_options, config_option_count, options);
    options[config_option_count] =
        (cfg_opt_t)CFG_SEC("domain", domain_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    options[config_option_count + 1] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(options, CFGF_NONE);
    if (!cfg)
        abort();
    cfg_set_error_function(cfg, report);
    path = find_file(path);
    config->path = path ? keep(arena, path) : "";
    struct error why = ERROR_INIT;
    bool is_read = parse_file(cfg, path, &why);
    if (is_read) {
        take(arena, cfg, config_options, config_option_count, config);
        is_read = take_domains(arena, cfg, config, &why) && override_all(arena, config, &why);
    }
    cfg_free(cfg);
    if (!is_read && err)
        *err = why;
    return is_read;
}

static void write_options(struct buf *out, const struct option *options, size_t count,
                          const char *before)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &options[i];
        struct str rest = str_of(o->about);
        buf_char(out, '\n');
        while (rest.at) {
            struct str line = str_cut(&rest, '\n');
            buf_printf(out, "%s# %" STR_FMT "\n", before, STR_ARG(line));
        }
        bool is_quoted = o->type == OPTION_TEXT;
        buf_printf(out, "%s%s = %s%s%s\n", *before ? before : "# ", o->name, is_quoted ? "\"" : "",
                   o->standard ? o->standard : "", is_quoted ? "\"" : "");
    }
}

void config_write_example(struct buf *out)
{
    buf_text(
        out,
        "# Restante's configuration: every option with its default. Each can be overridden by an\n"
        "# environment variable RESTANTE_<NAME>, lists with commas between.\n");
    write_options(out, config_options, config_option_count, "");
    buf_text(
        out,
        "\n# People of a mail domain sign in with their mail address and password; the account is\n"
        "# made on the fly. One section a domain.\n"
        "# domain \"example.org\" {\n");
    write_options(out, config_domain_options, config_domain_option_count, "#     ");
    buf_text(out, "# }\n");
}

/* As libconfuse reads it back: within quotes, "$" would begin a variable. */
static void write_quoted(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (; *text; text++) {
        if (strchr("\"\\$", *text))
            buf_char(out, '\\');
        buf_char(out, *text);
    }
    buf_char(out, '"');
}

static void write_value(struct buf *out, const struct option *o, const void *member)
{
    if (o->type == OPTION_NUMBER) {
        buf_i64(out, *(const int64_t *)member);
    } else if (o->type == OPTION_SWITCH) {
        buf_text(out, *(const bool *)member ? "true" : "false");
    } else if (o->type == OPTION_TEXT) {
        const char *text = *(const char *const *)member;
        /* of a libpq connection string: "password=..." or "postgresql://name:password@host" */
        bool is_secret =
            strcmp(o->name, "database") == 0 && (strstr(text, "password") || strstr(text, "://"));
        write_quoted(out, is_secret ? "[with a password]" : text);
    } else {
        const struct config_list *list = member;
        buf_char(out, '{');
        for (size_t i = 0; i < list->count; i++) {
            buf_text(out, i ? ", " : "");
            write_quoted(out, list->at[i]);
        }
        buf_char(out, '}');
    }
}

static void write_effective(struct buf *out, const struct option *options, size_t count,
                            const void *from, const char *before)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s = ", before, options[i].name);
        write_value(out, &options[i], (const char *)from + options[i].offset);
        buf_char(out, '\n');
    }
}

void config_write_effective(struct buf *out, const struct config *config)
{
    write_effective(out, config_options, config_option_count, config, "");
    for (size_t i = 0; i < config->domain_count; i++) {
        buf_text(out, "domain ");
        write_quoted(out, config->domains[i].name);
        buf_text(out, " {\n");
        write_effective(out, config_domain_options, config_domain_option_count, &config->domains[i],
                        "    ");
        buf_text(out, "}\n");
    }
}

const struct config_domain *config_domain_of(const struct config *config, struct str domain)
{
    for (size_t i = 0; i < config->domain_count; i++)
        if (str_equal_nocase(str_of(config->domains[i].name), domain))
            return &config->domains[i];
    return NULL;
}

const char *config_state_path(struct arena *arena, const struct config *config, const char *name)
{
    return arena_printf(arena, "%s/%s", config->state_directory, name).at;
}

bool config_is_https(const struct config *config)
{
    return str_starts(str_of(config->public_url), STR("https://"));
}
