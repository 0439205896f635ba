"""What people and servers do wrong: each a clear error of the right status, none a secret told."""

import re

import pytest

from tests.mailserver import faults, ports
from tests.mailserver.scripted import ScriptedServer

PASSWORD = "correct horse"


# --- signing in ------------------------------------------------------------------------------------

def failure_page(client, name, password):
    answer = client.sign_in(name, password)
    # What differs by nature: the form's token, the name given, the request's number.
    page = re.sub(r'name="csrf"\s+value="[^"]*"', "", answer.text).replace(name, "NAME")
    return answer.status, re.sub(r"\b[0-9a-f]{16}\b", "ID", page)


def test_a_wrong_password_and_an_unknown_name_look_alike(restante, local_user):
    client = restante.client()
    wrong = failure_page(client, local_user, "battery staple")
    unknown = failure_page(client, "nobody" + local_user, "battery staple")
    assert wrong[0] == 401
    assert wrong == unknown


def test_a_wrong_password_at_the_mail_server_is_refused(restante, person):
    assert restante.client().sign_in(person.address, "battery staple").status == 401


def test_a_mail_server_that_is_down_is_said_to_be(restante):
    answer = restante.client().sign_in("ada@down.example", PASSWORD)
    assert answer.status == 503
    assert PASSWORD not in answer.text


def test_a_mapped_person_signs_in_while_the_mail_server_is_down(restante, new_person, mailserver):
    person = new_person()
    restante.sign_in(person.address, person.password)
    mailserver.dovecot.stop()
    try:
        restante.sign_in(person.address, person.password)
    finally:
        mailserver.dovecot.start()


def test_a_form_without_its_token_is_refused(restante, local_user):
    client = restante.client()
    client.get("//sign-in")
    answer = client.post("//sign-in", form={"name": local_user, "password": "a local password"})
    assert answer.status == 403


def test_signing_in_from_another_site_is_refused(restante, local_user):
    client = restante.client()
    token = client.form_token("//sign-in")
    answer = client.post("//sign-in", headers={"Sec-Fetch-Site": "cross-site"},
                         form={"csrf": token, "name": local_user, "password": "a local password"})
    assert answer.status == 403


def test_too_many_wrong_passwords_for_one_name_are_throttled(restante, local_user):
    client = restante.client()
    statuses = [client.sign_in(local_user, f"guess {number}").status for number in range(12)]
    assert statuses[0] == 401 and statuses[-1] in (429, 503)
    assert client.sign_in(local_user, "a local password").status == statuses[-1]


# --- adding an account -------------------------------------------------------------------------------

def add_account(restante, login, port, *, tls="implicit", kind="imap", host="127.0.0.1",
                email="ada@example.org", password=PASSWORD):
    """Tries it as an administrator does. Returns the complaint, or "" if it was added."""
    run = restante.command("account", "add", login, "--email", email, "--kind", kind, "--host", host,
                           "--port", str(port), "--tls", tls, password=password, check=False)
    assert password not in run.stderr + run.stdout
    return run.stderr if run.returncode else ""


@pytest.mark.parametrize("kind, port, tls", [
    ("imap", "imaps", "implicit"), ("imap", "imap", "starttls"),
    ("pop3", "pop3s", "implicit"), ("pop3", "pop3", "starttls")])
def test_a_good_account_is_added(restante, local_user, person, mailserver, kind, port, tls):
    assert add_account(restante, local_user, mailserver.ports[port], kind=kind, tls=tls,
                       email=person.address) == ""


def test_a_wrong_password_names_the_step(restante, local_user, person, mailserver):
    complaint = add_account(restante, local_user, mailserver.ports["imaps"], email=person.address,
                            password="battery staple")
    assert "sign-in" in complaint


def test_a_server_that_is_not_there_names_the_step(restante, local_user):
    assert "connect" in add_account(restante, local_user, ports.free()[0])


def test_a_host_that_does_not_exist_names_the_step(restante, local_user):
    assert "resolve" in add_account(restante, local_user, 993, host="no.such.host.invalid")


def test_implicit_tls_to_a_plain_port_names_the_step(restante, local_user, mailserver):
    assert "tls" in add_account(restante, local_user, mailserver.ports["imap"]).lower()


def test_starttls_to_a_tls_port_ends(restante, local_user):
    # A TLS port says nothing until the client does: the time-out of the greeting, not a hang.
    with ScriptedServer("close") as server:
        assert "greeting" in add_account(restante, local_user, server.port, tls="starttls")


def test_a_connection_without_tls_is_refused_unless_allowed(restante, local_user, mailserver):
    assert add_account(restante, local_user, mailserver.ports["imap"], tls="none") != ""


@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-host"])
def test_a_bad_certificate_names_the_step(restante, local_user, mailserver, kind):
    shown = mailserver.authority.certificate(kind)
    with faults.Proxy(mailserver.ports["imap"], tls=shown) as proxy:
        assert "tls" in add_account(restante, local_user, proxy.port).lower()
        assert proxy.bytes_passed[faults.SERVER] == 0


@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-host"])
def test_a_bad_certificate_after_starttls_gets_no_password(restante, local_user, mailserver, kind):
    script = f"""
        S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready
        C: {{tag}} STARTTLS
        S: {{tag}} OK go
        tls {kind}
        C: ...
    """
    with ScriptedServer(script, mailserver.authority) as server:
        assert "tls" in add_account(restante, local_user, server.port, tls="starttls").lower()
        assert not [line for said in server.transcripts for line in said if PASSWORD in line]


@pytest.mark.parametrize("script", [
    "S: HTTP/1.1 400 Bad Request\nclose",
    "S: \\x00\\x01\\xff\\xfe not a mail server\nclose",
    "S: * BYE go away\nclose",
    "S: * OK\nclose",
    "S* 20000: * OK and again and again and again\nclose",
    "S: * OK [CAPABILITY IMAP4rev1] no TLS here\nC: {tag} ...\nS: {tag} BAD what\nclose",
    "S: * PREAUTH you are somebody else\nC: {tag} ...\nS: {tag} OK yes\nclose",
    "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready\nC: {tag} STARTTLS\n"
    "S: {tag} OK go\\r\\n* OK injected\ntls\nC: {tag} ...",
])
def test_a_server_that_speaks_nonsense_gets_no_password(restante, local_user, mailserver, script):
    with ScriptedServer(script, mailserver.authority) as server:
        assert add_account(restante, local_user, server.port, tls="starttls") != ""
        assert not [line for said in server.transcripts for line in said if PASSWORD in line]


def test_a_private_address_is_refused_unless_allowed(restante, local_user):
    for host in ("10.0.0.1", "169.254.169.254", "0x0a000001", "[fe80::1]"):
        assert add_account(restante, local_user, 993, host=host) != ""


# --- another's and unknown ids ---------------------------------------------------------------------------

PAGES = ["//mail/{account}", "//mail/{account}/{mailbox}", "//mail/{account}/{mailbox}/{email}",
         "//mail/{account}/message/{email}/body", "//mail/{account}/message/{email}/raw",
         "//mail/{account}/message/{email}/source", "//mail/{account}/message/{email}/part/1",
         "//accounts/{account}", "//accounts/{account}/servers", "//accounts/{account}/delete"]


def first_message(client):
    """The ids in the path of the first message that this person's inbox shows, once it is there."""
    from tests.harness import eventually

    def look():
        page = client.get("//")
        while page.status in (302, 303):
            page = client.get("/" + page.headers["Location"])
        found = re.search(r'href="/mail/(\d+)/(\d+)/(\d+)', page.text)
        return found and dict(zip(("account", "mailbox", "email"), found.groups()))

    ids = eventually(look, pause=0.1)
    assert ids, "no message is listed"
    return ids


@pytest.mark.parametrize("page", PAGES)
def test_anothers_ids_are_as_absent_as_unknown_ones(restante, new_person, page):
    owner, other = new_person(), new_person()
    owner.receive("Subject: mine\n\nonly mine\n")
    mine = restante.sign_in(owner.address, owner.password)
    stranger = restante.sign_in(other.address, other.password)
    ids = first_message(mine)
    assert mine.get(page.format(**ids)).status in (200, 303)
    theirs = stranger.get(page.format(**ids))
    unknown = stranger.get(page.format(account=999999999, mailbox=1, email=1))
    assert theirs.status == unknown.status == 404
    assert b"only mine" not in theirs.content


@pytest.mark.parametrize("path", ["//mail/0", "//mail/-1", "//mail/x", "//mail/99999999999999999999",
                                  "//mail/1%00", "//mail/1/../../etc/passwd", "//no/such/page"])
def test_ids_that_are_none_are_not_found(restante, person, path):
    client = restante.sign_in(person.address, person.password)
    assert client.get(path).status in (400, 404)


def test_pages_of_others_need_signing_in(restante):
    for page in PAGES:
        answer = restante.client().get(page.format(account=1, mailbox=1, email=1))
        assert answer.status == 303 and answer.headers["Location"].startswith("/sign-in")


# --- the service goes on, and tells nobody's secrets ---------------------------------------------------------

def test_nothing_of_this_is_in_the_log(restante):
    log = restante.log.read_text(errors="replace")
    assert PASSWORD not in log and "battery staple" not in log and "a local password" not in log
