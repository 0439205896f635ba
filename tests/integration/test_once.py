"""Requests with an Idempotency-Key are carried out once, whatever they ask for: the same request is
answered the same again, another one under its key is refused."""

import contextlib
import itertools
import threading

import pytest

from tests.harness import eventually
from tests.integration.test_api import Reader
from tests.integration.test_sending import Writer

LETTER = "From: a@example.org\r\nSubject: one\r\nMessage-ID: <one@once>\r\n\r\ntext\r\n"
keys = (f"key {n}" for n in itertools.count())


@pytest.fixture
def reader(restante, person):
    person.receive(LETTER)
    return Reader(restante, person).await_emails(1)


def ask(api, method, path, key, **body):
    return api.request(method, path, headers={"Idempotency-Key": key}, **body)


def twice(api, method, path, **body):
    """The answer, which must be the same both times."""
    key = next(keys)
    first, again = (ask(api, method, path, key, **body) for _ in range(2))
    assert first.status < 300, first.text
    assert (again.status, again.text) == (first.status, first.text)
    for name in ("Content-Type", "Location"):
        assert again.headers.get(name) == first.headers.get(name)
    return first


def test_whatever_is_made_is_made_once(reader):
    api, base = reader.api, reader.base
    contact = twice(api, "POST", "/contacts",
                    json_body={"name": "Ada", "emails": ["ada@example.org"]}).json
    assert [c["id"] for c in api.get("/contacts").json["contacts"]] == [contact["id"]]
    group = twice(api, "POST", "/contacts/groups",
                  json_body={"name": "Family", "add": [contact["id"]]}).json
    assert [g["id"] for g in api.get("/contacts/groups").json["groups"]] == [group["id"]]
    before = len(api.get(f"{base}/identities").json["identities"])
    twice(api, "POST", f"{base}/identities", json_body={"name": "Me", "email": "me@example.org"})
    assert len(api.get(f"{base}/identities").json["identities"]) == before + 1
    draft = twice(api, "POST", f"{base}/drafts", json_body={"subject": "once"}).json
    upload = twice(api, "POST", f"{base}/uploads", body=b"x" * 300000).json
    attached = twice(api, "POST", f"{base}/drafts/{draft['id']}/attachments?name=a.txt&"
                     f"blobId={upload['blobId']}", body=b"").json
    assert len(attached["attachments"]) == 1
    assert len(api.get(f"{base}/drafts/{draft['id']}").json["attachments"]) == 1
    twice(api, "POST", f"{base}/mailboxes", json_body={"name": "Once"})
    twice(api, "POST", "/searches", json_body={"name": "mine", "query": "is:unread"})
    assert len(api.get("/searches").json["searches"]) == 1


def test_whatever_is_done_is_done_once(reader):
    api, base = reader.api, reader.base
    letter = reader.emails()["emails"][0]["id"]
    mark = {"action": "keywords", "emailIds": [letter], "keywords": {"$flagged": True}}
    done = twice(api, "POST", f"{base}/actions", json_body=mark).json
    assert done["changed"] == 1
    twice(api, "POST", f"{base}/actions/undo", json_body={"operations": done["operations"]})
    assert "$flagged" not in api.get(f"{base}/emails/{letter}").json["keywords"]
    twice(api, "PATCH", f"{base}/emails/{letter}", json_body={"keywords": {"$seen": True}})
    bulk = twice(api, "POST", f"{base}/actions", json_body={
        "action": "keywords", "keywords": {"$seen": True}, "filter": {"query": "one"}}).json
    assert [b["id"] for b in api.get(f"{base}/bulk").json["bulk"]] == [bulk["id"]]
    draft = api.post(f"{base}/drafts", json_body={"subject": "gone"}).json["id"]
    twice(api, "DELETE", f"{base}/drafts/{draft}")  # 204 again, not 404


def test_an_account_and_what_comes_into_it_are_made_once(api, new_person, mailserver):
    person = new_person("example.net")
    made = twice(api, "POST", "/accounts", json_body={
        "email": person.address, "password": person.password, "kind": "pop3", "pop3Policy": "leave",
        "incoming": {"host": "127.0.0.1", "port": mailserver.ports["pop3s"], "tls": "implicit"}})
    base = f"/accounts/{made.json['id']}"
    assert [a["id"] for a in api.get("/accounts").json["accounts"]] == [made.json["id"]]
    inbox = next(box["id"] for box in api.get(f"{base}/mailboxes").json["mailboxes"]
                 if box["role"] == "inbox")
    brought = twice(api, "POST", f"{base}/imports?mailbox={inbox}&name=mail",
                    body=f"From a@example.org Mon Jan  5 10:00:00 2026\n{LETTER}\n".encode()).json
    assert [t["id"] for t in api.get(f"{base}/transfers").json["transfers"]] == [brought["id"]]
    twice(api, "DELETE", base)
    assert api.get("/accounts").json["accounts"] == []


def test_mail_is_sent_once(restante, person):
    writer = Writer(restante, person)
    draft = writer.draft(to=person.address, subject="once")
    sent = twice(writer.api, "POST", f"{writer.base}/submissions",
                 json_body={"draftId": draft["id"], "delaySeconds": 60}).json
    listed = writer.api.get(f"{writer.base}/submissions").json["submissions"]
    assert [s["id"] for s in listed] == [sent["id"]]
    path = f"{writer.base}/submissions/{sent['id']}/cancel"
    assert twice(writer.api, "POST", path).json["phase"] == "cancelled"


def test_another_request_under_a_known_key_is_refused(api):
    key, ada = next(keys), {"name": "Ada", "emails": ["ada@example.org"]}
    first = ask(api, "POST", "/contacts", key, json_body=ada)
    assert first.status == 201
    for method, path, body in (("POST", "/contacts", ada | {"name": "Eve"}),
                               ("POST", "/contacts?x=1", ada), ("POST", "/contacts/groups", ada),
                               ("DELETE", f"/contacts/{first.json['id']}", None)):
        answer = ask(api, method, path, key, json_body=body)
        assert answer.status == 422, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "key" in answer.json["detail"].lower() and answer.json["hint"]
    assert len(api.get("/contacts").json["contacts"]) == 1


def test_a_key_is_its_persons_own(restante, api):
    other, key = restante.client(restante.token(restante.add_user("somebodyelse"))), next(keys)
    body = {"name": "Ada", "emails": ["ada@example.org"]}
    mine, theirs = (ask(a, "POST", "/contacts", key, json_body=body) for a in (api, other))
    assert mine.status == theirs.status == 201 and mine.json["id"] != theirs.json["id"]
    assert other.get("/contacts").json["contacts"] == [theirs.json]


def test_a_request_that_failed_did_nothing_and_leaves_its_key(api):
    key = next(keys)
    wrong = ask(api, "POST", "/contacts", key, json_body={"name": "", "emails": []})
    assert wrong.status == 400
    right = ask(api, "POST", "/contacts", key, json_body={"name": "Ada", "emails": []})
    assert right.status == 201, right.text


@pytest.mark.parametrize("key", ["", " ", "k" * 201, "k" * 10000],
                         ids=["empty", "a space", "a byte too long", "10 kB"])
def test_a_key_that_is_none_is_refused(api, key):
    answer = ask(api, "POST", "/contacts", key, json_body={"name": "Ada", "emails": []})
    assert answer.status == 400 and "Idempotency-Key" in answer.json["detail"]
    assert api.get("/contacts").json["contacts"] == []


def test_a_key_on_a_get_changes_nothing(api):
    key = next(keys)
    before = ask(api, "GET", "/contacts", key)
    assert before.status == 200 and before.json["contacts"] == []
    assert ask(api, "POST", "/contacts", key, json_body={"name": "Ada"}).status == 201
    assert len(ask(api, "GET", "/contacts", key).json["contacts"]) == 1


def test_a_secret_is_told_once_and_kept_nowhere(restante, api):
    key, body = next(keys), {"name": "robot", "scopes": ["read"]}
    made = ask(api, "POST", "/tokens", key, json_body=body)
    assert made.status == 201
    again = ask(api, "POST", "/tokens", key, json_body=body)
    assert again.status == 409 and "secret" in again.json["detail"]
    assert [t["name"] for t in api.get("/tokens").json["tokens"]].count("robot") == 1
    kept = restante.sql("SELECT coalesce(encode(body, 'escape'), '') FROM request_key "
                         f"WHERE user_id = (SELECT id FROM \"user\" WHERE login = '{api.login}')")
    assert kept.strip() == "" and made.json["token"] not in kept


def test_of_many_at_once_one_is_carried_out(api):
    key, answers = next(keys), []
    body = {"name": "Ada", "emails": ["ada@example.org"]}

    def one():
        answers.append(ask(api, "POST", "/contacts", key, json_body=body))

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = {a.text for a in answers if a.status == 201}
    assert len(made) == 1
    for answer in answers:
        assert answer.status in (201, 409)
        assert answer.status == 201 or answer.headers["Retry-After"]
    assert len(api.get("/contacts").json["contacts"]) == 1


def test_a_request_under_way_is_not_begun_again_until_its_process_is_gone(restante, api):
    """What a process that was killed while it worked leaves: a key that is held, and no answer."""
    key, body = next(keys), {"name": "Ada", "emails": []}
    assert ask(api, "POST", "/contacts", key, json_body=body).status == 201
    mine = f"user_id = (SELECT id FROM \"user\" WHERE login = '{api.login}')"
    restante.sql("UPDATE request_key SET status = NULL, body = NULL, "
                  f"held_until = now() + interval '1 hour' WHERE {mine}")
    waiting = ask(api, "POST", "/contacts", key, json_body=body)
    assert waiting.status == 409 and waiting.headers["Retry-After"] == "1"
    restante.sql(f"UPDATE request_key SET held_until = now() WHERE {mine}")
    assert ask(api, "POST", "/contacts", key, json_body=body | {"name": "Eve"}).status == 422
    assert ask(api, "POST", "/contacts", key, json_body=body).status == 201


def test_mail_whose_acceptance_was_not_told_is_not_sent_twice(restante, person):
    """Killed between the submission's commit and the answer's: the row below knows the request."""
    writer = Writer(restante, person)
    draft, key = writer.draft(to=person.address, subject="once"), next(keys)
    send = lambda: ask(writer.api, "POST", f"{writer.base}/submissions", key,  # noqa: E731
                       json_body={"draftId": draft["id"], "delaySeconds": 100})
    first = send()
    assert first.status == 201, first.text
    restante.sql("UPDATE request_key SET status = NULL, held_until = now() WHERE user_id = "
                  f"(SELECT id FROM \"user\" WHERE login = '{person.address}') AND status = 201")
    again = send()
    assert (again.status, again.json["id"]) == (201, first.json["id"])
    assert len(writer.api.get(f"{writer.base}/submissions").json["submissions"]) == 1


@pytest.fixture
def answers_are_not_kept(restante):
    """Whoever keeps an answer waits: between doing and storing there is time for a kill."""
    restante.sql("""CREATE FUNCTION wait_for_the_kill() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
                 CREATE TRIGGER wait BEFORE UPDATE OF status ON request_key
                 FOR EACH ROW EXECUTE FUNCTION wait_for_the_kill()""")
    waiting = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

    def kill(count):
        """The web role, once that many requests have done what they were asked for."""
        assert eventually(lambda: restante.sql(f"SELECT count(*) {waiting}") == str(count), 120)
        restante.kill("web")
        restante.sql(f"SELECT pg_terminate_backend(pid, 60000) {waiting}")
        restante.sql("DROP FUNCTION wait_for_the_kill CASCADE")
        restante.sql("UPDATE request_key SET held_until = now() WHERE status IS NULL")
        restante.wait_ready()
    yield kill
    restante.sql("DROP FUNCTION IF EXISTS wait_for_the_kill CASCADE")


def test_what_was_made_before_a_kill_is_not_made_again(restante, person, answers_are_not_kept):
    writer = Writer(restante, person)
    api, base = writer.api, writer.base
    drafts = [writer.draft(subject="files")["id"] for _ in range(2)]
    upload = api.post(f"{base}/uploads", body=b"by its id").json["blobId"]
    asked = {
        "/contacts": {"json_body": {"name": "Ada", "emails": ["ada@example.org"]}},
        f"{base}/uploads": {"body": b"an upload"},
        f"{base}/drafts/{drafts[0]}/attachments?name=a": {"body": b"a file"},
        f"{base}/drafts/{drafts[1]}/attachments?name=b&blobId={upload}": {"body": b""}}
    by_path = {path: next(keys) for path in asked}

    def begin(path):
        with contextlib.suppress(OSError):  # the process dies under it
            ask(api, "POST", path, by_path[path], **asked[path])

    threads = [threading.Thread(target=begin, args=[path]) for path in asked]
    for thread in threads:
        thread.start()
    answers_are_not_kept(len(asked))
    for thread in threads:
        thread.join()
    blobs = f"SELECT max(id), count(*) FROM blob WHERE account_id = {writer.account} AND email_id IS NULL"
    before = restante.sql(blobs)
    answers = {path: ask(api, "POST", path, by_path[path], **asked[path]) for path in asked}
    assert {answer.status for answer in answers.values()} == {201}, answers
    assert restante.sql(blobs) == before  # nor were their bytes taken in again
    contacts = api.get("/contacts").json["contacts"]
    assert [each["id"] for each in contacts] == [answers["/contacts"].json["id"]]
    assert answers[f"{base}/uploads"].json["blobId"]
    for draft in drafts:
        assert len(api.get(f"{base}/drafts/{draft}").json["attachments"]) == 1
    again = {path: ask(api, "POST", path, by_path[path], **asked[path]) for path in asked}
    assert [each.text for each in again.values()] == [each.text for each in answers.values()]


def test_keys_are_kept_for_a_day(restante, api):
    key, body = next(keys), {"name": "Ada", "emails": []}
    first = ask(api, "POST", "/contacts", key, json_body=body).json["id"]
    mine = f"user_id = (SELECT id FROM \"user\" WHERE login = '{api.login}')"
    restante.sql(f"UPDATE request_key SET begun_at = now() - interval '23 hours' WHERE {mine}")
    assert ask(api, "POST", "/contacts", key, json_body=body).json["id"] == first
    restante.sql(f"UPDATE request_key SET begun_at = now() - interval '25 hours' WHERE {mine}")
    assert ask(api, "POST", "/contacts", key, json_body=body).json["id"] != first
