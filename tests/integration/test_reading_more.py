"""What a message brings along: attachments looked at and taken away, conversations, senders that are
trusted, pictures from elsewhere, ranges and safe HTML for programs."""

import base64
import io
import random
import re
import struct
import zipfile
import zlib

import pytest

from tests.harness import eventually
from tests.integration.test_reading import email_links, inbox, open_email
from tests.memory import Peak


def png(width=2, height=2):
    def chunk(kind, content):
        return (struct.pack(">I", len(content)) + kind + content +
                struct.pack(">I", zlib.crc32(kind + content)))
    rows = b"".join(b"\0" + b"\x20\x80\xc0" * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def part(kind, name, content):
    return (f"--b\nContent-Type: {kind}; name=\"{name}\"\nContent-Disposition: attachment; "
            f"filename=\"{name}\"\nContent-Transfer-Encoding: base64\n\n"
            f"{base64.encodebytes(content).decode()}\n")


PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n"
NOTES = "caf\u00e9 <b>notes</b>\n".encode() * 50
FULL = ("From: Ann <ann@example.org>\nTo: you@example.org\nSubject: bring along\n"
        "Message-ID: <along@example.org>\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nsee below\n" +
        part("image/png", "dot.png", png()) + part("application/pdf", "paper.pdf", PDF) +
        part("text/plain; charset=utf-8", "notes.txt", NOTES) +
        part("text/html", "page.html", b"<script>alert(1)</script><p>hi</p>") +
        part("image/png", "liar.png", b"<html><script>alert(1)</script>") +
        part("application/octet-stream", "dot.png", b"twice the name") + "--b--\n")


@pytest.fixture
def opened(restante, person):
    """Delivers a message and opens its page: (client, page, path of the message's own URLs)."""
    def deliver(message, subject):
        person.receive(message)
        client = restante.sign_in(person.address, person.password)

        def find():  # in the message itself: beside it the list may be a newer one
            return next((link for link in email_links(inbox(client))
                         if subject in open_email(client, link).text.split('class="reader"')[1]), None)

        link = eventually(find, pause=0.2)
        account, email = re.match(r"/mail/(\d+)/\d+/(\d+)", link).groups()
        page = open_email(client, link)
        return client, page, f"//mail/{account}/message/{email}", link

    return deliver


def parts_of(page):
    return dict(re.findall(r'class="attachment" href="[^"]*/part/([\d.]+)" download>.*?attachment-name">([^<]*)<',
                           page.text, re.S))


def test_attachments_are_looked_at_as_what_they_are(opened):
    client, page, base, _ = opened(FULL, "bring along")
    parts = {name: number for number, name in reversed(parts_of(page).items())}
    for kind, words in {"image/png": "Picture (PNG)", "application/pdf": "PDF", "text/html": "Web page"}.items():
        assert f'<span title="{kind}">{words}</span>' in page.text
    picture = client.get(f"{base}/view/{parts['dot.png']}?bytes=1")
    assert picture.status == 200 and picture.headers["Content-Type"] == "image/png"
    assert picture.content == png() and "sandbox" in picture.headers["Content-Security-Policy"]
    assert "?bytes=1" in client.get(f"{base}/view/{parts['dot.png']}").text
    paper = client.get(f"{base}/view/{parts['paper.pdf']}")
    assert paper.headers["Content-Type"] == "application/pdf" and paper.content == PDF
    text = client.get(f"{base}/view/{parts['notes.txt']}").text
    assert "café &lt;b&gt;notes&lt;/b&gt;" in text
    source = client.get(f"{base}/view/{parts['page.html']}").text
    assert "&lt;script&gt;" in source and "<script>alert" not in source
    assert client.get(f"{base}/view/{parts['liar.png']}?bytes=1").status == 404


def test_all_attachments_come_as_one_archive(opened):
    client, _, base, _ = opened(FULL, "bring along")
    answer = client.get(f"{base}/attachments.zip")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = archive.namelist()
    assert len(names) == len(set(names)) == 6
    assert archive.read("notes.txt").replace(b"\r\n", b"\n") == NOTES
    assert archive.read("paper.pdf") == PDF


def test_bytes_come_in_ranges(opened, restante):
    client, page, base, link = opened(FULL, "bring along")
    account, _, email = link.split("/")[2:5]
    raw = client.get(f"/accounts/{account}/emails/{email}/raw")
    assert raw.status == 200 and raw.headers["Accept-Ranges"] == "bytes"
    ranges = [("bytes=0-9", raw.content[:10]), ("bytes=10-", raw.content[10:]),
              ("bytes=-7", raw.content[-7:]), ("bytes=5-5", raw.content[5:6])]
    for text, expected in ranges:
        some = client.get(f"/accounts/{account}/emails/{email}/raw", headers={"Range": text})
        assert some.status == 206 and some.content == expected, text
        assert some.headers["Content-Range"].endswith(f"/{len(raw.content)}")
    beyond = client.get(f"/accounts/{account}/emails/{email}/raw", headers={"Range": "bytes=9999999-"})
    assert beyond.status == 416
    for nonsense in ("bytes=9-1", "lines=1-2", "bytes=1-2,4-5", "bytes=a-b"):
        all_of_it = client.get(f"/accounts/{account}/emails/{email}/raw", headers={"Range": nonsense})
        assert all_of_it.status == 200 and all_of_it.content == raw.content, nonsense


def test_a_conversation_opens_the_newest_unread_and_folds_the_rest(opened, person, restante):
    for number in (1, 2, 3):
        person.receive(f"From: P{number} <p{number}@example.org>\nSubject: Re: the plan\n"
                       f"Message-ID: <plan{number}@example.org>\n"
                       f"References: <plan0@example.org> <plan{number - 1}@example.org>\n"
                       f"Date: Mon, 0{number} Nov 2026 10:00:00 +0000\n\nwords number {number}\n")
    client = restante.sign_in(person.address, person.password)
    account = eventually(lambda: client.get("/accounts").json["accounts"])[0]["id"]

    def thread():
        answer = client.get(f"/accounts/{account}/search?q=plan")
        emails = answer.json["emails"]
        return len(emails) == 3 and {email["threadId"] for email in emails}

    threads = eventually(thread)
    assert len(threads) == 1
    number = threads.pop()
    listed = client.get(f"/accounts/{account}/threads/{number}").json
    assert listed["emailIds"] == [email["id"] for email in listed["emails"]]
    assert [email["from"][0]["name"] for email in listed["emails"]] == ["P1", "P2", "P3"]
    page = eventually(lambda: (answer := client.get(f"//mail/{account}/thread/{number}")) and
                      "Refresh" not in answer.headers and answer)
    assert page.text.count("<article") == 1 and page.text.count('class="folded') == 2
    assert "words number 3" in page.text
    first = listed["emailIds"][0]
    page = eventually(lambda: (answer := client.get(f"//mail/{account}/thread/{number}?open={first}"))
                      and "Refresh" not in answer.headers and answer)
    article = page.text[page.text.index("<article"):page.text.index("</article>")]
    assert "words number 1" in article
    assert client.get(f"//mail/{account}/thread/999999").status == 404


REMOTE = ("From: Shop <shop@example.org>\nSubject: far pictures\nContent-Type: text/html\n\n"
          "<p>look</p><img src='https://pictures.example/1.png'>")


def test_pictures_from_elsewhere_are_allowed_for_a_sender_until_told_otherwise(opened):
    client, page, base, link = opened(REMOTE, "far pictures")
    assert "Show once" in page.text and "&amp;remote=1" not in page.text
    assert client.submit("/" + link, f"{base}/remote", who="sender", here=link).headers["Location"] == link
    page = open_email(client, link)
    assert "as you allowed for this sender" in page.text and "remote=1" in page.text
    assert client.submit("/" + link, f"{base}/remote", who="nobody", here="//evil.example").headers[
        "Location"] == "/"
    assert "Show once" in open_email(client, link).text


LIST = ("From: News <news@example.org>\nSubject: the gazette\nList-ID: <gazette.example.org>\n"
        "List-Unsubscribe: <https://127.0.0.1:1/leave>, <mailto:leave@example.org>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
        "Authentication-Results: mx.example.org; dmarc=pass header.from=example.org\n\nnews\n")


def test_a_list_is_left_by_one_click_and_what_came_of_it_is_told(opened):
    client, page, base, link = opened(LIST, "the gazette")
    assert ">Unsubscribe</button>" in page.text
    answer = client.submit("/" + link, f"{base}/unsubscribe")
    assert answer.status == 200 and "This did not work" in answer.text
    assert client.get(f"{base}/unsubscribe").status == 405


def test_nobody_is_believed_about_a_sender_but_who_is_trusted(opened):
    _, page, _, _ = opened(LIST, "the gazette")
    assert "mark-true" not in page.text


def test_a_trusted_server_marks_a_true_sender_and_a_false_one(opened):
    head = "From: Ann <ann@example.org>\nSubject: vouched for\nAuthentication-Results: "
    _, page, _, _ = opened(head + "mx.trusted.example; dmarc=pass header.from=example.org\n\nyes\n",
                           "vouched for")
    assert "mark-true" in page.text and "mark-false" not in page.text
    _, page, _, _ = opened((head + "mx.trusted.example; dmarc=fail header.from=example.org\n\nno\n"
                            ).replace("vouched for", "doubtful one"), "doubtful one")
    assert "mark-false" in page.text and "mark-true" not in page.text


def test_html_is_made_safe_for_programs(opened):
    client, page, base, link = opened(
        "From: a@example.org\nSubject: safely\nContent-Type: text/html\n\n"
        "<p onclick=x()>hello<script>alert(1)</script><img src=https://far.example/x.png></p>",
        "safely")
    account, _, email = link.split("/")[2:5]
    answer = client.get(f"/accounts/{account}/emails/{email}?bodyValues=safe").json
    value = next(iter(answer["bodyValues"].values()))
    assert value["isHtml"] and "hello" in value["value"] and value["remoteCount"] == 1
    for word in ("script", "onclick", "far.example"):
        assert word not in value["value"]


def tnef(*files):
    def attribute(level, number, content):
        return (bytes([level]) + struct.pack("<II", number, len(content)) + content +
                struct.pack("<H", sum(content) & 0xFFFF))
    out = struct.pack("<IH", 0x223E9F78, 1)
    for name, content in files:
        out += attribute(2, 0x00069002, b"\1\0" + b"\0" * 12)
        out += attribute(2, 0x00018010, name + b"\0") + attribute(2, 0x0006800F, content)
    return out


INVITATION = """BEGIN:VCALENDAR
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:1@example.org
SUMMARY:Tea <with> Ann
DTSTART:20261201T150000Z
DTEND:20261201T160000Z
LOCATION:The garden
ORGANIZER;CN=Ann:mailto:ann@example.org
ATTENDEE;CN=You;PARTSTAT=ACCEPTED:mailto:you@example.org
END:VEVENT
END:VCALENDAR
"""
REPORT = """Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; gone@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 No such user here
"""
CARDS = ("From: Ann <ann@example.org>\nSubject: all the cards\nMIME-Version: 1.0\n"
         "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n"
         f"--b\nContent-Type: text/calendar; method=REQUEST\n\n{INVITATION}"
         "--b\nContent-Type: text/vcard\n\nBEGIN:VCARD\nVERSION:3.0\nFN:Grace <b>Hopper</b>\n"
         "TEL;TYPE=work:+1 555 1906\nEND:VCARD\n"
         f"--b\nContent-Type: message/delivery-status\n\n{REPORT}" +
         part("application/ms-tnef", "winmail.dat", tnef((b"budget.xls", b"\0numbers\xff" * 9))) +
         "--b\nContent-Type: message/rfc822\n\nFrom: Eve <eve@example.com>\n"
         "Subject: the inner one\nContent-Type: text/html\n\n"
         "<p>inner words</p><script>alert(1)</script>\n--b--\n")


def test_invitations_contacts_reports_and_winmail_are_shown_as_cards(opened):
    client, _, base, link = opened(CARDS, "all the cards")
    page = eventually(lambda: (answer := client.get("/" + link)) and
                      "In winmail.dat" in answer.text and "Tea" in answer.text and answer)
    for words in ("Tea &lt;with&gt; Ann", "1 December 2026", "The garden", "ann@example.org",
                  "Grace &lt;b&gt;Hopper&lt;/b&gt;", "+1 555 1906", "could not be delivered to",
                  "gone@example.net", "550 No such user here", "budget.xls"):
        assert words in page.text, words
    winmail = re.search(r'href="(/mail/[^"]*/winmail/[^"]*)"', page.text).group(1)
    answer = client.get("/" + winmail)
    assert answer.content == b"\0numbers\xff" * 9
    assert "budget.xls" in answer.headers["Content-Disposition"]
    assert client.get("/" + winmail[:-1] + "7").status == 404


def test_a_message_within_a_message_is_opened_in_its_place(opened):
    client, page, base, link = opened(CARDS, "all the cards")
    inside = re.search(r'href="(/mail/[^"]*/inside/[^"]*)"', page.text).group(1)
    inner = client.get("/" + inside)
    assert inner.status == 200 and "the inner one" in inner.text and "eve@example.com" in inner.text
    frame = client.get("/" + re.search(r'src="(/mail/[^"]*/body[^"]*)"', inner.text).group(1).replace("&amp;", "&"))
    assert "inner words" in frame.text and "<script>alert" not in inner.text + frame.text
    assert "default-src 'none'" in frame.headers["Content-Security-Policy"]
    assert client.get("/" + inside[:-1] + "77").status == 404


def nested(depth):
    """A message of that depth: HTML with a picture of its own, a file, and a message within."""
    name = f"b{depth}"
    text = (f"From: P{depth} <p{depth}@example.org>\nSubject: level {depth}\nMIME-Version: 1.0\n"
            f"Content-Type: multipart/mixed; boundary={name}\n\n"
            f"--{name}\nContent-Type: multipart/related; boundary=r{depth}\n\n"
            f"--r{depth}\nContent-Type: text/html\n\n<p>words of level {depth}</p><img src='cid:pic'>"
            "<script>alert(1)</script>\n"
            f"--r{depth}\nContent-Type: image/png\nContent-ID: <pic>\nContent-Transfer-Encoding: base64\n\n"
            f"{base64.encodebytes(png(depth, depth)).decode()}\n--r{depth}--\n" +
            part("text/plain", f"file{depth}.txt", f"bytes of level {depth}".encode()).replace("--b\n", f"--{name}\n"))
    if depth < 4:
        text += f"--{name}\nContent-Type: message/rfc822\n\n{nested(depth + 1)}\n"
    return text + f"--{name}--\n"


@pytest.mark.parametrize("way", ["imap", "pop3"])
def test_messages_within_messages_are_opened_each_with_its_own(restante, new_person, way):
    person = new_person("example.org" if way == "imap" else "example.net")
    person.receive(nested(1))
    client = restante.sign_in(person.address, person.password)
    page = open_email(client, email_links(inbox(client))[0])
    for depth in (2, 3, 4):
        inside = re.search(r'href="(/mail/[^"]*/inside/[^"]*)"', page.text).group(1)
        page = eventually(lambda: (answer := client.get("/" + inside)) and "Refresh" not in answer.headers
                          and answer)
        assert page.status == 200 and f"level {depth}" in page.text and f"p{depth}@example.org" in page.text
        assert page.text.count("<iframe") == 1 and "sandbox=" in page.text
        frame = client.get("/" + re.search(r'src="(/mail/[^"]*/body[^"]*)"', page.text).group(1).replace("&amp;", "&"))
        assert f"words of level {depth}" in frame.text and "<script" not in frame.text
        picture = client.get("/" + re.search(r'src="(/picture/[^"]*)"', frame.text).group(1))
        assert picture.content == png(depth, depth)
        number = next(number for number, name in parts_of(page).items() if name == f"file{depth}.txt")
        base = re.match(r"/mail/\d+/message/\d+", inside).group(0)
        assert client.get(f"/{base}/part/{number}").content == f"bytes of level {depth}".encode()
    assert "/inside/" not in page.text[page.text.index("attachments"):]


def test_an_encoded_message_within_a_message_is_opened_too(opened):
    wrapped = ("From: Eve <eve@example.com>\nSubject: wrapped\nMIME-Version: 1.0\n"
               "Content-Type: multipart/mixed; boundary=b\n\n"
               "--b\nContent-Type: text/html\n\n<p>in <b>wraps</b></p><script>alert(1)</script>"
               "<img src='http://elsewhere.example/1.png'><img src='cid:pic'>\n" +
               part("application/pdf", "paper.pdf", PDF) + "--b--\n")
    client, page, base, _ = opened(
        "From: a@example.org\nSubject: wrapping\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n"
        "--o\n\nsee\n--o\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" +
        base64.encodebytes(wrapped.replace("\n", "\r\n").encode()).decode() + "--o--\n", "wrapping")
    inside = re.search(r'href="(/mail/[^"]*/inside/[^"]*)"', page.text).group(1)
    shown = client.get("/" + inside)
    assert shown.status == 200 and "wrapped" in shown.text and "1.png" not in shown.text
    assert shown.text.count("<iframe") == 1 and 'sandbox="allow-popups ' in shown.text and "<script>" not in shown.text
    assert "not loaded" in shown.text and "elsewhere.example" in shown.text

    def frame_of(page):
        return client.get("/" + re.search(r'src="(/mail/[^"]*/body[^"]*)"', page.text).group(1).replace("&amp;", "&"))
    frame = frame_of(shown)
    assert "in <b>wraps</b>" in frame.text and "<script" not in frame.text and "/1.png" not in frame.text
    assert "sandbox" in frame.headers["Content-Security-Policy"] and "https:" not in frame.headers[
        "Content-Security-Policy"]
    assert "http://elsewhere.example/1.png" in frame_of(client.get("/" + inside + "?remote=1")).text
    assert client.get(f"{base}/body?inside=1").status == 404
    file = re.search(r'href="(/mail/[^"]*)" download>\s*<svg[^>]*>.*?paper.pdf', shown.text, re.DOTALL).group(1)
    assert file.startswith(inside + "/part/")
    answer = client.get("/" + file)
    assert answer.content == PDF and answer.headers["Content-Type"] == "application/pdf"
    assert "paper.pdf" in answer.headers["Content-Disposition"] and "sandbox" in answer.headers[
        "Content-Security-Policy"]
    assert client.get("/" + inside + "/part/77").status == 404


def test_ranges_of_a_part_that_alone_is_here(restante, person):
    """Over IMAP a part comes by itself, and the server's structure does not tell how long it is decoded."""
    data = bytes(range(256)) * 400
    person.receive("From: a@example.org\nSubject: a part\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b"
                   "\n\n--b\n\nsee\n" + part("application/octet-stream", "data.bin", data) + "--b--\n")
    client = restante.sign_in(person.address, person.password)
    account, _, email = email_links(inbox(client))[0].split("/")[2:5]
    where = f"/accounts/{account}/emails/{email}/parts/2"
    for text, expected in [("bytes=0-9", data[:10]), ("bytes=100000-", data[100000:]), ("bytes=-7", data[-7:])]:
        some = client.get(where, headers={"Range": text})
        assert some.status == 206 and some.content == expected, text
        assert some.headers["Content-Range"].endswith(f"/{len(data)}")
    assert client.get(where, headers={"Range": "bytes=9999999-"}).status == 416
    whole = client.get(where)
    assert whole.status == 200 and whole.content == data and whole.headers["Accept-Ranges"] == "bytes"


def test_an_attachment_of_25_megabytes_passes_with_less_than_8_of_memory(restante, person):
    line = random.Random(5).randbytes(57)
    data = line * (25 * 1024 * 1024 // 57)
    coded = base64.b64encode(line).decode() + "\n"
    person.receive("From: a@example.org\nSubject: large\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b"
                   "\n\n--b\n\nsee\n--b\nContent-Type: application/octet-stream; name=large.bin\n"
                   "Content-Transfer-Encoding: base64\n\n" + coded * (25 * 1024 * 1024 // 57) + "--b--\n")
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    open_email(client, link)
    account, _, email = link.split("/")[2:5]
    with Peak(restante.pid_of("web"), restante.pid_of("sync")) as peak:
        # fetched from the mail server, then from here
        for _ in range(2):
            answer = client.get(f"//mail/{account}/message/{email}/part/2", timeout=300)
            assert answer.status == 200 and answer.content == data
    grown = peak.grown_kb()
    # AddressSanitizer keeps what was freed for a while
    if not restante.is_sanitized:
        assert max(grown) < 8 * 1024, f"web and sync grew by {grown} kB"
