"""Mail accounts by /api/v1: made, changed, tried, deleted; servers found for an address."""

import pytest

from tests.harness import eventually
from tests.integration.test_api import problem
from tests.mailserver import ports


def settings_of(person, mailserver, **change):
    return {"email": person.address, "password": person.password, "kind": "imap",
            "incoming": {"host": mailserver.host, "port": mailserver.ports["imaps"]}} | change


def test_an_account_is_made_changed_tested_and_deleted(api, person, mailserver):
    person.receive("Subject: first\n\nhello\n")
    smtp = {"host": mailserver.host, "port": mailserver.ports["submissions"]}
    made = api.post("/accounts", settings_of(person, mailserver, name="Work", smtp=smtp))
    assert made.status == 201
    account = made.json
    assert made.headers["Location"] == f"/api/v1/accounts/{account['id']}"
    assert account["name"] == "Work" and account["smtp"]["port"] == smtp["port"]
    base = f"/accounts/{account['id']}"
    problem(api.post("/accounts", settings_of(person, mailserver)), 409, "conflict")
    changed = api.patch(base, {"name": "Play", "pollSeconds": 30, "prefetch": "all", "prefetchDays": 9})
    assert changed.status == 200
    for told in (changed.json, api.get(base).json):
        assert (told["name"], told["pollSeconds"], told["prefetch"], told["prefetchDays"]) == \
            ("Play", 30, "all", 9)
    assert api.patch(base, {}).json["name"] == "Play"
    assert api.post(f"{base}/test").json == {"ok": True}
    assert api.post(f"{base}/sync").status == 202
    assert eventually(lambda: sum(box["totalEmails"] for box in
                                  api.get(f"{base}/mailboxes").json["mailboxes"]) == 1)
    assert api.delete(base).status == 204
    problem(api.get(base), 404, "not-found")
    problem(api.delete(base), 404, "not-found")
    assert api.post("/accounts", settings_of(person, mailserver)).status == 201


def test_an_account_whose_password_is_wrong_says_so_and_is_not_made(api, person, mailserver):
    answer = api.post("/accounts", settings_of(person, mailserver, password="battery staple"))
    said = problem(answer, 422, "refused")
    assert "sign-in" in said["detail"] and said["hint"] and "battery" not in answer.text
    assert api.get("/accounts").json["accounts"] == []


@pytest.mark.parametrize("incoming, status, step", [
    ({"host": "127.0.0.1", "port": None}, 502, "connect"),
    ({"host": "no.such.host.invalid", "port": 993}, 502, "resolve"),
    ({"host": "127.0.0.1", "port": "imap"}, 502, "tls"),
    ({"host": "10.0.0.1", "port": 993}, 403, "connect")])
def test_servers_that_cannot_be_reached_name_the_step(api, person, mailserver, incoming, status, step):
    port = incoming["port"]
    port = ports.free()[0] if port is None else mailserver.ports.get(port, port)
    answer = api.post("/accounts", settings_of(person, mailserver, incoming=incoming | {"port": port}))
    assert step in problem(answer, status)["detail"]
    assert api.get("/accounts").json["accounts"] == []


def test_a_test_of_an_account_says_what_is_wrong_now(api, person, mailserver):
    account = api.post("/accounts", settings_of(person, mailserver)).json["id"]
    mailserver.dovecot.stop()
    try:
        told = api.post(f"/accounts/{account}/test").json
    finally:
        mailserver.dovecot.start()
    assert told["ok"] is False and told["part"] == "incoming" and told["step"] == "connect"
    assert told["kind"] == "unreachable" and told["message"] and told["hint"]


def test_discovery_knows_large_providers(api):
    told = api.post("/accounts/discover", {"email": "somebody@gmail.com"}).json
    best = told["candidates"][told["recommended"]]
    assert best["source"] == "table" and best["kind"] == "imap"
    assert best["incoming"] == {"host": "imap.gmail.com", "port": 993, "tls": "implicit",
                                "username": "somebody@gmail.com"}
    assert {"imap", "pop3"} == {candidate["kind"] for candidate in told["candidates"]}
    imap, pop3 = told["kinds"]  # and why, in sentences for people
    assert (imap["kind"], imap["isRecommended"]) == ("imap", True)
    assert (pop3["kind"], pop3["isRecommended"]) == ("pop3", False)
    assert [why["topic"] for why in imap["reasons"]] == ["folders", "devices", "speed"]
    assert [why["topic"] for why in pop3["reasons"]] == ["offline", "folders", "removal"]
    assert all(why["sentence"].endswith(".") for why in imap["reasons"] + pop3["reasons"])


@pytest.mark.parametrize("email", ["nobody", "a@", "a@b c", "a@127.0.0.1:80", "a@" + "x" * 70 + ".example"])
def test_discovery_of_what_is_no_address_is_refused(api, email):
    problem(api.post("/accounts/discover", {"email": email}), 400, "invalid")


def test_discovery_that_finds_nothing_says_so(api):
    told = api.post("/accounts/discover", {"email": "ada@no.such.domain.invalid"}).json
    assert told["candidates"] == told["kinds"] == []
