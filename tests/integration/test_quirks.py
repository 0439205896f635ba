"""What the sync role makes of servers that misbehave: the quirks of ../shared/ref/sync.md that are not
the client's alone (those are transcripts in tests/protocol/imap), and some that mean harm. The mail
that is here stays."""

import html

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_truth import Here
from tests.mailserver.fakeimap import FakeImap, Folder


FIVE = ["m1", "m2", "m3", "m4", "m5"]


def letter(number):
    return (f"From: ada@example.org\r\nSubject: m{number}\r\nMessage-ID: <{number}@x>\r\n\r\n"
            f"letter {number}\r\n").encode()


@pytest.fixture
def fake():
    with FakeImap() as server:
        for number in range(1, 6):
            server.folders["INBOX"].add(letter(number))
        yield server


class Person:
    def __init__(self, restante, here):
        self.restante, self.here = restante, here

    def subjects(self, path="INBOX"):
        mailboxes = self.here.mailboxes()
        return path in mailboxes and \
            sorted(each["subject"] for each in self.here.emails(mailboxes[path]["id"]))

    def sync(self):
        return self.here.client.get("/accounts").json["accounts"][0]["sync"]

    def sees(self, subjects, path="INBOX"):
        return eventually(lambda: self.here.check_now() or self.subjects(path) == subjects,
                          pause=0.2, patience=20)

    def looks_again(self, fake):
        """Two looks at the folders have come and gone."""
        before = sum(each.split(" ", 1)[1].startswith("LIST") for each in fake.commands)
        assert eventually(lambda: self.here.check_now() or sum(
            each.split(" ", 1)[1].startswith("LIST") for each in fake.commands) >= before + 2,
            pause=0.2)


@pytest.fixture
def person(fake, mailserver, state_folder, request):
    domain = {"kind": "imap", "host": "127.0.0.1", "port": fake.port, "tls": "none"}
    folder = state_folder / "".join(c for c in request.node.name if c.isalnum())
    with harness.Restante(folder, domains={"example.org": domain}, ca_file=mailserver.ca_file,
                          allow_plaintext=True) as restante:
        restante.sign_in("ada@example.org", "any")
        here = Here(restante.client(restante.token("ada@example.org")))
        made = Person(restante, here)
        assert made.sees(FIVE)
        yield made


def test_10_vanished_of_everything_is_not_believed(fake, person):
    fake.answers["NOOP"] = lambda *_: ["* VANISHED (EARLIER) 1:4294967295", "{tag} OK done"]
    person.looks_again(fake)
    del fake.answers["NOOP"]
    assert person.sees(FIVE)


def test_a_label_that_the_server_does_not_keep_is_taken_off_and_told(fake, person):
    """Without \\* in PERMANENTFLAGS it says OK and forgets it."""
    fake.permanent_flags = "\\Seen \\Deleted"
    inbox = person.here.mailboxes()["INBOX"]["id"]
    person.restante.kill("sync")  # for another SELECT
    email = person.here.emails(inbox)[0]["id"]
    operation, = person.here.act(action="keywords", mailboxId=inbox, emailIds=[email],
                                 keywords={"errand": True})
    assert eventually(lambda: person.here.check_now() or person.here.is_over(operation), pause=0.2)
    told = person.here.client.get(person.here.path(f"/operations/{operation}")).json
    assert told["state"] == "failed" and "keeps no new labels" in str(told["error"])
    assert all("errand" not in each["keywords"] for each in person.here.emails(inbox))
    assert not any("errand" in each for each in fake.commands)


def test_17_a_search_that_lists_less_than_exists_deletes_nothing(fake, person):
    fake.answers["UID SEARCH"] = lambda *_: ["* SEARCH", "{tag} OK done"]
    fake.folders["INBOX"].add(letter(6))
    person.looks_again(fake)
    assert person.subjects() == FIVE
    fake.answers.clear()
    assert person.sees(FIVE + ["m6"])


def test_14_a_message_that_was_not_told_is_asked_for_again(fake, person):
    asked = []

    def forgets_one(session, words):
        uids, _, items = words.partition(" ")
        if "7" not in uids or asked:
            return None
        asked.append(uids)
        return [session.fetch(6, items), "{tag} OK done"]

    fake.answers["UID FETCH"] = forgets_one
    fake.folders["INBOX"].add(letter(6))
    fake.folders["INBOX"].add(letter(7))
    assert person.sees(FIVE + ["m6", "m7"])


def test_19_a_folder_that_refuses_select_is_set_aside(fake, person):
    fake.folders["Poison"] = Folder(2)
    fake.folders["Zebra"] = Folder(3)
    fake.folders["Zebra"].add(letter(9))
    fake.answers["SELECT"] = lambda session, words: \
        ["{tag} NO not that one"] if "Poison" in words else None
    assert person.sees(["m9"], "Zebra")
    assert person.sees(FIVE)
    assert person.sync()["state"] in ("current", "syncing")


def test_20_a_list_that_fails_keeps_the_known_folders(fake, person):
    fake.answers["LIST"] = lambda *_: ["{tag} NO [SERVERBUG] internal error"]
    fake.folders["INBOX"].add(letter(6))
    assert person.sees(FIVE + ["m6"])


def test_an_empty_list_keeps_the_known_folders(fake, person):
    fake.answers["LIST"] = lambda *_: ["{tag} OK done"]
    person.looks_again(fake)
    assert person.subjects() == FIVE


def test_13_uidnext_that_goes_down_is_a_folder_made_anew(fake, person):
    fake.folders["INBOX"] = Folder(1)
    fake.folders["INBOX"].add(letter(1))
    fake.folders["INBOX"].add(letter(9))
    fake.answers["NOOP"] = lambda *_: ["* BYE restored from a backup"]
    person.here.check_now()
    eventually(lambda: fake.connections >= 3)
    fake.answers.clear()
    assert person.sees(["m1", "m9"])


def test_13_a_search_beyond_the_end_names_the_last_message(fake, person):
    fake.answers["UID SEARCH"] = lambda _, words: \
        ["* SEARCH 5", "{tag} OK done"] if words.startswith("UID 6:") else None
    fake.folders["INBOX"].uidnext = 9
    person.looks_again(fake)
    assert person.subjects() == FIVE
    fake.folders["INBOX"].add(letter(6))
    fake.answers.clear()
    assert person.sees(FIVE + ["m6"])


def test_a_folder_numbered_anew_again_and_again_is_left_alone(fake, person):
    """Five times, and five on another connection that is asked; its messages stay. Other folders go
    on."""
    fake.folders["Other"] = Folder(3)
    fake.folders["Other"].add(letter(9))

    def renumbers(session, words):
        if "Other" not in words:
            fake.folders["INBOX"].uidvalidity += 1

    fake.answers["STATUS"] = fake.answers["SELECT"] = renumbers

    def told(event):
        return person.restante.log.read_text(errors="replace").count(event)

    assert eventually(lambda: person.here.check_now() or told("anew again and again"), pause=0.2)
    assert 5 <= told("event=imap.uidvalidity") <= 10
    assert person.subjects() == FIVE
    assert person.sees(["m9"], "Other")


def test_22_a_refused_move_may_have_moved_some(fake, person):
    fake.capabilities += " MOVE"
    fake.folders["Away"] = Folder(2)
    fake.cut()
    assert person.sees([], "Away")

    def moves_one(session, words):
        uid = session.uids(words.split()[0])[0]
        session.do_uid_move("*", f'{uid} "Away"')
        return ["{tag} NO the rest does not fit"]

    fake.answers["UID MOVE"] = moves_one
    boxes = {path: each["id"] for path, each in person.here.mailboxes().items()}
    emails = [each["id"] for each in person.here.emails(boxes["INBOX"])
              if each["subject"] in ("m2", "m3")]
    operations = person.here.act(action="move", mailboxId=boxes["INBOX"], emailIds=emails,
                                 toId=boxes["Away"])
    assert eventually(lambda: all(map(person.here.is_over, operations)), pause=0.2)
    assert person.sees(["m2"], "Away") and person.sees(["m1", "m3", "m4", "m5"])
    assert len(fake.folders["INBOX"].messages) == 4 and len(fake.folders["Away"].messages) == 1


def test_what_comes_while_a_pass_runs_is_read_by_the_next(fake, person):
    """Told within the answer to another command, and never again."""
    def bring(session, words):
        if "HEADER" not in words:
            fake.answers.clear()
            session.folder.add(letter(7))
            session.say(f"* {len(session.folder.messages)} EXISTS")

    assert person.sees(FIVE)
    fake.answers["UID FETCH"] = bring
    fake.folders["INBOX"].add(letter(6))
    person.here.check_now()
    assert eventually(lambda: not fake.answers)
    # without a look of ours: it would be found by that
    assert eventually(lambda: "m7" in person.restante.sql("SELECT subject FROM email").split(), patience=20)


def test_5_uidvalidity_0_is_lived_with(fake, person):
    fake.folders["Odd"] = Folder(0)
    fake.folders["Odd"].add(letter(8))
    assert person.sees(["m8"], "Odd")


def test_another_uidvalidity_keeps_the_messages_and_their_ids(fake, person):
    ids = {each["id"] for each in person.here.emails(person.here.mailboxes()["INBOX"]["id"])}
    moved = Folder(77)
    for number in range(1, 6):
        moved.add(letter(number))
    fake.folders["INBOX"] = moved
    fake.answers["NOOP"] = lambda *_: ["* BYE restarting"]
    person.here.check_now()
    eventually(lambda: fake.connections >= 3)
    fake.answers.clear()
    person.looks_again(fake)
    assert person.sees(FIVE)
    assert {each["id"] for each in
            person.here.emails(person.here.mailboxes()["INBOX"]["id"])} == ids


def test_16_throttling_is_waited_for(fake, person):
    said = []

    def throttled(session, words):
        said.append(words)
        return ["{tag} BAD Request is throttled. Suggested Backoff Time: 500 milliseconds"] \
            if len(said) < 3 else None

    fake.answers["LIST"] = throttled
    fake.folders["INBOX"].add(letter(6))
    assert person.sees(FIVE + ["m6"])
    assert person.sync()["state"] != "refused"


def test_18_too_many_connections_is_no_wrong_password(fake, person):
    fake.answers["AUTHENTICATE"] = lambda *_: \
        ["{tag} NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded"]
    fake.answers["NOOP"] = lambda *_: ["* BYE"]
    person.here.check_now()
    assert eventually(lambda: person.here.check_now() or person.sync()["state"] == "unreachable",
                      pause=0.3)
    assert person.sync()["error"] and person.sync()["nextAt"]
    fake.answers.clear()
    fake.folders["INBOX"].add(letter(6))
    assert person.sees(FIVE + ["m6"])


def test_a_refused_password_tells_what_to_do(fake, person):
    fake.answers["AUTHENTICATE"] = lambda *_: ["{tag} NO [AUTHENTICATIONFAILED] no"]
    fake.answers["NOOP"] = lambda *_: ["* BYE"]
    assert eventually(lambda: person.here.check_now() or person.sync()["state"] == "refused",
                      pause=0.3)
    assert person.sync()["error"]
    assert person.subjects() == FIVE  # what is here can still be read


def test_33_uids_that_cannot_be_are_nobodys(fake, person):
    fake.folders["INBOX"].add(letter(6))
    fake.folders["INBOX"].add(letter(7))

    def confused(session, words):
        """UID 0, the same one twice with other contents, the highest first."""
        if "HEADER" not in words and "BODYSTRUCTURE" not in words:
            return None
        items = words.partition(" ")[2]
        return [session.fetch(7, items), session.fetch(6, items).replace(b"UID 6", b"UID 0"),
                session.fetch(3, items).replace(b"UID 3", b"UID 7"), session.fetch(7, items),
                session.fetch(6, items), "{tag} OK done"]

    fake.answers["UID SEARCH"] = lambda *_: ["* SEARCH 7 0 6 7 6", "{tag} OK done"]
    fake.answers["UID FETCH"] = confused
    person.looks_again(fake)
    fake.answers.clear()
    assert person.sees(FIVE + ["m6", "m7"])
    # and what is done to one of them happens to that one
    inbox = person.here.mailboxes()["INBOX"]["id"]
    third = next(each for each in person.here.emails(inbox) if each["subject"] == "m3")
    person.here.act(action="keywords", emailIds=[third["id"]], keywords={"$flagged": True})
    assert eventually(lambda: [uid for uid, (_, flags) in fake.folders["INBOX"].messages.items()
                               if "\\Flagged" in flags] == [3])


def test_34_names_of_folders_are_names(fake, person):
    odd = ["../..", "../../etc/passwd", "`touch x`", "$(id)", "%s%n%x", "&bad", "&AAo-", "a//b", "/"]
    for number, name in enumerate(odd):
        fake.folders[name] = Folder(10 + number)
        fake.folders[name].add(letter(20 + number))
    fake.folders["evil\r\nA9 DELETE INBOX"] = Folder(99)
    listing = [f'* LIST () "/" "{name}"' for name in ["INBOX", *odd]]
    evil = [b'* LIST () "/" {21}\r\nevil\r\nA9 DELETE INBOX', b'* LIST () "/" {3}\r\na\x00b']
    fake.answers["LIST"] = lambda *_: listing + evil + ["{tag} OK done"]
    fake.answers["STATUS"] = lambda session, words: ["{tag} NO none"] if "evil" in words else None
    assert person.sees(["m22"], "`touch x`") and person.sees(["m23"], "$(id)")
    assert person.sees(FIVE)
    # none of them became a command, and all can be written into a page and into an archive
    assert {each.split(" ", 1)[1].split('"')[0].split()[0] for each in fake.commands} <= {
        "AUTHENTICATE", "LIST", "LSUB", "STATUS", "SELECT", "UID", "FETCH", "NOOP", "LOGOUT"}
    browser = person.restante.sign_in("ada@example.org", "any")
    page = browser.get(f"//accounts/{person.here.account}/folders")
    assert page.status == 200 and "$(id)" in html.unescape(page.text)


@pytest.mark.parametrize("harm", [
    "* " + "(" * 1_000_000,
    "* 5 FETCH (UID 5 BODY[1] {4294967295}",
    "* 4294967295 EXISTS",
    "* OK " + "x" * 3_000_000,
    "* LIST () \"/\" " + "INBOX/" * 5000,
    "\x00\x01\x02\xff",
    "* STATUS INBOX (UIDNEXT 99999999999999999999)",
    "* 1 FETCH (FLAGS (" + "\\Seen " * 200_000 + ") UID 1)",
], ids=["nesting", "literal", "exists", "line", "names", "bytes", "number", "flags"])
def test_a_hostile_server_ends_its_session_and_nothing_else(fake, person, harm):
    pid = person.restante.pid_of("sync")
    fake.answers["NOOP"] = lambda *_: [harm.encode("latin-1"), "{tag} OK done"]
    for _ in range(3):
        person.here.check_now()
        eventually(lambda: False, patience=0.5, pause=0.5)
    fake.answers.clear()
    fake.folders["INBOX"].add(letter(6))
    assert person.sees(FIVE + ["m6"])
    assert person.restante.pid_of("sync") == pid
