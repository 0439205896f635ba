#include <stdlib.h>

#include "server/mail/css.h"
#include "server/mail/css_private.h"

/* Of clean CSS, in the one form in which css.c writes it. */

static int digit_of(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static enum css_ground ground_of(unsigned red, unsigned green, unsigned blue)
{
    enum { DARK_BELOW = 90000 }; /* of 255000 */
    return 299 * red + 587 * green + 114 * blue < DARK_BELOW ? CSS_GROUND_DARK : CSS_GROUND_LIGHT;
}

/* "fff" or "1a1a1a". */
static enum css_ground of_hash(struct str digits)
{
    unsigned parts[3] = {0, 0, 0};
    if (digits.length != 3 && digits.length != 6)
        return CSS_GROUND_NONE;
    for (size_t i = 0; i < digits.length; i++) {
        int digit = digit_of(digits.at[i]);
        if (digit < 0)
            return CSS_GROUND_NONE;
        unsigned *part = &parts[i * 3 / digits.length];
        *part = digits.length == 3 ? (unsigned)digit * 17 : *part * 16 + (unsigned)digit;
    }
    return ground_of(parts[0], parts[1], parts[2]);
}

static enum css_ground of_name(struct str name)
{
    static const char *const dark[] = {"black", "navy", "darkblue", "midnightblue", "maroon"};
    static const char *const light[] = {"white", "whitesmoke", "ivory", "snow", "silver"};
    for (size_t i = 0; i < sizeof dark / sizeof *dark; i++)
        if (str_equal_nocase(name, str_of(dark[i])))
            return CSS_GROUND_DARK;
    for (size_t i = 0; i < sizeof light / sizeof *light; i++)
        if (str_equal_nocase(name, str_of(light[i])))
            return CSS_GROUND_LIGHT;
    return CSS_GROUND_NONE;
}

/* Behind "rgb(" or "rgba(": three whole numbers. */
static enum css_ground of_numbers(struct css_lexer *lexer)
{
    unsigned parts[3], count = 0;
    while (count < 3) {
        struct css_token token = css_next(lexer);
        uint32_t number;
        if (token.kind == CSS_SPACE || css_is(&token, ','))
            continue;
        if (token.kind != CSS_NUMBER || token.unit.length || !str_to_u32(token.text, &number) ||
            number > 255)
            return CSS_GROUND_NONE;
        parts[count++] = number;
    }
    return ground_of(parts[0], parts[1], parts[2]);
}

enum css_ground css_ground(struct str declarations)
{
    struct css_lexer lexer;
    css_lexer_start(&lexer, declarations);
    bool is_background = false, is_name = true;
    for (;;) {
        struct css_token token = css_next(&lexer);
        enum css_ground found = CSS_GROUND_NONE;
        if (token.kind == CSS_END)
            return CSS_GROUND_NONE;
        if (css_is(&token, ';')) {
            is_background = false;
            is_name = true;
        } else if (is_name && token.kind == CSS_IDENT) {
            is_background = str_equal(token.text, STR("background")) ||
                            str_equal(token.text, STR("background-color"));
            is_name = false;
        } else if (is_background && token.kind == CSS_HASH) {
            found = of_hash(token.text);
        } else if (is_background && token.kind == CSS_IDENT) {
            found = of_name(token.text);
        } else if (is_background && token.kind == CSS_FUNCTION &&
                   str_starts(token.text, STR("rgb"))) {
            found = of_numbers(&lexer);
        }
        if (found != CSS_GROUND_NONE)
            return found;
    }
}

enum css_ground css_body_ground(struct str sheet)
{
    static const struct str body = {"body{", 5};
    for (ptrdiff_t at; (at = str_find(sheet, body)) >= 0;) {
        bool is_selector = at == 0 || strchr("},", sheet.at[at - 1]);
        sheet = str_skip(sheet, (size_t)at + body.length);
        ptrdiff_t end = str_find_char(sheet, '}');
        enum css_ground found =
            is_selector && end >= 0 ? css_ground(str_sub(sheet, 0, (size_t)end)) : CSS_GROUND_NONE;
        if (found != CSS_GROUND_NONE)
            return found;
    }
    return CSS_GROUND_NONE;
}
