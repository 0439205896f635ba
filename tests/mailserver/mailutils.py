"""GNU Mailutils' pop3d: a second POP3 server beside Dovecot, with habits of its own. Its maildrop is
one mbox file, it writes X-UIDL into messages, and the size it lists is not that of what it sends.

    if mailutils.is_possible():
        with mailutils.Pop3(folder) as server:
            server.add_user("ada@example.org", "secret")
            server.deliver("ada@example.org", b"Subject: hello\\r\\n\\r\\nhello\\r\\n")
            ... connect to 127.0.0.1:server.port, without TLS ...

Each connection gets a `pop3d --inetd` of its own. It insists on changing to the group `mail`, so it runs
only where we are root (itself as `nobody`)."""

import grp
import mailbox
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from tests.mailserver import ports, unprivileged

PROGRAM = "/usr/sbin/pop3d"


def is_possible():
    return os.geteuid() == 0 and os.path.exists(PROGRAM)


class Pop3:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.domains = self.folder / "domains"
        self.config = self.folder / "pop3d.conf"
        self._listener = self._thread = None
        self._running = []

    def start(self):
        self.domains.mkdir(parents=True)
        self.config.write_text(f"""
virtdomain {{ passwd-dir "{self.domains}"; }};
auth {{ authorization clear; authorization "virtdomain"; authentication clear; authentication "generic"; }};
mailbox {{ mail-spool "{self.folder}"; }};
logging {{ syslog no; }};
""")
        unprivileged.own(self.folder)
        self._listener = ports.listener()
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for process in self._running:
            process.kill()
            process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    def _serve(self):
        who, group = unprivileged.user(), grp.getgrnam("mail")
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._running = [process for process in self._running if process.poll() is None]
            with connection:
                self._running.append(subprocess.Popen(
                    [PROGRAM, "--no-config", "--config-file", str(self.config), "--inetd"],
                    stdin=connection, stdout=connection, stderr=subprocess.DEVNULL, user=who.pw_uid,
                    group=group.gr_gid, extra_groups=[]))

    def add_user(self, address, password):
        name, domain = address.split("@")
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, text=True,
                                capture_output=True, check=True).stdout.strip()
        who, home = unprivileged.user(), self.folder / address
        home.mkdir()
        (home / "INBOX").touch()
        with open(self.domains / domain, "a") as users:
            users.write(f"{name}:{hashed}:{who.pw_uid}:{grp.getgrnam('mail').gr_gid}:{name}:{home}:/bin/sh\n")
        unprivileged.own(home)
        unprivileged.own(self.domains)

    def delete_user(self, address):
        shutil.rmtree(self.folder / address)

    def _box(self, address):
        return mailbox.mbox(self.folder / address / "INBOX", create=False)

    def deliver(self, address, message):
        box = self._box(address)
        box.lock()
        try:
            box.add(message.replace(b"\r\n", b"\n"))
            box.flush()
        finally:
            box.unlock()
            box.close()
        unprivileged.own(self.folder / address)

    def count(self, address):
        """Messages in the maildrop, as another program would see them in the file."""
        box = self._box(address)
        try:
            return len(box)
        finally:
            box.close()
