"""Who may what by the JSON API: what is somebody else's is as absent as what is not there, and a token does
what its scopes say."""

import pytest

from tests.integration.test_api import CHANGING, READING, Reader, people, problem


@pytest.fixture(scope="module")
def reader(restante, people):
    person = people("apiowner")
    person.receive("Subject: hers\n\nhello\n")
    return Reader(restante, person).await_emails(1)


@pytest.fixture(scope="module")
def other(restante, people):
    person = people("apistranger")
    person.receive("Subject: mine\n\nhello\n")
    return Reader(restante, person).await_emails(1)


# --- somebody else's -------------------------------------------------------------------------------------------

def without_instance(answer):
    """All of an answer but what tells requests apart."""
    headers = sorted((name, value) for name, value in answer.headers.items()
                     if name not in ("Date", "X-Request-Id"))
    return answer.status, headers, answer.content.replace(
        answer.headers["X-Request-Id"].encode(), b"ID")


ABSENT = {"account": "999999999", "mailbox": "999999998", "email": "999999997", "thread": "999999996"}


@pytest.mark.parametrize("method, route", [("GET", route) for route in READING if "{" in route] + [
    ("GET", "/accounts/{account}/operations/1"), ("GET", "/accounts/{account}/emails/{email}?bodyValues=all"),
    ("PATCH", "/accounts/{account}"), ("POST", "/accounts/{account}/sync"),
    ("POST", "/accounts/{account}/test"), ("DELETE", "/accounts/{account}")])
def test_anothers_things_are_as_absent_as_unknown_ones(reader, other, method, route):
    body = {"name": "taken over"} if method == "PATCH" else None
    theirs = other.api.request(method, route.format(**reader.ids), json_body=body)
    unknown = other.api.request(method, route.format(**ABSENT), json_body=body)
    assert theirs.status == 404
    assert without_instance(theirs) == without_instance(unknown)
    assert reader.api.get(reader.base).json["name"] != "taken over"


def test_nobody_lists_anothers_things(reader, other):
    assert [account["id"] for account in other.api.get("/accounts").json["accounts"]] == [other.account]
    theirs = {token["id"] for token in reader.api.get("/tokens").json["tokens"]}
    assert not theirs & {token["id"] for token in other.api.get("/tokens").json["tokens"]}
    for token in theirs:
        revoked = other.api.delete(f"/tokens/{token}")
        assert without_instance(revoked) == without_instance(other.api.delete("/tokens/999999999"))
    assert reader.api.get("/session").status == 200


# --- who may ------------------------------------------------------------------------------------------------------

def all_routes(ids):
    return [("GET", route.format(**ids)) for route in READING] + \
        [(method, route.format(**ids)) for method, route in CHANGING] + [("DELETE", "/session")]


def test_nobody_may_anything(restante, reader):
    nobody = restante.client()
    for method, route in all_routes(reader.ids):
        answer = nobody.request(method, route, json_body={} if method != "GET" else None)
        problem(answer, 401, "auth")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("credentials", ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Token {token}",
                                         "bearer {token}x", "Bearer {token},{token}", "Bearer " + "x" * 8000])
def test_tokens_that_are_none_open_nothing(restante, reader, credentials):
    text = credentials.replace("{token}", reader.api.token)
    answer = restante.client().get("/session", headers={"Authorization": text})
    problem(answer, 401, "auth")
    # not even beside good cookies: which of the two was meant?
    assert reader.browser.get("/session", headers={"Authorization": text}).status == 401


def test_tokens_do_what_their_scopes_say(restante, reader):
    ids = reader.ids
    only = {scopes: restante.client(restante.token(reader.person.address, scopes))
            for scopes in ("read", "write", "send", "read,write")}
    for route in READING:
        assert only["read"].get(route.format(**ids)).status == 200
        problem(only["write"].get(route.format(**ids)), 403, "forbidden")
        problem(only["send"].get(route.format(**ids)), 403, "forbidden")
    for method, route in CHANGING:
        for scopes in ("read", "send"):
            answer = only[scopes].request(method, route.format(**ids), json_body={})
            assert '"write"' in problem(answer, 403, "forbidden")["detail"]
    assert only["read,write"].patch(reader.base, {"pollSeconds": 60}).status == 200


def test_a_token_makes_none_that_may_more(restante, reader):
    weak = restante.client(restante.token(reader.person.address, "write"))
    for scopes in (["read"], ["send"], ["write", "read"]):
        problem(weak.post("/tokens", {"name": "more", "scopes": scopes}), 403, "forbidden")
    made = weak.post("/tokens", {"name": "as much", "scopes": ["write"], "expiresInDays": 1})
    assert made.status == 201 and made.json["scopes"] == ["write"] and made.json["expiresAt"]
    assert restante.client(made.json["token"]).patch(reader.base, {"pollSeconds": 60}).status == 200


def test_tokens_are_shown_once_and_end_at_once(api, restante):
    made = api.post("/tokens", {"name": "script", "scopes": ["read", "send"]}).json
    assert made["expiresAt"] is None and made["usedAt"] is None
    listed = api.get("/tokens")
    assert made["token"] not in listed.text and made["id"] in [t["id"] for t in listed.json["tokens"]]
    script = restante.client(made["token"])
    assert script.get("/session").json["scopes"] == ["read", "send"]
    assert api.delete(f"/tokens/{made['id']}").status == 204
    problem(script.get("/session"), 401, "auth")
    problem(api.delete(f"/tokens/{made['id']}"), 404, "not-found")


def test_a_token_is_not_ended_like_a_session(api):
    problem(api.delete("/session"), 400, "invalid")
    assert api.get("/session").status == 200


def test_a_program_signs_in_and_out_with_cookies(restante, local_user):
    client = restante.client()
    answer = client.post("/session", {"username": local_user, "password": "a local password"})
    assert answer.status == 204 and answer.content == b""
    csrf = client.get("/session").json["csrf"]
    problem(client.delete("/session"), 403, "forbidden")
    assert client.delete("/session", headers={"X-CSRF-Token": csrf}).status == 204
    problem(client.get("/session"), 401, "auth")
    problem(restante.client().post("/session", {"username": local_user, "password": "wrong"}), 401, "auth")
