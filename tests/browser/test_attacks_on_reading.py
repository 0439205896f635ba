"""Each known way in which webmail is broken by a message, one by one, as mail through Dovecot, sync,
parser, page and frame in a real Chromium: no script runs, none is even left for the walls to stop, and
nothing is asked of anybody. The numbers are those of the list of attacks that this service answers to."""

import base64
import re

import pytest

from tests.browser.test_hostile import (canary, host, requests_made, visit, walls)  # noqa: F401
from tests.harness import eventually
from tests.integration.test_reading import email_links, inbox

RUN = "parent.postMessage('ran','*')"
HTML = {  # number: what stands in an HTML part; {c}: the canary
    1: "<svg><a><animate attributeName=href values=javascript:" + RUN + " /><text>x</text></a><set attributeName=onload "
       "to=" + RUN + "></svg><math href=javascript:" + RUN + ">x</math>",
    2: "<a href='j&#x61vascript:" + RUN + "'>a</a><a href='java\tscript:" + RUN + "'>b</a><a href=vbscript:x>c</a>"
       "<img src='dAta:image/s\tvg+xml,<svg onload=" + RUN + ">'>",
    3: "<svg><style><//><body onload=" + RUN + "><math><mtext><table><mglyph><style><img src=x onerror=" + RUN + ">"
       "</style></mglyph></table></mtext></math><noscript><p title='</noscript><img src=x onerror=" + RUN + ">'>" +
       "<div>" * 500,
    4: "<p id=x title='&lt;img src=x onerror=" + RUN + "&gt;'>&lt;img src=x onerror=" + RUN + "&gt;</p>",
    8: "<p style='background:u\\rl({c}/8);position:/**/fixed;top:0!important;width:expression(alert(1))'>x</p>"
       "<p style='background:url({c}/8b'>y</p>",
    9: "<img src={c}/9a srcset='{c}/9b 1x'><table background={c}/9c><tr><td>x</table><style>@import '{c}/9d';"
       "p{background:var(--x,url({c}/9e));cursor:url({c}/9f),auto;mask:url({c}/9g);background:image-set('{c}/9h' 1x)}"
       "</style><link rel=stylesheet href={c}/9i><link rel=prefetch href={c}/9j><video poster={c}/9k></video>"
       "<svg><feImage href={c}/9l></svg>",
    10: "<style>@font-face{font-family:f;src:url({c}/10a)}input[value^=a]{background:url({c}/10b)}p{font-family:f}"
        "</style><p>x</p><input value=abc>",
    11: "<base href={c}/><meta http-equiv=refresh content='0;url={c}/11a'><form action={c}/11b><button formaction={c}/11c>"
        "x</button></form><a target=_top href=11d>y</a>",
    12: "<a href=https://evil.example/>https://bank.example/</a>",
}
SECRET = "the secret of part two"


def alternative(number, kind, text):
    return f"Subject: attack {number}\nMIME-Version: 1.0\nContent-Type: {kind}\n\n{text}\n"


def mixed(number, *parts, head=""):
    return (f"{head}Subject: attack {number}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
            "".join(f"--b\n{part}\n" for part in parts) + "--b--\n")


def file(kind, name, text):
    return (f"Content-Type: {kind}\nContent-Disposition: attachment; filename=\"{name}\"\n"
            f"Content-Transfer-Encoding: base64\n\n{base64.encodebytes(text.encode()).decode()}")


MARKUP = '"><img src=x onerror=' + RUN + ">"
NESTED = "".join(f"Content-Type: multipart/mixed; boundary=n{n}\n\n--n{n}\n" for n in range(1000))
OTHERS = {  # number: a whole message
    5: alternative(5, "text/plain", 'a@a.co?]<img/src="x"/onerror=' + RUN + '> http://x?"onmouseover="' + RUN + '"'),
    6: mixed(6, "\n\nx", file("text/plain", MARKUP.replace('"', "'"), "x"),
             head=f"From: \"{MARKUP[2:]}\" <a@example.org>\nTo: {MARKUP}\n").replace(
                 "Subject: attack 6", f"Subject: attack 6 {MARKUP}"),
    7: mixed(7, "\n\nx", "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\n"
             f"UID:7\nSUMMARY:{MARKUP}\nURL:javascript:{RUN}\nDTSTART:20261201T150000Z\nEND:VEVENT\nEND:VCALENDAR",
             f"Content-Type: text/vcard\n\nBEGIN:VCARD\nFN:{MARKUP}\nURL:javascript:{RUN}\nEND:VCARD"),
    13: mixed(13, "Content-Type: text/html\n\n<img src=cid:page><img src=cid:picture><img src=cid:elsewhere>",
              "Content-Type: text/html\nContent-ID: <page>\nContent-Disposition: attachment\n\n<script>" + RUN + "</script>",
              "Content-Type: image/svg+xml\nContent-ID: <picture>\n\n<svg xmlns='http://www.w3.org/2000/svg' onload=\"" +
              RUN + "\"/>"),
    15: mixed(15, "Content-Type: text/html\n\n<img src=\"{c}/15?", f"Content-Type: text/html\n\n<p>{SECRET}</p>",
              "Content-Type: text/html\n\n\">"),
    16: mixed(16, "\n\nx", file("text/html", "page.html", f"<script>{RUN}</script>"),
              file("image/svg+xml", "x.svg", f"<svg onload='{RUN}'/>"), file("text/xml", "x.xml", "<x/>")),
    17: mixed(17, "\n\nx", file("text/plain", "a=?utf-8?Q?=0D=0ASet-Cookie:_x=3D1?=../../etc/" + "p" * 9000, "x")),
    18: mixed(18, "\n\nx", file("text/plain", "invoice=?utf-8?Q?=E2=80=AEgpj.exe?=", "x")),
    19: alternative(19, "text/plain", "x").replace(
        "Subject", "From: =?utf-8?Q?ceo=40bank.example=00?= <eve@evil.example>\nSubject", 1),
    20: alternative(20, "text/plain", "x").replace(
        "Subject", "From: ceo@bank.example\nAuthentication-Results: mx.forged.example; dmarc=pass "
        "header.from=bank.example\nSubject", 1),
    21: "Subject: attack 21\n" + NESTED + "Content-Type: text/html\n\n<script>" + RUN + "</script>\n",
    22: "Subject: attack 22\nTo: " + ",\n ".join(f"a{n}@example.org" for n in range(20000)) + "\n\nx\n",
    23: "Subject: attack 23 \xc3\nFrom: everybody:;\nTo: (a(b(c <x@[1.2\nContent-Type: text/plain; charset=utf-8\n\n\xe2\x82\n",
    24: mixed(24, "\n\nbegin 644 x\n" + "M" * 5000 + "\nend\n",
              "Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n" +
              base64.encodebytes(b"\x78\x9f\x3e\x22\1\0\1\x03\x90\6\0\xff\xff\xff\x7f" + b"\xff" * 200).decode()),
    25: alternative(25, "text/html; charset=utf-7", "+ADw-script+AD4-" + RUN + "+ADw-/script+AD4- words"),
    26: "Subject: attack 26 \0nul\nMessage-ID: <" + "x" * 15000 + "@example.org>\n\n" +
        " ".join(f"word{n}" for n in range(200_000)) + "\n",
}


def check_4(page, frames, _):
    assert "<img" not in frames[0] and "&lt;img" in frames[0]


def check_5(page, frames, _):
    assert "<img/src" not in page and "&lt;img/src" in page


def check_12(page, frames, _):
    assert "Be careful with the links" in page


def check_13(page, frames, _):
    assert "/picture/" not in frames[0]


def check_15(page, frames, _):
    assert len(frames) == 3 and not any(SECRET in frame and "15?" in frame for frame in frames)


def check_16(page, frames, get):
    for path in re.findall(r'class="attachment" href="([^"]*)"', page):
        answer = get(path)
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers.get_content_type() not in ("text/html", "image/svg+xml", "text/xml")


def check_17(page, frames, get):
    answer = get(re.search(r'class="attachment" href="([^"]*)"', page).group(1))
    assert answer.status == 200 and answer.headers["Set-Cookie"] is None
    assert len(answer.headers["Content-Disposition"]) < 2000 and "/etc" not in answer.headers["Content-Disposition"]


def check_18(page, frames, _):
    assert "\u202e" not in page and ".exe" in page


def check_19(page, frames, _):
    assert "eve@evil.example" in page and "\0" not in page


def check_20(page, frames, _):
    assert "mark-true" not in page


@pytest.fixture(scope="module")
def attacked(restante, mailserver):
    """Somebody who got all of it: (client, {number: link})."""
    address = "attacked@example.org"
    mailserver.add_user(address, "a password for it")
    texts = OTHERS | {n: alternative(n, "text/html; charset=utf-8", text) for n, text in HTML.items()}
    url = "http://127.0.0.1:9"  # nobody listens; what is asked for is seen in the browser
    for number, text in sorted(texts.items()):
        message = text.replace("{c}", url).encode("latin-1", "replace")
        mailserver.deliver(address, message.replace(b"\n", b"\r\n"), arrived=1_700_000_000 + number)
    client = restante.sign_in(address, "a password for it")
    links = list(reversed(email_links(inbox(client, len(texts)))))
    return client, dict(zip(sorted(texts), links))


@pytest.mark.parametrize("number", sorted(HTML.keys() | OTHERS.keys()))
def test_an_attack_does_nothing(restante, attacked, browser, number):
    client, links = attacked
    page = eventually(lambda: (answer := client.get("/" + links[number])) and "Refresh" not in answer.headers
                      and answer)
    assert page.status == 200 and f"attack {number}" in page.text
    frames = [client.get("/" + path.replace("&amp;", "&")).text
              for path in re.findall(r'<iframe[^>]*src="([^"]*)"', page.text)]
    check = globals().get(f"check_{number}")
    if check:
        check(page.text, frames, lambda path: client.get("/" + path.replace("&amp;", "&")))
    browser.get(restante.url + "/sign-in")
    for cookie in client.cookies:
        browser.add_cookie({"name": cookie.name, "value": cookie.value})
    browser.get(restante.url + links[number])
    assert browser.current_url == restante.url + links[number]
    for frame in browser.find_elements("css selector", "iframe.letter-frame"):
        assert "allow-scripts" not in frame.get_attribute("sandbox")
        browser.execute_script("arguments[0].scrollIntoView()", frame)
    blocked = [entry["message"] for entry in browser.get_log("browser")
               if "script" in entry["message"].lower() and "blocked" in entry["message"].lower()]
    assert not blocked, "the sanitiser let a script through to the walls"
    assert requests_made(browser, restante.url) == []


@pytest.mark.parametrize("number", sorted(HTML))
def test_the_walls_alone_stop_it(browser, canary, host, walls, number):  # noqa: F811
    """Number 14: with the sanitiser out of the way, sandbox and policy give zero all the same."""
    sandbox, policy = walls
    assert visit(browser, host, sandbox, policy, [HTML[number].replace("{c}", canary.url)]) == 0
    # a document may send its own frame elsewhere, once: no walls stop that, the sanitiser does (11)
    assert [hit for hit in canary.hits if hit != "/11a"] == []
