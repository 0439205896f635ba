"""`make demo` as a newcomer meets it: start, sign in, read, stop, start again."""

import html
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from tests import harness
from tests.mailserver.demo import PASSWORD

pytestmark = pytest.mark.skipif(not harness.BINARY.exists(), reason=f"{harness.BINARY} is not built")


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.told = ""

    def start(self):
        self.told = ""
        self.process = subprocess.Popen(
            [sys.executable, str(harness.ROOT / "tests/mailserver/demo.py"), "--folder",
             str(self.folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            self.told += line
            if "(started in" in line:
                break
        else:
            pytest.fail(f"The demo does not start:\n{self.told}")
        self.url = re.search(r"http://\S+", self.told).group(0)
        return self

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # Ctrl-C
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(90)


@pytest.fixture(scope="module")
def demo():
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir="/tmp"))
    folder.chmod(0o755)
    running = Demo(folder / "demo").start()
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


def processes_of(folder):
    """The command lines of everything that still works in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in words:
                found.append(words.replace("\0", " "))
    return found


def sign_in(browser, url, address):
    browser.get(url)
    assert "/sign-in" in browser.current_url
    browser.find_element("name", "name").send_keys(address)
    browser.find_element("name", "password").send_keys(PASSWORD + "\n")


def emails_of(browser):
    """The addresses of the messages on the page, which is drawn anew whenever mail comes."""
    return [path for path in re.findall(r'href="([^"]+)"', browser.page_source)
            if re.fullmatch(r"/mail/\d+/\d+/\d+([?#].*)?", path)]


def test_the_address_and_the_people_are_told(demo):
    assert f'"{PASSWORD}"' in demo.told
    for address in ("ada@example.org", "ben@example.org", "pia@example.net"):
        assert address in demo.told
    with urllib.request.urlopen(f"{demo.url}/healthz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("address", ["ada@example.org", "ben@example.org", "pia@example.net"])
def test_each_person_signs_in_and_opens_a_message(demo, browser, address):
    sign_in(browser, demo.url, address)

    def first_email():
        browser.get(demo.url)
        return emails_of(browser)

    emails = harness.eventually(first_email, pause=0.5)
    assert emails, browser.page_source
    browser.get(demo.url + html.unescape(emails[0]))
    assert browser.find_element("css selector", ".subject").text
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_ctrl_c_stops_everything_and_the_next_start_finds_it_as_it_was(demo):
    assert processes_of(demo.folder)
    assert demo.stop() == 0
    assert processes_of(demo.folder) == []
    demo.start()
    assert "Writing" not in demo.told
    client = harness.Client(demo.url)
    assert client.sign_in("ada@example.org", PASSWORD).status == 303
    # At once, without a word to the mail server: the replica is kept.
    page = client.get("//")
    while page.status in (302, 303):
        page = client.get("/" + page.headers["Location"])
    assert re.search(r'href="/mail/\d+/\d+/\d+', page.text)
