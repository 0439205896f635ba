"""The sanitiser in a real browser, without frame, sandbox or CSP around it: no script runs and no
request reaches a canary. The HTML goes through the binary's own parser child, in its sandbox."""

import http.server
import json
import re
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from tests import harness

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/html-vectors"
PROTOCOL = Path(__file__).resolve().parents[2] / "server/parser/protocol.h"
KINDS = re.findall(r"\bPROTOCOL_([A-Z_]+),",
                   re.search(r"\bPROTOCOL_START,.*?\}", PROTOCOL.read_text(), re.DOTALL).group())
START, RENDER = KINDS.index("START"), KINDS.index("RENDER")
VECTORS_A_PAGE = 200

OWN_VECTORS = [
    "<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>",
    "<svg><animate attributeName=href values=javascript:alert(1) /></svg><iframe srcdoc='<script>alert(1)</script>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<img src=http://canary/1 srcset='http://canary/2 1x'><table background=http://canary/3><video poster=http://canary/4>",
    "<style>@import 'http://canary/5';p{background:url(http://canary/6)}@font-face{font-family:x;src:url(http://canary/7)}"
    "*{font-family:x}</style><p style='background:u\\rl(http://canary/8);cursor:url(http://canary/9),auto'>x</p>",
    "<link rel=stylesheet href=http://canary/a><link rel=prefetch href=http://canary/b><base href=http://canary/>",
    "<meta http-equiv=refresh content='0;url=http://canary/c'><object data=http://canary/d><embed src=http://canary/e>",
    "<p style='--x:url(http://canary/f);background:var(--x);filter:url(http://canary/g#x);mask:url(http://canary/h)'>x",
]

SPY = """<script>
for (const name of ["alert", "confirm", "prompt", "print"])
    window[name] = () => { window.ran = (window.ran || 0) + 1; };
function poke() {
    for (const element of document.querySelectorAll("section *"))
        for (const kind of ["click", "mouseover", "mouseenter", "focus", "error", "load", "toggle"])
            element.dispatchEvent(new Event(kind));
}
</script>"""


class Parser:
    """`restante parser`, asked as the pool asks."""

    def __init__(self, binary):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(60)
        self.process = subprocess.Popen([binary, "parser"], stdin=theirs)
        theirs.close()
        self._ask(START, struct.pack("<QB", 1 << 30, 0))

    def close(self):
        self.socket.close()
        assert self.process.wait(60) == 0

    def _read(self, length):
        text = b""
        while len(text) < length:
            piece = self.socket.recv(length - len(text))
            assert piece, "the parser died"
            text += piece
        return text

    def _ask(self, kind, payload):
        self.socket.sendall(b"RSTP" + struct.pack("<IQ", kind, len(payload)) + payload)
        _, _, length = struct.unpack("<4sIQ", self._read(16))
        return self._read(length)

    def render(self, html):
        def text(value):
            return struct.pack("<Q", len(value)) + value

        part = b"".join(map(text, (b"1", b"text/html", b"utf-8", *[b""] * 6)))
        part += struct.pack("<BBQQQ", 0, 0, 0, 0, 0)
        answer = self._ask(RENDER, part + struct.pack("<BBI", 0, 0, 0) + html.encode("utf-8", "replace"))
        (length,) = struct.unpack_from("<Q", answer, 1)
        body = answer[9:9 + length]
        (css_length,) = struct.unpack_from("<Q", answer, 9 + length)
        css = answer[17 + length:17 + length + css_length]
        return f"<style>{css.decode()}</style><section>{body.decode()}</section>"


@pytest.fixture
def parser():
    if not harness.BINARY.exists():
        pytest.skip(f"{harness.BINARY} is not built")
    child = Parser(harness.BINARY)
    yield child
    child.close()


class Canary:
    """Serves pages and remembers what else was asked for."""

    def __init__(self):
        self.pages, self.hits = {}, []
        canary = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page = canary.pages.get(self.path)
                if page is None and self.path != "/favicon.ico":
                    canary.hits.append(self.path)
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((page or "").encode("utf-8", "replace"))

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def canary():
    canary = Canary()
    yield canary
    canary.server.shutdown()
    canary.server.server_close()


def strings(json_value):
    if isinstance(json_value, str):
        yield json_value
    elif isinstance(json_value, (list, dict)):
        for child in json_value.values() if isinstance(json_value, dict) else json_value:
            yield from strings(child)


def vectors(url):
    """All there are, their remote hosts replaced by the canary."""
    found = list(OWN_VECTORS)
    for path in sorted(CORPUS.glob("*.json")):
        found += [text for text in strings(json.loads(path.read_text())) if "<" in text]
    return [re.sub(r"(?i)(?<![a-z])(https?:)?//[a-z0-9.-]+", url, text) for text in found]


def visit(browser, canary, pages):
    """Opens each page and pokes all its elements; returns how many scripts ran."""
    ran = 0
    for i, body in enumerate(pages):
        canary.pages[f"/page/{i}"] = f"<!doctype html><meta charset=utf-8>{SPY}{body}"
        browser.get(f"{canary.url}/page/{i}")
        assert browser.current_url == f"{canary.url}/page/{i}"
        browser.execute_script("poke()")
        ran += browser.execute_script("return window.ran || 0")
    return ran


def test_no_script_runs_and_nothing_is_fetched(browser, canary, parser):
    safe = [parser.render(text) for text in vectors(canary.url)]
    pages = ["".join(safe[at:at + VECTORS_A_PAGE]) for at in range(0, len(safe), VECTORS_A_PAGE)]
    assert visit(browser, canary, pages) == 0
    assert canary.hits == []


def test_the_browser_would_have_shown_it_otherwise(browser, canary):
    """The oracle itself: the same without the sanitiser runs scripts and fetches."""
    raw = [text.replace("http://canary", canary.url) for text in OWN_VECTORS[:1] + OWN_VECTORS[4:5]]
    assert visit(browser, canary, [f"<section>{text}</section>" for text in raw]) > 0
    assert harness.eventually(lambda: canary.hits)
