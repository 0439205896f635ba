#!/usr/bin/python3
"""A whole mail service on free ports of 127.0.0.1: IMAP, POP3 and LMTP by Dovecot, submission by
smtp.py, certificates of a CA made on the spot. A command, and a class for tests:

    with MailServer(folder) as server:
        server.add_user("ada@example.org", "secret")
        server.deliver("ada@example.org", b"Subject: hello\\r\\n\\r\\nhello\\r\\n")
        server.ports["imaps"], server.ca_file
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.mailserver import dovecot, maildir, smtp, unprivileged
from tests.mailserver.certificates import KINDS, Authority

PORT_NAMES = dovecot.PORT_NAMES + smtp.PORT_NAMES


class MailServer:
    """Keeps everything in `folder`: made if missing, used again if there. Without a folder it
    lives in a temporary one that goes away with it."""

    def __init__(self, folder=None, *, port_of=None, certificate="good", hide=(), capability=None,
                 plaintext=False, config=""):
        self._is_temporary = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="mailserver-", dir="/tmp")).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not unprivileged.is_reachable(self.folder / "mail"):
            # Our own mkdtemp gave 0700; somebody's home we leave as it is.
            if not self._is_temporary:
                raise RuntimeError(f"{self.folder} cannot be entered by user "
                                   f"{unprivileged.user().pw_name}, whom the servers run as")
            self.folder.chmod(0o711)
        self.authority = Authority(self.folder / "ca")
        unprivileged.own(self.folder / "ca")
        port_of = port_of or {}
        self.dovecot = dovecot.Dovecot(
            self.folder / "dovecot", self.authority, certificate=certificate, hide=hide,
            capability=capability, plaintext=plaintext, config=config,
            port_of={name: port_of[name] for name in dovecot.PORT_NAMES if name in port_of})
        self.smtp = smtp.SubmissionServer(
            self.authority, certificate=certificate, check_password=self._check_password,
            is_local=lambda address: address.lower() in self.dovecot.users,
            lmtp_socket=lambda: self.dovecot.lmtp_socket,
            port_of={name: port_of[name] for name in smtp.PORT_NAMES if name in port_of})

    def start(self):
        self.dovecot.start()
        self.smtp.start()
        return self

    def stop(self):
        self.smtp.stop()
        self.dovecot.stop()
        if self._is_temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    host = "127.0.0.1"

    @property
    def ports(self):
        return self.dovecot.ports | self.smtp.ports

    @property
    def ca_file(self):
        return self.authority.file

    @property
    def users(self):
        return self.dovecot.users

    def add_user(self, address, password="correct horse"):
        return self.dovecot.add_user(address, password)

    def delete_user(self, address):
        self.dovecot.delete_user(address)

    def writer(self, address, mailbox="INBOX"):
        """For many messages: writes into the mailbox, made if missing."""
        folder = self.dovecot.maildir_of(address, mailbox)
        is_new = not folder.exists()
        writer = maildir.Writer(folder)
        if is_new:
            unprivileged.own(folder)
        return writer

    def deliver(self, address, message, mailbox="INBOX", flags=(), arrived=None):
        """Puts one message (CRLF lines) into a mailbox as if it had always been there."""
        writer = self.writer(address, mailbox)
        writer.add(message, flags, arrived)
        writer.show()

    def description(self):
        return {"host": self.host, "ports": self.ports, "ca_file": str(self.ca_file),
                "folder": str(self.folder), "log": str(self.folder / "dovecot/dovecot.log"),
                "users": [{"address": user.address, "password": user.password}
                          for user in self.users.values()]}

    def _check_password(self, address, password):
        user = self.users.get(address.lower())
        return user is not None and user.password == password


# --- the command -----------------------------------------------------------------------------------

def _run(arguments):
    # `start` blocks them until there is something to stop.
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    server = MailServer(arguments.folder, certificate=arguments.certificate, hide=arguments.hide,
                        capability=arguments.imap_capability, plaintext=arguments.plaintext)
    with server:
        for user in arguments.user:
            address, _, password = user.partition(":")
            server.add_user(address, password or "correct horse")
        text = json.dumps(server.description(), indent=2)
        state = server.folder / "mailserver.json"
        state.write_text(json.dumps(server.description() | {"pid": os.getpid()}, indent=2))
        print(text, flush=True)
        signal.sigwait(signals)
    state.unlink(missing_ok=True)


def _start(arguments):
    if not arguments.folder:
        raise SystemExit("start needs --folder, for stop to find it again")
    state = Path(arguments.folder) / "mailserver.json"
    if _pid_of(arguments.folder):
        raise SystemExit(f"It runs already: see {state}")
    state.unlink(missing_ok=True)
    words = ["run" if word == "start" else word for word in sys.argv[1:]]
    Path(arguments.folder).mkdir(parents=True, exist_ok=True)
    with open(Path(arguments.folder) / "mailserver.log", "ab") as log:
        child = subprocess.Popen([sys.executable, __file__, *words], start_new_session=True,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    while not state.exists():
        if child.poll() is not None:
            raise SystemExit(f"It does not start: see {log.name}")
        time.sleep(0.02)
    print(state.read_text())


def _stop(arguments):
    pid = _pid_of(arguments.folder)
    if not pid:
        print("It does not run.")
        return
    os.kill(pid, signal.SIGTERM)
    while _pid_of(arguments.folder):
        time.sleep(0.02)


def _pid_of(folder):
    try:
        pid = json.loads((Path(folder) / "mailserver.json").read_text())["pid"]
        if "mailserver.py" in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    except (OSError, ValueError):
        pass
    return None


def main():
    parser = argparse.ArgumentParser(description="Mail servers for tests and the demo.")
    parser.add_argument("command", choices=("run", "start", "stop"),
                        help="run: until Ctrl-C; start and stop: in the background")
    parser.add_argument("--folder", help="where everything lives (default: temporary)")
    parser.add_argument("--user", action="append", default=[], metavar="ADDRESS[:PASSWORD]")
    parser.add_argument("--hide", action="append", default=[], metavar="CAPABILITY",
                        help="do not offer it, e.g. QRESYNC (may be repeated)")
    parser.add_argument("--imap-capability", metavar="LINE", help="offer exactly this")
    parser.add_argument("--certificate", choices=KINDS, default="good")
    parser.add_argument("--plaintext", action="store_true", help="allow passwords without TLS")
    arguments = parser.parse_args()
    {"run": _run, "start": _start, "stop": _stop}[arguments.command](arguments)


if __name__ == "__main__":
    main()
