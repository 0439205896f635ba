"""A real Dovecot that was restored from a backup, or lost its indexes: it keeps UIDVALIDITY and gives
UIDs a second time, or counts its modseqs from the beginning. The replica is true all the same."""

import shutil

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_truth import PASSWORD, WAYS, Here, Other, sync_log
from tests.mailserver.faults import Proxy
from tests.mailserver.mailserver import MailServer


class House:
    def __init__(self, way, folder):
        self.way, self.folder = way, folder

    def __enter__(self):
        self.server = MailServer(hide=WAYS[self.way]).__enter__()
        user = self.server.add_user("ada@example.org", PASSWORD)
        self.address, self.home = user.address, self.server.dovecot.home(user.address)
        self.proxy = Proxy(self.server.ports["imaps"])
        domain = harness.domain("imap", self.server) | {"port": self.proxy.port}
        self.restante = harness.Restante(self.folder, domains={"example.org": domain},
                                         ca_file=self.server.ca_file).start()
        self.restante.sign_in(user.address, PASSWORD)
        self.here = Here(self.restante.client(self.restante.token(user.address)))
        self.other = Other(self.server, user.address)
        return self

    def __exit__(self, *exception):
        self.restante.stop()
        self.proxy.stop()
        self.server.__exit__(*exception)

    def while_down(self, act):
        self.server.dovecot.stop()
        self.proxy.cut_all()  # Dovecot's sessions may outlive it
        act()
        self.server.dovecot.own_home(self.address)
        self.server.dovecot.start()
        self.other.connect()

    def appends(self, count):
        for _ in range(count):
            self.other.append("INBOX")

    def mark(self, uids, sign, flag):
        self.other.must(self.other.imap.uid("STORE", b",".join(uids).decode(), f"{sign}FLAGS",
                                            f"({flag})"))

    def marks_often(self):
        """So that modseqs go up."""
        uids = self.other.uids("INBOX")
        for turn in range(40):
            self.mark(uids, "-" if turn % 2 else "+", "\\Answered")

    def is_true(self):
        def same():
            self.here.check_now()
            try:
                return self.here.listing() == self.other.listing()
            except AssertionError:
                return self.other.connect()  # Dovecot is still at its repairs

        return eventually(same, pause=0.3, patience=60)

    def problem(self):
        return self.here.listing(), sync_log(self.restante), self.server.dovecot.log_tail()


@pytest.mark.parametrize("way,new", [("qresync", 5), ("nothing", 1)])
def test_uids_of_before_the_backup_are_not_trusted(state_folder, way, new):
    """`new`: messages since; with five of them UIDNEXT is above what it was, and only the modseq
    tells."""
    with House(way, state_folder / f"restored-{way}") as house:
        house.appends(4)
        assert house.is_true(), house.problem()
        backup = state_folder / f"backup-{way}"
        house.while_down(lambda: shutil.copytree(house.home, backup))
        house.appends(3)
        house.marks_often()
        assert house.is_true(), house.problem()

        def restore():
            shutil.rmtree(house.home)
            shutil.copytree(backup, house.home)

        house.while_down(restore)
        house.appends(new)
        assert house.is_true(), house.problem()
        assert "event=imap.set-back" in sync_log(house.restante, 10**6)


@pytest.mark.parametrize("way", ["condstore"])
def test_modseqs_may_begin_anew(state_folder, way):
    """The indexes are lost, the UIDs are not: what another client marks after that is seen."""
    with House(way, state_folder / f"rebuilt-{way}") as house:
        house.appends(6)
        house.marks_often()
        assert house.is_true(), house.problem()
        ids = {each["id"] for each in house.here.emails(house.here.mailboxes()["INBOX"]["id"])}

        def lose_indexes():
            for file in [*house.home.rglob("dovecot.index*"), *house.home.rglob("dovecot.list.*")]:
                file.unlink()

        house.while_down(lose_indexes)
        assert house.is_true(), house.problem()
        house.mark(house.other.uids("INBOX")[2:3], "+", "\\Flagged")
        assert house.is_true(), house.problem()
        assert {each["id"] for each in
                house.here.emails(house.here.mailboxes()["INBOX"]["id"])} == ids
