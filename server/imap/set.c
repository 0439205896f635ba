#include "server/imap/set.h"

#include <stdlib.h>

void imap_set_free(struct imap_set *set)
{
    if (set->capacity)
        free(set->at);
    *set = (struct imap_set){0};
}

/* Room for one more range, owned. */
static void grow(struct imap_set *set)
{
    if (set->capacity && set->count < set->capacity)
        return;
    size_t capacity = set->count < 8 ? 16 : set->count * 2;
    struct imap_range *at = reallocarray(set->capacity ? set->at : NULL, capacity, sizeof *at);
    if (!at)
        abort();
    if (!set->capacity && set->count)
        memcpy(at, set->at, set->count * sizeof *at);
    set->at = at;
    set->capacity = capacity;
}

void imap_set_add_range(struct imap_set *set, uint32_t low, uint32_t high)
{
    if (low > high) {
        uint32_t swap = low;
        low = high;
        high = swap;
    }
    if (low == 0)
        low = 1;
    if (high == 0)
        return;
    if (set->count && !set->is_unsorted) {
        struct imap_range *last = &set->at[set->count - 1];
        if (low >= last->low && low - 1 <= last->high) { /* the usual way: ascending */
            if (high > last->high) {
                grow(set); /* makes it ours */
                set->at[set->count - 1].high = high;
            }
            return;
        }
        if (low < last->low)
            set->is_unsorted = true;
    }
    grow(set);
    set->at[set->count++] = (struct imap_range){low, high};
}

void imap_set_add(struct imap_set *set, uint32_t number)
{
    imap_set_add_range(set, number, number);
}

void imap_set_add_set(struct imap_set *set, const struct imap_set *other)
{
    for (size_t i = 0; i < other->count; i++)
        imap_set_add_range(set, other->at[i].low, other->at[i].high);
}

static int compare_ranges(const void *a, const void *b)
{
    const struct imap_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

void imap_set_sort(struct imap_set *set)
{
    if (!set->is_unsorted)
        return;
    qsort(set->at, set->count, sizeof *set->at, compare_ranges);
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct imap_range next = set->at[i];
        if (kept && next.low - 1 <= set->at[kept - 1].high) {
            if (next.high > set->at[kept - 1].high)
                set->at[kept - 1].high = next.high;
        } else
            set->at[kept++] = next;
    }
    set->count = kept;
    set->is_unsorted = false;
}

void imap_set_remove_set(struct imap_set *set, struct imap_set *other)
{
    imap_set_sort(set);
    imap_set_sort(other);
    struct imap_set left = {0};
    size_t next = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct imap_range range = set->at[i];
        uint64_t low = range.low;
        while (next < other->count && other->at[next].high < low)
            next++;
        for (size_t j = next; j < other->count && other->at[j].low <= range.high; j++) {
            if (other->at[j].low > low)
                imap_set_add_range(&left, (uint32_t)low, other->at[j].low - 1);
            low = (uint64_t)other->at[j].high + 1;
        }
        if (low <= range.high)
            imap_set_add_range(&left, (uint32_t)low, range.high);
    }
    imap_set_free(set);
    *set = left;
}

void imap_set_remove_range(struct imap_set *set, uint32_t low, uint32_t high)
{
    struct imap_range range = {low, high};
    struct imap_set other = {.at = &range, .count = 1};
    if (low <= high)
        imap_set_remove_set(set, &other);
}

void imap_set_clip(struct imap_set *set, uint32_t low, uint32_t high)
{
    if (low > 0)
        imap_set_remove_range(set, 1, low - 1);
    if (high < UINT32_MAX)
        imap_set_remove_range(set, high + 1, UINT32_MAX);
}

bool imap_set_has(struct imap_set *set, uint32_t number)
{
    imap_set_sort(set);
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->at[middle].high < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->at[low].low <= number;
}

uint64_t imap_set_size(struct imap_set *set)
{
    imap_set_sort(set);
    uint64_t size = 0;
    for (size_t i = 0; i < set->count; i++)
        size += (uint64_t)set->at[i].high - set->at[i].low + 1;
    return size;
}

uint32_t imap_set_lowest(struct imap_set *set)
{
    imap_set_sort(set);
    return set->count ? set->at[0].low : 0;
}

uint32_t imap_set_highest(struct imap_set *set)
{
    imap_set_sort(set);
    return set->count ? set->at[set->count - 1].high : 0;
}

void imap_set_take_highest(struct imap_set *set, uint64_t limit, struct imap_set *taken)
{
    imap_set_free(taken);
    imap_set_sort(set);
    grow(set); /* its ranges are changed below */
    while (set->count && limit) {
        struct imap_range *last = &set->at[set->count - 1];
        uint64_t size = (uint64_t)last->high - last->low + 1;
        if (size <= limit) {
            imap_set_add_range(taken, last->low, last->high);
            set->count--;
            limit -= size;
        } else {
            imap_set_add_range(taken, last->high - (uint32_t)limit + 1, last->high);
            last->high -= (uint32_t)limit;
            limit = 0;
        }
    }
    imap_set_sort(taken);
}

/* Moves the first `ranges` ranges and the first `more` numbers of the next one. */
static void take_front(struct imap_set *set, size_t ranges, uint32_t more, struct imap_set *taken)
{
    imap_set_free(taken);
    for (size_t i = 0; i < ranges; i++)
        imap_set_add_range(taken, set->at[i].low, set->at[i].high);
    grow(set);
    if (more) {
        uint32_t low = set->at[ranges].low;
        imap_set_add_range(taken, low, low + more - 1);
        set->at[ranges].low = low + more;
    }
    set->count -= ranges;
    memmove(set->at, set->at + ranges, set->count * sizeof *set->at);
}

void imap_set_take_lowest(struct imap_set *set, uint64_t limit, struct imap_set *taken)
{
    imap_set_sort(set);
    size_t ranges = 0;
    while (ranges < set->count) {
        uint64_t size = (uint64_t)set->at[ranges].high - set->at[ranges].low + 1;
        if (size > limit)
            break;
        limit -= size;
        ranges++;
    }
    take_front(set, ranges, ranges < set->count ? (uint32_t)limit : 0, taken);
}

static void write_range(struct buf *out, struct imap_range range)
{
    buf_u64(out, range.low);
    if (range.high != range.low) {
        buf_char(out, ':');
        buf_u64(out, range.high);
    }
}

void imap_set_take_text(struct imap_set *set, size_t bytes, struct imap_set *taken)
{
    imap_set_sort(set);
    struct buf text = BUF_INIT(64);
    size_t ranges = 0, used = 0;
    while (ranges < set->count) {
        buf_reset(&text);
        write_range(&text, set->at[ranges]);
        used += text.length + 1;
        if (ranges && used > bytes)
            break;
        ranges++;
    }
    buf_free(&text);
    take_front(set, ranges, 0, taken);
}

uint32_t *imap_set_numbers(struct imap_set *set, struct arena *arena, size_t limit, size_t *count)
{
    uint64_t size = imap_set_size(set);
    size_t wanted = size < limit ? (size_t)size : limit;
    uint32_t *numbers = ARENA_ARRAY(arena, wanted ? wanted : 1, uint32_t);
    *count = 0;
    for (size_t i = 0; i < set->count; i++)
        for (uint64_t n = set->at[i].low; n <= set->at[i].high && *count < wanted; n++)
            numbers[(*count)++] = (uint32_t)n;
    return numbers;
}

void imap_set_write(struct imap_set *set, struct buf *out)
{
    imap_set_sort(set);
    for (size_t i = 0; i < set->count; i++) {
        if (i)
            buf_char(out, ',');
        write_range(out, set->at[i]);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool parse_range(struct str text, struct imap_range *range)
{
    struct str rest = text;
    if (!str_to_u32(str_cut(&rest, ':'), &range->low))
        return false;
    range->high = range->low;
    return !rest.at || str_to_u32(rest, &range->high);
}

bool imap_set_parse(struct str text, struct arena *arena, struct imap_set *set)
{
    *set = (struct imap_set){0};
    size_t most = 1;
    for (size_t i = 0; i < text.length; i++)
        most += text.at[i] == ',';
    set->at = ARENA_ARRAY(arena, most, struct imap_range);
    struct str rest = text;
    while (rest.at) {
        struct imap_range range;
        if (!parse_range(str_cut(&rest, ','), &range))
            return false;
        if (range.low > range.high)
            range = (struct imap_range){range.high, range.low};
        if (range.high == 0)
            continue;
        if (range.low == 0)
            range.low = 1;
        struct imap_range *last = set->count ? &set->at[set->count - 1] : NULL;
        if (last && range.low >= last->low && range.low - 1 <= last->high) {
            if (range.high > last->high)
                last->high = range.high;
            continue;
        }
        set->is_unsorted = set->is_unsorted || (last && range.low < last->low);
        set->at[set->count++] = range;
    }
    imap_set_sort(set);
    return true;
}

bool imap_set_parse_ordered(struct str text, struct arena *arena, size_t limit, uint32_t **numbers,
                            size_t *count)
{
    uint64_t size = 0;
    struct imap_range range;
    for (struct str rest = text; rest.at;) {
        if (!parse_range(str_cut(&rest, ','), &range))
            return false;
        size += (range.low < range.high ? (uint64_t)range.high - range.low
                                        : (uint64_t)range.low - range.high) +
                1;
        if (size > limit)
            return false;
    }
    *numbers = ARENA_ARRAY(arena, size ? size : 1, uint32_t);
    *count = 0;
    for (struct str rest = text; rest.at;) {
        parse_range(str_cut(&rest, ','), &range);
        /* "5:3" means 3, 4, 5 in ascending order (RFC 4315 section 3). */
        uint32_t low = range.low < range.high ? range.low : range.high;
        uint32_t high = range.low < range.high ? range.high : range.low;
        for (uint64_t n = low; n <= high; n++)
            (*numbers)[(*count)++] = (uint32_t)n;
    }
    return true;
}
