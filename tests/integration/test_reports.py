"""What becomes of a message after it was handed over: asked for, and told where it was sent."""

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


def test_a_receipt_of_reading_is_told_too_and_strangers_change_nothing(writer, mailserver):
    sent = writer.send(writer.draft(to="a@far.example", subject="x", text="x", requestReceipt=True))
    writer.until(sent, "filed")
    report(writer, "disposition-notification", about="other@example.org",
           **{"a_far.example": "displayed"})
    report(writer, "disposition-notification", about=sent["messageId"],
           **{"a_far.example": "displayed"})
    awaited(lambda: fates(writer, sent)["a@far.example"] == "displayed")
    assert mailserver.smtp.outside[-1].content.count(b"Disposition-Notification-To:") == 1
