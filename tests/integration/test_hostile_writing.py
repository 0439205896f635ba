"""What people could type or send along to make one message two, or a value a command: a test for each
line of 36 to 39 of the list of attacks that this project is held against."""

import email
import email.policy
import urllib.parse

import pytest

from tests.integration.test_sending import Writer, awaited, received

HEADER = "x\r\nBcc: evil@example.org\r\n\r\ninjected"


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


def test_36_what_is_searched_for_is_one_command(writer):
    writer.person.receive("Subject: needle\n\nhay\n")
    awaited(lambda: [e for e in writer.emails("inbox") if e["subject"] == "needle"])
    find = lambda q: writer.api.get(  # noqa: E731
        f"{writer.base}/search?upstream=1&q={urllib.parse.quote(q)}")
    for odd in ('x"\r\nA1 DELETE INBOX\r\n', "ü{3+}\r\nabc", '{100+}', '\\" ALL', "ü\0x", "a" * 900):
        assert find(odd).status in (200, 400), odd
    found = find("subject:needle")
    assert found.status == 200 and len(found.json["emails"]) == 1


def test_37_names_and_addresses_begin_no_header_and_no_command(writer, new_person, mailserver):
    reader = new_person()
    draft = writer.draft(to=[{"name": HEADER, "email": reader.address}], subject=HEADER, text="x",
                         inReplyTo=HEADER, references=HEADER, html=f"<p>x</p><!-- {HEADER} -->")
    answer = writer.api.request(
        "POST", f"{writer.base}/drafts/{draft['id']}/attachments?"
        + urllib.parse.urlencode({"name": HEADER, "cid": HEADER, "type": "text/" + HEADER}), body=b"x",
        headers={"Content-Type": "text/plain"})
    assert answer.status == 201
    one, = writer.api.get(f"{writer.base}/identities").json["identities"]
    writer.api.request("PATCH", f"{writer.base}/identities/{one['id']}", json_body={"name": HEADER})
    writer.until(writer.send(draft), "filed")
    message, = received(mailserver, reader)
    assert message["Bcc"] is None and message["In-Reply-To"] is None and message["References"] is None
    assert [m.recipients for m in taken_of(mailserver, writer)] == [[reader.address]]
    for part in message.walk():
        assert "Bcc" not in part and not part.defects
    for odd in ("a@b>\r\nRCPT TO:<evil@example.org", "a b@example.org", "<a@b", "a@b\0c"):
        answer = writer.api.post(f"{writer.base}/drafts", json_body={"to": [{"email": odd}]})
        assert answer.status in (400, 422), (odd, answer.text)
        if "\0" in odd:
            continue
        draft = writer.draft(to=odd, subject="x", text="x")  # as typed: half an address may be kept
        answer = writer.api.post(f"{writer.base}/submissions", json_body={"draftId": draft["id"]})
        if answer.status == 201:  # what is in front of an address is a name
            to, = [r["email"] for r in answer.json["recipients"]]
            assert to in odd and not set(to) & set("<> \r\n"), to
            writer.api.post(f"{writer.base}/submissions/{answer.json['id']}/cancel", json_body={})
        else:
            assert answer.status in (400, 422), (odd, answer.text)


def taken_of(mailserver, writer):
    """What the submission server took of this person."""
    return [m for m in mailserver.smtp.accepted if m.user == writer.person.address]


@pytest.mark.parametrize("way", ["text", "attachment", "message"])
@pytest.mark.parametrize("end", ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r\n", "\r\n.\r", "\0\r\n.\r\n"])
def test_38_nothing_ends_a_message_early(writer, new_person, mailserver, way, end):
    reader = new_person()
    evil = ("before" + end + "MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\n"
            "Subject: smuggled\r\n\r\nx" + end)
    text = evil.replace("\0", "") if way == "text" else "x"
    draft = writer.draft(to=reader.address, subject="one", text=text)
    if way != "text":
        kind = "message/rfc822" if way == "message" else "application/octet-stream"
        body = (b"Subject: inner\r\n\r\n" if way == "message" else b"") + evil.encode()
        assert writer.api.request("POST", f"{writer.base}/drafts/{draft['id']}/attachments?name=a",
                                  body=body, headers={"Content-Type": kind}).status == 201
    writer.until(writer.send(draft), "filed")
    taken, = taken_of(mailserver, writer)
    assert taken.recipients == [reader.address]
    assert all(line == b"" or not line.endswith(b"\r") for line in taken.content.split(b"\r\n"))
    assert b"\n" not in taken.content.replace(b"\r\n", b"") and b"\0" not in taken.content
    message, = received(mailserver, reader)
    assert message["Subject"] == "one"
    if way == "attachment":
        _, file = message.iter_parts()
        assert file.get_content() == evil.encode()
    copy = email.message_from_bytes(taken.content, policy=email.policy.default)
    assert copy["Subject"] == "one"


def test_39_signs_of_sql_are_letters(writer):
    for odd in ("'; DROP TABLE contact; --", '"', "\\", "%", "_", "$1", "{a,b}", "\u00e4'", "a\0b"):
        made = writer.api.post("/contacts", json_body={"name": odd, "emails": ["odd@x.example"],
                                                       "note": odd})
        assert made.status in (201, 400), (odd, made.text)
        group = writer.api.post("/contacts/groups", json_body={"name": "g " + odd})
        assert group.status in (201, 400, 422), (odd, group.text)
        found = writer.api.get("/contacts/complete?q=" + urllib.parse.quote(odd))
        assert found.status in (200, 400)
        if made.status == 201:
            assert writer.api.get(f"/contacts/{made.json['id']}").json["name"] == odd
            assert odd in [m["name"] for m in found.json["matches"]]
        draft = writer.draft(to=odd.replace("\0", ""), subject=odd.replace("\0", ""), text="x")
        assert writer.api.get(f"{writer.base}/drafts/{draft['id']}").json["subject"] \
            == odd.replace("\0", "")
    assert writer.api.get("/contacts").status == 200
