"""With every mail server stopped people go on: they write, send, answer, flag, move, make folders. Once the
servers are back all of it is carried out, once, and in the order in which it was done."""

import email
import email.policy
import re

import pytest

from tests.harness import eventually
from tests.integration.test_exactly_once import House
from tests.integration.test_sending import Writer, awaited
from tests.mailserver.faults import SERVER, Record

# what changes anything upstream, and where to
CHANGES = re.compile(rb'^\S+ (CREATE|RENAME|DELETE|UID STORE|UID MOVE|UID COPY|UID EXPUNGE) (.*?)\r?$', re.M)


@pytest.fixture
def house(state_folder, is_killed):
    with House(state_folder / f"offline-{is_killed}", []) as made:
        made.writer = Writer(made.restante, made.server.users["ada@example.org"])
        yield made


def changes(record):
    """In short: the verb, and the folder or the flags."""
    found = []
    for verb, rest in CHANGES.findall(record.passed):
        words = rest.decode().replace('"', "").split()
        found.append(f"{verb.decode()} {words[-1] if verb in (b'UID MOVE', b'CREATE') else ' '.join(words[1:])}")
    return found


@pytest.mark.parametrize("is_killed", [False, True], ids=["on", "killed"])
def test_what_is_done_without_servers_is_carried_out_once_and_in_order(house, is_killed):
    writer, here = house.writer, house.here
    letters = dict(zip("abcde", [house.letter() for _ in range(5)]))
    ids = {name: each for name, (_, each) in letters.items()}
    awaited(lambda: writer.mailbox("sent") and writer.mailbox("trash"))
    house.settled()
    record = Record(towards=SERVER)
    house.proxy.faults = [record]
    house.server.smtp.stop()
    house.server.dovecot.stop()
    house.proxy.cut_all()

    def send(subject, **more):
        draft = writer.draft(to="b@outside.example", subject=subject, text="words", **more)
        return writer.send(draft)

    def act(name, action, to=None, **more):
        return here.act(emailIds=[ids[name]], mailboxId=house.box("INBOX"), action=action,
                        **({"toId": house.box(to)} if to else {}), **more)

    sent = [send("first")]
    operations = act("a", "keywords", keywords={"$flagged": True})
    sent.append(send("answer", answersId=ids["a"], answersHow="reply", inReplyTo="1@example.org"))
    operations += act("a", "move", to="Archive")
    made = here.client.request("POST", here.path("/mailboxes"), json_body={"name": "New"})
    assert made.status in (200, 201, 202), made.text
    operations += made.json["operations"]
    operations += act("e", "move", to="New")
    operations += act("b", "move", to="Archive")
    operations += act("c", "trash")
    operations += act("d", "destroy")
    sent.append(send("last"))

    # all of it is seen at once, and that it waits is told
    listed = {path: [subject for subject, _ in found] for path, found in here.listing().items()}
    assert listed["Archive"] == [letters["a"][0], letters["b"][0]]
    assert listed["New"] == [letters["e"][0]]
    assert listed["Trash"] == [letters["c"][0]] and listed["INBOX"] == []
    awaited(lambda: all(writer.submission(one).get("error") for one in sent), patience=60)
    assert {writer.submission(one)["phase"] for one in sent} == {"queued"}
    assert not any(map(here.is_over, operations))

    house.server.dovecot.start()
    here.check_now()
    if is_killed:  # with some of it under way; of killing while mail is sent: test_sending_faults.py
        awaited(lambda: here.check_now() or changes(record), patience=60)
        house.restante.kill("sync")
    house.server.smtp.start()
    writer.api.post(f"{writer.base}/submissions/{sent[-1]['id']}/send-now", json_body={})
    house.finish(operations)
    assert eventually(lambda: {writer.submission(one)["phase"] for one in sent} == {"filed"}, patience=90), (
        [writer.submission(one) for one in sent], house.sync_log())
    subjects = [email.message_from_bytes(message.content, policy=email.policy.default)["Subject"]
                for message in house.server.smtp.accepted]
    assert subjects == ["first", "answer", "last"]
    house.other.connect()
    assert house.is_true(), (here.listing(), house.other.listing(), house.sync_log())
    upstream = house.other.listing()
    assert [subject for subject, _ in upstream["Sent"]] == ["answer", "first", "last"]
    done = changes(record)
    order = [next((n for n, change in enumerate(done) if re.match(wanted, change)), wanted)
             for wanted in (r"UID STORE \+FLAGS\S* .*Flagged", "UID MOVE Archive", "CREATE New",
                            "UID MOVE New", "UID MOVE Trash", r"UID STORE \+FLAGS\S* .*Deleted")]
    assert order == sorted(order), done
    if not is_killed:
        moves = [change for change in done if change.startswith(("UID MOVE", "CREATE"))]
        assert moves == ["UID MOVE Archive", "CREATE New", "UID MOVE New", "UID MOVE Archive", "UID MOVE Trash"], done
