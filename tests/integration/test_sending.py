"""Writing and sending: what one person writes another one gets, equal in every byte, once."""

import base64
import email
import email.policy
import os

import pytest

from tests import harness
from tests.mailserver import maildir

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def awaited(check, patience=30):
    """What `check()` returns once that is true."""
    found = harness.eventually(check, patience=patience)
    assert found, "it did not come"
    return found


class Writer:
    """Somebody who is signed in here and writes through the API."""

    def __init__(self, restante, person):
        self.person = person
        self.api = restante.sign_in(person.address, person.password)
        self.api.headers["X-CSRF-Token"] = self.api.get("/session").json["csrf"]
        self.account = self.api.get("/accounts").json["accounts"][0]["id"]
        self.base = f"/accounts/{self.account}"

    def draft(self, **fields):
        answer = self.api.post(f"{self.base}/drafts", json_body=fields)
        assert answer.status == 201, answer.text
        return answer.json

    def send(self, draft, key=None, **how):
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.api.post(f"{self.base}/submissions", headers=headers,
                               json_body={"draftId": draft["id"], "delaySeconds": 0} | how)
        assert answer.status == 201, answer.text
        return answer.json

    def submission(self, one):
        return self.api.get(f"{self.base}/submissions/{one['id']}").json

    def until(self, one, *phases, patience=30):
        return awaited(
            lambda: (now := self.submission(one)).get("phase") in phases and now, patience=patience)

    def mailbox(self, role):
        boxes = self.api.get(f"{self.base}/mailboxes").json["mailboxes"]
        return next((box for box in boxes if box["role"] == role), None)

    def emails(self, role):
        while box := self.mailbox(role):
            answer = self.api.get(f"{self.base}/mailboxes/{box['id']}/emails")
            if answer.status == 200:
                return answer.json["emails"]
            assert answer.status == 404, answer.text  # the server's folder has just taken its place
        return []


def received(mailserver, person):
    """The messages in somebody's mailbox, parsed by Python."""
    return [email.message_from_bytes(content, policy=email.policy.default)
            for content, flags in maildir.contents(person.maildir)]


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


def test_what_was_written_arrives_equal(writer, new_person, mailserver):
    reader = new_person()
    data = os.urandom(100_000)
    subject = "Grüße aus Köln, 日本語 — " + "sehr lang " * 10
    text = "Hallo,\n\ndas ist ein langer Absatz. " + "Wörter " * 40 + "\n> zitiert\n-- \nAda"
    draft = writer.draft(to=[{"name": "Bø, \"Bob\"", "email": reader.address}], subject=subject.strip(),
                         text=text, html="<p>Grüße <img src=\"cid:p1\"></p>")
    where = f"{writer.base}/drafts/{draft['id']}/attachments"
    name = "Übersicht „2026“ mit einem wirklich sehr langen Namen, der nicht endet.bin"
    for query, body, kind in [({"name": name}, data, "application/octet-stream"),
                              ({"name": "p.png", "cid": "p1"}, PNG, "image/png")]:
        answer = writer.api.request("POST", f"{where}?{harness.urllib.parse.urlencode(query)}",
                                    body=body, headers={"Content-Type": kind})
        assert answer.status == 201, answer.text
    saved = writer.api.request("PUT", f"{writer.base}/drafts/{draft['id']}",
                               json_body={"revision": 1, "html": '<p>Grüße <img src="cid:p1"></p>'})
    assert 'src="cid:p1"' in saved.json["html"]
    sent = writer.send(draft)
    message, = awaited(lambda: received(mailserver, reader))
    assert message["Subject"] == subject.strip()
    assert message["From"].addresses[0].addr_spec == writer.person.address
    assert message["To"].addresses[0].display_name == 'Bø, "Bob"'
    assert message["Message-ID"] == f"<{sent['messageId']}>"
    assert message["Bcc"] is None
    parts = {part.get_content_type(): part for part in message.walk()}
    assert parts["image/png"].get_content() == PNG
    assert parts["image/png"]["Content-ID"] == "<p1>"
    assert parts["application/octet-stream"].get_content() == data
    assert parts["application/octet-stream"].get_filename() == name
    assert "Grüße" in parts["text/html"].get_content()
    flowed = parts["text/plain"].get_content().replace(" \n", " ")
    assert "Wörter " * 39 in flowed and "\n> zitiert\n" in flowed
    done = writer.until(sent, "filed")
    assert [r["state"] for r in done["recipients"]] == ["accepted"]
    copy = awaited(lambda: writer.emails("sent"))
    assert [e["subject"] for e in copy] == [subject.strip()]
    assert writer.emails("drafts") == []


def test_bcc_goes_only_to_the_envelope_and_the_own_copy(writer, new_person, mailserver):
    reader, hidden = new_person(), new_person()
    draft = writer.draft(to=reader.address, bcc=hidden.address, subject="quiet", text="x")
    writer.until(writer.send(draft), "filed")
    for person in (reader, hidden):
        message, = awaited(lambda: received(mailserver, person))
        assert hidden.address not in message.as_string()
    copy, = awaited(lambda: writer.emails("sent"))
    assert copy["bcc"] == [{"name": None, "email": hidden.address}]


def test_a_pop3_account_has_its_copy_here(restante, new_person, mailserver):
    writer, reader = Writer(restante, new_person("example.net")), new_person()
    draft = writer.draft(to=reader.address, bcc="someone@example.org", subject="by pop3",
                         text="marzipan")
    writer.until(writer.send(draft), "filed")
    awaited(lambda: received(mailserver, reader))
    copy, = writer.emails("sent")
    assert copy["subject"] == "by pop3" and copy["bcc"][0]["email"] == "someone@example.org"
    raw = writer.api.get(f"{writer.base}/emails/{copy['id']}/raw")
    assert raw.status == 200 and b"Subject: by pop3" in raw.content
    found = awaited(lambda: writer.api.get(f"{writer.base}/search?q=marzipan").json["emails"])
    assert [e["id"] for e in found] == [copy["id"]]


def test_undone_in_time_it_is_a_draft_again(writer, new_person, mailserver):
    reader = new_person()
    draft = writer.draft(to=reader.address, subject="oops", text="x")
    sent = writer.send(draft, delaySeconds=120)
    assert writer.emails("drafts") == []
    answer = writer.api.post(f"{writer.base}/submissions/{sent['id']}/cancel", json_body={})
    assert answer.json["phase"] == "cancelled"
    assert [e["subject"] for e in writer.emails("drafts")] == ["oops"]
    assert received(mailserver, reader) == []


def test_one_key_sends_once(writer, new_person, mailserver):
    reader = new_person()
    draft = writer.draft(to=reader.address, subject="once", text="x")
    first = writer.send(draft, key="k1")
    assert writer.send(draft, key="k1")["id"] == first["id"]
    writer.until(first, "filed")
    assert writer.send(draft, key="k1")["id"] == first["id"]
    assert len(awaited(lambda: received(mailserver, reader))) == 1


def test_an_answer_marks_what_it_answers(writer, new_person, mailserver):
    writer.person.receive("From: x@example.org\nSubject: question\nMessage-ID: <q1@example.org>\n\nhello\n")
    question, = awaited(
        lambda: [e for e in writer.emails("inbox") if e["subject"] == "question"])
    draft = writer.draft(to=new_person().address, subject="Re: question", text="yes",
                         inReplyTo="q1@example.org", references="q1@example.org",
                         answersId=question["id"], answersHow="reply")
    writer.until(writer.send(draft), "filed")
    now = writer.api.get(f"{writer.base}/emails/{question['id']}").json
    assert now["keywords"].get("$answered")
    awaited(lambda: any("R" in flags for content, flags in maildir.contents(writer.person.maildir)))


@pytest.mark.parametrize("to, problem", [("", "whom"), ("nobody", "nobody"),
                                         ("a@b\r\nBcc: c@d.example", "address"),
                                         ("a@b>\r\nRCPT TO:<c@d", "address")])
def test_what_cannot_be_sent_is_refused_at_once(writer, to, problem):
    draft = writer.draft(to=to, subject="x", text="x")
    answer = writer.api.post(f"{writer.base}/submissions",
                             json_body={"draftId": draft["id"], "delaySeconds": 0})
    if answer.status == 201:  # a line end separates addresses: nobody gets more than was typed
        assert all("\r" not in r["email"] for r in answer.json["recipients"])
    else:
        assert answer.status == 422 or answer.status == 400, answer.text
        assert problem in answer.json["detail"]


def test_another_person_sees_nothing_of_it(writer, restante, new_person):
    draft = writer.draft(to="a@example.org", subject="secret", text="x")
    other = Writer(restante, new_person())
    for path in (f"/drafts/{draft['id']}", "/submissions/1"):
        assert other.api.get(writer.base + path).status == 404
    assert other.api.post(f"{writer.base}/submissions",
                          json_body={"draftId": draft["id"]}).status == 404


def test_contacts_come_and_go_as_vcards(api):
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada, Lovelace\r\nEMAIL:ada@love.example\r\nEND:VCARD\r\n"
    answer = api.request("POST", "/contacts/import", body=card.encode(),
                         headers={"Content-Type": "text/vcard"})
    assert answer.json["imported"] == 1
    found = api.get("/contacts/complete?q=lov").json["matches"]
    assert found[0]["email"] == "ada@love.example"
    assert "ada@love.example" in api.get("/contacts/export").text


def test_a_settled_draft_is_seen_by_other_programs(writer, new_person, mailserver):
    """It lies upstream once, whatever was changed, and goes when it is sent or deleted."""
    def upstream():
        return [email.message_from_bytes(content, policy=email.policy.default)
                for content, flags in maildir.contents(writer.person.maildir / ".Drafts")
                if "T" not in flags]

    awaited(lambda: writer.mailbox("drafts"))
    reader = new_person()
    first = writer.draft(to="half an addr", bcc="b@example.org", subject="first", text="Grüße")
    second = writer.draft(to=reader.address, subject="second", text="x")
    awaited(lambda: len(upstream()) == 2, patience=300)
    filed = next(m for m in upstream() if m["Subject"] == "first")
    assert filed["Bcc"] == "b@example.org" and filed["X-Unsent"] == "1"
    assert filed.get_content().strip() == "Grüße"
    writer.until(writer.send(second), "filed")
    awaited(lambda: [m["Subject"] for m in upstream()] == ["first"])
    writer.api.put(f"{writer.base}/drafts/{first['id']}", {"subject": "first, changed"})
    awaited(lambda: [m["Subject"] for m in upstream()] == ["first, changed"], patience=300)
    assert [e["subject"] for e in writer.emails("drafts")] == ["first, changed"]
    assert writer.api.delete(f"{writer.base}/drafts/{first['id']}").status == 204
    awaited(lambda: upstream() == [])
    assert writer.emails("drafts") == []
