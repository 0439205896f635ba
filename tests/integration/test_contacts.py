"""The address book: groups, what is collected, vCards of all kinds."""

import re

import pytest

from tests.integration.test_compose import Page, page
from tests.integration.test_sending import Writer, awaited, received


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


def contact(writer, name, *emails, **more):
    answer = writer.api.post("/contacts", json_body={"name": name, "emails": list(emails)} | more)
    assert answer.status == 201, answer.text
    return answer.json["id"]


def imported(writer, text):
    return writer.api.request("POST", "/contacts/import", body=text if isinstance(text, bytes)
                              else text.replace("\n", "\r\n").encode(),
                              headers={"Content-Type": "text/vcard"})


def book(writer, query=""):
    return {one["name"]: one for one in writer.api.get(f"/contacts{query}").json["contacts"]}


def test_a_group_stands_for_who_is_in_it(writer, new_person, mailserver):
    ada, ben, eve = new_person(), new_person(), new_person()
    ids = [contact(writer, "Ada", ada.address), contact(writer, "Ben", ben.address)]
    made = writer.api.post("/contacts/groups", json_body={"name": "Die Familie", "add": ids})
    assert made.status == 201 and made.json["memberCount"] == 2
    match = writer.api.get("/contacts/complete?q=fam").json["matches"][0]
    assert (match["name"], match["memberCount"]) == ("Die Familie", 2)
    assert match["typed"] == f"Ada <{ada.address}>, Ben <{ben.address}>"
    draft = writer.draft(to="die familie", bcc=f"{eve.address}; DIE FAMILIE", subject="all",
                         text="x")
    sent = writer.send(draft)
    assert [r["email"] for r in sent["recipients"]] == [ada.address, ben.address, eve.address]
    writer.until(sent, "filed")
    message, = received(mailserver, ada)
    assert message["To"] == f"Ada <{ada.address}>, Ben <{ben.address}>" and message["Bcc"] is None
    assert len(received(mailserver, ben)) == len(received(mailserver, eve)) == 1
    wrong = writer.api.post(f"{writer.base}/submissions", json_body={
        "draftId": writer.draft(to="No Such Group", subject="x", text="x")["id"]})
    assert wrong.status in (400, 422) and "No Such Group" in wrong.json["detail"]


def test_a_group_is_changed_and_goes_without_its_people(writer, restante, new_person):
    ada, ben = contact(writer, "Ada", "ada@x.example"), contact(writer, "Ben", "ben@x.example")
    group = writer.api.post("/contacts/groups", json_body={"name": "One"}).json["id"]
    where = f"/contacts/groups/{group}"
    change = lambda **body: writer.api.request("PATCH", where, json_body=body)  # noqa: E731
    assert change(add=[ada, ben, "999999"]).json["memberCount"] == 2
    assert [m["name"] for m in change(name="Two", remove=[ada]).json["members"]] == ["Ben"]
    assert writer.api.post("/contacts/groups", json_body={"name": "two"}).status == 409
    assert change(name="a@b").status in (400, 422) and change(name="Two, too").status in (400, 422)
    other = Writer(restante, new_person())
    assert other.api.get(where).status == 404
    assert other.api.request("PATCH", where, json_body={"name": "mine"}).status == 404
    assert other.api.delete(where).status == 404
    theirs = other.api.post("/contacts/groups", json_body={"name": "theirs", "add": [ben]}).json
    assert theirs["memberCount"] == 0
    assert writer.api.delete(f"/contacts/{ben}").status == 204
    assert writer.api.get(where).json["memberCount"] == 0
    assert writer.api.delete(where).status == 204 and writer.api.get(where).status == 404
    assert "Ada" in book(writer)


def test_groups_are_kept_by_forms(writer):
    token = writer.api.form_token("//contacts")
    made = writer.api.post("//contacts/groups", form={"csrf": token, "name": "Chor"})
    assert made.status == 303
    where = "/" + made.headers["Location"]
    joined = writer.api.post(where, form={"csrf": token, "do": "join",
                                          "emails": "Ada <ada@x.example>, ben@x.example"})
    assert joined.status == 303
    text = writer.api.get(where).text
    assert "Ada" in text and "ben@x.example" in text
    assert writer.api.post(where, form={"csrf": token, "do": "join", "emails": "nobody"}).status == 422
    leave = re.search(r'value="(leave-\d+)">Take out<span class="unseen"> Ada', text).group(1)
    assert writer.api.post(where, form={"csrf": token, "do": leave}).status == 303
    assert "Ada" not in writer.api.get(where).text
    again = {"csrf": token, "do": "rename", "name": "Chor der Stadt"}
    assert writer.api.post(where, form=again).status == 303
    assert "Chor der Stadt" in writer.api.get("//contacts").text
    form = page(writer)
    form.send("save", to="Chor der Stadt", subject="x", text="x")
    assert form.fields["to"] == "Chor der Stadt"  # as typed
    assert writer.api.post(where, form={"csrf": token, "do": "delete"}).status == 303
    assert "Chor der Stadt" not in writer.api.get("//contacts").text
    assert isinstance(form, Page) and form.send("send").status == 422


def test_groups_come_and_go_as_vcards(writer, restante, new_person):
    card = ("BEGIN:VCARD\nVERSION:4.0\nUID:urn:uuid:1\nFN:Ada\nEMAIL:ada@x.example\nEND:VCARD\n"
            "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:Friends, old\nMEMBER:urn:uuid:1\n"
            "MEMBER:mailto:new@x.example\nMEMBER:urn:uuid:nobody\nEND:VCARD\n")
    assert imported(writer, card).json["imported"] == 1
    assert imported(writer, card).json["imported"] == 1  # the same once more changes nothing
    group, = writer.api.get("/contacts/groups").json["groups"]
    assert (group["name"], group["memberCount"]) == ("Friends  old", 2)
    out = writer.api.get("/contacts/export").text
    assert "KIND:group\r\nFN:Friends  old\r\n" in out
    assert "MEMBER:mailto:ada@x.example\r\n" in out and "MEMBER:mailto:new@x.example\r\n" in out
    other = Writer(restante, new_person())
    assert imported(other, out.encode()).status == 200
    assert other.api.get("/contacts/groups").json["groups"][0]["memberCount"] == 2
    assert other.api.get("/contacts/export").text .splitlines().sort() == out.splitlines().sort()


def test_a_large_file_of_vcards_is_read_like_any(writer):
    note = "x" * 900
    cards = "".join(f"BEGIN:VCARD\nVERSION:4.0\nFN:Person {n}\nNOTE:{note}\nEND:VCARD\n" for n in range(300))
    assert imported(writer, cards).json == {"imported": 300}


@pytest.mark.parametrize("text, name, emails", [
    (b"BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\n"
     b"EMAIL;PREF;INTERNET:jm@x.example\nEND:VCARD", "Jörg Müller", ["jm@x.example"]),
    (b"begin:vcard\r\nversion:3.0\r\nfn:Line\r\n  folded\r\nitem1.email;type=work:A@X.example\r\n"
     b"email:not an address\r\nend:vcard\r\n", "Line folded", ["A@X.example"]),
    ("BEGIN:VCARD\nVERSION:4.0\nFN:Zoë\\, Dr.\nEMAIL;PREF=1:mailto:zoë@x.example\nEND:VCARD\n",
     "Zoë, Dr.", ["zoë@x.example"]),
    (b"\xef\xbb\xbfBEGIN:VCARD\nFN:BOM\nEND:VCARD\n", "BOM", []),
    (b"BEGIN:VCARD\rVERSION:3.0\rFN:Old Mac\rEND:VCARD\r", "Old Mac", []),
])
def test_odd_vcards_are_understood(writer, text, name, emails):
    assert imported(writer, text).json == {"imported": 1}
    assert book(writer)[name]["emails"] == emails


def test_who_is_known_is_not_entered_twice(writer):
    contact(writer, "Ada", "ada@x.example", note="mine")
    imported(writer, "BEGIN:VCARD\nFN:A. Lovelace\nEMAIL:ada@x.example\nEMAIL:ada@y.example\n"
                     "ORG:Engines\nNOTE:theirs\nEND:VCARD\n")
    one, = book(writer).values()
    assert one["emails"] == ["ada@x.example", "ada@y.example"]
    assert (one["name"], one["organization"], one["note"]) == ("Ada", "Engines", "mine")


def test_whom_one_writes_to_most_comes_first(writer, new_person):
    often, once = new_person(), new_person()
    contact(writer, "Sam Never", "sam@never.example")
    for who, name in ((once, "Sam Once"), (often, "Sam Often"), (often, "Sam Often")):
        writer.until(writer.send(writer.draft(to=f"{name} <{who.address}>", subject="x", text="x")),
                     "filed")
    found = [m["name"] for m in writer.api.get("/contacts/complete?q=sam").json["matches"]]
    assert found == ["Sam Often", "Sam Once", "Sam Never"]
    assert "Sam Once" not in book(writer) and book(writer, "?collected=1")["Sam Once"]["isCollected"]
    assert awaited(lambda: "written to" in writer.api.get("//contacts?collected=1").text)
