"""A real Dovecot (2.3, Debian's) of our own: IMAP and POP3 with and without TLS, and LMTP to
deliver through, from one folder, without root.

The mail store, the users and the log live in `folder`; sockets and state in a short folder below
/tmp (a UNIX socket's path has room for 107 bytes) that goes away with the server.
"""

import grp
import os
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mailserver import maildir, ports, unprivileged

PORT_NAMES = ("imap", "imaps", "pop3", "pop3s")

# What Debian's Dovecot 2.3.19 offers after sign-in, to take words away from with `hide`.
CAPABILITIES = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES "
    "THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN "
    "NAMESPACE UIDPLUS LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN "
    "CONTEXT=SEARCH LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE "
    "SAVEDATE LITERAL+ NOTIFY SPECIAL-USE"
)

_CONFIG = """\
# Written by tests/mailserver/dovecot.py at each start.
base_dir = {run}
state_dir = {run}
log_path = {folder}/dovecot.log
info_log_path = {folder}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_process_limit = 200
default_client_limit = 3000
first_valid_uid = 1
listen = 127.0.0.1
protocols = imap pop3 lmtp
hostname = mail.example.org
postmaster_address = postmaster@example.org

ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = {plaintext_refused}
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_chars =

passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {folder}/users/%Lu
}}
userdb {{
  driver = passwd-file
  args = username_format=%Lu {folder}/users/%Lu
  default_fields = uid={uid} gid={gid}
}}

mail_location = maildir:~/Maildir
maildir_very_dirty_syncs = yes
# Where a user may have no more inotify instances (128 by default), IDLE looks instead of being told.
mailbox_idle_check_interval = 1 secs
mail_fsync = never
mail_max_userip_connections = 10000
mail_plugins =
mailbox_list_index = yes
{capability}
namespace inbox {{
  inbox = yes
  separator = /
{folders}
}}

protocol lmtp {{
  auth_username_format = %Lu
}}

# Wrong passwords are what tests are about: no penalty for them.
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  client_limit = 5000
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = 5000
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  service_count = 0
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 2000
  service_count = 100
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0600
  }}
}}
"""

_ROLES = {"Drafts": "Drafts", "Sent": "Sent", "Trash": "Trash", "Junk": "Junk",
          "Archive": "Archive"}


class DovecotError(Exception):
    pass


@dataclass(frozen=True)
class User:
    address: str
    password: str


class Dovecot:
    def __init__(self, folder, authority, *, certificate="good", port_of=None, hide=(),
                 capability=None, plaintext=False, config=""):
        """`port_of`: ports by PORT_NAMES to prefer to free ones. `hide`: capabilities not to
        offer; `capability`: the whole line instead. `plaintext`: passwords without TLS (from
        127.0.0.1 itself Dovecot takes them anyway, so this is for clients from elsewhere).
        `config`: more lines of dovecot.conf."""
        self.folder = Path(folder).resolve()
        self.authority = authority
        self.ports = dict(port_of or {})
        self._certificate = authority.certificate(certificate)
        if hide and not capability:
            capability = " ".join(word for word in CAPABILITIES.split() if word not in hide)
        self._capability = capability
        self._plaintext = plaintext
        self._more_config = config
        self._run = None
        self._process = None
        self.users = {}

    # --- life -----------------------------------------------------------------------------------

    def start(self):
        for part in ("", "mail"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self._read_users()
        self._make_run_folder()
        # Between finding a free port and Dovecot's bind somebody else may take it.
        for attempt in range(3):
            self._choose_ports()
            self._write_config()
            self._spawn()
            if self._is_up():
                return self
            unprivileged.stop(self._process)
        problem = self.log_tail()
        self.stop()
        raise DovecotError(f"Dovecot does not start:\n{problem}")

    def stop(self):
        if self._process:
            unprivileged.stop(self._process)
            self._process = None
            # Its login processes may hold the doors a moment longer than the master lives.
            end = time.monotonic() + 10
            while not all(map(ports.is_free, self.ports.values())) and time.monotonic() < end:
                time.sleep(0.05)
        if self._run:
            shutil.rmtree(self._run, ignore_errors=True)
            self.run_link.unlink(missing_ok=True)
            self._run = None

    def restart(self):
        """With the same ports: what a client sees of an upgrade of the server."""
        self.stop()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    @property
    def lmtp_socket(self):
        return self._run / "lmtp"

    def log_tail(self, lines=20):
        log = self.folder / "dovecot.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() \
            else "(no log)"

    # --- users ----------------------------------------------------------------------------------

    def add_user(self, address, password="correct horse"):
        """Makes the user (or gives it another password); it can sign in at once."""
        address = address.lower()
        home = self.home(address)
        if not home.exists():
            maildir.make(home / "Maildir")
            unprivileged.own(home)
        self.users[address] = User(address, password)
        self._write_user(self.users[address])
        return self.users[address]

    def delete_user(self, address):
        address = address.lower()
        del self.users[address]
        (self.folder / "users" / address).unlink()
        shutil.rmtree(self.home(address), ignore_errors=True)

    def home(self, address):
        return self.folder / "mail" / address.lower()

    def own_home(self, address):
        """After files were written into a home as root."""
        unprivileged.own(self.home(address))

    def maildir_of(self, address, mailbox="INBOX"):
        return maildir.folder_of(self.home(address) / "Maildir", mailbox)

    @property
    def run_link(self):
        """Leads to the folder below /tmp, so that the next start can remove what a kill -9 left."""
        return self.folder / "run"

    # --- inside ---------------------------------------------------------------------------------

    def _make_run_folder(self):
        if self.run_link.is_symlink():
            shutil.rmtree(self.run_link.readlink(), ignore_errors=True)
            self.run_link.unlink()
        self._run = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self._run.chmod(0o755)
        self.run_link.symlink_to(self._run)

    def _choose_ports(self):
        wanted = [name for name in PORT_NAMES
                  if name not in self.ports or not ports.is_free(self.ports[name])]
        self.ports |= dict(zip(wanted, ports.free(len(wanted))))

    def _write_config(self):
        who = unprivileged.user()
        folders = "".join(
            f"  mailbox {name} {{\n    special_use = \\{role}\n    auto = subscribe\n  }}\n"
            for name, role in _ROLES.items())
        text = _CONFIG.format(
            folder=self.folder, run=self._run, user=who.pw_name, group=grp.getgrgid(who.pw_gid).gr_name,
            uid=who.pw_uid, gid=who.pw_gid, certificate=self._certificate.certificate,
            key=self._certificate.key, plaintext_refused="no" if self._plaintext else "yes",
            capability=f"imap_capability = {self._capability}" if self._capability else "",
            folders=folders, **self.ports)
        (self.folder / "dovecot.conf").write_text(text + self._more_config)
        for path in (self._run, self.folder / "dovecot.conf", self.folder / "users"):
            unprivileged.own(path)
        if os.geteuid() == 0:
            who = unprivileged.user()
            for path in (self.folder, self.folder / "mail"):
                os.chown(path, who.pw_uid, who.pw_gid)

    def _spawn(self):
        with open(self.folder / "dovecot.log", "ab") as log:
            unprivileged.own(self.folder / "dovecot.log")
            self._process = unprivileged.start(
                ["/usr/sbin/dovecot", "-F", "-c", str(self.folder / "dovecot.conf")],
                stdout=log, stderr=log)

    def _is_up(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self._process.poll() is None:
            try:
                for name in PORT_NAMES:
                    socket.create_connection(("127.0.0.1", self.ports[name]), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def _read_users(self):
        folder = self.folder / "users"
        folder.mkdir(exist_ok=True)
        for file in folder.iterdir():
            address, password = file.read_text().split(":")[:2]
            self.users[address] = User(address, password)

    def _write_user(self, user):
        # A file for each: Dovecot looks at most every so often whether a file has changed, but a
        # user never asked for before is found at once.
        path = self.folder / "users" / user.address
        path.write_text(f"{user.address}:{user.password}::::{self.home(user.address)}::\n")
        unprivileged.own(path)


def lmtp_deliver(socket_path, sender, recipients, message):
    """Hands one message to Dovecot's LMTP. Returns the (code, text) of each recipient."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(socket_path))
        wire = connection.makefile("rwb")

        def reply():
            lines = []
            while True:
                line = wire.readline().decode("ascii", "replace").rstrip("\r\n")
                if len(line) < 4:
                    raise DovecotError(f"LMTP said {line!r}")
                lines.append(line[4:])
                if line[3] == " ":
                    return int(line[:3]), "\n".join(lines)

        def command(text):
            wire.write(text.encode() + b"\r\n")
            wire.flush()
            return reply()

        reply()
        command("LHLO mail.example.org")
        command(f"MAIL FROM:<{sender}>")
        results = {recipient: command(f"RCPT TO:<{recipient}>") for recipient in recipients}
        accepted = [recipient for recipient, (code, _) in results.items() if code == 250]
        if accepted:
            command("DATA")
            wire.write(dot_stuffed(message))
            wire.flush()
            for recipient in accepted:
                results[recipient] = reply()
        wire.write(b"QUIT\r\n")
        wire.flush()
        return results


def dot_stuffed(message):
    """As it goes over the wire, with the final dot. The message's lines end in CRLF."""
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    if message.startswith(b"."):
        message = b"." + message
    return message.replace(b"\r\n.", b"\r\n..") + b".\r\n"
