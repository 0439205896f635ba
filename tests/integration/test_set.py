"""Changing many emails in a request: each has a result of its own, named as in RFC 8620 and 8621."""

import pytest

from tests.integration.test_api import Reader

LETTERS = 6


@pytest.fixture
def reader(restante, person):
    for n in range(LETTERS):
        person.receive(f"From: a@example.org\r\nSubject: {n}\r\nMessage-ID: <{n}@set>\r\n\r\ntext\r\n")
    return Reader(restante, person).await_emails(LETTERS)


@pytest.fixture
def ids(reader):
    return [email["id"] for email in reader.emails()["emails"]]


def change(reader, **wishes):
    return reader.api.post(f"{reader.base}/emails/set", wishes)


def keywords(reader, email):
    return reader.api.get(f"{reader.base}/emails/{email}").json["keywords"]


def test_each_email_has_its_own_result(restante, reader, ids, new_person):
    stranger = new_person()
    for n in range(LETTERS + 20):  # so that some of their ids are none of ours
        stranger.receive(f"Subject: {n}\r\nMessage-ID: <{n}@stranger>\r\n\r\ntext\r\n")
    *_, others, theirs = sorted((e["id"] for e in Reader(restante, stranger).await_emails(
        LETTERS + 20).emails()["emails"]), key=int)
    assert theirs not in ids and others not in ids
    answer = change(reader, destroy=[ids[5], "no id", theirs, "99999999"], update={
        ids[0]: {"keywords": {"$seen": True, "$flagged": True}},
        ids[1]: {"keywords/$answered": True},
        ids[2]: {"keywords": {"bad keyword": True}},
        ids[3]: {"mailboxId": "88888888"},
        ids[4]: {"subject": "forged"},
        ids[5]: {"keywords/$seen": True},
        others: {"keywords/$seen": True},
        "77777777": {"keywords/$seen": True}, 'quo"te\n': {"keywords/$seen": True},
        "-3": "no patch"})
    assert answer.status == 200, answer.text
    told = answer.json
    assert told["updated"] == {ids[0]: None, ids[1]: None} and told["destroyed"] == [ids[5]]
    assert {name: one["type"] for name, one in told["notUpdated"].items()} == {
        ids[2]: "invalidProperties", ids[3]: "invalidProperties", ids[4]: "invalidProperties",
        ids[5]: "willDestroy", others: "notFound", "77777777": "notFound",
        'quo"te\n': "notFound", "-3": "notFound"}
    assert {name: one["type"] for name, one in told["notDestroyed"].items()} == {
        "no id": "notFound", theirs: "notFound", "99999999": "notFound"}
    assert [told["notUpdated"][ids[n]]["properties"] for n in (2, 3, 4)] == [
        ["keywords"], ["mailboxId"], ["subject"]]
    assert all(one["description"].endswith(".") for one in told["notUpdated"].values())
    assert keywords(reader, ids[0]) == {"$seen": True, "$flagged": True}
    assert keywords(reader, ids[1]) == {"$answered": True}
    assert reader.api.get(f"{reader.base}/emails/{ids[5]}").status == 404
    assert told["changed"] == 3 and len(told["operations"]) == 3


def test_what_is_done_can_be_taken_back_at_once(reader, ids):
    told = change(reader, update={one: {"keywords/$flagged": True} for one in ids}).json
    assert len(told["updated"]) == LETTERS and len(told["operations"]) == 1  # done together
    undone = reader.api.post(f"{reader.base}/actions/undo", {"operations": told["operations"]})
    assert undone.status == 200
    assert keywords(reader, ids[0]) == {}


def test_a_patch_is_done_whole_or_not_at_all(reader, ids):
    trash = reader.mailbox("trash") or reader.mailbox("archive")
    if not trash:
        reader.api.post(f"{reader.base}/mailboxes", {"name": "Archive"})
    other = next(box for box in reader.api.get(f"{reader.base}/mailboxes").json["mailboxes"]
                 if box["id"] != reader.inbox)
    told = change(reader, update={ids[0]: {"mailboxId": other["id"], "keywords/$flagged": True},
                                  ids[1]: {"mailboxId": "7777777", "keywords/$flagged": True}}).json
    assert list(told["updated"]) == [ids[0]] and list(told["notUpdated"]) == [ids[1]]
    moved = reader.api.get(f"{reader.base}/emails/{ids[0]}").json
    assert moved["mailboxIds"] == {other["id"]: True} and moved["keywords"] == {"$flagged": True}
    assert keywords(reader, ids[1]) == {}


@pytest.mark.parametrize("wishes, status", [
    ({}, 400), ({"update": []}, 400), ({"destroy": {}}, 400), ({"destroy": [1]}, 400),
    ({"destroy": [str(n) for n in range(1, 502)]}, 413)])
def test_a_request_that_is_none_is_refused_whole(reader, wishes, status):
    answer = change(reader, **wishes)
    assert answer.status == status and answer.is_problem, answer.text


def test_a_body_too_large_for_memory_is_read_like_any(reader, ids):
    names = [str(10**12 + n) for n in range(499)]  # of a patch that makes them 300 kB
    patch = {"keywords": {f"word{n:03}-{'x' * 90}": True for n in range(6)}}
    told = change(reader, update={name: patch for name in [ids[0], *names]})
    assert told.status == 200, told.text
    assert list(told.json["updated"]) == [ids[0]] and len(told.json["notUpdated"]) == 499
    assert change(reader, update={ids[1]: {"keywords": 5, "keywords/$seen": True}}).json["updated"] == {}


def test_what_is_too_much_is_said_with_how_much_there_may_be(reader, ids):
    words = {f"word{n}": True for n in range(65)}
    one = change(reader, update={ids[0]: {"keywords": words}}).json["notUpdated"][ids[0]]
    assert one["type"] == "tooManyKeywords" and "at most 64" in one["description"]
    answer = reader.api.post(f"{reader.base}/actions", {"action": "trash", "emailIds": ["1"] * 100_001})
    assert answer.status == 413 and "at most" in answer.json["detail"], answer.text


def test_somebody_elses_account_is_not_there(restante, reader, ids, new_person):
    other = new_person()
    other.receive("Subject: x\r\n\r\ntext\r\n")
    stranger = Reader(restante, other).await_emails(1)
    answer = stranger.api.post(f"{reader.base}/emails/set",
                               {"update": {ids[0]: {"keywords/$seen": True}}})
    assert answer.status == 404 and keywords(reader, ids[0]) == {}


def test_the_state_of_an_email_is_told_and_searched_alike(reader, ids):
    """keywords of RFC 8621 section 4.1.1, in the list, in the email, and as conditions."""
    words = {"$seen": "read", "$answered": "answered", "$flagged": "starred",
             "$forwarded": "forwarded", "$junk": "junk", "$draft": "draft"}
    told = change(reader, update={email: {f"keywords/{word}": True}
                                  for email, word in zip(ids, words)}).json
    assert len(told["updated"]) == LETTERS
    listed = {e["id"]: e["keywords"] for e in reader.emails()["emails"]}
    for email, word in zip(ids, words):
        assert listed[email] == keywords(reader, email) == {word: True}
        found = reader.api.get(f"{reader.base}/search?q=is:{words[word]}").json["emails"]
        assert [(e["id"], e["keywords"]) for e in found] == [(email, {word: True})]
