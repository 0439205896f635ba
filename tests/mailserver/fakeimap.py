"""A small IMAP server in memory whose answers a test can bend, for what no real server can be made to
say. Plain text, any password, one user.

    with FakeImap() as server:
        server.folders["INBOX"].add(b"Subject: one\\r\\n\\r\\nhello\\r\\n")
        server.answers["UID FETCH"] = lambda session, words: ["* BYE"]   # None: as ever
"""

import re
import socket
import socketserver
import threading
import time

from tests.mailserver import ports


class Folder:
    def __init__(self, uidvalidity=1):
        self.uidvalidity, self.uidnext = uidvalidity, 1
        self.modseq = 1  # told with CONDSTORE; a message's own are not kept, it is theirs, too
        self.messages = {}  # uid: (bytes, set of flags)

    def add(self, message, flags=()):
        self.modseq += 1
        self.messages[self.uidnext] = (message, set(flags))
        self.uidnext += 1
        return self.uidnext - 1


class Session(socketserver.StreamRequestHandler):
    folder = None
    name = None
    number = 0  # counts connections

    def say(self, *lines):
        for line in lines:
            self.wfile.write((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

    def handle(self):
        fake = self.server.fake
        with fake.lock:
            fake.connections += 1
            self.number = fake.connections
            fake.moments.append(time.monotonic())
            fake.open.add(self)
            fake.most_open = max(fake.most_open, len(fake.open))
        try:
            if not fake.is_down:
                self.converse()
        except OSError:
            pass  # cut
        finally:
            self.leave()

    def leave(self):
        with self.server.fake.lock:
            self.server.fake.open.discard(self)

    def converse(self):
        self.say(self.server.fake.greeting)
        if self.server.fake.greeting.startswith("* BYE"):
            return
        while line := self.rfile.readline().decode(errors="replace").strip():
            while literal := re.search(r"\{(\d+)(\+?)\}$", line):
                if not literal.group(2):
                    self.say("+ go on")
                text = self.rfile.read(int(literal.group(1))).decode(errors="replace")
                line = f'{line[:literal.start()]}"{text}"' + \
                    self.rfile.readline().decode(errors="replace").rstrip("\r\n")
            self.server.fake.commands.append(line)
            tag, _, rest = line.partition(" ")
            name = re.match(r"(UID )?\S+", rest).group(0).upper()
            words = rest[len(name):].strip()
            if name == "LOGOUT":
                self.leave()
                self.say("* BYE", f"{tag} OK bye")
                return
            bent = self.server.fake.answers.get(name, lambda *_: None)(self, words)
            if bent is None:
                getattr(self, "do_" + name.replace(" ", "_").lower(), self.do_nothing)(tag, words)
                continue
            self.say(*(each.replace("{tag}", tag) if isinstance(each, str) else each
                       for each in bent))
            if any(isinstance(each, str) and each.startswith("* BYE") for each in bent):
                return

    def do_nothing(self, tag, words):
        self.say(f"{tag} OK done")

    def do_capability(self, tag, words):
        self.say(f"* CAPABILITY {self.server.fake.capabilities}", f"{tag} OK done")

    def do_authenticate(self, tag, words):
        if len(words.split()) < 2:
            self.say("+ ")
            self.rfile.readline()
        self.say(f"{tag} OK [CAPABILITY {self.server.fake.capabilities}] in")

    def do_list(self, tag, words):
        for name in self.server.fake.folders:
            self.say(f'* LIST () "/" "{name}"')
        self.say(f"{tag} OK done")

    def do_status(self, tag, words):
        name = words.split('"')[1] if '"' in words else words.split()[0]
        folder = self.server.fake.folders[name]
        unseen = sum("\\Seen" not in flags for _, flags in folder.messages.values())
        modseq = f" HIGHESTMODSEQ {folder.modseq}" if "HIGHESTMODSEQ" in words else ""
        self.say(f'* STATUS "{name}" (MESSAGES {len(folder.messages)} UIDNEXT {folder.uidnext} '
                 f"UIDVALIDITY {folder.uidvalidity} UNSEEN {unseen}{modseq})", f"{tag} OK done")

    def do_select(self, tag, words):
        self.name = words.split('"')[1] if '"' in words else words.split()[0]
        self.folder = self.server.fake.folders[self.name]
        self.told = {uid: set(flags) for uid, (_, flags) in self.folder.messages.items()}
        self.say("* FLAGS (\\Seen \\Deleted)", f"* {len(self.folder.messages)} EXISTS",
                 f"* OK [UIDVALIDITY {self.folder.uidvalidity}] v",
                 f"* OK [UIDNEXT {self.folder.uidnext}] n")
        if self.server.fake.permanent_flags:
            self.say(f"* OK [PERMANENTFLAGS ({self.server.fake.permanent_flags})] p")
        if "CONDSTORE" in self.server.fake.capabilities:
            self.say(f"* OK [HIGHESTMODSEQ {self.folder.modseq}] m")
        self.say(f"{tag} OK [READ-WRITE] selected")

    def do_noop(self, tag, words):
        """Tells what came, and flags that others changed."""
        if self.folder:
            self.say(f"* {len(self.folder.messages)} EXISTS")
            for uid, (_, flags) in list(self.folder.messages.items()):
                if self.told.get(uid, flags) != flags:
                    self.say(self.fetch(uid, "FLAGS"))
        self.say(f"{tag} OK done")

    def uids(self, text):
        found = []
        for part in text.split(","):
            low, _, high = part.partition(":")
            low = int(low)
            high = low if not high else 2**32 if high == "*" else int(high)
            found += [uid for uid in self.folder.messages if low <= uid <= high]
        return found

    def do_uid_search(self, tag, words):
        asked = re.search(r"UID (\S+)", words)
        uids = self.uids(asked.group(1)) if asked else list(self.folder.messages)
        self.say("* SEARCH" + "".join(f" {uid}" for uid in uids), f"{tag} OK done")

    def fetch(self, uid, words):
        message, flags = self.folder.messages[uid]
        number = list(self.folder.messages).index(uid) + 1
        out = f"* {number} FETCH (UID {uid}".encode()
        if "FLAGS" in words:
            self.told[uid] = set(flags)
            out += f" FLAGS ({' '.join(sorted(flags))})".encode()
        if "MODSEQ" in words:
            out += f" MODSEQ ({self.folder.modseq})".encode()
        if "INTERNALDATE" in words:
            out += b' INTERNALDATE "01-Feb-2026 10:00:00 +0000"'
        if "RFC822.SIZE" in words:
            out += f" RFC822.SIZE {len(message)}".encode()
        if "BODYSTRUCTURE" in words:
            out += b' BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" %d 1)' % len(message)
        for section in re.findall(r"BODY\.PEEK\[(.*?)\]", words):
            head, _, text = message.partition(b"\r\n\r\n")
            content = text if section in ("1", "TEXT") else message if not section \
                else head + b"\r\n\r\n"
            out += f" BODY[{section}] {{{len(content)}}}\r\n".encode() + content
        return out + b")"

    def do_uid_fetch(self, tag, words):
        uids, _, items = words.partition(" ")
        for uid in self.uids(uids):
            self.say(self.fetch(uid, items))
        self.say(f"{tag} OK done")

    def do_fetch(self, tag, words):
        numbers, _, items = words.partition(" ")
        low, _, high = numbers.partition(":")
        for uid in list(self.folder.messages)[int(low) - 1:int(high or low)]:
            self.say(self.fetch(uid, items))
        self.say(f"{tag} OK done")

    def do_uid_store(self, tag, words):
        uids, sign, flags = re.match(r"(\S+) ([+-])FLAGS \((.*)\)", words).groups()
        for uid in self.uids(uids):
            kept = self.folder.messages[uid][1]
            (kept.update if sign == "+" else kept.difference_update)(flags.split())
            self.folder.modseq += 1
            self.say(self.fetch(uid, "FLAGS"))
        self.say(f"{tag} OK done")

    def do_append(self, tag, words):
        name, flags, message = re.match(r'"?([^" ]+)"? (?:\((.*?)\) )?(?:"[^"]*" )?"(.*)"$', words,
                                        re.DOTALL).groups()
        folder = self.server.fake.folders[name]
        uid = folder.add(message.encode(), (flags or "").split())
        self.say(f"{tag} OK [APPENDUID {folder.uidvalidity} {uid}] appended")

    def copies(self, words):
        """Puts copies where `words` say: (uid, new uid) of each, and the UIDVALIDITY there."""
        uids, target = self.uids(words.split()[0]), self.server.fake.folders[words.split('"')[1]]
        return [(uid, target.add(*self.folder.messages[uid])) for uid in uids], target.uidvalidity

    def do_uid_copy(self, tag, words):
        copied, uidvalidity = self.copies(words)
        sides = [",".join(map(str, side)) for side in zip(*copied)]
        told = f"[COPYUID {uidvalidity} {' '.join(sides)}] " if copied else ""
        self.say(f"{tag} OK {told}copied")

    def remove(self, uid):
        self.say(f"* {list(self.folder.messages).index(uid) + 1} EXPUNGE")
        del self.folder.messages[uid]

    def do_uid_move(self, tag, words):
        copied, uidvalidity = self.copies(words)
        for uid, new in copied:
            self.say(f"* OK [COPYUID {uidvalidity} {uid} {new}] moved")
            self.remove(uid)
        self.say(f"{tag} OK done")

    def do_uid_expunge(self, tag, words):
        for uid in self.uids(words):
            if "\\Deleted" in self.folder.messages[uid][1]:
                self.remove(uid)
        self.say(f"{tag} OK done")


class FakeImap:
    def __init__(self, capabilities="IMAP4rev1 SASL-IR UIDPLUS AUTH=PLAIN"):
        self.capabilities = capabilities
        self.greeting = f"* OK [CAPABILITY {capabilities}] ready"
        self.folders = {"INBOX": Folder()}
        self.answers = {}  # by command: a function of session and words to lines, or to None
        self.permanent_flags = ""  # of all folders; empty: not told
        self.commands, self.connections = [], 0
        self.lock = threading.Lock()
        self.moments = []  # of connections
        self.open, self.most_open = set(), 0
        self.is_down = False  # connections are closed without a word

    def __enter__(self):
        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self._server = Server(("127.0.0.1", ports.free()[0]), Session)
        self._server.fake = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def cut(self):
        """Ends all connections."""
        with self.lock:
            for session in self.open:
                try:
                    session.connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it is about to end

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()
