"""Moves of moved messages, and marks taken back, while the mail server is away: it is told of what came
of them, not of the way there."""

import re

import pytest

from tests.harness import eventually
from tests.integration.test_exactly_once import SERVERS, House
from tests.mailserver.faults import SERVER, CutAt, Delay, Hear, Refuse

WRITES = re.compile(rb"^\S+ (?:UID )?(MOVE|COPY|STORE|EXPUNGE) ", re.MULTILINE)


@pytest.fixture(scope="module", params=SERVERS)
def house(request, state_folder):
    with House(state_folder / f"moves-{request.param}", SERVERS[request.param]) as made:
        for name in ("Plans", "Bills"):
            made.other.must(made.other.imap.create(name))
        assert eventually(lambda: made.here.check_now() or "Bills" in made.here.mailboxes(), pause=0.2)
        yield made


def go_away(house):
    """The server is down."""
    house.proxy.faults = [Refuse()]
    house.proxy.cut_all()


def come_back(house, operations, *faults):
    """It is there again: what it was asked to write when all was done."""
    heard = Hear()
    house.proxy.faults = [heard, *faults]
    house.finish(operations)
    return [word.decode() for word in WRITES.findall(bytes(heard.said))]


def move(house, email, source, target):
    return house.here.act(action="move", emailIds=[email], mailboxId=house.box(source),
                          toId=house.box(target))


def undo(house, operations):
    answer = house.here.client.request("POST", house.here.path("/actions/undo"),
                                       json_body={"operations": operations})
    assert answer.status == 200, answer.text
    return answer.json["operations"]


def once(house, word):
    """What one such thing takes on this server."""
    return ["COPY", "STORE", "EXPUNGE"] if word == "MOVE" and house.hide else [word]


def lies_here(house, subject):
    return sorted(folder for folder, emails in house.here.listing().items()
                  if subject in (each for each, *_ in emails))


def test_a_message_moved_on_goes_there_at_once(house):
    subject, email = house.letter()
    go_away(house)
    operations = move(house, email, "INBOX", "Plans")
    operations += move(house, email, "Plans", "Bills")
    operations += move(house, email, "Bills", "Archive")
    assert lies_here(house, subject) == ["Archive"]
    assert come_back(house, operations) == once(house, "MOVE")
    assert house.places(subject) == [("Archive", ())]
    assert house.is_true()


def test_a_message_moved_back_does_not_move(house):
    subject, email = house.letter()
    go_away(house)
    operations = move(house, email, "INBOX", "Plans")
    operations += move(house, email, "Plans", "Bills")
    operations += move(house, email, "Bills", "INBOX")
    assert lies_here(house, subject) == ["INBOX"]
    assert come_back(house, operations) == []
    assert house.places(subject) == [("INBOX", ())]
    assert house.is_true()


def test_marks_go_with_it(house):
    subject, email = house.letter()
    go_away(house)
    operations = move(house, email, "INBOX", "Plans")
    operations += house.here.act(action="keywords", emailIds=[email], mailboxId=house.box("Plans"),
                                 keywords={"$flagged": True, "urgent": True})
    operations += move(house, email, "Plans", "Bills")
    assert come_back(house, operations) == ["STORE", *once(house, "MOVE")]
    assert house.places(subject) == [("Bills", ("$flagged",))]
    house.other.imap.select("Bills", readonly=True)
    assert house.other.must(house.other.imap.search(None, "KEYWORD", "urgent")) != [b""]
    house.finish(house.here.act(action="keywords", emailIds=[email], mailboxId=house.box("Bills"),
                                keywords={"urgent": False}))
    assert house.is_true()


def test_a_message_moved_and_deleted_for_good_is_only_deleted(house):
    subject, email = house.letter()
    go_away(house)
    operations = move(house, email, "INBOX", "Trash")
    operations += house.here.act(action="destroy", emailIds=[email], mailboxId=house.box("Trash"))
    assert come_back(house, operations) == ["STORE", "EXPUNGE"]
    assert house.places(subject) == []
    assert house.is_true()


def test_some_go_on_and_others_stay(house):
    first, one = house.letter()
    second, two = house.letter()
    third, three = house.letter()
    go_away(house)
    operations = house.here.act(action="move", emailIds=[one, two, three],
                                mailboxId=house.box("INBOX"), toId=house.box("Plans"))
    operations += move(house, two, "Plans", "Bills")
    operations += move(house, three, "Plans", "INBOX")
    assert come_back(house, operations) == 2 * once(house, "MOVE")
    assert [house.places(each) for each in (first, second, third)] == \
        [[("Plans", ())], [("Bills", ())], [("INBOX", ())]]
    assert house.is_true()


def test_a_folder_empties_what_came_with_what_lay_there(house):
    """The second operation has messages in two folders then."""
    first, one = house.letter()
    second, two = house.letter()
    operations = move(house, one, "INBOX", "Plans")
    house.finish(operations)
    go_away(house)
    operations = move(house, two, "INBOX", "Plans")
    operations += house.here.act(action="move", emailIds=[one, two], mailboxId=house.box("Plans"),
                                 toId=house.box("Bills"))
    assert come_back(house, operations) == 2 * once(house, "MOVE")
    assert house.places(first) == house.places(second) == [("Bills", ())]
    assert house.is_true()


@pytest.mark.parametrize("keywords", [{"$flagged": True}, {"urgent": True}])
def test_of_marks_the_last_is_told(house, keywords):
    subject, email = house.letter()
    inbox = house.box("INBOX")
    go_away(house)
    operations = house.here.act(action="keywords", emailIds=[email], mailboxId=inbox,
                                keywords=keywords)
    operations += house.here.act(action="keywords", emailIds=[email], mailboxId=inbox,
                                 keywords={word: False for word in keywords})
    assert come_back(house, operations) == ["STORE"]
    assert house.places(subject) == [("INBOX", ())]
    assert house.is_true()


def test_a_message_moved_on_to_where_it_may_not_lies_where_it_was_on_the_way(house):
    """The first move went over the wire with the second, and both are told as they are."""
    house.serial_folder = getattr(house, "serial_folder", 0) + 1
    doomed = f"doomed{house.serial_folder}"
    house.other.must(house.other.imap.create(doomed))
    assert eventually(lambda: house.here.check_now() or doomed in house.here.mailboxes(), pause=0.2)
    subject, email = house.letter()
    go_away(house)
    house.other.must(house.other.imap.delete(doomed))
    first = move(house, email, "INBOX", "Plans")
    second = move(house, email, "Plans", doomed)
    come_back(house, first + second)
    told = house.here.client.get(house.here.path(f"/operations/{second[0]}")).json
    assert told["state"] == "failed" and told["error"]
    assert lies_here(house, subject) == ["Plans"]
    assert house.is_true()
    assert house.places(subject) == [("Plans", ())]
    come_back(house, undo(house, first))
    assert house.places(subject) == [("INBOX", ())] and lies_here(house, subject) == ["INBOX"]


def test_a_message_moved_to_where_it_lies_already_is_not_lost_when_it_lies_there_no_more(house):
    """Such a move has only to take it from here; another program took it from there first."""
    subject, email = house.letter()
    come_back(house, house.here.act(action="copy", emailIds=[email], mailboxId=house.box("INBOX"),
                                    toId=house.box("Plans")))
    assert house.is_true() and lies_here(house, subject) == ["INBOX", "Plans"]
    go_away(house)
    house.other.imap.select("Plans")
    uid, = house.other.must(house.other.imap.uid("SEARCH", "SUBJECT", subject))[0].split()
    house.other.must(house.other.imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)"))
    house.other.must(house.other.imap.expunge())
    come_back(house, move(house, email, "INBOX", "Plans"))
    assert house.places(subject) == [("INBOX" if house.hide else "Plans", ())]
    assert house.is_true()


@pytest.mark.parametrize("when", ["before it was told", "afterwards"])
def test_a_label_is_taken_back_with_its_action(house, when):
    def labels():
        return {word for each in house.here.emails(house.box("INBOX")) if each["subject"] == subject
                for word in each["keywords"]}

    subject, email = house.letter()
    go_away(house)
    done = house.here.act(action="keywords", emailIds=[email], mailboxId=house.box("INBOX"),
                          keywords={"label": True})
    assert labels() == {"label"}
    if when == "afterwards":
        come_back(house, done)
        assert house.places(subject) == [("INBOX", ("label",))]
        go_away(house)
    back = undo(house, done)
    assert labels() == set()
    again = undo(house, house.here.act(action="keywords", emailIds=[email], mailboxId=house.box("INBOX"),
                                       keywords={"label": True, "$flagged": True}))
    assert labels() == set()
    come_back(house, back + again)
    assert house.places(subject) == [("INBOX", ())]
    assert house.is_true()


def test_what_went_on_can_still_be_taken_back(house):
    """The first move is over by then, as the second has its message."""
    subject, email = house.letter()
    go_away(house)
    move(house, email, "INBOX", "Plans")
    second = move(house, email, "Plans", "Bills")
    house.fail_at(CutAt(b"MOVE" if not house.hide else b"COPY", SERVER))
    house.await_cut()
    go_away(house)
    back = undo(house, second)
    assert lies_here(house, subject) == ["Plans"]
    come_back(house, second + back)
    assert house.places(subject) == [("Plans", ())]
    assert house.is_true()


def test_a_killed_sync_process_moves_it_once(house):
    subject, email = house.letter()
    go_away(house)
    operations = move(house, email, "INBOX", "Plans")
    operations += move(house, email, "Plans", "Bills")
    house.proxy.faults = [Delay(0.3)]
    house.here.check_now()
    # the second is under way, or over
    assert eventually(lambda: house.here.is_over(operations[0]), pause=0.02)
    killed = house.restante.kill("sync")
    assert eventually(lambda: house.restante.pid_of("sync") != killed)
    come_back(house, operations)
    assert house.places(subject) == [("Bills", ())]
    assert house.is_true()
