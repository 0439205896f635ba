"""Writing on the pages, without JavaScript: forms only."""

import html
import re
import urllib.parse

import pytest

from tests.integration.test_sending import PNG, Writer, awaited, received


class Page:
    """The compose form as a browser would fill and send it."""

    def __init__(self, client, path):
        self.client, self.path = client, path
        self.load(client.get("/" + path))

    def load(self, answer):
        self.status, self.text = answer.status, answer.text
        form = re.search(r'<form class="form compose".*?</form>', answer.text, re.S)
        assert form, answer.text[:500]
        self.form = form.group(0)
        self.action = html.unescape(re.search(r'action="([^"]*)"', self.form).group(1))
        self.fields = {}
        for tag in re.findall(r"<input [^>]*>", self.form):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            kind = attributes.get("type", "text")
            if kind == "file" or (kind == "checkbox" and " checked" not in tag):
                continue
            self.fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
        for tag, name, text in re.findall(r'(<textarea [^>]*name="(\w+)"[^>]*>)\n(.*?)</textarea>',
                                          self.form, re.S):
            if " disabled" not in tag:  # what only a script brings
                self.fields[name] = html.unescape(text)
        for name, options in re.findall(r'<select [^>]*name="(\w+)">(.*?)</select>', self.form, re.S):
            values = re.findall(r'<option value="([^"]*)"[^>]*?( selected)?>', options)
            self.fields[name] = next((v for v, chosen in values if chosen), values[0][0])

    def send(self, do, files=(), **fields):
        """Follows the redirect; self is then the page one is shown, if it is a form."""
        boundary = "----a-boundary"
        body = b""
        values = self.fields | {"delay": "0"} | fields | {"do": do}
        for name, value in values.items():
            body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                     .encode() + value.replace("\n", "\r\n").encode() + b"\r\n")
        for name, kind, content in files or [("", "application/octet-stream", b"")]:
            body += (f'--{boundary}\r\nContent-Disposition: form-data; name="files"; '
                     f'filename="{name}"\r\nContent-Type: {kind}\r\n\r\n').encode() + content + b"\r\n"
        answer = self.client.request(
            "POST", "/" + self.action, body=body + f"--{boundary}--\r\n".encode(),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
        if answer.status == 303:
            self.where = answer.headers["Location"]
            answer = self.client.get("/" + self.where)
        if 'class="form compose"' in answer.text:
            self.load(answer)
        return answer


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


def page(writer, query=""):
    return Page(writer.api, f"/mail/{writer.account}/compose{query}")


def test_a_letter_with_a_file_is_sent_by_forms_alone(writer, new_person, mailserver):
    reader = new_person()
    form = page(writer)
    form.send("save", [("Grüße.bin", "application/octet-stream", b"\0\r\n.\r\nbytes")],
              to=reader.address, subject="<b>Hallo</b>", text="Grüße\n\n> zitiert\n")
    assert "Saved" in form.text and "Grüße.bin" in form.text
    assert form.fields["subject"] == "<b>Hallo</b>"
    answer = form.send("send")
    assert "Outbox" in answer.text
    message, = awaited(lambda: received(mailserver, reader))
    assert message["Subject"] == "<b>Hallo</b>"
    text, file = message.iter_parts()
    assert text.get_content() == "Grüße\n\n> zitiert\n"
    assert file.get_content() == b"\0\r\n.\r\nbytes" and file.get_filename() == "Grüße.bin"
    assert awaited(lambda: "Sent" in writer.api.get(f"//mail/{writer.account}/outbox").text)


def test_what_was_typed_stays_when_it_cannot_be_sent(writer):
    form = page(writer)
    answer = form.send("send", to="nobody", subject="x", text="long letter")
    assert answer.status == 422 and "nobody" in answer.text and "role=\"alert\"" in answer.text
    assert form.fields["text"].strip() == "long letter"
    answer = form.send("send", to="")
    assert answer.status == 422 and "whom" in answer.text


def test_an_empty_subject_and_a_forgotten_file_are_asked_about(writer, new_person, mailserver):
    reader = new_person()
    form = page(writer)
    assert form.send("send", to=f"{reader.address}, ", text="see the attached file").status == 422
    assert "subject is empty" in form.text and "there is none" in form.text  # both at once
    assert form.send("send", subject="s", text="see the attached file").status == 422
    assert "subject is empty" not in form.text and "attachment" in form.text
    form.send("send", sure="1")
    assert len(awaited(lambda: received(mailserver, reader))) == 1
    sent, = writer.api.get(f"{writer.base}/submissions").json["submissions"]
    assert sent["to"] == reader.address  # without the comma that completion leaves


@pytest.mark.parametrize("words", ["Siehe Anhang.", "voir la pièce jointe", "te lo mando ADJUNTO",
                                   "zie bijlage", "資料を添付します"])
def test_a_forgotten_file_is_asked_about_in_other_languages(writer, words):
    answer = page(writer).send("send", to="a@example.org", subject="s", text=words)
    assert answer.status == 422 and "attachment" in answer.text


def test_many_visible_recipients_are_asked_about(writer):
    many = ", ".join(f"p{i}@example.org" for i in range(30))
    answer = page(writer).send("send", to=many, subject="s", text="x")
    assert answer.status == 422 and "Bcc hides them" in answer.text
    assert "Bcc hides them" not in page(writer).send(
        "send", bcc=many, subject="", text="x").text


def test_undo_opens_the_draft_again(writer, new_person):
    form = page(writer)
    answer = form.send("send", to=new_person().address, subject="undo me", text="x", delay="60")
    undo = re.search(r'action="(/mail/\d+/outbox/\d+/cancel)"', answer.text).group(1)
    token = writer.api.form_token("/" + form.where)
    back = writer.api.post("/" + undo, form={"csrf": token})
    assert back.status == 303
    again = Page(writer.api, back.headers["Location"])
    assert again.fields["subject"] == "undo me"


def test_two_windows_do_not_write_over_each_other(writer):
    form = page(writer)
    form.send("save", to="a@example.org", subject="one", text="x")
    other = Page(writer.api, form.action)
    other.send("save", subject="two")
    answer = form.send("save", subject="three")
    assert answer.status == 422 and "changed elsewhere" in answer.text
    assert form.fields["subject"] == "three"
    assert form.send("save").status == 200  # knowing it


def original(writer, **fields):
    writer.person.receive(
        "From: \"Lovelace, Ada\" <ada@example.org>\nTo: {me}, Bob <bob@example.org>\n"
        "Cc: carol@example.org\nSubject: question\nMessage-ID: <q@example.org>\n"
        "Date: Tue, 24 Nov 2026 14:05:00 +0000\nList-Post: <mailto:list@example.org>\n"
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        "Content-Type: text/plain; charset=utf-8\n\nGrüße?\n> earlier\n-- \nAda\n"
        "--b\nContent-Type: image/png; name=\"p.png\"\nContent-Disposition: attachment\n"
        "Content-Transfer-Encoding: base64\n\n{png}\n--b--\n".format(
            me=writer.person.address, png=__import__("base64").b64encode(PNG).decode()))
    found, = awaited(lambda: [e for e in writer.emails("inbox") if e["subject"] == "question"])
    return found["id"]


@pytest.mark.parametrize("query, to, cc", [
    ("reply", '"Lovelace, Ada" <ada@example.org>', ""),
    ("all", '"Lovelace, Ada" <ada@example.org>', "Bob <bob@example.org>, carol@example.org"),
    ("list", "list@example.org", "")])
def test_an_answer_begins_with_whom_and_what(writer, query, to, cc):
    email_id = original(writer)
    form = page(writer, f"?reply={email_id}" + ("" if query == "reply" else f"&{query}=1"))
    assert form.fields["to"] == to and form.fields["cc"] == cc
    assert form.fields["subject"] == "Re: question"
    assert re.search(r"On 24 November 2026 at .*, Lovelace, Ada wrote:\n> Grüße\?\n>> earlier\n",
                     form.fields["text"])
    assert form.fields["inReplyTo"] == "q@example.org"


def test_mail_of_a_list_offers_to_answer_the_list(writer):
    email_id = original(writer)
    inbox = writer.mailbox("inbox")["id"]
    shown = writer.api.get(f"//mail/{writer.account}/{inbox}/{email_id}").text
    link = re.search(r'href="([^"]*list=1)">Reply to list', shown).group(1)
    assert Page(writer.api, html.unescape(link)).fields["to"] == "list@example.org"
    answer = writer.api.get(f"{writer.base}/emails/{email_id}").json
    thread = writer.api.get(f"//mail/{writer.account}/thread/{answer['threadId']}").text
    assert f'reply={email_id}&amp;list=1">Reply to list' in thread
    assert answer["headers"]["listPost"] == \
        "list@example.org"
    writer.person.receive("Subject: private\n\nx\n")
    other, = awaited(lambda: [e for e in writer.emails("inbox") if e["subject"] == "private"])
    assert "Reply to list" not in writer.api.get(
        f"//mail/{writer.account}/{inbox}/{other['id']}").text


def test_an_answer_keeps_the_thread(writer, new_person, mailserver):
    reader, email_id = new_person(), original(writer)
    page(writer, f"?reply={email_id}").send("send", to=reader.address)
    message, = awaited(lambda: received(mailserver, reader))
    assert message["In-Reply-To"] == message["References"] == "<q@example.org>"
    awaited(lambda: writer.api.get(f"{writer.base}/emails/{email_id}").json["keywords"].get("$answered"))


@pytest.mark.parametrize("way", ["forward", "attach", "again"])
def test_forwarding_takes_everything_along(writer, new_person, mailserver, way):
    reader, email_id = new_person(), original(writer)
    form = page(writer, f"?{way}={email_id}")
    form.send("send", to=reader.address, cc="", sure="1")
    message, = awaited(lambda: received(mailserver, reader))
    assert message["Subject"] == ("question" if way == "again" else "Fwd: question")
    if way == "attach":
        inner = next(p for p in message.walk() if p.get_content_type() == "message/rfc822")
        assert inner.get_content()["Subject"] == "question"
    text = message.get_body(("plain",)).get_content()
    assert ("Grüße?" in text) == (way != "attach")
    picture = next(p for p in message.walk() if p.get_content_type() == "image/png")
    assert picture.get_content() == PNG


def test_a_mailto_link_begins_a_letter(writer):
    form = page(writer, "?" + urllib.parse.urlencode({"to": "a@example.org", "subject": "s", "body": "b"}))
    assert (form.fields["to"], form.fields["subject"], form.fields["text"]) == ("a@example.org", "s", "b")


def test_another_persons_draft_is_not_found(writer, restante, new_person):
    form = page(writer)
    form.send("save", to="a@example.org", subject="mine", text="x")
    other = Writer(restante, new_person())
    assert other.api.get("/" + form.action).status == 404


def test_a_sender_has_a_signature_and_an_address_for_answers(writer, new_person, mailserver):
    where, reader = f"//accounts/{writer.account}/senders", new_person()
    token = writer.api.form_token(where)
    number = re.search(r'name="id" value="(\d+)"', writer.api.get(where).text).group(1)
    saved = {"csrf": token, "id": number, "name": "Ada", "email": writer.person.address,
             "replyTo": "elsewhere@example.org", "signature": "Ada\nCountess", "do": "save",
             "quoting": "below", "format": "plain"}
    assert writer.api.post(where, form=saved).status == 303
    bad = writer.api.post(where, form=saved | {"email": "nobody"})
    assert bad.status == 422 and "nobody" in bad.text
    form = page(writer)
    assert form.fields["text"].endswith("-- \nAda\nCountess\n")
    form.send("send", to=reader.address, subject="signed")
    message, = awaited(lambda: received(mailserver, reader))
    assert message["From"] == f"Ada <{writer.person.address}>"
    assert message["Reply-To"] == "elsewhere@example.org"
    last = writer.api.post(where, form=saved | {"do": "delete"})
    assert last.status == 422 and "last sender" in last.text
    more = {"csrf": token, "name": "Other", "email": "other@example.org", "do": "save",
            "quoting": "none", "format": "html"}
    assert writer.api.post(where, form=more).status == 303
    assert "other@example.org" in page(writer).form


def test_the_address_book_is_kept_by_forms(writer):
    token = writer.api.form_token("//contacts")
    person = {"csrf": token, "name": "<Grace>", "emails": "g@a.example h@a.example"}
    assert writer.api.post("//contacts", form=person).status == 303
    text = writer.api.get("//contacts").text
    assert "&lt;Grace&gt;" in text and "g@a.example h@a.example" in text
    where = "/" + re.search(r'href="(/contacts/\d+)"', text).group(1)
    assert writer.api.post("//contacts", form={"csrf": token, "emails": "nobody"}).status == 422
    assert writer.api.post(where, form=person | {"name": "Grace Hopper", "do": "save"}).status == 303
    card = b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\\, Countess\r\nEMAIL:ada@love.example\r\nEND:VCARD\r\n"
    body = (f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{token}\r\n'
            f'--b\r\nContent-Disposition: form-data; name="cards"; filename="c.vcf"\r\n\r\n'
            ).encode() + card + b"\r\n--b--\r\n"
    answer = writer.api.request("POST", "//contacts/import", body=body,
                                headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status == 303
    out = writer.api.get("//contacts/export").text
    assert "FN:Ada\\, Countess\r\n" in out and "FN:Grace Hopper\r\n" in out
    assert writer.api.post(where, form={"csrf": token, "do": "delete"}).status == 303
    assert writer.api.get(where).status == 404
