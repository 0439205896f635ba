"""Running `restante` for the demo and the tests, and talking to it."""

import html
import http.cookiejar
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.mailserver import ports, unprivileged

ROOT = Path(__file__).resolve().parents[1]
BINARY = Path(os.environ.get("RESTANTE_BIN", ROOT / "build/release/restante")).resolve()


def domain(kind, server, *, tls="implicit"):
    """A `domain` section for the users of a MailServer (or of anything with host and ports)."""
    name = {"imap": {"implicit": "imaps"}, "pop3": {"implicit": "pop3s"}}[kind].get(tls, kind)
    return {"kind": kind, "host": server.host, "port": server.ports[name], "tls": tls,
            "smtp_host": server.host, "smtp_port": server.ports["submissions"],
            "smtp_tls": "implicit"}


def _config_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(_config_value(str(each)) for each in value) + "}"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_config(path, options, domains):
    """The configuration file (libconfuse) of these options and `domain` sections."""
    lines = ["# Generated."]
    lines += [f"{name} = {_config_value(value)}" for name, value in options.items()]
    for name, section in domains.items():
        lines.append(f'domain "{name}" {{')
        lines += [f"    {key} = {_config_value(value)}" for key, value in section.items()]
        lines.append("}")
    Path(path).write_text("\n".join(lines) + "\n")


class Restante:
    """`restante serve` with a private database, all in `folder`."""

    def __init__(self, folder, *, domains, ca_file, port=None, binary=BINARY, **options):
        """`options` go into the configuration file under their own names."""
        self.binary = binary
        self.folder = Path(folder).resolve()
        self.config = self.folder / "restante.conf"
        self.port = port or ports.free()[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.domains = domains
        self.log = self.folder / "restante.log"
        self.options = {
            "state_directory": self.folder / "state",
            "listen": [f"127.0.0.1:{self.port}"],
            "public_url": self.url,
            "ca_file": ca_file,
            # Our mail servers are on loopback, on any port.
            "egress_networks": ["127.0.0.0/8", "::1/128"],
            "egress_ports": ["any"],
        } | options
        self.process = None

    @property
    def is_sanitized(self):
        """Under AddressSanitizer, which keeps what was freed: then memory cannot be measured."""
        return b"__asan_init" in self.binary.read_bytes()

    def start(self, patience=60):
        assert self.binary.exists(), f"{self.binary} is missing: run make"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_config(self.config, self.options, self.domains)
        with open(self.log, "ab") as log:
            # As root it changes the user itself, as it does for administrators.
            self.process = unprivileged.start(
                [str(self.binary), "serve", "--config", str(self.config)], as_user=False, stdout=log,
                stderr=log)
        self.wait_ready(patience)
        return self

    def wait_ready(self, patience=60):
        end = time.monotonic() + patience
        while self.process.poll() is None and time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        problem = self.log_tail()
        status = self.process.poll()
        self.stop()
        raise RuntimeError(f"restante is not ready (exit status {status}):\n{problem}")

    def stop(self):
        if self.process:
            # PostgreSQL may take its time over a last checkpoint.
            unprivileged.stop(self.process, patience=60)
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    def log_tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) \
            if self.log.exists() else "(no log)"

    def command(self, *words, password=None, check=True):
        """Runs a subcommand; `password` goes in on standard input."""
        run = subprocess.run([str(self.binary), *words, "--config", str(self.config)], text=True,
                             input=f"{password}\n" if password is not None else "",
                             capture_output=True, timeout=120)
        if check and run.returncode != 0:
            raise RuntimeError(f"restante {' '.join(words)}: {run.stderr.strip()}")
        return run

    def add_user(self, login, password="a local password"):
        self.command("user", "add", login, password=password)
        return login

    def token(self, login, scopes="read,write,send"):
        return self.command("token", "create", login, "test", "--scopes",
                            scopes).stdout.strip()

    def client(self, token=None):
        return Client(self.url, token)

    def sign_in(self, name, password):
        """A Client with the cookies of somebody who signed in on the page."""
        client = self.client()
        answer = client.sign_in(name, password)
        if answer.status != 303:
            raise RuntimeError(f"{name} cannot sign in: status {answer.status}\n{answer.text}")
        return client

    def sql(self, statement):
        """What the private database answers, as its owner: for looking at what no door shows, and for
        making a row older than a test can wait."""
        home = self.folder / "state/postgresql"
        owner = {"user": home.stat().st_uid, "group": home.stat().st_gid, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        return subprocess.run(["psql", "-h", str(home), "-U", "restante", "-d", "restante", "-X", "-A", "-t", "-v",
                               "ON_ERROR_STOP=1", "-c", statement], check=True, text=True,
                              capture_output=True, timeout=60, **owner).stdout.strip()

    def children(self):
        """The pids of all processes below `serve`, with their command lines."""
        found, above = {}, [self.process.pid]
        while above:
            pid = above.pop()
            try:
                below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                for child in map(int, below):
                    found[child] = Path(f"/proc/{child}/cmdline").read_bytes().decode(
                        errors="replace").replace("\0", " ").strip()
                    above.append(child)
            except OSError:
                pass  # gone meanwhile
        return found

    def pid_of(self, what):
        """Of the role "web" or "sync", or of "postgres", as the log last told it."""
        pattern = r"event=cluster.start pid=(\d+)" if what == "postgres" else \
            rf"event=serve.started what={what} pid=(\d+)"
        return int(re.findall(pattern, self.log.read_text(errors="replace"))[-1])

    def kill(self, what):
        """kill -9 of the role "web" or "sync", or of "postgres". Returns its pid."""
        pid = self.pid_of(what)
        assert pid in self.children(), f"{what} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid


@dataclass
class Answer:
    status: int
    headers: object  # email.message.Message: case-insensitive
    content: bytes
    url: str = ""

    @property
    def json(self):
        return json.loads(self.content)

    @property
    def text(self):
        return self.content.decode()

    @property
    def is_problem(self):
        return self.headers.get_content_type() == "application/problem+json"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


@dataclass
class Client:
    """A small HTTP client that keeps cookies and never follows a redirect. Any status is an
    Answer; only a broken connection raises."""
    url: str
    token: str = None
    prefix: str = "/api/v1"
    headers: dict = field(default_factory=dict)

    def __post_init__(self):
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self.cookies))

    def request(self, method, path, *, json_body=None, body=None, form=None, headers=None,
                timeout=60):
        """`path` below /api/v1, or from the root when it begins with "//"."""
        sent = dict(self.headers) | (headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("Content-Type", "application/json")
        elif form is not None:
            body = urllib.parse.urlencode(form).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        where = path[1:] if path.startswith("//") else self.prefix + path
        request = urllib.request.Request(self.url + where, data=body, headers=sent, method=method)
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return Answer(response.status, response.headers, response.read(), response.url)
        except urllib.error.HTTPError as answer:
            with answer:
                return Answer(answer.code, answer.headers, answer.read(), answer.url)

    def form_token(self, page):
        """The hidden field "csrf" of a page, which every form of it carries."""
        token = re.search(r'name="csrf"\s+value="([^"]*)"', self.get(page).text)
        assert token, f"{page} has no form token"
        return html.unescape(token.group(1))

    def submit(self, page, action=None, **fields):
        """Sends a page's form, with its token, to `action` (or the page itself)."""
        return self.post(action or page, form={"csrf": self.form_token(page)} | fields)

    def sign_in(self, name, password):
        return self.submit("//sign-in", name=name, password=password)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, json_body=None, **options):
        return self.request("POST", path, json_body=json_body, **options)

    def put(self, path, json_body=None, **options):
        return self.request("PUT", path, json_body=json_body, **options)

    def patch(self, path, json_body=None, **options):
        return self.request("PATCH", path, json_body=json_body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)


def metric(service, name):
    """What /metrics says of one that has no labels."""
    text = service.client().get("//metrics").text
    return int(re.search(rf"^restante_{name} (\d+)$", text, re.M)[1])


def eventually(check, patience=30, pause=0.02):
    """What `check()` returns once that is true; None when the patience is at its end. For what
    happens by itself a moment later: never for measuring time."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if result := check():
            return result
        time.sleep(pause)
    return check() or None
