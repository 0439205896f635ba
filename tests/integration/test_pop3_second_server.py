"""Each policy of POP3 accounts once against a server that is not Dovecot: GNU Mailutils' pop3d."""

import pytest

from tests.harness import eventually
from tests.integration.test_pop3 import PASSWORD, Account, letter, subjects
from tests.mailserver import faults, mailutils

pytestmark = pytest.mark.skipif(not mailutils.is_possible(),
                                reason="needs mailutils-pop3d, and root to change to its group")


class Maildrop:
    """Somebody's mailbox there, behind a proxy that speaks TLS for it."""

    def __init__(self, server, mailserver, address):
        self.server, self.address = server, address
        server.add_user(address, PASSWORD)
        self.proxy = faults.Proxy(server.port, tls=mailserver.authority.certificate("good"))

    def receive(self, *names, size=200):
        for name in names:
            self.server.deliver(self.address, letter(name, size))

    def count(self):
        return self.server.count(self.address)

    def holds(self, count):
        """Its session writes the file anew when it ends, a moment after its last answer."""
        return eventually(lambda: self.count() == count)


@pytest.fixture(scope="module")
def server(state_folder):
    with mailutils.Pop3(state_folder / "mailutils") as started:
        yield started


@pytest.fixture
def maildrop(server, mailserver, request):
    made = Maildrop(server, mailserver, f"{abs(hash(request.node.name))}@second.example")
    yield made
    made.proxy.stop()
    server.delete_user(made.address)


@pytest.fixture
def account(restante, maildrop):
    return Account(restante, maildrop.proxy.port, maildrop.address)


def test_mail_is_removed_once_it_is_here(account, maildrop):
    maildrop.receive(*subjects(30))
    account.check_now()
    assert account.subjects() == subjects(30)
    assert maildrop.holds(0)
    maildrop.receive("another")
    account.check_now()
    assert account.subjects() == sorted(subjects(30) + ["another"])
    assert maildrop.holds(0)


def test_mail_can_be_left_there(account, maildrop):
    account.set(pop3Policy="leave")
    maildrop.receive(*subjects(5))
    account.check_now()
    account.check_now()
    assert account.subjects() == subjects(5)
    assert maildrop.holds(5)


def test_mail_is_removed_after_days(account, maildrop):
    account.set(pop3Policy="remove-after", pop3Days=3)
    maildrop.receive(*subjects(5))
    account.check_now()
    assert maildrop.holds(5)
    account.set(pop3Days=0)
    account.check_now()
    assert account.subjects() == subjects(5)
    assert maildrop.holds(0)


def test_mail_goes_there_when_it_is_deleted_here(account, maildrop):
    account.set(pop3Policy="remove-deleted")
    maildrop.receive(*subjects(3))
    account.check_now()
    assert maildrop.holds(3)
    account.act("destroy", account.emails()[0])
    account.check_now()
    assert len(account.subjects()) == 2
    assert maildrop.holds(2)
    account.check_now()
    assert len(account.subjects()) == 2


def test_of_a_large_message_the_rest_comes_when_asked_for(account, maildrop):
    account.set(pop3MaxBytes=10000)
    maildrop.receive("large", size=100000)
    maildrop.receive("small")
    account.check_now()
    assert account.subjects() == ["large", "small"]
    assert maildrop.holds(1)
    large = next(email for email in account.emails() if email["subject"] == "large")
    assert len(account.raw(large)) >= 100000
    account.check_now()
    assert account.subjects() == ["large", "small"]
    assert maildrop.holds(0)
