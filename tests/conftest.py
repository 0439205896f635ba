"""What all tests can ask for: see tests/README.md."""

import itertools
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import harness
from tests.mailserver import mailserver as mail
from tests.mailserver import ports
from tests.webservers import WebServer

_serial = itertools.count(1)


def pytest_configure():
    # A time limit that ends us (SIGTERM) shall end what we started, too: as root the service changes
    # its user, and the kernel then forgets that it should die with us.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated"))


@pytest.fixture(scope="session")
def mailserver():
    """A MailServer. Tests make users of their own in it (`person`), so it is shared."""
    with mail.MailServer() as server:
        yield server


@pytest.fixture(scope="session")
def state_folder():
    folder = Path(tempfile.mkdtemp(prefix="restante-", dir="/tmp"))
    folder.chmod(0o755)  # the service's user must come in when we are root
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def restante(mailserver, state_folder):
    """One running instance for the whole session. Its domains: example.org (IMAP), starttls.example
    (IMAP with STARTTLS), example.net (POP3), down.example (a server that is not there)."""
    if not harness.BINARY.exists():
        pytest.skip(f"{harness.BINARY} is not built")
    nobody, fastcgi = ports.free(2)
    domains = {
        "example.org": harness.domain("imap", mailserver),
        "starttls.example": harness.domain("imap", mailserver, tls="starttls"),
        "example.net": harness.domain("pop3", mailserver),
        "down.example": {"kind": "imap", "host": "127.0.0.1", "port": nobody},
    }
    service = harness.Restante(
        state_folder / "service", domains=domains, ca_file=mailserver.ca_file,
        listen_fastcgi=[f"127.0.0.1:{fastcgi}"],
        # Tests sign in wrongly more often than people do; test_reading sets its own limit by name.
        sign_in_tries_per_address=100000,
        trusted_authserv=["mx.trusted.example"])
    service.fastcgi_address = f"127.0.0.1:{fastcgi}"
    service.http_address = f"127.0.0.1:{service.port}"
    with service:
        yield service


class Person:
    """Somebody with a mailbox on the mail server and nothing here yet."""

    def __init__(self, address, password, mailserver):
        self.address, self.password, self._mailserver = address, password, mailserver

    def receive(self, message, **options):
        """Puts a message (bytes, or text with any line ends) into the mailbox."""
        if isinstance(message, str):
            message = message.encode()
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self._mailserver.deliver(self.address, message, **options)

    @property
    def maildir(self):
        return self._mailserver.dovecot.home(self.address) / "Maildir"


@pytest.fixture
def new_person(mailserver):
    """A function that makes a Person, at the domain given."""
    made = []

    def make(domain="example.org", password="correct horse"):
        user = mailserver.add_user(f"person{next(_serial)}@{domain}", password)
        made.append(Person(user.address, user.password, mailserver))
        return made[-1]

    yield make
    for person in made:
        mailserver.delete_user(person.address)


@pytest.fixture
def person(new_person):
    return new_person()


@pytest.fixture
def local_user(restante):
    """A name that can sign in here, with the password "a local password" and no mail account."""
    return restante.add_user(f"local{next(_serial)}")


@pytest.fixture
def api(restante, local_user):
    """A Client for /api/v1 with all scopes, as `local_user`."""
    client = restante.client(restante.token(local_user))
    client.login = local_user
    return client


@pytest.fixture(scope="session")
def browser_process():
    selenium = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    profile = tempfile.mkdtemp(prefix="browser-", dir="/tmp")
    options = selenium.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 f"--user-data-dir={profile}", "--window-size=1280,900", "--disable-extensions",
                 "--hide-scrollbars",
                 # Nothing of its own goes out: whatever arrives somewhere, a page asked for.
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-default-apps", "--disable-domain-reliability", "--no-pings",
                 "--metrics-recording-only", "--disable-client-side-phishing-detection",
                 "--no-proxy-server", "--disable-features=OptimizationHints,MediaRouter,Translate,"
                 "CertificateTransparencyComponentUpdater,AutofillServerCommunication",
                 # Names lead nowhere but here; a canary is on 127.0.0.1 by its number.
                 "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1, EXCLUDE localhost"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = selenium.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def browser(browser_process):
    """Headless Chromium (a selenium driver), with no cookie of an earlier test."""
    browser_process.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser_process.get("about:blank")
    for kind in ("browser", "performance"):
        browser_process.get_log(kind)  # what was before is no concern of this test
    return browser_process


def _front(program, way):
    @pytest.fixture(scope="session", name=f"{program}_{way}")
    def fixture(restante):
        if not shutil.which(program, path="/usr/sbin:/usr/bin"):
            pytest.skip(f"{program} is not installed")
        target = {"http": restante.http_address, "fastcgi": restante.fastcgi_address,
                  "cgi": restante}[way]
        with WebServer(program, way, target) as server:
            yield server

    return fixture


nginx_http = _front("nginx", "http")
nginx_fastcgi = _front("nginx", "fastcgi")
lighttpd_http = _front("lighttpd", "http")
lighttpd_fastcgi = _front("lighttpd", "fastcgi")
lighttpd_cgi = _front("lighttpd", "cgi")
apache2_http = _front("apache2", "http")
apache2_fastcgi = _front("apache2", "fastcgi")
apache2_cgi = _front("apache2", "cgi")

FRONTS = ("nginx_http", "nginx_fastcgi", "lighttpd_http", "lighttpd_fastcgi", "lighttpd_cgi",
          "apache2_http", "apache2_fastcgi", "apache2_cgi")


@pytest.fixture(params=FRONTS)
def front(request):
    """Each web server in each way, one after the other: something with a `url`."""
    return request.getfixturevalue(request.param)
