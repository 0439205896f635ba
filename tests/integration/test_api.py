"""The JSON API, route by route: what it answers, and how it refuses what is wrong."""

import datetime
import json
import re
import socket

import pytest

from tests.harness import ROOT, eventually

# every route of handlers/api/api.c, with what its parameters may be for a person with mail
READING = ["/session", "/tokens", "/accounts", "/accounts/{account}", "/accounts/{account}/changes",
           "/accounts/{account}/mailboxes", "/accounts/{account}/mailboxes/{mailbox}",
           "/accounts/{account}/mailboxes/{mailbox}/emails", "/accounts/{account}/emails/{email}",
           "/accounts/{account}/emails/{email}/raw", "/accounts/{account}/emails/{email}/parts/1",
           "/accounts/{account}/threads/{thread}"]
CHANGING = [("POST", "/tokens"), ("DELETE", "/tokens/1"), ("POST", "/accounts"),
            ("POST", "/accounts/discover"), ("PATCH", "/accounts/{account}"),
            ("POST", "/accounts/{account}/sync"), ("POST", "/accounts/{account}/test"),
            ("DELETE", "/accounts/{account}")]
BODIES = [("POST", "/session"), ("POST", "/tokens"), ("POST", "/accounts"),
          ("POST", "/accounts/discover"), ("PATCH", "/accounts/{account}")]

LETTERS = 130  # three pages of fifty, the last not full
LETTER = """From: =?utf-8?Q?J=C3=BCrgen?= <juergen@example.org>
To: Ada <ada@example.org>, ben@example.org
Cc: carla@example.org
Reply-To: replies@example.org
Subject: =?utf-8?B?R3LDvMOfZQ==?=
Date: Tue, 25 Nov 2025 10:20:30 +0100
Message-ID: <one@example.org>
In-Reply-To: <zero@example.org>
References: <minus@example.org> <zero@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Sch=F6ne Gr=FC=DFe
--b
Content-Type: text/html; charset=utf-8
Content-Disposition: attachment; filename="page.html"

<p>hello</p>
--b
Content-Type: application/pdf
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename*=utf-8''pl%C3%A4ne.pdf

aGVsbG8sIGZpbGU=
--b--
"""


class Reader:
    """Somebody with mail here: a Client with a token, another with cookies, and ids."""

    def __init__(self, restante, person):
        self.restante, self.person = restante, person
        self.browser = restante.sign_in(person.address, person.password)
        self.csrf = self.browser.get("/session").json["csrf"]
        self.api = restante.client(restante.token(person.address))
        self.account = self.api.get("/accounts").json["accounts"][0]["id"]
        self.base = f"/accounts/{self.account}"

    def mailbox(self, role="inbox"):
        return next((box for box in self.api.get(f"{self.base}/mailboxes").json["mailboxes"]
                     if box["role"] == role), None)

    def await_emails(self, count):
        assert eventually(lambda: (box := self.mailbox()) and box["totalEmails"] == count
                          and box["isComplete"]), self.mailbox()
        self.inbox = self.mailbox()["id"]
        return self

    def emails(self, query=""):
        return self.api.get(f"{self.base}/mailboxes/{self.inbox}/emails{query}").json

    @property
    def ids(self):
        email = self.emails("?limit=1")["emails"][0]
        return {"account": self.account, "mailbox": self.inbox, "email": email["id"],
                "thread": email["threadId"]}


@pytest.fixture(scope="module")
def people(restante, mailserver):
    """A function that makes people who live as long as this file."""
    made = []

    def make(name):
        from tests.conftest import Person
        user = mailserver.add_user(f"{name}@example.org", "correct horse")
        made.append(user.address)
        return Person(user.address, user.password, mailserver)

    yield make
    for address in made:
        restante.command("user", "delete", address, check=False)
        mailserver.delete_user(address)


@pytest.fixture(scope="module")
def reader(restante, people):
    """Who has LETTERS in the inbox, the newest being LETTER; one is from before 1970."""
    person = people("apireader")
    for number in range(LETTERS - 2):
        # many of one second: the id decides then
        person.receive(f"Subject: letter {number}\n\nhello\n", arrived=1_600_000_000 + number // 7)
    person.receive("Subject: old\n\nvery\n", arrived=-86400)
    person.receive(LETTER, flags=["\\Seen", "\\Flagged"])
    return Reader(restante, person).await_emails(LETTERS)


def problem(answer, status, kind=None):
    """Checks that it is a problem document (RFC 9457) and gives it."""
    assert answer.status == status, (answer.status, answer.content[:500])
    assert answer.is_problem
    said = answer.json
    assert said["status"] == status and said["title"] and said["detail"]
    assert re.fullmatch(r"[0-9a-f]{16,}", said["instance"])
    assert said["instance"] == answer.headers["X-Request-Id"]
    assert said["type"].startswith("/problems/")
    if kind:
        assert said["type"] == f"/problems/{kind}"
    return said


# --- what is answered --------------------------------------------------------------------------------------

def test_every_reading_route_answers_with_the_headers_of_all_answers(reader):
    for route in READING:
        answer = reader.api.get(route.format(**reader.ids))
        assert answer.status == 200, (route, answer.content)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        head = reader.api.request("HEAD", route.format(**reader.ids))
        assert (head.status, head.content) == (200, b"")


def test_methods_that_a_route_has_not_are_told(reader):
    answer = reader.api.put(reader.base, {})
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}
    assert reader.api.request("OPTIONS", reader.base).status == 204
    problem(reader.api.request("BREW", "/accounts"), 501)
    problem(reader.api.get("/nothing/here"), 404, "not-found")


def table():
    """Every route of handlers/api/api.c: {address: methods}."""
    routes = {}
    rows = re.findall(r"\{(HTTP_[A-Z_ |]+),\s*V1\s*\"([^\"]+)\"",
                      (ROOT / "handlers/api/api.c").read_text())
    for methods, pattern in rows:
        routes.setdefault(pattern, set()).update(re.findall("HTTP_([A-Z]+)", methods))
    assert len(routes) > 50
    return routes


@pytest.fixture(scope="module")
def unknown():
    """The address of a route, with ids that nobody has."""
    return lambda pattern: re.sub(r"\{[a-z]+\}", "987654321", pattern)


def test_every_route_tells_its_methods_and_refuses_others(reader, unknown):
    routes = table()
    for pattern in routes:
        # "/accounts/discover" may be an "/accounts/{account}", too
        allowed = set().union({"OPTIONS"}, *(methods for other, methods in routes.items() if re.fullmatch(
            re.sub(r"\{[a-z]+\}", "[^/]+", other), pattern)))
        allowed |= {"HEAD"} if "GET" in allowed else set()
        options = reader.api.request("OPTIONS", unknown(pattern))
        assert options.status == 204 and set(options.headers["Allow"].split(", ")) == allowed, pattern
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            refused = reader.api.request(method, unknown(pattern))
            problem(refused, 405, "method-not-allowed")
            assert set(refused.headers["Allow"].split(", ")) == allowed, pattern
        problem(reader.api.request("BREW", unknown(pattern)), 501)


def test_every_route_asks_who_is_there(restante, unknown):
    nobody = restante.client()
    for pattern, methods in table().items():
        for method in methods if pattern != "/session" else methods - {"POST"}:
            answer = nobody.request(method, unknown(pattern), headers={"Authorization": "Bearer x"})
            assert problem(answer, 401, "auth") and answer.headers["WWW-Authenticate"], pattern


def test_what_is_not_there_is_a_problem_at_every_route(reader, unknown):
    for pattern, methods in table().items():
        if "{" not in pattern:
            continue
        for method in methods & {"GET", "DELETE"}:
            answer = reader.api.request(method, unknown(pattern) + "?q=x&since=0&format=zip")
            assert problem(answer, 404, "not-found"), (method, pattern)
        for method in methods - {"GET", "DELETE"}:
            answer = reader.api.request(method, unknown(pattern), body=b"x",
                                        headers={"Content-Type": "text/plain"})
            assert answer.status in (400, 404, 415), (method, pattern, answer.text)
            problem(answer, answer.status)


def test_bytes_that_a_program_has_are_not_sent_again(reader):
    for path in ("raw", "parts/1"):
        where = f"{reader.base}/emails/{reader.ids['email']}/{path}"
        whole = reader.api.get(where)
        tag = whole.headers["ETag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = reader.api.get(where, headers={"If-None-Match": known})
            assert (again.status, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert reader.api.get(where, headers={"If-None-Match": '"other"'}).content == whole.content
        some = {"Range": "bytes=0-3"}
        part = reader.api.get(where, headers=some | {"If-Range": tag})
        assert (part.status, part.content) == (206, whole.content[:4])
        changed = reader.api.get(where, headers=some | {"If-Range": '"other"'})
        assert (changed.status, changed.content) == (200, whole.content)
        problem(reader.api.get(where, headers={"Range": "bytes=9999999-"}), 416, "range")


def test_the_session_says_who_and_what(reader):
    token, cookie = reader.api.get("/session").json, reader.browser.get("/session").json
    assert token["username"] == cookie["username"] == reader.person.address
    assert token["userId"] == cookie["userId"] and token["userId"].isdigit()
    assert token["scopes"] == ["read", "write", "send"] and token["isAdmin"] is False
    assert "csrf" not in token and cookie["csrf"]


def test_accounts_are_told_without_their_secrets(reader, mailserver):
    account = reader.api.get(reader.base).json
    assert account == reader.api.get("/accounts").json["accounts"][0] | {
        key: account[key] for key in ("sync", "state")}  # these move on
    assert account["email"] == reader.person.address and account["kind"] == "imap"
    assert account["incoming"] == {"host": mailserver.host, "port": mailserver.ports["imaps"],
                                   "tls": "implicit", "username": reader.person.address}
    assert account["sync"]["state"] in ("current", "syncing")
    assert reader.person.password not in json.dumps(account) and "secret" not in json.dumps(account)


def test_mailboxes_are_named_as_in_rfc_8621(reader):
    told = reader.api.get(f"{reader.base}/mailboxes").json
    assert told["accountId"] == reader.account and isinstance(told["state"], int)
    inbox = next(box for box in told["mailboxes"] if box["role"] == "inbox")
    assert {"id", "name", "parentId", "role", "sortOrder", "totalEmails", "unreadEmails",
            "isSubscribed"} <= set(inbox)
    assert inbox["id"].isdigit() and inbox["parentId"] is None
    assert inbox["totalEmails"] == LETTERS and inbox["unreadEmails"] == LETTERS - 1
    place = f"{reader.base}/mailboxes/{inbox['id']}"
    assert reader.api.get(place).json == inbox
    for wrong in {"isSubscribed": "yes"}, {"name": ""}, {"name": 5}, {"sortOrder": 1.5}:
        problem(reader.api.request("PATCH", place, json_body=wrong), 400)
    problem(reader.api.post(f"{reader.base}/mailboxes", {"name": "Inbox"}), 409)
    for order in 7, None:
        assert reader.api.request("PATCH", place, json_body={"sortOrder": order}).status == 200
        assert reader.api.get(place).json["sortOrder"] == (order or inbox["sortOrder"])
    for order in -1, 1.5, "7", True, 10**9, 10**30:
        assert reader.api.request("PATCH", place, json_body={"sortOrder": order}).status == 400


def test_an_email_is_told_as_in_rfc_8621(reader):
    listed = reader.emails("?limit=1")["emails"][0]
    email = reader.api.get(f"{reader.base}/emails/{listed['id']}").json
    for told in (listed, email):
        assert told["id"] == listed["id"] and told["threadId"].isdigit()
        assert told["mailboxIds"] == {reader.inbox: True}
        assert told["keywords"] == {"$seen": True, "$flagged": True}
        assert told["subject"] == "Grüße"
        assert told["from"] == [{"name": "Jürgen", "email": "juergen@example.org"}]
        assert told["to"] == [{"name": "Ada", "email": "ada@example.org"},
                              {"name": None, "email": "ben@example.org"}]
        assert told["cc"] == [{"name": None, "email": "carla@example.org"}]
        assert told["replyTo"] == [{"name": None, "email": "replies@example.org"}]
        assert not told["bcc"] and not told["sender"]
        assert told["messageId"] == ["one@example.org"]
        assert told["inReplyTo"] == ["zero@example.org"]
        assert told["references"] == ["minus@example.org", "zero@example.org"]
        assert datetime.datetime.fromisoformat(told["sentAt"]) == datetime.datetime(
            2025, 11, 25, 9, 20, 30, tzinfo=datetime.timezone.utc)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z", told["receivedAt"])
        assert told["hasAttachment"] is True
        assert told["size"] == len(LETTER.replace("\n", "\r\n").encode())
        assert "Schöne Grüße" in told["preview"]
    structure = email["bodyStructure"]
    assert structure["type"] == "multipart/mixed" and len(structure["subParts"]) == 3
    assert [part["type"] for part in email["textBody"]] == ["text/plain"]
    assert [part["name"] for part in email["attachments"]] == ["page.html", "pläne.pdf"]
    assert email["bodyValues"] == {}


@pytest.mark.parametrize("asked", ["text", "html", "all"])
def test_body_values_are_decoded_when_asked_for(reader, asked):
    email = reader.api.get(f"{reader.base}/emails/{reader.ids['email']}?bodyValues={asked}").json
    part = email["textBody"][0]["partId"]
    assert email["bodyValues"][part] == {"value": "Schöne Grüße", "isEncodingProblem": False,
                                         "isTruncated": False}


def test_body_values_that_are_none_are_refused(reader):
    problem(reader.api.get(f"{reader.base}/emails/{reader.ids['email']}?bodyValues=some"), 400)


def test_the_message_itself_and_its_parts_are_downloads(reader):
    where = f"{reader.base}/emails/{reader.ids['email']}"
    raw = reader.api.get(f"{where}/raw")
    assert raw.content.endswith(LETTER.replace("\n", "\r\n").encode())
    assert raw.headers.get_content_type() == "message/rfc822"
    parts = reader.api.get(where).json["attachments"]
    page, plans = (reader.api.get(f"{where}/parts/{part['partId']}") for part in parts)
    assert plans.content == b"hello, file" and plans.headers.get_content_type() == "application/pdf"
    assert "filename*=UTF-8''pl%C3%A4ne.pdf" in plans.headers["Content-Disposition"]
    # what a browser could run is not told to be that
    assert page.headers.get_content_type() == "application/octet-stream"
    for answer in (raw, page, plans):
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    problem(reader.api.get(f"{where}/parts/9"), 404)
    problem(reader.api.get(f"{where}/parts/{'1.' * 200}1"), 404)


def test_a_thread_lists_its_emails(reader):
    ids = reader.ids
    told = reader.api.get(f"{reader.base}/threads/{ids['thread']}").json
    assert told["id"] == ids["thread"] and ids["email"] in told["emailIds"]


# --- pages ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("limit", [1, 7, 50, 130, 200])
def test_pages_forwards_give_every_email_once_newest_first(reader, limit):
    seen, cursor = [], ""
    while cursor is not None:
        page = reader.emails(f"?limit={limit}" + (f"&after={cursor}" if cursor else ""))
        assert 0 < len(page["emails"]) <= limit
        assert (page["previous"] is None) == (not cursor)
        seen += page["emails"]
        cursor = page["next"]
        if limit == 1 and len(seen) == 20:
            break
    ids = [email["id"] for email in seen]
    assert len(set(ids)) == len(ids) and len(ids) == (20 if limit == 1 else LETTERS)
    order = [(email["receivedAt"], int(email["id"])) for email in seen]
    assert order == sorted(order, reverse=True)
    assert limit == 1 or seen[-1]["subject"] == "old"


@pytest.mark.parametrize("limit", [7, 50])
def test_pages_backwards_give_every_email_once(reader, limit):
    pages, page = [], reader.emails(f"?limit={limit}")
    while page["next"]:
        page = reader.emails(f"?limit={limit}&after={page['next']}")
    last = page["emails"]
    while page["previous"]:
        page = reader.emails(f"?limit={limit}&before={page['previous']}")
        assert page["next"] and page["emails"]
        pages.insert(0, page["emails"])
    ids = [email["id"] for each in pages + [last] for email in each]
    assert len(ids) == LETTERS and len(set(ids)) == LETTERS
    assert ids == [email["id"] for email in reader.emails("?limit=200")["emails"]]


def test_the_first_page_is_fifty_long(reader):
    assert len(reader.emails()["emails"]) == 50


@pytest.mark.parametrize("query", [
    "limit=0", "limit=-1", "limit=1000000", "limit=x", "limit=", "limit=99999999999999999999",
    "after=x", "after=", "after=1", "after=1-", "after=-1", "after=--1", "after=1-2-3", "after=1-x",
    "after=1-0", "after=99999999999999999999-1", "before=%00", "before=%ff", "after=1-1&before=1-1"])
def test_pages_that_are_none_are_refused(reader, query):
    answer = reader.api.get(f"{reader.base}/mailboxes/{reader.inbox}/emails?{query}")
    problem(answer, 400, "invalid")


# --- what is wrong ----------------------------------------------------------------------------------------------

WRONG_BODIES = {
    "nothing": b"",
    "not json": b"hello",
    "half": b'{"name": "x"',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "two objects": b"{}{}",
    "deep": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"name":' * 100_000 + b"1" + b"}" * 100_000,
    "twice the same": b'{"name": "a", "name": "b", "email": "a@b.example", "email": "c@d.example",'
                      b'"username": "a", "username": "b"}',
    "half a surrogate": b'{"name": "\\ud800", "email": "\\ud800@example.org", "username": "\\ud800"}',
    "surrogates turned round": b'{"name": "\\udc00\\ud800", "email": "x", "username": "x"}',
    "NUL": b'{"name": "a\\u0000b", "email": "a\\u0000@example.org", "username": "\\u0000"}',
    "not utf-8": b'{"name": "\xff\xfe", "email": "\xff", "username": "\xff"}',
    "overlong utf-8": b'{"name": "\xc1\xbe", "email": "\xc1\xbe", "username": "\xc1\xbe"}',
    "NaN": b'{"name": NaN, "email": NaN, "username": NaN}',
    "a huge number": b'{"pollSeconds": 1e999, "expiresInDays": 1e999, "email": 1e999, "kind": 1e999}',
}


@pytest.mark.parametrize("what", WRONG_BODIES)
@pytest.mark.parametrize("method, route", BODIES)
def test_bodies_that_are_none_are_refused(reader, method, route, what):
    answer = reader.api.request(method, route.format(**reader.ids), body=WRONG_BODIES[what],
                                headers={"Content-Type": "application/json"})
    problem(answer, 400, "invalid")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded",
                                  "multipart/form-data", ""])
@pytest.mark.parametrize("method, route", BODIES)
def test_only_json_is_json(reader, method, route, kind):
    answer = reader.api.request(method, route.format(**reader.ids), body=b'{"name": "x"}',
                                headers={"Content-Type": kind})
    assert "application/json" in problem(answer, 415, "unsupported")["detail"]


def test_a_body_beyond_the_limit_is_refused(reader):
    answer = reader.api.post("/tokens", {"name": "x" * 2_000_000})
    problem(answer, 413, "limit")


ACCOUNT = {"email": "ada@example.org", "password": "the secret word", "kind": "imap",
           "incoming": {"host": "127.0.0.1", "port": 1}}


@pytest.mark.parametrize("change, names", [
    ({"email": None}, "email"), ({"email": 5}, "email"), ({"email": ""}, "email"),
    ({"email": "nobody"}, "mail address"), ({"email": "@example.org"}, "mail address"),
    ({"email": "ada@"}, "mail address"), ({"email": "a@" + "x" * 400}, "mail address"),
    ({"password": None}, "password"), ({"password": ["x"]}, "password"), ({"password": ""}, "password"),
    ({"password": "p" * 100_000}, "too long"),
    ({"kind": "exchange"}, "imap"), ({"kind": None}, "kind"), ({"kind": {}}, "kind"),
    ({"name": 1}, "name"), ({"name": "n" * 1000}, "too long"),
    ({"incoming": None}, "incoming"), ({"incoming": "127.0.0.1"}, "object"), ({"incoming": {}}, "host"),
    ({"incoming": {"host": 1}}, "host"), ({"incoming": {"host": "two words"}}, "host name"),
    ({"incoming": {"host": "h" * 300}}, "host name"),
    ({"incoming": {"host": "h", "port": 0}}, "port"), ({"incoming": {"host": "h", "port": 65536}}, "port"),
    ({"incoming": {"host": "h", "port": "993"}}, "port"), ({"incoming": {"host": "h", "port": 1.5}}, "port"),
    ({"incoming": {"host": "h", "port": 2**63 - 1}}, "port"),
    ({"incoming": {"host": "h", "tls": "maybe"}}, "tls"), ({"incoming": {"host": "h", "tls": 1}}, "tls"),
    ({"incoming": {"host": "h", "tls": "none"}}, "without TLS"),
    ({"smtp": {"host": "h", "tls": "none"}}, "without TLS"), ({"smtp": 5}, "smtp"),
    ({"smtp": {"port": 25}}, "host"),
])
def test_accounts_that_cannot_be_are_refused_before_they_are_tried(api, change, names):
    answer = api.post("/accounts", ACCOUNT | change)
    said = problem(answer, 400, "invalid")
    assert names in said["detail"]
    assert "the secret word" not in answer.text
    assert api.get("/accounts").json["accounts"] == []


@pytest.mark.parametrize("change", [
    {"name": 1}, {"name": "n" * 1000}, {"prefetch": "everything"}, {"prefetch": 1},
    {"prefetchDays": -1}, {"prefetchDays": "many"}, {"prefetchDays": 10**9}, {"prefetchDays": 2**70},
    {"pollSeconds": 0}, {"pollSeconds": 1}, {"pollSeconds": 10**6}, {"pollSeconds": None},
    {"pop3Policy": "keep"}, {"pop3Days": -1}, {"pop3MaxBytes": -1}, {"pop3MaxBytes": "1"}])
def test_changes_that_cannot_be_are_refused(reader, change):
    before = reader.api.get(reader.base).json
    problem(reader.api.patch(reader.base, change), 400, "invalid")
    after = reader.api.get(reader.base).json
    assert {key: after[key] for key in after if key not in ("sync", "state")} == \
        {key: before[key] for key in before if key not in ("sync", "state")}


@pytest.mark.parametrize("body", [
    {}, {"name": ""}, {"name": 1}, {"name": "n" * 300}, {"name": "t", "scopes": []},
    {"name": "t", "scopes": "read"}, {"name": "t", "scopes": None}, {"name": "t", "scopes": ["root"]},
    {"name": "t", "scopes": [1]}, {"name": "t", "expiresInDays": 0}, {"name": "t", "expiresInDays": 1e6},
    {"name": "t", "expiresInDays": "1"}, {"name": "t", "expiresInDays": 100000}])
def test_tokens_that_cannot_be_are_refused(api, body):
    problem(api.post("/tokens", body), 400, "invalid")
    assert len(api.get("/tokens").json["tokens"]) == 1  # the one it asks with


@pytest.mark.parametrize("since", ["x", "1.5", "", "99999999999999999999", "%00"])
def test_states_that_are_none_are_refused(reader, since):
    problem(reader.api.get(f"{reader.base}/changes?since={since}"), 400, "invalid")


@pytest.mark.parametrize("since", ["-1", "999999999"])
def test_states_that_never_were_or_are_forgotten_are_conflicts(reader, since):
    problem(reader.api.get(f"{reader.base}/changes?since={since}"), 409, "conflict")


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "01", "1x", "99999999999999999999", "1%00", "%ff", "+1",
                                   "..", "%2e%2e"])
def test_ids_that_are_none_are_not_found(reader, wrong):
    ids = reader.ids
    for name in ("account", "mailbox", "email", "thread"):
        for route in READING:
            if f"{{{name}}}" in route:
                answer = reader.api.get(route.format(**(ids | {name: wrong})))
                assert answer.status == 404 and answer.is_problem, (route, answer.status)


# --- changes ----------------------------------------------------------------------------------------------------------

def test_changes_since_a_state_tell_what_is_new(restante, new_person):
    person = new_person()
    person.receive("Subject: first\n\nhello\n")
    me = Reader(restante, person).await_emails(1)
    state = eventually(lambda: (told := me.api.get(me.base).json)["sync"]["state"] == "current" and
                       told["state"])
    nothing = me.api.get(f"{me.base}/changes?since={state}").json
    assert nothing["changes"] == [] and not nothing["hasMoreChanges"]
    person.receive("Subject: second\n\nhello\n")
    me.api.post(f"{me.base}/sync")
    me.await_emails(2)
    told = me.api.get(f"{me.base}/changes?since={state}").json
    assert told["oldState"] == state and told["newState"] > state and not told["hasMoreChanges"]
    created = [id for change in told["changes"] if change["type"] == "Email" for id in change["created"]]
    assert created == [me.emails()["emails"][0]["id"]]
    assert any(change["type"] == "Mailbox" and me.inbox in change["updated"] for change in told["changes"])
    # what else comes (the text of the second) ends, too: nothing has changed since the last state
    last = lambda: me.api.get(me.base).json["state"]
    assert eventually(lambda: me.api.get(f"{me.base}/changes?since={last()}").json["changes"] == [])


def test_changes_from_the_beginning_lead_to_the_state_of_now(reader):
    since, created, rounds = 0, set(), 0
    while True:
        told = reader.api.get(f"{reader.base}/changes?since={since}").json
        for change in told["changes"]:
            assert change["state"] > since
            if change["type"] == "Email":
                created |= set(change["created"])
        assert told["newState"] >= since
        since, rounds = told["newState"], rounds + 1
        if not told["hasMoreChanges"]:
            break
    everything = {email["id"] for email in reader.emails("?limit=200")["emails"]}
    assert created >= everything


# --- rude clients -----------------------------------------------------------------------------------------------------

def test_requests_that_are_none_end_well(restante):
    rude = [b"GET\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n", b"GET /api/v1/session HTTP/9.9\r\n\r\n",
            b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
    for bytes_ in rude:
        with socket.create_connection(("127.0.0.1", restante.port), timeout=20) as connection:
            try:
                connection.sendall(bytes_)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(4096)
            except OSError:
                answer = b""  # hung up before all was said
            assert answer == b"" or re.match(rb"HTTP/1\.[01] (4|5)\d\d ", answer), (bytes_[:60], answer)
    assert restante.client().get("//healthz").status == 200


def test_slow_downloads_keep_nobody_waiting(restante, new_person):
    """More clients than there are threads ask for a large message and take nothing of it."""
    person = new_person()
    person.receive("Subject: large\n\n" + "x" * 76 + ("\n" + "x" * 76) * 80_000 + "\n")
    me = Reader(restante, person).await_emails(1)
    path = f"{me.base}/emails/{me.ids['email']}/raw"
    whole = me.api.get(path).content  # fetched from the mail server, once
    assert len(whole) > 6_000_000
    waiting = []
    try:
        for _ in range(24):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(60)
            connection.connect(("127.0.0.1", restante.port))
            connection.sendall(f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\n"
                               f"Authorization: Bearer {me.api.token}\r\n\r\n".encode())
            waiting.append(connection)
        assert all(connection.recv(12).endswith(b" 200") for connection in waiting)
        for _ in range(20):
            assert me.api.get("/accounts").status == 200
        assert me.api.get(path).content == whole
    finally:
        for connection in waiting:
            connection.close()
    assert me.api.get("/session").status == 200
