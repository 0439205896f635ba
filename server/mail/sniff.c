#include "server/mail/sniff.h"

static const struct {
    size_t offset;
    struct str begin, type;
    bool is_raster;
} signatures[] = {
    {0, STR("\x89PNG\r\n\x1a\n"), STR("image/png"), true},
    {0, STR("\xff\xd8\xff"), STR("image/jpeg"), true},
    {0, STR("GIF87a"), STR("image/gif"), true},
    {0, STR("GIF89a"), STR("image/gif"), true},
    {8, STR("WEBPVP8"), STR("image/webp"), true},
    {0, STR("BM"), STR("image/bmp"), true},
    {4, STR("ftypavif"), STR("image/avif"), true},
    {0, STR("%PDF-"), STR("application/pdf"), false},
    {0, STR("PK\x03\x04"), STR("application/zip"), false},
    {0, STR("\x1f\x8b\x08"), STR("application/gzip"), false},
    {0, STR("Rar!\x1a\x07"), STR("application/vnd.rar"), false},
    {0, STR("7z\xbc\xaf\x27\x1c"), STR("application/x-7z-compressed"), false},
    {0, STR("\x78\x9f\x3e\x22"), STR("application/vnd.ms-tnef"), false},
    {0, STR("MZ"), STR("application/vnd.microsoft.portable-executable"), false},
    {0,
     STR("\x7f"
         "ELF"),
     STR("application/x-elf"), false},
    {0, STR("OggS"), STR("application/ogg"), false},
    {0, STR("ID3"), STR("audio/mpeg"), false},
    {4, STR("ftyp"), STR("video/mp4"), false},
};
enum { SIGNATURES = sizeof signatures / sizeof *signatures };

struct str sniff_type(struct str begin)
{
    for (size_t i = 0; i < SIGNATURES; i++)
        if (str_starts(str_skip(begin, signatures[i].offset), signatures[i].begin))
            return signatures[i].type;
    return STR_EMPTY;
}

bool sniff_is_raster(struct str type)
{
    for (size_t i = 0; i < SIGNATURES; i++)
        if (signatures[i].is_raster && str_equal(signatures[i].type, type))
            return true;
    return false;
}
