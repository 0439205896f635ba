"""The replica is true: whatever a second client does to the mailboxes, whatever people do here
meanwhile, and wherever the connection is cut, in the end every folder shows here what a fresh
listing of it says.

RESTANTE_TRUTH_STEPS sets the number of steps (120 by default, for each way of syncing), and
RESTANTE_TRUTH_SEED the seed, which is printed. RESTANTE_TRUTH_HARSH=1 also takes away what Dovecot
keeps beside the messages while it runs: it then keeps UIDVALIDITY for other UIDs, or refuses the
folder, for a while, so that not each round ends in time."""

import imaplib
import os
import random
import re
import ssl
import subprocess
import time

import pytest

from tests import harness
from tests.harness import eventually
from tests.mailserver.faults import Cut, Proxy
from tests.mailserver.mailserver import MailServer

STEPS = int(os.environ.get("RESTANTE_TRUTH_STEPS", 120))
IS_HARSH = bool(os.environ.get("RESTANTE_TRUTH_HARSH"))
SEED = int(os.environ.get("RESTANTE_TRUTH_SEED", 1))
ROUND = 12  # steps between two looks
PASSWORD = "correct horse"

WAYS = {
    "qresync": [],
    "condstore": ["QRESYNC"],
    "neither": ["QRESYNC", "CONDSTORE", "NOTIFY"],
    "nothing": ["QRESYNC", "CONDSTORE", "NOTIFY", "MOVE", "UIDPLUS", "ESEARCH", "LIST-STATUS",
                "LIST-EXTENDED", "SPECIAL-USE", "IDLE", "BINARY", "ENABLE"],
}
KEYWORDS = {"\\Seen": "$seen", "\\Flagged": "$flagged", "\\Answered": "$answered",
            "\\Draft": "$draft", "$Forwarded": "$forwarded", "$Junk": "$junk", "label": "label"}


def sync_log(restante, lines=60):
    return "\n".join([line for line in restante.log.read_text(errors="replace").splitlines()
                      if "role=sync" in line][-lines:])


class Other:
    """The second client: straight to Dovecot."""

    def __init__(self, server, address):
        self.server, self.address = server, address
        self.serial = 0
        self.connect()

    def connect(self):
        """Anew: Dovecot 2.3 may lose its list of folders under a connection ("duplicate transaction
        log sequence" in its log) and then lists to it for ever what was there before."""
        trust = ssl.create_default_context(cafile=self.server.ca_file)
        self.imap = imaplib.IMAP4_SSL("localhost", self.server.ports["imaps"], ssl_context=trust)
        self.imap.login(self.address, PASSWORD)

    def must(self, answer):
        assert answer[0] == "OK", answer
        return answer[1]

    def folders(self):
        lines = self.must(self.imap.list())
        return sorted(re.search(rb'"/" "?(.*?)"?$', line).group(1).decode() for line in lines
                      if b"\\Noselect" not in line and b"\\NonExistent" not in line)

    def uids(self, folder, read_only=False):
        self.must(self.imap.select(f'"{folder}"', readonly=read_only))
        return self.must(self.imap.uid("SEARCH", "UNDELETED"))[0].split()

    def append(self, folder, flags=""):
        self.serial += 1
        twin = f"<{self.serial}@example.org>"
        message = (f"From: Ada <ada@example.org>\r\nTo: ben@example.org\r\nSubject: m{self.serial}\r\n"
                   f"Message-ID: {twin}\r\n\r\nletter {self.serial}\r\n").encode()
        self.must(self.imap.append(f'"{folder}"', flags, None, message))

    def renumber(self, folder, uidvalidity, loses_uids):
        """Another UIDVALIDITY behind the back of all who are connected. `loses_uids`: what Dovecot
        keeps beside the messages is taken away before, so that they get other UIDs, too."""
        dovecot = self.server.dovecot
        maildir = dovecot.maildir_of(self.address, folder)
        for file in [maildir / "dovecot-uidlist", *maildir.glob("dovecot.index*")]:
            if loses_uids:
                file.unlink(missing_ok=True)
        # Dovecot's list of folders may still know the UIDVALIDITY and keep it with the new UIDs
        subprocess.run(["doveadm", "-c", dovecot.folder / "dovecot.conf", "mailbox", "update", "-u",
                        self.address, "--uid-validity", str(uidvalidity), folder],
                       check=False, capture_output=True, timeout=60)
        self.connect()

    def listing(self):
        """Every folder as a sorted list of (subject, keywords). Without UIDPLUS what was deleted here
        stays upstream as \\Deleted, and nobody sees it."""
        found = {}
        for folder in self.folders():
            found[folder] = []
            if self.imap.select(f'"{folder}"', readonly=True)[0] != "OK":
                found[folder] = None  # deleted this moment
                continue
            if not self.uids(folder, read_only=True):
                continue
            lines = self.must(self.imap.uid(
                "FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
            for line in lines:
                if isinstance(line, tuple):
                    subject = re.search(rb"Subject: (\S+)", line[1]).group(1).decode()
                    flags = re.search(rb"FLAGS \((.*?)\)", line[0]).group(1).decode().split()
                    if "\\Deleted" in flags:
                        continue
                    words = [KEYWORDS[flag] for flag in flags if flag in KEYWORDS]
                    found[folder].append((subject, tuple(sorted(words))))
            found[folder].sort()
        return found


class Here:
    """The replica, by the API."""

    def __init__(self, client):
        self.client = client
        self.account = client.get("/accounts").json["accounts"][0]["id"]

    def path(self, rest):
        return f"/accounts/{self.account}{rest}"

    def mailboxes(self):
        mailboxes = self.client.get(self.path("/mailboxes")).json["mailboxes"]
        names = {each["id"]: each for each in mailboxes}

        def path_of(each):
            above = names.get(each["parentId"])
            return (path_of(above) + "/" if above else "") + each["name"]

        return {path_of(each): each for each in mailboxes if each["isSelectable"]}

    def emails(self, mailbox):
        found, query = [], "?limit=500"
        while True:
            answer = self.client.get(self.path(f"/mailboxes/{mailbox}/emails{query}"))
            if answer.status == 404:
                return found  # the folder went away this moment
            assert answer.status == 200, answer.text
            page = answer.json
            found += page["emails"]
            if not page.get("next"):
                return found
            query = f"?limit=500&after={page['next']}"

    def listing(self):
        found = {}
        for path, mailbox in self.mailboxes().items():
            emails = self.emails(mailbox["id"])
            found[path] = sorted((each["subject"], tuple(sorted(each["keywords"])))
                                 for each in emails)
            # the counts that are kept say the same
            unread = sum(not {"$seen", "$draft"} & set(words) for _, words in found[path])
            if (mailbox["totalEmails"], mailbox["unreadEmails"]) != (len(emails), unread):
                found[path].append(("counts", mailbox["totalEmails"], mailbox["unreadEmails"]))
        return found

    def act(self, **body):
        answer = self.client.request("POST", self.path("/actions"), json_body=body)
        # what another client has just removed is not there any more; a folder neither
        assert answer.status in (200, 404, 409), answer.text
        return answer.json.get("operations", []) if answer.status == 200 else []

    def is_over(self, operation):
        state = self.client.get(self.path(f"/operations/{operation}")).json["state"]
        return state in ("done", "failed", "cancelled")

    def check_now(self):
        self.client.request("POST", self.path("/sync"))


class Storm:
    def __init__(self, seed, other, here, proxy):
        self.random = random.Random(seed)
        self.other, self.here, self.proxy = other, here, proxy
        self.operations = []
        self.made = 0
        self.steps = [(self.append, 8), (self.flag, 6), (self.move, 4), (self.expunge, 3),
                      (self.create, 1), (self.rename, 1), (self.delete, 1), (self.recreate, 1),
                      (self.renumber, 1), (self.lose_numbers, int(IS_HARSH)),
                      (self.act_keywords, 6), (self.act_move, 4), (self.act_copy, 1),
                      (self.act_trash, 2), (self.act_destroy, 1), (self.cut, 2),
                      (self.cut_later, 2), (self.check, 2)]

    def step(self):
        step, = self.random.choices([step for step, _ in self.steps],
                                    [weight for _, weight in self.steps])
        try:
            step()
        except imaplib.IMAP4.abort:
            self.other.connect()  # Dovecot ends sessions whose folder was numbered anew
        except (imaplib.IMAP4.error, AssertionError) as error:
            # Both sides act at once: what one has removed the other cannot find. Anything of ours
            # that went wrong shows in the comparison.
            if "answer" in str(error):
                raise
        return step.__name__

    # --- the second client ---

    def folder(self, but=()):
        folders = [each for each in self.other.folders() if each not in but]
        return self.random.choice(folders + ["INBOX"] * 3) if "INBOX" not in but else \
            self.random.choice(folders)

    def some_uids(self, folder):
        uids = self.other.uids(folder)
        return b",".join(self.random.sample(uids, min(len(uids), self.random.randint(1, 5)))).decode()

    def append(self):
        folder = self.folder()
        for _ in range(self.random.randint(1, 6)):
            self.other.append(folder, self.random.choice(["", "\\Seen", "(\\Flagged $Forwarded)"]))

    def flag(self):
        if uids := self.some_uids(self.folder()):
            sign = self.random.choice("+-")
            flag = self.random.choice(list(KEYWORDS))
            self.other.must(self.other.imap.uid("STORE", uids, sign + "FLAGS", f"({flag})"))

    def move(self):
        source, target = self.folder(), self.folder()
        if source != target and (uids := self.some_uids(source)):
            self.other.must(self.other.imap.uid("COPY", uids, f'"{target}"'))
            self.other.must(self.other.imap.uid("STORE", uids, "+FLAGS", "(\\Deleted)"))
            self.other.must(self.other.imap.expunge())

    def expunge(self):
        if uids := self.some_uids(self.folder()):
            self.other.must(self.other.imap.uid("STORE", uids, "+FLAGS", "(\\Deleted)"))
            self.other.must(self.other.imap.expunge())

    def create(self):
        self.made += 1
        above = self.random.choice(["", "", "Archive/"])
        self.other.imap.create(f'"{above}folder{self.made}"')

    def own_folder(self):
        own = [each for each in self.other.folders() if "folder" in each]
        return self.random.choice(own) if own else None

    def rename(self):
        if folder := self.own_folder():
            self.made += 1
            self.other.imap.select("INBOX")
            self.other.imap.rename(f'"{folder}"', f'"folder{self.made}"')

    def delete(self):
        if folder := self.own_folder():
            self.other.imap.select("INBOX")
            self.other.imap.delete(f'"{folder}"')

    def renumber(self):
        self.other.renumber(self.folder(), self.random.randint(2**31, 2**32 - 1), False)

    def lose_numbers(self):
        self.other.renumber(self.folder(), self.random.randint(2**31, 2**32 - 1), True)

    def recreate(self):
        """The same messages in another folder of the name."""
        if folder := self.own_folder():
            self.made += 1
            aside = f"folder{self.made}"
            self.other.imap.select("INBOX")
            self.other.must(self.other.imap.rename(f'"{folder}"', f'"{aside}"'))
            self.other.must(self.other.imap.create(f'"{folder}"'))
            if uids := self.other.uids(aside):
                self.other.must(self.other.imap.uid("COPY", b",".join(uids).decode(),
                                                    f'"{folder}"'))
            self.other.imap.select("INBOX")
            self.other.must(self.other.imap.delete(f'"{aside}"'))

    # --- people here ---

    def some_emails(self):
        mailboxes = list(self.here.mailboxes().values())
        mailbox = self.random.choice(mailboxes + [m for m in mailboxes if m["role"] == "inbox"] * 3)
        emails = self.here.emails(mailbox["id"])
        ids = [each["id"] for each in self.random.sample(emails, min(len(emails), 3))]
        return mailbox["id"], ids

    def act(self, action, **more):
        mailbox, ids = self.some_emails()
        if ids:
            self.operations += self.here.act(action=action, mailboxId=mailbox, emailIds=ids, **more)

    def act_keywords(self):
        words = self.random.sample(list(KEYWORDS.values()), self.random.randint(1, 2))
        self.act("keywords", keywords={word: self.random.random() < 0.6 for word in words})

    def target(self):
        return self.random.choice(list(self.here.mailboxes().values()))["id"]

    def act_move(self):
        self.act("move", toId=self.target())

    def act_copy(self):
        self.act("copy", toId=self.target())

    def act_trash(self):
        self.act("trash")

    def act_destroy(self):
        self.act("destroy")

    # --- the network ---

    def cut(self):
        self.proxy.cut_all(reset=self.random.random() < 0.5)

    def cut_later(self):
        self.proxy.faults = [Cut(after=self.random.randint(0, 20000),
                                 towards=self.random.choice(["client", "client", "server"]))]
        self.proxy.cut_all()
        self.here.check_now()
        time.sleep(0.3)
        self.proxy.faults = []

    def check(self):
        self.here.check_now()

    # --- the truth ---

    def difference(self):
        self.other.connect()
        upstream, here = self.other.listing(), self.here.listing()
        return {folder: (upstream.get(folder), here.get(folder))
                for folder in upstream.keys() | here.keys()
                if upstream.get(folder, []) is not None and upstream.get(folder) != here.get(folder)}

    def settle(self):
        self.proxy.faults = []
        over = eventually(lambda: self.here.check_now() or
                          all(map(self.here.is_over, self.operations)), patience=120, pause=0.5)
        assert over, "operations do not end"
        self.operations = []
        return eventually(lambda: self.here.check_now() or not self.difference(), patience=60,
                          pause=0.5)


@pytest.mark.parametrize("way", WAYS)
def test_the_replica_equals_a_fresh_listing(way, state_folder):
    print(f"seed {SEED}, {STEPS} steps")
    with MailServer(hide=WAYS[way]) as server:
        user = server.add_user("ada@example.org", PASSWORD)
        with Proxy(server.ports["imaps"]) as proxy:
            domain = harness.domain("imap", server) | {"port": proxy.port}
            with harness.Restante(state_folder / f"truth-{way}", domains={"example.org": domain},
                                  ca_file=server.ca_file) as restante:
                restante.sign_in(user.address, PASSWORD)
                here = Here(restante.client(restante.token(user.address)))
                other = Other(server, user.address)
                storm = Storm(f"{SEED} {way}", other, here, proxy)
                assert eventually(here.mailboxes)
                done = []
                for step in range(STEPS):
                    done.append(storm.step())
                    if (step + 1) % ROUND == 0:
                        assert storm.settle(), (f"seed {SEED}, step {step + 1}, after "
                                                f"{done[-ROUND:]}:\n{storm.difference()}\n"
                                                f"{sync_log(restante)}")
