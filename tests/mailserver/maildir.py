"""Writing Maildir++ folders directly: thousands of messages a second, in the form that Dovecot
reads with the least work (size in the file's name, the arrival time as the file's time)."""

import base64
import itertools
import os
import time
from pathlib import Path

_FLAG_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S",
                 "\\Deleted": "T"}
_serial = itertools.count()


def utf7(name):
    """A mailbox name in modified UTF-7 (RFC 3501 section 5.1.3), as it is on the wire and on disk."""
    out = []
    for plain, group in itertools.groupby(name, lambda c: " " <= c <= "~"):
        text = "".join(group)
        if plain:
            out.append(text.replace("&", "&-"))
        else:
            code = base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=")
            out.append("&" + code.replace("/", ",") + "-")
    return "".join(out)


def folder_of(root, mailbox):
    """Where Dovecot keeps `mailbox` ("Projects/Lighthouse"; "INBOX" is the root itself)."""
    if mailbox.upper() == "INBOX":
        return Path(root)
    return Path(root) / ("." + utf7(mailbox.replace("/", ".")))


def make(folder):
    for part in ("tmp", "new", "cur"):
        (Path(folder) / part).mkdir(parents=True, exist_ok=True)
    if Path(folder).name.startswith("."):
        (Path(folder) / "maildirfolder").touch()


def contents(folder):
    """What lies in a mailbox: (bytes, flag letters) of each message, in the order of their names. One that
    the server takes from new to cur meanwhile, or gives other flags, is one message all the same: its name
    up to the colon stays."""
    while True:
        found = {}
        try:
            for part in ("new", "cur"):  # this way round nothing slips past
                where = Path(folder) / part
                for file in where.iterdir() if where.is_dir() else []:
                    name, _, flags = file.name.partition(":2,")
                    found[name] = file.read_bytes(), flags
            return [found[name] for name in sorted(found)]
        except FileNotFoundError:
            continue  # renamed between the list and the look


class Writer:
    """Writes messages into one mailbox. Dovecot numbers them by the time in the file's name, so
    UIDs follow the arrival times."""

    def __init__(self, folder):
        self.folder = str(folder)
        make(folder)
        self.count = 0

    def add(self, message, flags=(), arrived=None):
        """`message` has CRLF lines; `flags` are IMAP's system flags; `arrived` is a Unix time."""
        arrived = time.time() if arrived is None else arrived
        letters = "".join(sorted(_FLAG_LETTERS[flag] for flag in flags))
        # S: bytes on disk; W: bytes with CRLF. Equal, since we write CRLF.
        name = (f"{int(arrived)}.M{next(_serial):06d}P{os.getpid()}.sample,"
                f"S={len(message)},W={len(message)}")
        written = os.path.join(self.folder, "tmp", name)
        file = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, message)
        finally:
            os.close(file)
        os.utime(written, (arrived, arrived))
        if os.geteuid() == 0:
            above = os.stat(self.folder)
            os.chown(written, above.st_uid, above.st_gid)
        os.rename(written, os.path.join(self.folder, "cur", f"{name}:2,{letters}"))
        self.count += 1


    def show(self):
        """Dovecot sees by its time that a folder has changed. One that changed while it was being read, in
        the same tick of the kernel's clock, would never show what is new."""
        time.sleep(0.02)
        os.utime(os.path.join(self.folder, "cur"))


def subscribe(root, mailboxes):
    path = Path(root) / "subscriptions"
    path.write_text("V\t2\n\n" + "".join(
        "\t".join(utf7(part) for part in mailbox.split("/")) + "\n" for mailbox in mailboxes))
