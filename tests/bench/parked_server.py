#!/usr/bin/python3
"""An IMAP server over TLS that stands in for those of thousands of people: any name and password, an
empty INBOX, IDLE and NOTIFY, and nothing ever happens. `parked_server.py CERTIFICATE KEY PORT HOST...`
prints "ready" when it listens; a thing of its own, so that its memory and time are not ours."""

import asyncio
import re
import resource
import signal
import ssl
import sys

CAPABILITIES = ("IMAP4rev1 SASL-IR IDLE NOTIFY ENABLE CONDSTORE QRESYNC UIDPLUS MOVE LIST-EXTENDED "
                "LIST-STATUS SPECIAL-USE LITERAL+ ESEARCH AUTH=PLAIN")
STATUS = "(MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1 UNSEEN 0 HIGHESTMODSEQ 1)"
UNTAGGED = {
    "CAPABILITY": [f"* CAPABILITY {CAPABILITIES}"],
    "ENABLE": ["* ENABLED CONDSTORE QRESYNC"],
    "LIST": ['* LIST (\\Subscribed) "/" INBOX', f"* STATUS INBOX {STATUS}"],
    "STATUS": [f"* STATUS INBOX {STATUS}"],
    "SELECT": ["* FLAGS (\\Seen \\Deleted)", "* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] ok",
               "* 0 EXISTS", "* OK [UIDVALIDITY 1] ok", "* OK [UIDNEXT 1] ok",
               "* OK [HIGHESTMODSEQ 1] ok"],
    "SEARCH": ['* ESEARCH (TAG "{tag}") UID'],
    "LOGOUT": ["* BYE bye"],
}


class Session(asyncio.Protocol):
    __slots__ = ("wire", "rest", "idle_tag")

    def connection_made(self, wire):
        self.wire, self.rest, self.idle_tag = wire, b"", None
        wire.write(f"* OK [CAPABILITY {CAPABILITIES}] ready\r\n".encode())

    def data_received(self, data):
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        for line in lines:
            self.hear(line.decode(errors="replace"))

    def say(self, *lines):
        self.wire.write("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self, line):
        if line.upper() == "DONE":
            self.say(f"{self.idle_tag} OK done")
            return
        tag, _, rest = line.partition(" ")
        name = re.sub(r"^UID ", "", rest).split(" ")[0].upper()
        if name == "IDLE":
            self.idle_tag = tag
            self.say("+ idling")
            return
        told = [each.replace("{tag}", tag) for each in UNTAGGED.get(name, [])]
        self.say(*told, f"{tag} OK done")
        if name == "LOGOUT":
            self.wire.close()


async def serve(certificate, key, port, hosts):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Session, host, port, ssl=context, backlog=1000,
                                        ssl_handshake_timeout=300) for host in hosts]
    print("ready", flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
