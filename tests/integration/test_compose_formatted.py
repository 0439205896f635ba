"""Answers that are formatted: what is quoted, where it goes, what of it comes along."""

import base64
import html
import re

import pytest

from tests.integration.test_compose import Page, page
from tests.integration.test_sending import PNG, Writer, awaited, received
from tests.integration.test_sending_faults import HELLO, Mine
from tests.mailserver.faults import Proxy, StallAt


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


def formatted(writer, subject="look"):
    """A message with a picture within its text, a script, and a picture from elsewhere."""
    writer.person.receive(
        f"From: Ada <ada@example.org>\nTo: {writer.person.address}\nSubject: {subject}\n"
        "Message-ID: <look@example.org>\nDate: Tue, 24 Nov 2026 14:05:00 +0000\nMIME-Version: 1.0\n"
        "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html; charset=utf-8\n\n"
        "<p>Grüße <b>fett</b><script>alert(1)</script></p><img alt='a dot' src='cid:dot@x'>"
        "<img src='https://track.example/p.gif'>\n"
        "--b\nContent-Type: image/png; name=\"dot.png\"\nContent-ID: <dot@x>\n"
        "Content-Transfer-Encoding: base64\n\n" + base64.b64encode(PNG).decode() + "\n--b--\n")
    found, = awaited(lambda: [e for e in writer.emails("inbox") if e["subject"] == subject])
    return found["id"]


def sender(writer, **fields):
    one, = writer.api.get(f"{writer.base}/identities").json["identities"]
    answer = writer.api.request("PATCH", f"{writer.base}/identities/{one['id']}", json_body=fields)
    assert answer.status == 200, answer.text
    return answer.json


def html_of(form):
    """What only a script sends on."""
    return html.unescape(re.search(r'<textarea id="html"[^>]*>\n(.*?)</textarea>', form.form,
                                   re.S).group(1))


def test_a_formatted_answer_quotes_what_was_seen_and_takes_its_pictures(writer, new_person, mailserver):
    reader, email_id = new_person(), formatted(writer)
    sender(writer, isHtml=True)
    form = page(writer, f"?reply={email_id}")
    quoted = html_of(form)
    assert "<blockquote type=\"cite\">" in quoted and "<b>fett</b>" in quoted
    assert "script" not in quoted and "track.example" not in quoted
    assert "> Grüße fett" in form.fields["text"] and "html" not in form.fields
    draft = writer.draft(to=reader.address, subject="Re: look", answersId=email_id,
                         answersHow="reply", html="<div>Ja.</div>" + quoted,
                         takeFrom=form.fields["takeFrom"], take=form.fields["take"])
    picture, = draft["attachments"]
    assert f'src="cid:{picture["cid"]}"' in draft["html"]
    assert draft["text"].startswith("Ja.\n") and "\n> Grüße fett" in draft["text"]
    writer.until(writer.send(draft), "filed")
    message, = received(mailserver, reader)
    parts = {part.get_content_type(): part for part in message.walk()}
    assert parts["multipart/related"]
    assert parts["image/png"].get_content() == PNG
    assert parts["image/png"]["Content-ID"] == f"<{picture['cid']}>"
    assert f'alt="a dot" src="cid:{picture["cid"]}"' in parts["text/html"].get_content() or \
        f'src="cid:{picture["cid"]}" alt="a dot"' in parts["text/html"].get_content()


def test_without_a_script_a_formatted_answer_is_plain_text(writer, new_person, mailserver):
    reader, email_id = new_person(), formatted(writer)
    sender(writer, isHtml=True)
    form = page(writer, f"?reply={email_id}")
    assert "needs JavaScript" in form.form
    form.send("send", to=reader.address, text="Ja.\n" + form.fields["text"])
    message, = awaited(lambda: received(mailserver, reader))
    assert message.get_content_type() == "text/plain"
    assert "> Grüße fett" in message.get_content()


def test_a_formatted_forward_keeps_all_of_it(writer, new_person, mailserver):
    reader, email_id = new_person(), formatted(writer)
    form = page(writer, f"?forward={email_id}&as=html")
    quoted = html_of(form)
    assert "https://track.example/p.gif" in quoted and "Forwarded message" in quoted
    draft = writer.draft(to=reader.address, subject="Fwd: look", html=quoted, takeFrom=email_id,
                         take="parts")
    assert len(draft["attachments"]) == 1 and draft["attachments"][0]["cid"]
    writer.until(writer.send(draft), "filed")
    message, = received(mailserver, reader)
    assert [p.get_content() for p in message.walk() if p.get_content_type() == "image/png"] == [PNG]


@pytest.mark.parametrize("quoting, text", [
    ("below", r"\n\nOn .* wrote:\n> Grüße fett\n\n\n-- \nMe\n"),
    ("above", r"On .* wrote:\n> Grüße fett\n\n\n\n\n-- \nMe\n"),
    ("none", r"\n\n\n-- \nMe\n")])
def test_the_quote_goes_where_the_sender_wants_it(writer, quoting, text):
    email_id = formatted(writer)
    sender(writer, quoting=quoting, textSignature="Me")
    form = page(writer, f"?reply={email_id}")
    assert re.fullmatch(text, form.fields["text"], re.S), form.fields["text"]
    formatted_text = html_of(page(writer, f"?reply={email_id}&as=html"))
    order = [formatted_text.find(what) for what in ("<blockquote", "-- ")]
    assert (order[0] == -1) == (quoting == "none") and order[0] < order[1]
    assert formatted_text.startswith("<div><br></div>") == (quoting != "above")


def test_a_quote_can_be_had_later(writer):
    email_id = formatted(writer)
    sender(writer, quoting="none")
    form = page(writer, f"?reply={email_id}")
    assert "Quote the original" in form.form
    form.send("quote", text="mine")
    assert re.fullmatch(r"mine\nOn .* wrote:\n> Grüße fett\n.*", form.fields["text"], re.S)
    assert "Quote the original" not in form.form


def test_an_answer_without_its_original_says_so_and_loads_it_later(state_folder, mailserver, person):
    """Only the header of the original is here; its mail server hesitates."""
    with Proxy(mailserver.ports["imap"], tls=mailserver.authority.certificate("good")) as proxy, \
            Mine(state_folder, mailserver, person, HELLO, proxy.port) as mine:
        writer = mine.writer
        sender(writer, textSignature="Me")
        proxy.faults = [StallAt(b"fett")]
        proxy.cut_all()
        email_id = formatted(writer)
        form = page(writer, f"?reply={email_id}")
        assert "not here yet" in form.form and form.fields["text"].strip() == "-- \nMe"
        answer = form.send("quote", text="typed meanwhile")
        assert answer.status == 422 and "still not here" in answer.text
        assert form.fields["text"] == "typed meanwhile"
        proxy.faults = []
        proxy.release()
        awaited(lambda: form.send("quote").status == 200, patience=120)
        assert "typed meanwhile" in form.fields["text"] and "> Grüße fett" in form.fields["text"]


def test_a_formatted_signature_is_made_safe_and_stands_under_formatted_letters(writer):
    saved = sender(writer, isHtml=True, textSignature="Me",
                   htmlSignature="<p onclick=x()>I am <i>me</i><script>alert(1)</script></p>")
    assert saved["htmlSignature"] == "<p>I am <i>me</i></p>"
    form = page(writer)
    assert html_of(form).endswith("<div>-- </div><p>I am <i>me</i></p>")
    assert form.fields["text"].endswith("-- \nI am me") or "-- \n\nI am me" in form.fields["text"]
    where = f"//accounts/{writer.account}/senders"
    token = writer.api.form_token(where)
    fields = {"csrf": token, "id": saved["id"], "name": "", "email": writer.person.address,
              "signature": "Me", "quoting": "above", "format": "plain", "do": "save"}
    assert writer.api.post(where, form=fields).status == 303
    now, = writer.api.get(f"{writer.base}/identities").json["identities"]
    assert now["htmlSignature"] == "<p>I am <i>me</i></p>"  # no script, so it was not brought
    assert (now["quoting"], now["isHtml"]) == ("above", False)
    assert writer.api.post(where, form=fields | {"quoting": "sideways"}).status == 422


def test_edit_as_new_keeps_the_formatting(writer):
    email_id = formatted(writer)
    form = Page(writer.api, f"/mail/{writer.account}/compose?again={email_id}")
    assert html_of(form).startswith("<p>Grüße <b>fett</b></p>")
