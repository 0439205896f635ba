"""Reading real mail that came over IMAP and POP3 from a real Dovecot, on the pages."""

import html
import http.server
import re

import pytest

from tests.harness import eventually
from tests.mailserver import sample, sample_texts
from tests.mailserver.serving import serving

HTML_LETTER = """From: Shop <news@shop.example>
To: ada@example.org
Subject: Pictures from elsewhere
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<html><head><link rel=stylesheet href="{canary}/style.css"><style>
@import url({canary}/import.css); p {{ background: url({canary}/background.png) }}</style>
<script>fetch("{canary}/script")</script></head>
<body onload="fetch('{canary}/onload')" background="{canary}/body.png">
<p id="greeting">Good morning</p><img src="{canary}/picture.png" width="20" height="20">
<img src=x onerror="fetch('{canary}/onerror')">
<svg><image href="{canary}/svg.png"/></svg><video poster="{canary}/poster.png"></video>
<a href="{canary}/link">a link</a></body></html>
"""


def page_of(client, path="//"):
    page = client.get(path)
    while page.status in (302, 303):
        page = client.get("/" + page.headers["Location"])
    return page


def inbox(client, at_least=1):
    """The inbox's page once it lists that many messages."""
    def look():
        page = page_of(client)
        return page if len(email_links(page)) >= at_least else None

    page = eventually(look, pause=0.1)
    assert page, f"never {at_least} messages: {page_of(client).text}"
    return page


def email_links(page):
    """The paths of the messages that a page lists, in its order."""
    links = re.findall(r'href="(/mail/\d+/\d+/\d+)[?"#]', page.text)
    return list(dict.fromkeys(links))


def visible(page):
    """The words of a page."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page.text))


def subject_of(page):
    return html.unescape(re.search(r'<h1 class="subject">(.*?)</h1>', page.text, re.S).group(1))


def letter_of(page):
    """The words of the message that is open; not those of the list beside it."""
    article = page.text[page.text.index("<article"):page.text.index("</article>")]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", article)).split())


def open_email(client, link):
    """A message's page once its body is here."""
    page = eventually(lambda: (answer := client.get("/" + link)) and
                      ("Refresh" not in answer.headers and answer), pause=0.2)
    assert page and page.status == 200, link
    return page


def base_of(link):
    account, email = re.match(r"/mail/(\d+)/\d+/(\d+)", link).groups()
    return f"//mail/{account}/message/{email}"


@pytest.fixture
def reader(restante, person):
    """Signs the person in, after the test has put mail into the mailbox."""
    return lambda: restante.sign_in(person.address, person.password)


def test_mail_that_came_over_imap_is_listed_and_read(person, reader):
    person.receive("From: Ben <ben@example.org>\nSubject: lamp oil\n\nWe are out of oil.\n")
    client = reader()
    page = inbox(client)
    assert "lamp oil" in visible(page)
    letter = open_email(client, email_links(page)[0])
    assert subject_of(letter) == "lamp oil" and "We are out of oil." in letter_of(letter)


def test_mail_that_came_over_pop3_is_listed_and_read(restante, new_person):
    person = new_person("example.net")
    person.receive("From: Ben <ben@example.org>\nSubject: by pop\n\nOld, and works.\n")
    client = restante.sign_in(person.address, person.password)
    page = inbox(client)
    assert "Old, and works." in letter_of(open_email(client, email_links(page)[0]))


def test_mail_that_came_over_starttls_is_listed(restante, new_person):
    person = new_person("starttls.example")
    person.receive("Subject: by starttls\n\nhello\n")
    assert "by starttls" in visible(inbox(restante.sign_in(person.address, person.password)))


def test_newest_mail_comes_first_and_pages_follow(person, reader):
    for number in range(120):
        person.receive(f"Subject: letter {number:03}\n\nhello\n", arrived=1_600_000_000 + number)
    client = reader()
    page = inbox(client, 50)
    seen = re.findall(r"letter (\d{3})", visible(page))
    assert list(dict.fromkeys(seen))[:3] == ["119", "118", "117"]

    def all_pages():
        found, at = set(), page_of(client)
        while True:
            found |= set(re.findall(r"letter (\d{3})", visible(at)))
            older = re.search(r'href="([^"]*)"[^>]*rel="next"|rel="next"[^>]*href="([^"]*)"', at.text)
            if not older:
                return len(found) == 120
            at = client.get("/" + html.unescape(older.group(1) or older.group(2)))

    assert eventually(all_pages, pause=0.3)


def test_new_mail_appears_by_itself(person, reader):
    person.receive("Subject: first\n\nhello\n")
    client = reader()
    link = email_links(inbox(client))[0]
    person.receive("Subject: second\n\nhello\n")
    account = link.split("/")[2]
    client.submit("//accounts/" + account, f"//mail/{account}/sync")
    assert eventually(lambda: "second" in visible(page_of(client)), pause=0.2)


def test_letters_in_all_languages_read_as_written(mailserver, person, reader):
    generator = sample.Generator((person.address, person.address), seed=3)
    written = {}
    while len(written) < len(sample_texts.FOREIGN):
        letter, = generator._foreign(1_600_000_000)
        *_, subject, text = next(each for each in sample_texts.FOREIGN
                                 if sample.words(each[4], each[1]).encode() in letter.content)
        if subject not in written:
            written[subject] = text
            person.receive(letter.content)
    client = reader()
    read = {}
    for link in email_links(inbox(client, len(written))):
        page = open_email(client, link)
        words = letter_of(page)
        lines = map(str.strip, written[subject_of(page)].split("\n"))
        read[subject_of(page)] = all(line in words for line in lines)
    assert read == dict.fromkeys(written, True)


def test_the_raw_message_is_the_same_bytes(person, reader):
    letter = ("Subject: bytes\r\nX-Odd: \xff\r\n\r\nfrom here\r\n.\r\n..to there\t \r\n"
              .encode("latin-1"))
    person.receive(letter)
    client = reader()
    link = email_links(inbox(client))[0]
    raw = client.get(base_of(link) + "/raw", timeout=120)
    assert raw.status == 200 and raw.content == letter
    assert raw.headers.get_content_type() == "message/rfc822"
    assert "attachment" in raw.headers["Content-Disposition"]


def test_attachments_are_downloaded_as_they_were_sent(person, reader):
    content = bytes(range(256)) * 300
    person.receive(
        "Subject: papers\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nsee below\n"
        "--b\n" + sample.file_part(content, "application/octet-stream", "Ausblick über die Förde.bin")
        + "\n--b\n" + sample.file_part(b"<script>alert(1)</script>", "text/html", "page.html")
        + "\n--b--\n")
    client = reader()
    link = email_links(inbox(client))[0]
    page = open_email(client, link)
    assert "Ausblick über die Förde.bin" in visible(page)
    parts = list(dict.fromkeys(re.findall(r'href="(/mail/\d+/message/\d+/part/[^"?]+)', page.text)))
    answers = [client.get("/" + part, timeout=120) for part in parts]
    assert content in [answer.content for answer in answers]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers.get_content_type() != "text/html"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.fixture
def canary():
    """A server on 127.0.0.1 that remembers what was asked of it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked
    server.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield server


def sign_in_browser(browser, restante, person):
    browser.get(restante.url)
    browser.find_element("name", "name").send_keys(person.address)
    browser.find_element("name", "password").send_keys(person.password + "\n")
    eventually(lambda: "/sign-in" not in browser.current_url)


def test_an_html_message_asks_nobody_and_runs_nothing(restante, person, reader, browser, canary):
    person.receive(HTML_LETTER.format(canary=canary.url))
    client = reader()
    link = email_links(inbox(client))[0]
    open_email(client, link)
    sign_in_browser(browser, restante, person)
    browser.get(restante.url + link)
    frame = browser.find_element("tag name", "iframe")
    assert "allow-same-origin" not in (frame.get_dom_attribute("sandbox") or "") or \
        "allow-scripts" not in frame.get_dom_attribute("sandbox")
    browser.switch_to.frame(frame)
    assert "Good morning" in browser.find_element("tag name", "body").text
    browser.switch_to.default_content()
    # Anything the page wanted has been asked for by the time another request has gone around.
    browser.get(restante.url + "/accounts")
    assert canary.asked == []


def test_pictures_load_once_the_reader_says_so(restante, person, reader, browser, canary):
    person.receive(HTML_LETTER.format(canary=canary.url))
    client = reader()
    link = email_links(inbox(client))[0]
    open_email(client, link)
    sign_in_browser(browser, restante, person)
    browser.get(restante.url + link + "?remote=1")
    assert eventually(lambda: "/picture.png" in canary.asked)
    assert not [path for path in canary.asked
                if path.startswith(("/script", "/on", "/style", "/import", "/link"))]


def test_a_header_of_ten_megabytes_is_survived(person, reader):
    person.receive("Subject: after\n\nhello\n", arrived=1_600_000_100)
    person.receive("Subject: huge\nX-Long: " + "x" * 10_000_000 + "\n\nsmall\n",
                   arrived=1_600_000_000)
    client = reader()
    page = inbox(client, 2)
    assert "after" in visible(page)
    assert client.get("/" + email_links(page)[1], timeout=120).status == 200


@pytest.mark.parametrize("victim", ["web", "sync", "postgres"])
def test_what_is_killed_comes_back_by_itself(restante, person, reader, victim):
    person.receive("Subject: before\n\nhello\n")
    client = reader()
    account = email_links(inbox(client))[0].split("/")[2]
    killed = restante.kill(victim)
    assert eventually(lambda: restante.pid_of(victim) != killed)
    restante.wait_ready()
    assert "before" in visible(inbox(client))
    person.receive("Subject: afterwards\n\nhello\n")
    client.submit("//accounts/" + account, f"//mail/{account}/sync")
    assert eventually(lambda: "afterwards" in visible(page_of(client)), patience=60, pause=0.3)
