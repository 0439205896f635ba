#include "server/base/json.h"

#include "server/base/utf8.h"

static void separate(struct json *j)
{
    if (j->wants_comma)
        buf_char(j->out, ',');
    j->wants_comma = true;
}

static void open_with(struct json *j, char bracket)
{
    separate(j);
    buf_char(j->out, bracket);
    j->wants_comma = false;
}

static void close_with(struct json *j, char bracket)
{
    buf_char(j->out, bracket);
    j->wants_comma = true;
}

void json_write_object(struct json *j)
{
    open_with(j, '{');
}

void json_write_object_end(struct json *j)
{
    close_with(j, '}');
}

void json_write_array(struct json *j)
{
    open_with(j, '[');
}

void json_write_array_end(struct json *j)
{
    close_with(j, ']');
}

void json_write_name(struct json *j, const char *name)
{
    separate(j);
    buf_char(j->out, '"');
    buf_text(j->out, name);
    buf_append(j->out, "\":", 2);
    j->wants_comma = false;
}

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void write_escaped(struct buf *out, uint32_t c)
{
    switch (c) {
    case '"':
        buf_append(out, "\\\"", 2);
        break;
    case '\\':
        buf_append(out, "\\\\", 2);
        break;
    case '\n':
        buf_append(out, "\\n", 2);
        break;
    case '\r':
        buf_append(out, "\\r", 2);
        break;
    case '\t':
        buf_append(out, "\\t", 2);
        break;
    default:
        /* U+2028 and U+2029 end a line in older JavaScript */
        if (c < ' ' || c == 0x7f || c == 0x2028 || c == 0x2029)
            buf_printf(out, "\\u%04x", (unsigned)c);
        else
            utf8_write(out, c);
    }
}

void json_write_str(struct json *j, struct str value)
{
    separate(j);
    buf_char(j->out, '"');
    while (value.length) {
        size_t clean = 0;
        while (clean < value.length && is_plain((unsigned char)value.at[clean]))
            clean++;
        buf_str(j->out, str_sub(value, 0, clean));
        value = str_skip(value, clean);
        if (value.length)
            write_escaped(j->out, utf8_next(&value));
    }
    buf_char(j->out, '"');
}

void json_write_name_str(struct json *j, struct str name)
{
    json_write_str(j, name);
    buf_char(j->out, ':');
    j->wants_comma = false;
}

void json_write_text(struct json *j, const char *value)
{
    if (value)
        json_write_str(j, str_of(value));
    else
        json_write_null(j);
}

void json_write_i64(struct json *j, int64_t value)
{
    separate(j);
    buf_i64(j->out, value);
}

void json_write_bool(struct json *j, bool value)
{
    separate(j);
    buf_text(j->out, value ? "true" : "false");
}

void json_write_null(struct json *j)
{
    separate(j);
    buf_append(j->out, "null", 4);
}

void json_write_raw(struct json *j, struct str text)
{
    separate(j);
    buf_str(j->out, text);
}
