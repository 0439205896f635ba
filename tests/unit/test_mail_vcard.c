/* Contacts that come by mail. */
#include "server/mail/vcard.h"
#include "tests/unit/mail_fixture.h"

/* "name|organization|kind[label]=value ..." of each card. */
static struct str written(struct arena *arena, const char *text)
{
    static const char *const names[] = {"email", "phone", "address",  "url",
                                        "title", "note",  "birthday", "member"};
    struct vcards cards;
    struct buf out = BUF_INIT(64 * 1024);
    if (!vcard_parse(arena, str_of(text), &cards))
        return STR("none");
    for (size_t i = 0; i < cards.count; i++) {
        const struct vcard *card = &cards.at[i];
        buf_printf(&out, "%s%" STR_FMT "|%" STR_FMT "|", i ? " & " : "", STR_ARG(card->name),
                   STR_ARG(card->organization));
        if (card->is_group)
            buf_printf(&out, "group of %" STR_FMT ": ", STR_ARG(card->uid));
        for (size_t k = 0; k < card->count; k++)
            buf_printf(&out, "%s%s[%" STR_FMT "]=%" STR_FMT, k ? " " : "",
                       names[card->lines[k].kind], STR_ARG(card->lines[k].label),
                       STR_ARG(card->lines[k].value));
    }
    struct str copy = arena_str(arena, buf_view(&out));
    buf_free(&out);
    assert_text(copy);
    return copy;
}

#define CARD(lines) "BEGIN:VCARD\r\n" lines "END:VCARD\r\n"

static void test_cards_of_every_version_are_read(void **state)
{
    static const char *const rows[][2] = {
        {CARD("VERSION:3.0\r\nN:Doe;Ann;B.;Dr.;\r\nFN:Ann Doe\r\nORG:Example\\, Inc.;Sales\r\n"
              "EMAIL;TYPE=INTERNET,WORK:ann@example.org\r\nTEL;TYPE=cell:+49 1\r\n"
              "ADR;TYPE=home:;;1 Street;Town;;123;Land\r\nURL:https://example.org\r\n"
              "NOTE:one\\ntwo\r\nBDAY:1990-01-02\r\nTITLE:Chief\r\n"),
         "Ann Doe|Example, Inc., Sales|email[work]=ann@example.org phone[cell]=+49 1 "
         "address[home]=1 Street, Town, 123, Land url[]=https://example.org note[]=one\ntwo "
         "birthday[]=1990-01-02 title[]=Chief"},
        {CARD("VERSION:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\r\n"
              "TEL;HOME;VOICE:1\r\nNOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0A=\r\nb\r\n"),
         "Jörg Müller||phone[home]=1 note[]=a\nb"},
        {CARD("VERSION:4.0\r\nFN:x\r\nitem1.EMAIL:mailto:a@b\r\nTEL;VALUE=uri:tel:+1-2\r\n"),
         "x||email[]=a@b phone[]=+1-2"},
        {CARD("FN:fol\r\n ded na\r\n\tme\r\n"), "folded name||"},
        {CARD("N:Doe;Ann\r\nFN:\r\n"), "Ann Doe||"},
        {CARD("EMAIL;X=\"a:b\":c@d\r\nFN:x\\;y\r\n"), "x;y||email[]=c@d"},
        {CARD("FN:1\r\n") CARD("FN:2\r\n"), "1|| & 2||"},
        {"BEGIN:VCARD\nFN:never ended", "never ended||"},
        {CARD("PHOTO;ENCODING=b:AAAA\r\n:no name\r\nno colon\r\n"), "||"},
        {CARD("KIND:group\r\nUID:urn:uuid:1\r\nFN:Fam\r\nMEMBER:mailto:a@b\r\nMEMBER:urn:uuid:"
              "2\r\n"),
         "Fam||group of urn:uuid:1: member[]=a@b member[]=urn:uuid:2"},
        {CARD("VERSION:3.0\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nN:Fam\r\n"
              "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:2\r\n"),
         "Fam||group of : member[]=urn:uuid:2"},
        {CARD("KIND:individual\r\nUID:x\r\nFN:Ann\r\n"), "Ann||"},
        {"FN:outside\r\n", "none"},
        {"", "none"},
        {"BEGIN:VCALENDAR\r\nEND:VCALENDAR", "none"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str_of(rows[i][0], written(*state, rows[i][0]), rows[i][1]);
}

static void test_floods_are_cut_and_said_so(void **state)
{
    static const struct {
        const char *head, *piece;
        size_t count;
    } rows[] = {
        {"", "BEGIN:VCARD\r\n", 2 * VCARD_CARDS_MAX},
        {"BEGIN:VCARD\r\n", "EMAIL:a@b\r\n", 2000},
        {"BEGIN:VCARD\r\nNOTE:", "x\r\n ", VCARD_BYTES_MAX / 2},
        {"BEGIN:VCARD\r\nNOTE;QUOTED-PRINTABLE:", "=\r\n", VCARD_BYTES_MAX / 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = BUF_INIT(3 * (size_t)VCARD_BYTES_MAX);
        struct vcards cards;
        buf_text(&text, rows[i].head);
        repeat(&text, rows[i].piece, rows[i].count);
        assert_true(vcard_parse(*state, buf_view(&text), &cards));
        assert_true(cards.is_cut);
        assert_true(cards.count <= VCARD_CARDS_MAX && cards.at[0].count <= VCARD_LINES_MAX);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAIL_TEST(test_cards_of_every_version_are_read),
        MAIL_TEST(test_floods_are_cut_and_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
