"""Hostile HTML in a real Chromium, end to end: as mail through Dovecot, sync, parser, page and frame.
No script runs and nothing is asked of a canary. And the walls each alone: raw, unsanitised HTML under
the frame's own Content-Security-Policy and sandbox does nothing either."""

import http.server
import json
import re
import threading

import pytest

from tests.harness import eventually
from tests.integration.test_reading import email_links, inbox
from tests.integration.test_sanitiser import OWN_VECTORS, vectors

pytest.importorskip("selenium.webdriver")

PARTS_A_MESSAGE = 10  # handlers/html/body.h: BODY_PARTS_MAX
MESSAGES_MAX = 60

# Each tells the page around it when it runs.
SCRIPTS = [
    "<script>parent.postMessage('ran', '*')</script>",
    "<img src=x onerror=\"parent.postMessage('ran', '*')\">",
    "<svg onload=\"parent.postMessage('ran', '*')\"></svg>",
    "<body onload=\"parent.postMessage('ran', '*')\">",
    "<iframe srcdoc=\"<script>top.postMessage('ran', '*')</script>\"></iframe>",
    "<iframe src=\"javascript:top.postMessage('ran', '*')\"></iframe>",
    "<details open ontoggle=\"parent.postMessage('ran', '*')\">x</details>",
    "<input autofocus onfocus=\"parent.postMessage('ran', '*')\">",
    "<meta http-equiv=refresh content=\"0;url=javascript:parent.postMessage('ran','*')\">",
    "<object data=\"javascript:parent.postMessage('ran', '*')\"></object>",
    "<script src=\"{canary}/script.js\"></script>",
]
# Each asks the canary for something when it is let.
REQUESTS = [
    "<img src=\"{canary}/img\"><img srcset=\"{canary}/srcset 2x\">",
    "<link rel=stylesheet href=\"{canary}/css\"><link rel=prefetch href=\"{canary}/prefetch\">"
    "<link rel=preload as=image href=\"{canary}/preload\"><link rel=icon href=\"{canary}/icon\">",
    "<style>@import url({canary}/import);@font-face{font-family:f;src:url({canary}/font)}"
    "p{background:url({canary}/background);font-family:f;cursor:url({canary}/cursor),auto}</style><p>x</p>",
    "<video poster=\"{canary}/poster\" src=\"{canary}/video\" autoplay></video><audio src=\"{canary}/audio\" autoplay></audio>",
    "<iframe src=\"{canary}/frame\"></iframe><object data=\"{canary}/object\"></object><embed src=\"{canary}/embed\">",
    "<svg><image href=\"{canary}/svg\"/><use href=\"{canary}/use#x\"/><feImage href=\"{canary}/feimage\"/></svg>",
    "<form action=\"{canary}/form\"><input type=image src=\"{canary}/button\"></form>",
    "<table background=\"{canary}/table\"><tr><td style=\"background:url({canary}/td)\">x</table>",
    "<meta http-equiv=refresh content=\"0;url={canary}/refresh\">",
    "<base href=\"{canary}/\"><img src=\"base\">",
]


class Server:
    """Serves pages under their headers, and remembers what else was asked for."""

    def __init__(self):
        self.pages, self.hits = {}, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body, headers = server.pages.get(self.path, (None, {}))
                if body is None and self.path != "/favicon.ico":
                    server.hits.append(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write((body or "").encode("utf-8", "replace"))

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def canary():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def host():
    server = Server()
    yield server
    server.stop()


def mail_of(texts, subject):
    parts = "".join(f"--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
                    f"Content-Disposition: inline\n\n<p>hostile</p>{text}\n" for text in texts)
    return (f"From: Eve <eve@example.org>\nSubject: {subject}\nMIME-Version: 1.0\n"
            f"Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n").encode("utf-8", "replace")


def hostile(url):
    own = [text.replace("{canary}", url) for text in SCRIPTS + REQUESTS]
    return own + [text for text in vectors(url) if "\n--b" not in text]


def requests_made(browser, home):
    """The URLs beyond our own service that pages asked for."""
    made = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if url.startswith(("http:", "https:", "ftp:", "ws:")) and not url.startswith(home):
                made.append(url)
    return made


def test_hostile_mail_runs_nothing_and_asks_nobody(restante, person, browser, canary):
    texts = hostile(canary.url)
    groups = [texts[at:at + PARTS_A_MESSAGE] for at in range(0, len(texts), PARTS_A_MESSAGE)]
    groups = groups[:MESSAGES_MAX]
    for number, group in enumerate(groups):
        person.receive(mail_of(group, f"hostile {number}"))
    client = restante.sign_in(person.address, person.password)
    browser.get(restante.url + "/sign-in")
    for cookie in client.cookies:
        browser.add_cookie({"name": cookie.name, "value": cookie.value})
    assert inbox(client, at_least=min(len(groups), 50))
    account = client.get("/accounts").json["accounts"][0]["id"]
    boxes = client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]
    box = next(each for each in boxes if each["role"] == "inbox")["id"]
    eventually(lambda: len(client.get(f"/accounts/{account}/mailboxes/{box}/emails?limit=500")
                           .json["emails"]) == len(groups))
    emails = client.get(f"/accounts/{account}/mailboxes/{box}/emails?limit=500").json["emails"]
    shown = 0
    for each in emails:
        url = f"{restante.url}/mail/{account}/{box}/{each['id']}"
        eventually(lambda: "Refresh" not in client.get("/" + url[len(restante.url):]).headers)
        browser.get(url)
        assert browser.current_url == url
        frames = browser.find_elements("css selector", "iframe.letter-frame")
        shown += len(frames)
        for frame in frames:
            assert "allow-scripts" not in frame.get_attribute("sandbox")
            browser.execute_script("arguments[0].scrollIntoView()", frame)
    assert shown > len(groups)
    blocked = [entry["message"] for entry in browser.get_log("browser")
               if "script" in entry["message"].lower() and "blocked" in entry["message"].lower()]
    assert not blocked, "the sanitiser let a script through to the walls"
    assert requests_made(browser, restante.url) == []
    assert canary.hits == []


@pytest.fixture
def walls(restante, person):
    """The sandbox attribute of a real frame and the policy that its document came with."""
    person.receive("Subject: a frame\nContent-Type: text/html\n\n<p>framed</p>\n")
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    page = eventually(lambda: (answer := client.get("/" + link)) and "<iframe" in answer.text and answer)
    tag = re.search(r'<iframe[^>]*src="([^"]*)"[^>]*sandbox="([^"]*)"', page.text)
    document = client.get("/" + tag.group(1).replace("&amp;", "&"))
    return tag.group(2), document.headers["Content-Security-Policy"]


def visit(browser, host, sandbox, policy, texts):
    """Shows raw texts in a frame of that sandbox and policy (None: without); how many scripts ran."""
    attribute = "" if sandbox is None else f' sandbox="{sandbox}"'
    headers = {} if policy is None else {"Content-Security-Policy": policy}
    ran = 0
    for number, text in enumerate(texts):
        host.pages["/frame"] = (f"<!doctype html><meta charset=utf-8><p>raw</p>{text}", headers)
        host.pages["/"] = ("<!doctype html><script>window.ran = 0; onmessage = () => { ran++; };"
                           f"</script><iframe src=\"/frame?\" onload=\"done = 1\"{attribute}></iframe>", {})
        host.pages["/frame?"] = host.pages["/frame"]
        browser.get(f"{host.url}/")
        eventually(lambda: browser.execute_script("return window.done"), patience=5)
        ran += browser.execute_script("return window.ran")
    return ran


def test_mail_cannot_hide_where_a_lying_link_leads(restante, person, browser):
    person.receive("From: Bank <bank@example.org>\nSubject: sign in\nMIME-Version: 1.0\n"
                   "Content-Type: text/html\n\n<style>a, .restante-deceptive, a::after{font-size:0 !important;"
                   "visibility:hidden;outline:none !important;color:#fff !important}</style><p>Sign in at "
                   "<a href='http://evil.example/x' style='color:#fff;opacity:1'>https://bank.example/</a></p>\n")
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    browser.get(restante.url + "/sign-in")
    for cookie in client.cookies:
        browser.add_cookie({"name": cookie.name, "value": cookie.value})
    browser.get(restante.url + link)
    browser.switch_to.frame(browser.find_element("css selector", "iframe"))
    mark = browser.execute_script(
        "const style = getComputedStyle(document.querySelector('a'), '::after');"
        "return [style.content, style.fontSize, style.visibility, style.display]")
    content = mark[0].replace('" "', "")
    assert [content, *mark[1:]] == ['"leads to evil.example"', "12px", "visible", "inline-block"]
    outline = browser.execute_script("return getComputedStyle(document.querySelector('a')).outlineStyle")
    assert outline == "solid"


def test_light_mail_is_turned_dark_on_a_dark_page_and_back(restante, person, browser):
    person.receive("From: Shop <shop@example.org>\nSubject: light\nMIME-Version: 1.0\n"
                   "Content-Type: text/html\n\n<body bgcolor=white text=black><p>Sale</p></body>\n")
    client = restante.sign_in(person.address, person.password)
    link = email_links(inbox(client))[0]
    browser.get(restante.url + "/sign-in")
    for cookie in client.cookies:
        browser.add_cookie({"name": cookie.name, "value": cookie.value})
    filtered = "return getComputedStyle(document.documentElement).filter !== 'none'"
    try:
        for scheme, is_turned in (("light", False), ("dark", True)):
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            browser.get(restante.url + link)
            browser.switch_to.frame(browser.find_element("css selector", "iframe"))
            assert browser.execute_script(filtered) is is_turned, scheme
        browser.find_element("id", "restante-own").click()
        assert browser.execute_script(filtered) is False
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_without_the_sanitiser_the_walls_hold(browser, canary, host, walls):
    sandbox, policy = walls
    texts = [text.replace("{canary}", canary.url) for text in SCRIPTS + REQUESTS + OWN_VECTORS]
    texts = [text.replace("http://canary", canary.url) for text in texts]
    assert visit(browser, host, sandbox, policy, texts) == 0
    # A page may send its own frame elsewhere; that asks the canary once, and the sanitiser's business
    # is to let no meta refresh through. Nothing else may ask.
    assert [hit for hit in canary.hits if hit not in ("/refresh", "/c")] == []


def test_the_policy_alone_stops_scripts(browser, canary, host, walls):
    _, policy = walls
    texts = [text.replace("{canary}", canary.url) for text in SCRIPTS]
    assert visit(browser, host, None, policy, texts) == 0 and canary.hits == []


def test_the_sandbox_alone_stops_scripts(browser, canary, host, walls):
    sandbox, _ = walls
    texts = [text.replace("{canary}", canary.url) for text in SCRIPTS]
    assert visit(browser, host, sandbox, None, texts) == 0


def test_the_browser_would_have_done_it_otherwise(browser, canary, host):
    """The oracle itself: without walls and sanitiser scripts run and the canary sings."""
    texts = [text.replace("{canary}", canary.url) for text in SCRIPTS[:3] + REQUESTS[:1]]
    assert visit(browser, host, None, None, texts) > 0
    assert eventually(lambda: canary.hits)
