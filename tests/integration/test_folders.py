"""Folders are here as asked for at once, whether or not the mail server is up, and upstream when it is;
what it refuses is undone and told, and people take back what they did."""

import re

import pytest

from tests.harness import eventually
from tests.integration.test_exactly_once import House
from tests.integration.test_moves import go_away, lies_here, move, undo
from tests.mailserver.faults import Delay, Hear


@pytest.fixture(scope="module")
def house(state_folder):
    with House(state_folder / "folders", []) as made:
        yield made


@pytest.fixture
def name(house):
    house.serial += 1
    return f"folder{house.serial}"


def ask(house, method, path, status=200, **body):
    answer = house.here.client.request(method, house.here.path(path), json_body=body or None)
    assert answer.status == status, answer.text
    return answer.json.get("operations", [])


def create(house, name, parent=None):
    return ask(house, "POST", "/mailboxes", name=name,
               **({"parentId": house.box(parent)} if parent else {}))


def rename(house, path, **to):
    return ask(house, "PATCH", f"/mailboxes/{house.box(path)}", **to)


def delete(house, path):
    return ask(house, "DELETE", f"/mailboxes/{house.box(path)}?withEmails=true")


def come_back(house, operations):
    house.proxy.faults = []
    house.finish(operations)
    for operation in operations:
        told = house.here.client.get(house.here.path(f"/operations/{operation}")).json
        assert told["state"] != "failed", (told, house.sync_log())


def state_of(house, operation):
    return house.here.client.get(house.here.path(f"/operations/{operation}")).json["state"]


def test_a_folder_made_offline_takes_mail_another_place_and_a_folder(house, name):
    subject, email = house.letter()
    go_away(house)
    operations = create(house, name)
    assert name in house.here.mailboxes()
    operations += create(house, "inner", name)
    operations += move(house, email, "INBOX", f"{name}/inner")
    operations += rename(house, name, name=name + "x")
    assert lies_here(house, subject) == [f"{name}x/inner"]
    operations += create(house, name)  # the name is free again
    assert house.other.folders().count(name) == 0
    come_back(house, operations)
    assert house.places(subject) == [(f"{name}x/inner", ())]
    assert {name, name + "x", name + "x/inner"} <= set(house.other.folders())
    assert house.is_true(), (house.here.listing(), house.other.listing(), house.sync_log())


def test_a_folder_goes_below_another_and_its_mail_with_it(house, name):
    come_back(house, create(house, name) + create(house, "below", name))
    subject, email = house.letter()
    come_back(house, move(house, email, "INBOX", f"{name}/below"))
    go_away(house)
    operations = rename(house, f"{name}/below", name="top", parentId=None)
    assert "top" in house.here.mailboxes() and lies_here(house, subject) == ["top"]
    operations += rename(house, "top", name="again", parentId=house.box(name))
    assert lies_here(house, subject) == [f"{name}/again"]
    come_back(house, operations)
    assert house.places(subject) == [(f"{name}/again", ())]
    assert house.is_true()


def test_a_deleted_folder_is_gone_at_once_and_its_mail_in_trash(house, name):
    come_back(house, create(house, name))
    subject, email = house.letter()
    come_back(house, move(house, email, "INBOX", name))
    go_away(house)
    house.other.append(name)  # it is not here yet
    unseen = f"m{house.other.serial}"
    operations = delete(house, name)
    assert name not in house.here.mailboxes() and lies_here(house, subject) == ["Trash"]
    come_back(house, operations)
    assert name not in house.other.folders()
    assert house.places(subject) == house.places(unseen) == [("Trash", ())]
    assert house.is_true()


@pytest.mark.parametrize("when", ["before it was carried out", "afterwards"])
def test_a_deleted_folder_comes_back_with_its_mail(house, name, when):
    come_back(house, create(house, name))
    subject, email = house.letter()
    come_back(house, move(house, email, "INBOX", name))
    go_away(house)
    operations = delete(house, name)
    if when == "afterwards":
        come_back(house, operations)
        go_away(house)
    operations += undo(house, operations)
    assert lies_here(house, subject) == [name]
    come_back(house, operations)
    assert house.places(subject) == [(name, ())]
    assert house.is_true()


def test_a_folder_made_and_deleted_offline_is_never_spoken_of(house, name):
    """Renamed and subscribed to as well, and with one in it; taken back it is made after all."""
    come_back(house, create(house, name + "kept"))
    go_away(house)
    create(house, name)
    create(house, "inner", name)
    rename(house, name, name=name + "x", isSubscribed=False)
    delete(house, f"{name}x/inner")
    gone = delete(house, name + "x")
    assert state_of(house, gone[0]) == "done" and name + "x" not in house.here.mailboxes()
    kept = rename(house, name + "kept", name=name + "last")  # behind all the others
    heard = Hear()
    house.proxy.faults = [heard]
    house.finish(kept)
    assert b"RENAME" in heard.said
    assert not re.search(rb" (CREATE|DELETE|SUBSCRIBE) (?!.*%s)" % (name + "last").encode(),
                         bytes(heard.said)), bytes(heard.said)
    come_back(house, undo(house, gone))
    assert name + "x" in house.other.folders() and name + "x" in house.here.mailboxes()
    assert house.is_true()


def test_each_change_is_taken_back(house, name):
    made = create(house, name)
    come_back(house, made)
    change = rename(house, name, name=name + "y")
    assert name not in house.here.mailboxes()
    come_back(house, change)
    come_back(house, undo(house, change))
    change = rename(house, name, isSubscribed=False, name=name + "y")  # both at once
    assert len(change) == 2 and not house.here.mailboxes()[name + "y"]["isSubscribed"]
    come_back(house, change)
    come_back(house, undo(house, change))
    assert house.here.mailboxes()[name]["isSubscribed"]
    come_back(house, undo(house, made))
    assert name not in house.here.mailboxes() and name not in house.other.folders()
    assert house.is_true()


def test_what_the_server_refuses_is_undone_and_told(house, name):
    subject, email = house.letter()
    go_away(house)
    house.other.must(house.other.imap.create(name))
    house.other.must(house.other.imap.create(name + "z"))
    house.proxy.faults = []
    assert eventually(lambda: house.here.check_now() or name + "z" in house.here.mailboxes(), pause=0.2)
    go_away(house)
    refused = rename(house, name, name=name + "w")
    house.other.must(house.other.imap.create(name + "w"))  # somebody is faster
    filled = move(house, email, "INBOX", name + "w")
    assert lies_here(house, subject) == [name + "w"]
    house.proxy.faults = []
    house.finish(refused + filled)
    assert state_of(house, refused[0]) == "failed"
    assert house.places(subject) == [(name, ())]
    assert house.is_true()


def test_a_folder_that_cannot_be_made_goes_again_and_its_mail_back(house, name):
    subject, email = house.letter()
    go_away(house)
    long = "n" * 250  # a Maildir's name, and Dovecot's own endings
    refused = create(house, long) + create(house, long, long)
    refused += move(house, email, "INBOX", f"{long}/{long}")
    house.proxy.faults = []
    house.finish(refused)
    assert state_of(house, refused[-1]) == "failed"
    assert house.places(subject) == [("INBOX", ())]
    assert eventually(lambda: lies_here(house, subject) == ["INBOX"], pause=0.2)


def test_a_killed_sync_process_makes_fills_and_deletes_once(house, name):
    come_back(house, create(house, name + "old"))
    subject, email = house.letter()
    go_away(house)
    operations = create(house, name)
    operations += move(house, email, "INBOX", name)
    operations += rename(house, name, name=name + "new")
    operations += delete(house, name + "old")
    for over in range(len(operations)):
        house.proxy.faults = [Delay(0.2)]
        house.here.check_now()
        assert eventually(lambda n=over: house.here.is_over(operations[n]), pause=0.02)
        killed = house.restante.kill("sync")
        assert eventually(lambda pid=killed: house.restante.pid_of("sync") != pid)
    come_back(house, operations)
    assert house.places(subject) == [(name + "new", ())]
    assert name + "old" not in house.other.folders()
    assert house.is_true()
