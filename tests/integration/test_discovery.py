"""Servers found by a domain's own autoconfig file, over HTTPS on port 443: with a network of our own
names, so only as root (the service runs in a mount namespace with another /etc/hosts)."""

import http.server
import os
import subprocess

import pytest

from tests import harness
from tests.harness import eventually
from tests.mailserver.serving import serving

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="needs port 443 and another /etc/hosts: root, and mounts of its own (none in a chroot)")

ADDRESS = "127.0.0.43"  # of all web servers here; /etc/hosts leads their names to it
NAMES = ("autoconfig.found.example", "wellknown.example", "redirected.example", "autoconfig.liar.example")
CONFIG = """<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="test"><domain>%EMAILDOMAIN%</domain>
<incomingServer type="{kind}"><hostname>{host}</hostname><port>{port}</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></incomingServer>
<outgoingServer type="smtp"><hostname>{host}</hostname><port>{smtp}</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username></outgoingServer></emailProvider></clientConfig>"""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.headers["Host"], self.path))
        status, text = self.server.pages.get((self.headers["Host"], self.path), (404, ""))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", text)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web(mailserver):
    """A web server on port 443 that shows a good certificate for all names but the liar's."""
    files = mailserver.authority.issue("web", *(name for name in NAMES if "liar" not in name))
    server = http.server.ThreadingHTTPServer((ADDRESS, 443), _Handler)
    server.asked, server.pages = [], {}
    with serving(server, files):
        yield server


@pytest.fixture(scope="module")
def service(mailserver, web, state_folder):
    folder = state_folder / "discovery"
    folder.mkdir(mode=0o755)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS} {' '.join(NAMES)}\n")
    program = folder / "restante"
    program.write_text("#!/bin/sh\n[ \"$1\" = serve ] || exec {0} \"$@\"\n"
                       "exec unshare --mount sh -c 'mount --bind {1} /etc/hosts && exec {0} \"$@\"' "
                       "restante \"$@\"\n".format(harness.BINARY, hosts))
    program.chmod(0o755)
    with harness.Restante(folder / "service", domains={}, ca_file=mailserver.ca_file,
                          binary=program) as service:
        yield service


@pytest.fixture
def client(service, request):
    login = service.add_user(f"finder-{abs(hash(request.node.name))}")
    return service.client(service.token(login))


def config(mailserver, kind):
    port = mailserver.ports["imaps" if kind == "imap" else "pop3s"]
    return 200, CONFIG.format(kind=kind, host=mailserver.host, port=port,
                              smtp=mailserver.ports["submissions"])


@pytest.mark.parametrize("kind, domain, page", [
    ("imap", "found.example", ("autoconfig.found.example", "/mail/config-v1.1.xml")),
    ("pop3", "wellknown.example",
     ("wellknown.example", "/.well-known/autoconfig/mail/config-v1.1.xml"))])
def test_an_account_is_set_up_from_what_the_domain_says(client, web, mailserver, new_person, kind, domain,
                                                        page):
    person = new_person(domain)
    person.receive("Subject: found by autoconfig\n\nhello\n")
    web.pages[page] = config(mailserver, kind)
    told = client.post("/accounts/discover", {"email": person.address}).json
    found = told["candidates"][told["recommended"]]
    assert (found["source"], found["kind"]) == ("autoconfig", kind)
    assert found["incoming"]["username"] == person.address and found["incoming"]["tls"] == "implicit"
    assert page in web.asked
    made = client.post("/accounts", {"email": person.address, "password": person.password,
                                     "kind": found["kind"], "incoming": found["incoming"],
                                     "smtp": found["smtp"]})
    assert made.status == 201, made.text
    base = f"/accounts/{made.json['id']}"
    assert eventually(lambda: sum(box["totalEmails"] for box in
                                  client.get(f"{base}/mailboxes").json["mailboxes"]) == 1)


def test_a_redirect_into_the_clear_is_not_followed(client, web):
    page = ("redirected.example", "/.well-known/autoconfig/mail/config-v1.1.xml")
    web.pages[page] = (302, "http://redirected.example/config-v1.1.xml")
    told = client.post("/accounts/discover", {"email": "ada@redirected.example"}).json
    assert told["candidates"] == [] and page in web.asked


def test_a_web_server_without_a_good_certificate_is_not_believed(client, web, mailserver):
    page = ("autoconfig.liar.example", "/mail/config-v1.1.xml")
    web.pages[page] = config(mailserver, "imap")
    told = client.post("/accounts/discover", {"email": "ada@liar.example"}).json
    assert told["candidates"] == [] and page not in web.asked
