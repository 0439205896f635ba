"""How often a person may have mail servers asked and tokens made; and that nothing that is asked of
somebody's mail server keeps the service from ending."""

import socket
import threading

import pytest

from tests import harness
from tests.harness import eventually
from tests.mailserver import ports

TRIES = 3


@pytest.fixture(scope="module")
def service(mailserver, state_folder):
    with harness.Restante(state_folder / "limits", domains={}, ca_file=mailserver.ca_file,
                          allow_plaintext=True, account_tries=TRIES) as restante:
        yield restante


@pytest.fixture
def person(service, request):
    return service.add_user(request.node.name)


def settings(port, email="ada@example.org"):
    return {"email": email, "password": "any", "kind": "imap",
            "incoming": {"host": "127.0.0.1", "port": port, "tls": "none"}}


def is_throttled(answer):
    said = answer.json
    return (answer.status == 429 and said["type"].endswith("throttled") and said["hint"]
            and 0 < int(answer.headers["Retry-After"]) <= 3600)


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_trials_are_counted_for_the_person(service, person, closed_port):
    api = service.client(service.token(person))
    for _ in range(TRIES):
        assert api.post("/accounts", settings(closed_port)).status in (422, 502, 503, 504)
    assert is_throttled(api.post("/accounts", settings(closed_port)))
    # another token is the same person, another person is not
    assert is_throttled(service.client(service.token(person)).post("/accounts",
                                                                   settings(closed_port)))
    other = service.client(service.token(service.add_user("other-" + person)))
    assert other.post("/accounts", settings(closed_port)).status != 429


def test_searches_for_servers_are_counted_for_the_person(service, person):
    api = service.client(service.token(person))
    for _ in range(TRIES):
        assert api.post("/accounts/discover", {"email": "no address"}).status != 429
    assert is_throttled(api.post("/accounts/discover", {"email": "no address"}))


def test_the_page_says_when_to_come_again(service, person, closed_port):
    api = service.client(service.token(person))
    for _ in range(TRIES):
        api.post("/accounts", settings(closed_port))
    browser = service.sign_in(person, "a local password")
    answer = browser.submit("//accounts/new?manual=1", "//accounts/new", email="ada@example.org",
                            password="any", kind="imap", host="127.0.0.1", port=str(closed_port),
                            tls="none", username="", smtpHost="", smtpPort="", smtpTls="implicit",
                            smtpUsername="")
    assert answer.status == 429 and int(answer.headers["Retry-After"]) > 0
    assert "Too many tries" in answer.text and "Wait " in answer.text
    assert str(closed_port) in answer.text  # what was typed is still there


def test_tokens_are_counted_for_the_person(service, person):
    api = service.client(service.token(person))
    made = [api.post("/tokens", {"name": "t", "scopes": ["read"]}) for _ in range(51)]
    assert {each.status for each in made[:50]} == {201}
    assert is_throttled(made[50])
    browser = service.sign_in(person, "a local password")
    answer = browser.submit("//settings", "//settings/tokens", name="one more")
    assert answer.status == 429 and "Too many new tokens" in answer.text


class Silent:
    """Takes connections and says nothing."""

    def __init__(self):
        self.listener = ports.listener()
        self.port = self.listener.getsockname()[1]
        self.taken = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                self.taken.append(self.listener.accept()[0])
        except OSError:
            pass  # closed

    def close(self):
        self.listener.close()
        for each in self.taken:
            each.close()


def test_a_trial_at_a_silent_server_does_not_keep_the_service_from_ending(service, person):
    silent = Silent()
    api = service.client(service.token(person))
    asked = threading.Thread(target=lambda: api.post("/accounts", settings(silent.port)), daemon=True)
    asked.start()
    assert eventually(lambda: silent.taken)
    log = len(service.log.read_text(errors="replace"))
    service.stop()
    said = service.log.read_text(errors="replace")[log:]
    # it was given up, not waited for: whoever waits for silence tries the other way of TLS then
    assert len(silent.taken) == 1
    assert "event=sync.trial" in said and "error=unavailable" in said
    silent.close()
    service.start()
