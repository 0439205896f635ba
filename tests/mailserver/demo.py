#!/usr/bin/python3
"""`make demo`: a mail server full of sample mail, and Restante before it.

Everything lives in one folder (./demo) and is kept, so the second start is quick and finds its
mail as it was left. Ctrl-C stops all that was started.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests import harness
from tests.mailserver import ports, sample, sample_texts, unprivileged
from tests.mailserver.mailserver import MailServer

PASSWORD = "lighthouse"
# Who, how many messages, and what to say of them.
PEOPLE = [
    (sample_texts.ADA, 4000, "IMAP, thousands of messages"),
    (sample_texts.BEN, 120, "IMAP, a small mailbox"),
    (sample_texts.PIA, 60, "POP3"),
]
STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def say(text=""):
    print(text, flush=True)


def choose_folder(wanted):
    """`wanted`, unless we are root and the servers' users could not come there (/root/...)."""
    if unprivileged.is_reachable(wanted / "mail"):
        return wanted
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:8]
    folder = Path(f"/var/tmp/restante-demo-{name}")
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise SystemExit(f"{folder} is not ours: remove it, or use --folder")
    say(f"{wanted} is closed to the unprivileged users that servers run as; using {folder}.")
    return folder


def choose_binary(folder):
    """The one built, or a copy in `folder` where its unprivileged processes can start it."""
    if unprivileged.is_reachable(harness.BINARY):
        return harness.BINARY
    shutil.copy2(harness.BINARY, folder / "restante.new")
    return (folder / "restante.new").rename(folder / "restante")


def lock(folder):
    """Kept until we end. Two demos in one folder would write over each other."""
    file = open(folder / "lock", "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"The demo of {folder} runs already.") from None
    return file


def remembered_ports(folder):
    try:
        return json.loads((folder / "ports.json").read_text())
    except (OSError, ValueError):
        return {}


def choose_web_port(wanted, remembered):
    for port in (wanted, remembered.get("web"), 8080):
        if port and ports.is_free(port):
            return port
    return ports.free()[0]


def fill_mailboxes(mail):
    """Writes the sample mail of people who have none yet."""
    for person, count, _ in PEOPLE:
        address = person[1]
        mark = mail.dovecot.home(address) / "filled"
        if mark.exists():
            continue
        say(f"Writing {count} messages for {address} ...")
        if address not in mail.users:
            mail.add_user(address, PASSWORD)
        else:
            # A first start that was interrupted.
            shutil.rmtree(mail.dovecot.home(address), ignore_errors=True)
        is_pop3 = person == sample_texts.PIA
        sample.fill(mail.dovecot.home(address) / "Maildir", person, count,
                    until=int(time.time()), mailbox="INBOX" if is_pop3 else None)
        mark.touch()
        mail.dovecot.own_home(address)


def print_summary(service, mail):
    say()
    say(f"  Restante is at  {service.url}")
    say()
    say("  Sign in with a mail address and the password "
        f"\"{PASSWORD}\":")
    for person, count, about in PEOPLE:
        say(f"    {person[1]:18} {about}")
    say()
    say(f"  Configuration   {service.config}")
    say(f"  Log             {service.log}")
    say(f"  Mail server     {mail.host}, " +
        ", ".join(f"{name} {port}" for name, port in mail.ports.items()))
    say()
    say("  Ctrl-C stops everything; `make demo` again finds it as it was. To start afresh, remove")
    say(f"  {service.folder.parent}")
    say()


def wait(service):
    """Until a signal, or until the service ends by itself. Returns the exit status."""
    while not signal.sigtimedwait(STOP_SIGNALS, 0.5):
        if service.process.poll() is not None:
            say(f"Restante has ended (status {service.process.returncode}); its log ends with:")
            say(service.log_tail())
            return 1
    say("Stopping ...")
    return 0


def run(folder, web_port):
    if not harness.BINARY.exists():
        raise SystemExit(f"{harness.BINARY} is missing: run `make` first.")
    os.umask(0o022)  # as root: others must come in
    folder.mkdir(parents=True, exist_ok=True)
    folder = choose_folder(folder)
    held = lock(folder)
    kept = remembered_ports(folder)
    begin = time.monotonic()
    mail = MailServer(folder / "mail", port_of=kept)
    with mail:
        fill_mailboxes(mail)
        domains = {"example.org": harness.domain("imap", mail),
                   "example.net": harness.domain("pop3", mail)}
        service = harness.Restante(folder / "service", domains=domains, ca_file=mail.ca_file,
                                   binary=choose_binary(folder),
                                   port=choose_web_port(web_port, kept))
        (folder / "ports.json").write_text(json.dumps(mail.ports | {"web": service.port}))
        moved = [name for name, port in mail.ports.items() if kept.get(name, port) != port]
        if moved:
            say(f"Other programs took the ports of {', '.join(moved)}: accounts made before still "
                "look for their server there.")
        say("Starting Restante ...")
        with service:
            print_summary(service, mail)
            say(f"  (started in {time.monotonic() - begin:.1f} s)")
            status = wait(service)
    held.close()
    return status


def main():
    parser = argparse.ArgumentParser(description="A mail server with sample mail, and Restante.")
    parser.add_argument("--folder", type=Path, default=harness.ROOT / "demo")
    parser.add_argument("--port", type=int, help="of the web pages (default: 8080 if it is free)")
    arguments = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        status = run(arguments.folder.resolve(), arguments.port)
    except RuntimeError as problem:
        raise SystemExit(str(problem)) from None
    sys.exit(status)


if __name__ == "__main__":
    main()
