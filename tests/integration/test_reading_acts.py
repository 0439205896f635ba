"""What a reader does about a message besides reading it: answers an invitation, keeps a contact, leaves
a mailing list; and what the page says of a sender who pretends."""

import http.server
import re

import pytest

from tests.harness import eventually
from tests.integration.test_reading import email_links, inbox, open_email, visible
from tests.integration.test_reading_more import INVITATION, opened, part  # noqa: F401
from tests.integration.test_sending import awaited, received
from tests.mailserver.serving import serving

WRAPPED = ("From: {organizer}\nTo: {person}\nSubject: Invitation: Tea\nMessage-ID: <tea@example.org>\n"
           "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nCome to tea.\n"
           "--b\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\n\n{invitation}\n--b--\n")


def invite(reader, organizer):
    text = INVITATION.replace("mailto:ann@example.org", f"mailto:{organizer.address}").replace(
        "ATTENDEE;CN=You;PARTSTAT=ACCEPTED:mailto:you@example.org",
        f"ATTENDEE;CN=You;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{reader.address}")
    return WRAPPED.format(organizer=organizer.address, person=reader.address, invitation=text)


def form_of(page, label):
    """(action, {name: value}) of the form with that label."""
    form = re.search(rf'<form[^>]*aria-label="{label}".*?</form>', page.text, re.S).group(0)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    fields.pop("csrf")
    return re.search(r'action="([^"]*)"', form).group(1), fields


def test_an_invitation_is_answered_by_mail_and_the_page_says_so(restante, person, new_person, mailserver):
    organizer = new_person()
    person.receive(invite(person, organizer))
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    page = eventually(lambda: (answer := open_email(client, link)) and
                      "Answer the invitation" in answer.text and answer)
    assert "You accept" not in visible(page)
    action, fields = form_of(page, "Answer the invitation")
    for _ in range(2):  # pressed twice it is sent once
        answer = client.submit("/" + link, "/" + action, answer="accepted", **fields)
        assert answer.status == 303 and answer.headers["Location"] == link, answer.text
    page = client.get("/" + link)
    assert "You accept" in visible(page) and "can still be called back" in visible(page)
    account = link.split("/")[2]
    waiting = client.get(f"/accounts/{account}/submissions").json["submissions"]
    assert len(waiting) == 1
    client.submit(f"//mail/{account}/outbox", f"//mail/{account}/outbox/{waiting[0]['id']}/send-now")
    message, = awaited(lambda: received(mailserver, organizer))
    assert message["Subject"] == "Accepted: Tea <with> Ann"
    assert message["In-Reply-To"] == "<tea@example.org>"
    assert message["From"].addresses[0].addr_spec == person.address
    assert message.get_content_type() == "multipart/alternative"
    reply = next(part for part in message.walk() if part.get_content_type() == "text/calendar")
    assert reply.get_param("method") == "REPLY" and reply.get_content_charset() == "utf-8"
    lines = reply.get_payload(decode=True).decode().replace("\r\n ", "").splitlines()
    assert "METHOD:REPLY" in lines and "UID:1@example.org" in lines
    attendees = [line for line in lines if line.startswith("ATTENDEE")]
    assert len(attendees) == 1 and "PARTSTAT=ACCEPTED" in attendees[0]
    assert attendees[0].endswith(f"mailto:{person.address}") and "RSVP" not in attendees[0]
    assert eventually(lambda: "called back" not in visible(client.get("/" + link)))
    # the organizer sees what it is
    theirs = restante.sign_in(organizer.address, organizer.password)
    shown = eventually(lambda: (answer := open_email(theirs, email_links(inbox(theirs))[0])) and
                       "Answer to an invitation" in answer.text and answer)
    assert "comes" in visible(shown) and "Answer the invitation" not in shown.text


def test_an_answer_that_is_called_back_is_none(restante, person, new_person):
    person.receive(invite(person, new_person()))
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    eventually(lambda: "Answer the invitation" in open_email(client, link).text)
    account, _, email = link.split("/")[2:5]
    parts = client.get(f"/accounts/{account}/emails/{email}").json["bodyStructure"]["subParts"]
    number = next(part["partId"] for part in parts if part["type"] == "text/calendar")
    where = f"/accounts/{account}/emails/{email}/parts/{number}/answer"
    client.headers["X-CSRF-Token"] = client.get("/session").json["csrf"]
    assert client.post(where, json_body={"answer": "perhaps"}).status == 400
    answer = client.post(where, json_body={"answer": "declined"})
    assert answer.status == 201, answer.text
    assert "You decline" in visible(client.get("/" + link))
    client.post(f"/accounts/{account}/submissions/{answer.json['id']}/cancel")
    assert "You decline" not in visible(client.get("/" + link))


def test_what_is_no_invitation_is_not_answered(restante, person):
    person.receive("From: a@example.org\nSubject: none\nContent-Type: text/calendar; method=PUBLISH\n\n" +
                   INVITATION.replace("METHOD:REQUEST", "METHOD:PUBLISH"))
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    page = eventually(lambda: (answer := open_email(client, link)) and "Tea" in answer.text and answer)
    assert "Answer the invitation" not in page.text
    account, _, email = link.split("/")[2:5]
    answer = client.submit("/" + link, f"//mail/{account}/message/{email}/invitation/1", answer="accepted",
                           key="k")
    assert answer.status == 400
    assert client.get(f"/accounts/{account}/submissions").json["submissions"] == []


def test_a_contact_that_came_by_mail_is_kept(restante, person):
    person.receive("From: a@example.org\nSubject: my card\nContent-Type: text/vcard\n\nBEGIN:VCARD\n"
                   "VERSION:3.0\nFN:Grace Hopper\nORG:Navy\nEMAIL:grace@example.org\nEND:VCARD\n")
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    page = eventually(lambda: (answer := open_email(client, link)) and
                      "to the address book" in answer.text and answer)
    action = re.search(r'action="(/mail/[^"]*/contact/[^"]*)"', page.text).group(1)
    assert client.submit("/" + link, "/" + action).headers["Location"] == "/contacts?saved=1"
    contacts = client.get("//contacts").text
    assert "Grace Hopper" in contacts and "grace@example.org" in contacts


# --- lists -----------------------------------------------------------------------------------------

LIST = ("From: News <news@example.org>\nTo: {person}\nSubject: the gazette\n"
        "List-Id: The gazette <gazette.example.org>\nList-Unsubscribe: {ways}\n{more}\nnews\n")


def test_a_list_is_left_by_mail_after_a_question(restante, person, new_person, mailserver):
    robot = new_person()
    person.receive(LIST.format(person=person.address, more="",
                               ways=f"<mailto:{robot.address}?subject=leave%20me&bcc=eve@example.org>"))
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    account, _, email = link.split("/")[2:5]
    way = f"/mail/{account}/message/{email}/unsubscribe-by-mail"
    page = open_email(client, link)
    assert way in page.text and "gazette.example.org" in page.text
    question = client.get("/" + way)
    assert "leave me" in visible(question) and robot.address in visible(question)
    assert client.get(f"/accounts/{account}/submissions").json["submissions"] == []
    key = re.search(r'name="key" value="([^"]*)"', question.text).group(1)
    for _ in range(2):
        assert "On its way" in client.submit("/" + way, "/" + way, key=key).text
    waiting = client.get(f"/accounts/{account}/submissions").json["submissions"]
    assert len(waiting) == 1 and [to["email"] for to in waiting[0]["recipients"]] == [robot.address]
    client.submit(f"//mail/{account}/outbox", f"//mail/{account}/outbox/{waiting[0]['id']}/send-now")
    message, = awaited(lambda: received(mailserver, robot))
    assert message["Subject"] == "leave me" and message["Bcc"] is None


@pytest.fixture
def list_site(mailserver):
    """An HTTPS server of a mailing list: (its address, what was posted to it); /refuse says 500."""
    posted = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, self.headers["Content-Type"], body, self.headers.get("Cookie")))
            self.send_response(500 if self.path == "/refuse" else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server, mailserver.authority.certificate("good")):
        yield f"https://127.0.0.1:{server.server_port}", posted


def test_a_list_is_left_by_one_click(restante, person, list_site):
    site, posted = list_site
    for way in ("leave?id=7", "refuse"):
        person.receive(LIST.format(person=person.address, ways=f"<{site}/{way}>, <mailto:a@example.org>",
                                   more="List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
                                   ).replace("gazette\n", f"gazette {way}\n", 1))
    client = restante.sign_in(person.address, person.password)
    for link in email_links(inbox(client, 2)):
        account, _, email = link.split("/")[2:5]
        page = open_email(client, link)
        answer = client.submit("/" + link, f"//mail/{account}/message/{email}/unsubscribe")
        is_refused = re.search(r'<h1 class="subject">the gazette refuse', page.text)
        assert ("This did not work" if is_refused else "Unsubscribed") in answer.text
    assert sorted(posted) == [
        ("/leave?id=7", "application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click", None),
        ("/refuse", "application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click", None)]


# --- senders ---------------------------------------------------------------------------------------

def test_a_sender_who_pretends_is_seen_through(opened):  # noqa: F811
    _, page, _, _ = opened('From: "service@bank.example" <eve@evil.example>\nSubject: pay now\n'
                           "X-Spam-Status: Yes, score=8.2 required=5.0 tests=X\n\nnow\n", "pay now")
    assert "calls itself service@bank.example" in visible(page)
    assert "eve@evil.example" in visible(page)
    assert "Yes, scored 8.2 of 5.0" in visible(page)
    _, page, _, _ = opened("From: Bank <x@xn--pypal-4ve.com>\nSubject: look alike\n\nx\n", "look alike")
    assert "made to look like another" in visible(page) and "xn--pypal-4ve.com" in visible(page)
    _, page, _, _ = opened("From: Ann <ann@example.org>\nSubject: honest one\n\nx\n", "honest one")
    assert "calls itself" not in visible(page) and "look like another" not in visible(page)


# --- printing --------------------------------------------------------------------------------------

def test_a_message_is_shown_for_printing_with_its_head(opened):  # noqa: F811
    client, page, base, _ = opened("From: Ann <ann@example.org>\nTo: Ben <ben@example.org>\nSubject: on <b>paper\n"
                                   "Content-Type: text/html\n\n<style>.restante-head{display:none!important}</style>"
                                   "<p>words</p><script>alert(1)</script>", "on &lt;b&gt;paper")
    assert f"{base[1:]}/body?print=1" in page.text
    printed = client.get(f"{base}/body?print=1")
    for words in ("on &lt;b&gt;paper", "&lt;ann@example.org&gt;", "&lt;ben@example.org&gt;", "words"):
        assert words in printed.text, words
    assert "<script" not in printed.text and "none!important" not in printed.text.replace(" ", "")
    assert "sandbox" in printed.headers["Content-Security-Policy"]
    assert "restante-head\"" not in client.get(f"{base}/body").text
