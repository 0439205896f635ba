"""What becomes of a message after it was handed over: asked for, and told where it was sent."""

import re

import pytest

from tests.integration.test_compose import page
from tests.integration.test_sending import Writer, awaited, received


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


def report(writer, kind, *, about="", envelope_id="", **recipients):
    """Comes to the writer; `recipients`: {address with "_" for "@": action}."""
    groups = "".join(f"\nFinal-Recipient: rfc822; {who.replace('_', '@')}\nAction: {action}\nStatus: 5.0.0\n"
                     "Diagnostic-Code: smtp; 550 gone away\n" for who, action in recipients.items())
    fields = {"delivery-status": f"Reporting-MTA: dns; mx.example.org\n{envelope_id}{groups}",
              "disposition-notification": "".join(
                  f"Final-Recipient: rfc822; {who.replace('_', '@')}\nOriginal-Message-ID: <{about}>\n"
                  f"Disposition: manual-action/MDN-sent-manually; {action}\n"
                  for who, action in recipients.items())}[kind]
    writer.person.receive(
        "From: MAILER-DAEMON@mx.example.org\nSubject: report\nMIME-Version: 1.0\n"
        f"Content-Type: multipart/report; report-type={kind}; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nWords.\n"
        f"--b\nContent-Type: message/{kind}\n\n{fields}\n"
        + (f"--b\nContent-Type: text/rfc822-headers\n\nSubject: x\nMessage-ID: <{about}>\n\n"
           if about and not envelope_id and kind == "delivery-status" else "") + "--b--\n")


def fates(writer, sent):
    return {r["email"]: r.get("delivery") for r in writer.submission(sent)["recipients"]}


def test_reports_are_asked_for_where_the_server_has_them(writer, new_person, mailserver):
    reader = new_person()
    form = page(writer)
    form.send("save", to=reader.address, subject="asked", text="x", report="1")
    assert 'name="report" value="1" checked' in form.form
    form.send("send", report="1")
    awaited(lambda: received(mailserver, reader))
    lines = [line for session in mailserver.smtp.transcripts for line in session]
    sent, = writer.api.get(f"{writer.base}/submissions").json["submissions"]
    assert any(f"<{reader.address}> NOTIFY=SUCCESS,FAILURE,DELAY" in line for line in lines)
    begin, = [line for line in lines if f"MAIL FROM:<{writer.person.address}>" in line]
    assert "RET=HDRS" in begin and f"ENVID={sent['messageId']}" in begin
    assert fates(writer, sent) == {reader.address: None}


def test_a_server_without_reports_is_told_of(writer, new_person, mailserver):
    reader = new_person()
    extensions = mailserver.smtp.rules.extensions
    mailserver.smtp.rules.extensions = [e for e in extensions if e != "DSN"]
    try:
        sent = writer.send(writer.draft(to=reader.address, subject="x", text="x", requestReport=True))
        writer.until(sent, "filed")
    finally:
        mailserver.smtp.rules.extensions = extensions
    assert fates(writer, sent) == {reader.address: "unreported"}
    assert "no report of delivery can be had" in writer.api.get(
        f"//mail/{writer.account}/outbox").text


@pytest.mark.parametrize("way", ["envelope", "envelope as xtext", "header"])
def test_a_report_is_told_where_the_message_was_sent(writer, mailserver, way):
    sent = writer.send(writer.draft(to="a@far.example, b@far.example, c@far.example", subject="x",
                                    text="x", requestReport=True))
    writer.until(sent, "filed")
    told = sent["messageId"].replace("@", "+40") if "xtext" in way else sent["messageId"]
    envelope_id = "" if way == "header" else f"Original-Envelope-Id: {told}\n"
    report(writer, "delivery-status", about=sent["messageId"], envelope_id=envelope_id,
           **{"a_far.example": "delivered", "b_far.example": "failed", "x_far.example": "failed"})
    awaited(lambda: fates(writer, sent)["b@far.example"] == "failed")
    assert fates(writer, sent) == {"a@far.example": "delivered", "b@far.example": "failed",
                                   "c@far.example": None}
    # what is final stays
    report(writer, "delivery-status", about=sent["messageId"], envelope_id=envelope_id,
           **{"a_far.example": "delayed", "c_far.example": "delayed"})
    awaited(lambda: fates(writer, sent)["c@far.example"] == "delayed")
    assert fates(writer, sent)["a@far.example"] == "delivered"
    text = writer.api.get(f"//mail/{writer.account}/outbox").text
    assert "could not be delivered to b@far.example: 550 gone away" in text
    assert "still under way to c@far.example" in text
    copy, = awaited(lambda: writer.emails("sent"))
    shown = writer.api.get(
        f"//mail/{writer.account}/{writer.mailbox('sent')['id']}/{copy['id']}").text
    assert "delivered to a@far.example" in shown
    assert "could not be delivered to b@far.example: 550 gone away" in shown


def test_a_receipt_of_reading_is_told_too_and_strangers_change_nothing(writer, mailserver):
    sent = writer.send(writer.draft(to="a@far.example", subject="x", text="x", requestReceipt=True))
    writer.until(sent, "filed")
    report(writer, "disposition-notification", about="other@example.org",
           **{"a_far.example": "displayed"})
    report(writer, "disposition-notification", about=sent["messageId"],
           **{"a_far.example": "displayed"})
    awaited(lambda: fates(writer, sent)["a@far.example"] == "displayed")
    assert mailserver.smtp.outside[-1].content.count(b"Disposition-Notification-To:") == 1


# --- receipts that others ask for -----------------------------------------------------------------

def asking(writer, sender, top=""):
    writer.person.receive(
        f"{top}From: {sender.address}\nTo: {writer.person.address}\nSubject: did you\n"
        f"Disposition-Notification-To: {sender.address}\nMessage-ID: <asks@example.org>\n\nx\n")
    found, = awaited(lambda: [e for e in writer.emails("inbox") if e["subject"] == "did you"])
    where = f"//mail/{writer.account}/{writer.mailbox('inbox')['id']}/{found['id']}"
    return found["id"], where, writer.api.get(where).text


def press(writer, email_id, where, text, do):
    key = re.search(r'name="key" value="([^"]+)">\s*<button class="button" name="do" value="send">Tell',
                    text).group(1)
    return writer.api.post(f"//mail/{writer.account}/message/{email_id}/receipt", form={
        "csrf": writer.api.form_token(where), "here": where[1:], "key": key, "do": do})


def test_a_receipt_is_asked_about_and_sent_once(writer, new_person, mailserver):
    sender = new_person()
    email_id, where, text = asking(writer, sender)
    assert "asks to be told" in text and received(mailserver, sender) == []
    for _ in range(2):
        assert press(writer, email_id, where, text, "send").status == 303
    assert "asks to be told" not in writer.api.get(where).text
    message, = awaited(lambda: received(mailserver, sender), patience=60)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "disposition-notification"
    words, told = message.iter_parts()
    assert "did you" in words.get_content()
    fields = told.get_payload()[0] if told.is_multipart() else told
    assert fields["Original-Message-ID"] == "<asks@example.org>"
    assert fields["Disposition"] == "manual-action/MDN-sent-manually; displayed"
    assert fields["Final-Recipient"] == f"rfc822;{writer.person.address}"
    # of nobody, so that nothing is ever told of it
    line, = [line for session in mailserver.smtp.transcripts for line in session
             if line.startswith("C: MAIL FROM:<>")]
    now = writer.api.get(f"{writer.base}/emails/{email_id}").json["keywords"]
    assert now.get("$mdnsent") and not now.get("$answered")


def test_nobody_is_sent_no_receipt(writer, new_person, mailserver):
    """What comes from the null address is a report itself, or wants none (RFC 8098 section 2.1)."""
    sender = new_person()
    email_id, where, text = asking(writer, sender, top="Return-Path: <>\n")
    assert "asks to be told" not in text
    answer = writer.api.post(f"//mail/{writer.account}/message/{email_id}/receipt", form={
        "csrf": writer.api.form_token(where), "here": where[1:], "key": "k", "do": "send"})
    assert answer.status == 303
    assert writer.api.get(f"{writer.base}/submissions").json["submissions"] == []
    assert received(mailserver, sender) == []


def test_a_receipt_that_is_declined_is_never_sent_nor_asked_for_again(writer, new_person, mailserver):
    sender = new_person()
    email_id, where, text = asking(writer, sender)
    assert press(writer, email_id, where, text, "no").status == 303
    assert "asks to be told" not in writer.api.get(where).text
    assert writer.api.get(f"{writer.base}/submissions").json["submissions"] == []
    assert received(mailserver, sender) == []
