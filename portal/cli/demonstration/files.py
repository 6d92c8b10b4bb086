"""Generated files of the demonstration: text, tables, PDF, pictures, Office, ZIP, made of nothing but their words."""

from __future__ import annotations

import io
import math
import random
import struct
import textwrap
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol
from xml.sax.saxutils import escape

NOTE = "Demonstration. Everything in this document is invented; nothing in it is classified."
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_LINES = 46
_SUBJECTS = ("The node", "The operator", "The sensor mast", "The shelter", "The interface", "The test team")
_VERBS = ("shall report", "records", "compares", "keeps", "measures", "confirms")
_OBJECTS = (
    "the state of each link within two seconds",
    "every change of mode with its time and cause",
    "tracks of the last hour, without gaps",
    "temperature and humidity at four places",
    "the margin against the agreed budget",
    "its own position to within three metres",
)


def prose(title: str, paragraphs: int) -> list[str]:
    """Return paragraphs of invented sentences, always the same for one title."""
    choice = random.Random(title)  # noqa: S311 - filler, not a secret
    return [
        " ".join(
            f"{choice.choice(_SUBJECTS)} {choice.choice(_VERBS)} {choice.choice(_OBJECTS)}."
            for _ in range(choice.randint(3, 6))
        )
        for _ in range(paragraphs)
    ]


def text_file(title: str, marking: str, issue: int, scale: int = 1) -> bytes:
    """Return plain text in UTF-8."""
    body = "\n\n".join(textwrap.fill(paragraph, 78) for paragraph in prose(title, 6 * scale + issue))
    return f"{marking}\n\n{title}\nIssue {issue}\n\n{NOTE}\n\n{body}\n\n{marking}\n".encode()


def csv_file(title: str, marking: str, issue: int, scale: int = 1) -> bytes:
    """Return a table of measurements as CSV (RFC 4180)."""
    choice = random.Random(title)  # noqa: S311 - filler, not a secret
    rows = [f'"{marking}","{title}","issue {issue}","{NOTE}"', "minute,bearing_deg,range_m,signal_db"]
    for minute in range(120 * issue * scale):
        bearing = (40 + minute * 1.7) % 360
        distance = 9000 - minute * 21 % 8800 + choice.randint(-60, 60)
        rows.append(f"{minute},{bearing:.1f},{distance},{choice.uniform(-92, -61):.1f}")
    return ("\r\n".join(rows) + "\r\n").encode()


def pdf_file(title: str, marking: str, issue: int, scale: int = 1) -> bytes:
    """Return a PDF 1.7 of several pages, with the marking at the head and foot of each."""
    lines = [title, f"Issue {issue}", "", NOTE, ""]
    for number, paragraph in enumerate(prose(title, 24 * scale + 4 * issue), 1):
        lines += [*textwrap.wrap(f"{number}. {paragraph}", 84), ""]
    pages = [lines[start : start + _LINES] for start in range(0, len(lines), _LINES)]
    objects: list[bytes] = [b"", b"", _font("Helvetica"), _font("Helvetica-Bold")]
    kids = []
    for page, some in enumerate(pages, 1):
        content = _page(some, marking, f"{title}, issue {issue}, page {page} of {len(pages)}")
        packed = zlib.compress(content, 9)
        objects.append(_stream(packed))
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R/F2 4 0 R>>>>/Contents "
            + f"{len(objects)} 0 R>>".encode()
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = b"<</Type/Catalog/Pages 2 0 R/Lang(en)>>"
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>".encode()
    objects.append(b"<</Title" + _string(title) + b"/Producer(Strongroom demonstration)>>")
    return _assembled(objects)


def _font(name: str) -> bytes:
    return f"<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>".encode()


def _stream(packed: bytes) -> bytes:
    return f"<</Length {len(packed)}/Filter/FlateDecode>>\nstream\n".encode() + packed + b"\nendstream"


def _string(text: str) -> bytes:
    raw = text.encode("cp1252", "replace")
    return b"(" + raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"


def _page(lines: Sequence[str], marking: str, foot: str) -> bytes:
    drawn = [b"BT /F2 12 Tf 57 806 Td " + _string(marking) + b" Tj ET", b"BT /F1 11 Tf 57 772 Td 15 TL"]
    drawn += [_string(line) + b" Tj T*" for line in lines]
    drawn += [b"ET", b"BT /F1 8 Tf 57 44 Td " + _string(foot) + b" Tj ET"]
    drawn.append(b"BT /F2 12 Tf 57 26 Td " + _string(marking) + b" Tj ET")
    return b"\n".join(drawn)


def _assembled(objects: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + body + b"\nendobj\n")
    table = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write(b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets))
    trailer = f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R/Info {len(objects)} 0 R>>\nstartxref\n{table}\n%%EOF\n"
    out.write(trailer.encode())
    return out.getvalue()


def png_file(title: str, _marking: str, issue: int, scale: int = 1) -> bytes:
    """Return a picture: a coast in relief, different for each title, drawn in squares of four pixels and more."""
    across, down, square = 240, 150, 3 + scale
    choice = random.Random(f"{title} {issue}")  # noqa: S311 - filler, not a secret
    waves = [(choice.uniform(0.01, 0.06), choice.uniform(0.01, 0.06), choice.uniform(0, 6)) for _ in range(4)]
    rows = bytearray()
    for y in range(down):
        row = bytearray(1)
        for x in range(across):
            level = sum(math.sin(x * a + y * b + c) for a, b, c in waves) + (y - down / 2) / 45
            step = int(level * 4) / 4
            depth = (24, 70, 110 - int(step * 12)) if level < 0 else (70 + int(step * 30), 120, 84)
            row += bytes(depth) * square
        rows += bytes(row) * square
    header = struct.pack(">IIBBBBB", across * square, down * square, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def word_file(title: str, marking: str, issue: int, scale: int = 1) -> bytes:
    """Return a Word document (ECMA-376, the least that a package needs)."""
    texts = [marking, title, f"Issue {issue}", NOTE, *prose(title, 8 * scale + issue), marking]
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>' for text in texts)
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return _office(
        "word/document.xml",
        {
            "word/document.xml": (
                f"{_OFFICE}.wordprocessingml.document.main+xml",
                f'<w:document xmlns:w="{main}"><w:body>{body}</w:body></w:document>',
            )
        },
    )


def sheet_file(title: str, marking: str, issue: int, scale: int = 1) -> bytes:
    """Return an Excel workbook with one sheet (ECMA-376, the least that a package needs)."""
    choice = random.Random(title)  # noqa: S311 - filler, not a secret
    rows: list[list[str | float]] = [
        [marking, title, f"Issue {issue}"],
        [NOTE],
        ["item", "due", "cost_keur", "risk"],
    ]
    rows += [
        [f"WP-{item:03}", f"month {choice.randint(1, 30)}", choice.randint(4, 900), choice.random()]
        for item in range(1, 60 * scale + 10 * issue)
    ]
    cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = '<sheet name="Table" sheetId="1" r:id="r1"/>'
    return _office(
        "xl/workbook.xml",
        {
            "xl/workbook.xml": (
                f"{_OFFICE}.spreadsheetml.sheet.main+xml",
                f'<workbook xmlns="{main}" xmlns:r="{_RELATIONS}"><sheets>{sheet}</sheets></workbook>',
            ),
            "xl/worksheets/sheet1.xml": (
                f"{_OFFICE}.spreadsheetml.worksheet+xml",
                f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
            ),
        },
        {"xl/_rels/workbook.xml.rels": ("worksheet", "worksheets/sheet1.xml")},
    )


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value:.4g}</v></c>"


def _office(
    start: str,
    parts: Mapping[str, tuple[str, str]],
    links: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> bytes:
    """Return a package whose main part is `start`; `parts` are media type and XML by name, `links` kind and target."""
    package = "http://schemas.openxmlformats.org/package/2006"
    types = "".join(
        f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, (kind, _) in parts.items()
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>',
    }
    for name, (kind, target) in {"_rels/.rels": ("officeDocument", start), **links}.items():
        files[name] = (
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r1" Type="{_RELATIONS}/{kind}" Target="{target}"/></Relationships>'
        )
    files |= {name: xml for name, (_, xml) in parts.items()}
    declared = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    return _zip({name: (declared + xml).encode() for name, xml in files.items()})


def zip_file(title: str, marking: str, issue: int, scale: int = 1) -> bytes:
    """Return a ZIP archive with a text and tables."""
    tables = {
        f"measurements/run-{run}.csv": csv_file(f"{title}, run {run}", marking, issue, 4)
        for run in range(1, 4 * scale)
    }
    return _zip({"README.txt": text_file(title, marking, issue), **tables})


def _zip(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(zipfile.ZipInfo(name, _EARLIEST), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


class Maker(Protocol):
    """Makes the file of a title, a marking and an issue's number; `scale` says how much of it."""

    def __call__(self, title: str, marking: str, issue: int, scale: int = 1, /) -> bytes:
        """Return its bytes, always the same for the same arguments."""


MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "txt": text_file,
        "csv": csv_file,
        "pdf": pdf_file,
        "png": png_file,
        "docx": word_file,
        "xlsx": sheet_file,
        "zip": zip_file,
    }
)
"""What makes files, by their ending."""
