"""Generated attachments: small, real, and the same each time."""

import base64
import functools
import io
import math
import random
import struct
import textwrap
import zipfile
import zlib


@functools.cache
def png(width=320, height=200, hue=0, noise=0):
    """A dusk sky over a sea with a tower in it; `noise` makes it as large as a photo."""
    grain = random.Random(hue)
    rows = []
    for y in range(height):
        row = bytearray(b"\0")
        for x in range(width):
            sky = y / height
            wave = 12 * math.sin(x / 9 + hue) if sky > 0.7 else 0
            colour = [60 + hue % 80 + 120 * sky, 70 + 90 * sky + wave, 150 - 60 * sky + wave]
            if abs(x - width * 0.62) < width * (0.015 + 0.02 * sky) and 0.25 < sky < 0.75:
                colour = [235, 230, 220] if int(sky * 14) % 2 else [170, 50, 40]
            speck = grain.randint(-noise, noise) if noise else 0
            row += bytes(max(0, min(255, int(part + speck))) for part in colour)
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) +
            _chunk(b"IDAT", zlib.compress(b"".join(rows), 6)) + _chunk(b"IEND", b""))


def _chunk(kind, content):
    return (struct.pack(">I", len(content)) + kind + content +
            struct.pack(">I", zlib.crc32(kind + content)))


@functools.cache
def pdf(title, text):
    """One page of text in Helvetica (ASCII)."""
    lines = [line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, 80) or [""]]
    shown = "".join(f"({_pdf_escaped(line)}) Tj T*\n" for line in lines)
    page = (f"BT /F1 20 Tf 72 760 Td ({_pdf_escaped(title)}) Tj /F1 11 Tf 0 -36 Td 15 TL\n"
            f"{shown}ET\n").encode("ascii", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%sendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" %
              (len(objects) + 1, table))
    return out.getvalue()


def _pdf_escaped(text):
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


@functools.cache
def archive(*files):
    """A zip of (name, bytes) pairs, the same bytes each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files:
            target.writestr(zipfile.ZipInfo(name, (2020, 2, 29, 12, 0, 0)), content)
    return out.getvalue()


@functools.cache
def table(rows):
    return ("date;tide;mood\r\n" + "".join(
        f"2024-{1 + row % 12:02d}-{1 + row % 28:02d};{1.2 + row % 7 / 10:.1f} m;"
        f"{('calm', 'grey', 'very grey', 'gulls')[row % 4]}\r\n" for row in range(rows))).encode()


@functools.cache
def base64_lines(content):
    return base64.encodebytes(content).decode().replace("\n", "\r\n")
