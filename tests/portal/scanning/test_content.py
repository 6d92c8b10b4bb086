from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.scanning import HEAD_LENGTH, ContentFacts, NoticeKind, identify
from tests.shared import DOCUMENTS

OOXML = "application/vnd.openxmlformats-officedocument."
DOCX = f"{OOXML}wordprocessingml.document"
XLSX = f"{OOXML}spreadsheetml.sheet"
ENCRYPTED, MACROS, EMBEDDED, SIGNED, DIFFERS = (
    NoticeKind.ENCRYPTED,
    NoticeKind.MACROS,
    NoticeKind.EMBEDDED,
    NoticeKind.SIGNED,
    NoticeKind.EXTENSION_DIFFERS,
)
REAL: dict[str, tuple[str, set[NoticeKind]]] = {
    "EmbeddedPDF.docx": (DOCX, {EMBEDDED}),
    "full_encrypted.7z": ("application/x-7z-compressed", {ENCRYPTED}),
    "testDWG2010.dwg": ("image/vnd.dwg", set()),
    "testEXCEL.xlsx": (XLSX, set()),
    "testEXCEL_embeddedPDF_windows.xlsx": (XLSX, {EMBEDDED}),
    "testEXCEL_macro.xlsm": ("application/vnd.ms-excel.sheet.macroEnabled.12", {MACROS}),
    "testEmbedded.zip": ("application/zip", set()),
    "testJPEG_EXIF.jpg": ("image/jpeg", set()),
    "testOpenOffice2.odt": ("application/vnd.oasis.opendocument.text", set()),
    "testOpenOfficeInAZip.zip": ("application/zip", set()),
    "testPDF.pdf": ("application/pdf", set()),
    "testPDF_Version.11.x.PDFA-1b.pdf": ("application/pdf", set()),
    "testPDF_XFA_govdocs1_258578.pdf": ("application/pdf", {MACROS, EMBEDDED, SIGNED}),
    "testPDF_bad_page_303226.pdf": ("application/pdf", set()),
    "testPDF_deeplyEmbeddedAttachments.pdf": ("application/pdf", {EMBEDDED}),
    "testPDF_incrementalUpdates.pdf": ("application/pdf", set()),
    "testPDF_protected.pdf": ("application/pdf", {ENCRYPTED}),
    "testPGPEncrypted.gpg": ("application/pgp-encrypted", {ENCRYPTED}),
    "testPKCS7_signed_data_def.p7m": ("application/pkcs7-mime", {SIGNED}),
    "testPNG.png": ("image/png", set()),
    "testPPT.pptx": (f"{OOXML}presentationml.presentation", set()),
    "testTIFF_multipage.tif": ("image/tiff", set()),
    "testVISIO.vsdx": ("application/vnd.ms-visio.drawing.main+xml", set()),
    "testWORD.doc": ("application/msword", set()),
    "testWORD.docx": (DOCX, set()),
    "testWORD_macros.docm": ("application/vnd.ms-word.document.macroEnabled.12", {MACROS}),
    "testWORD_protected_passtika.docx": ("application/encrypted", {ENCRYPTED}),
    "testWORD_signed.docx": (DOCX, {SIGNED}),
    "testZipEncrypted.zip": ("application/zip", {ENCRYPTED}),
}


def facts(data: bytes, name: str = "file") -> ContentFacts:
    return identify(data[:HEAD_LENGTH], io.BytesIO(data), name)


def kinds(of: ContentFacts) -> set[NoticeKind]:
    return {notice.kind for notice in of.notices}


def archive(fill: Callable[[zipfile.ZipFile], None]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as container:
        fill(container)
    return file.getvalue()


def test_every_shared_document_is_in_the_table() -> None:
    assert {path.name for path in DOCUMENTS.iterdir()} - {"README.md"} == REAL.keys()


@pytest.mark.parametrize("name", REAL)
def test_a_real_document_gets_its_type_and_honest_notices(name: str) -> None:
    with (DOCUMENTS / name).open("rb", buffering=0) as file:
        found = identify(file.read(HEAD_LENGTH), file, name)
    assert (found.media_type, kinds(found)) == REAL[name]
    assert all(notice.text.endswith(".") for notice in found.notices)


@pytest.mark.parametrize("name", REAL)
def test_a_wrong_extension_is_told(name: str) -> None:
    wrong = "report.png" if name.endswith(".pdf") else "report.pdf"
    found = facts((DOCUMENTS / name).read_bytes(), wrong)
    assert found.media_type == REAL[name][0]
    assert kinds(found) == REAL[name][1] | {DIFFERS}


@pytest.mark.parametrize("name", ["notes.txt", "notes", "notes.unheard-of", ".profile", "table.CSV"])
def test_text_may_have_a_textual_or_unknown_extension(name: str) -> None:
    assert facts(b"Plain words in a plain file.\n", name) == ContentFacts("text/plain")


def test_an_empty_file_is_octets() -> None:
    assert facts(b"").media_type == "application/octet-stream"


def test_a_program_called_a_text_is_told() -> None:
    assert DIFFERS in kinds(facts((DOCUMENTS / "testPNG.png").read_bytes(), "read-me.txt"))


def test_a_zip_that_only_looks_like_an_office_file_stays_a_zip() -> None:
    data = archive(
        lambda container: (
            container.writestr("[Content_Types].xml", "<Types/>"),
            container.writestr("word/document.xml", "x"),
        )
    )
    assert facts(data, "a.docx").media_type == "application/zip"
    assert DIFFERS in kinds(facts(data, "a.docx"))


def test_a_content_types_bomb_ends_the_look() -> None:
    data = archive(lambda container: container.writestr("[Content_Types].xml", bytes(50 << 20)))
    assert kinds(facts(data)) == {NoticeKind.PARTLY_EXAMINED}


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_part_packed_as_no_document_format_packs_is_not_opened(method: int) -> None:
    data = archive(lambda container: container.writestr("[Content_Types].xml", "<Types/>", method))
    assert kinds(facts(data)) == {NoticeKind.PARTLY_EXAMINED}


def test_an_archive_of_very_many_entries_is_not_examined() -> None:
    def fill(container: zipfile.ZipFile) -> None:
        for number in range(10_001):
            container.writestr(str(number), b"")

    assert kinds(facts(archive(fill))) == {NoticeKind.PARTLY_EXAMINED}


def test_a_huge_table_of_contents_is_not_read_into_memory() -> None:
    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size < 1 << 24
            return super().read(size)

    directory = 64 << 20
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 9, 9, directory, 4, 0)
    found = identify(b"PK\x03\x04", Watched(b"PK\x03\x04" + bytes(directory) + end), "a.zip")
    assert kinds(found) == {NoticeKind.PARTLY_EXAMINED}


def test_a_zip_bomb_is_told_by_its_claims() -> None:
    def fill(container: zipfile.ZipFile) -> None:
        for number in range(3):
            container.writestr(f"{number}", bytes(400 << 20))

    assert kinds(facts(archive(fill))) == {NoticeKind.EXPANDS}


def test_an_encrypted_table_of_parts_does_not_end_in_an_error() -> None:
    data = bytearray(
        archive(lambda container: container.writestr("[Content_Types].xml", f'ContentType="{DOCX}.main+xml"'))
    )
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 8] |= 1
    data[6] |= 1
    assert facts(bytes(data)).media_type == "application/zip"
    assert kinds(facts(bytes(data))) == {ENCRYPTED}


def test_an_encrypted_open_document_is_told() -> None:
    def fill(container: zipfile.ZipFile) -> None:
        container.writestr("mimetype", "application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED)
        container.writestr("META-INF/manifest.xml", "<manifest:encryption-data/>")
        container.writestr("Basic/Standard/Module1.xml", "x")
        container.writestr("Object 1/content.xml", "x")

    found = facts(archive(fill), "a.odt")
    assert found.media_type == "application/vnd.oasis.opendocument.text"
    assert kinds(found) == {ENCRYPTED, MACROS, EMBEDDED}


def test_a_cut_off_container_is_told() -> None:
    data = (DOCUMENTS / "testWORD.docx").read_bytes()
    assert kinds(facts(data[: len(data) // 2], "a.zip")) == {NoticeKind.DAMAGED}


def test_an_image_that_is_an_archive_too_is_told() -> None:
    picture = (DOCUMENTS / "testPNG.png").read_bytes()
    data = picture + archive(lambda container: container.writestr("hidden", "x"))
    assert facts(data).media_type == "image/png"
    assert kinds(facts(data)) == {NoticeKind.POLYGLOT}


def test_an_attachment_in_a_compressed_object_stream_is_seen() -> None:
    objects = zlib.compress(b"1 0 << /Names << /EmbeddedFiles 7 0 R >> >> ")
    data = (
        b"%PDF-1.7\n5 0 obj << /Type /ObjStm /Filter /FlateDecode >>\nstream\n" + objects + b"\nendstream\n"
    )
    assert kinds(facts(data)) == {EMBEDDED}


def test_encrypt_metadata_alone_is_no_encryption() -> None:
    assert kinds(facts(b"%PDF-1.7\ntrailer << /EncryptMetadata true /Root 1 0 R >>\n")) == set()


def test_a_very_large_pdf_is_examined_within_bounds() -> None:
    trailer = b"\ntrailer << /Encrypt 9 0 R >>\nstartxref\n0\n%%EOF\n"
    length = 1 << 40

    class Vast(io.RawIOBase):
        at = 0
        delivered = 0

        def seek(self, offset: int, whence: int = 0, /) -> int:
            self.at = (0, self.at, length)[whence] + offset
            return self.at

        def tell(self) -> int:
            return self.at

        def read(self, size: int = -1, /) -> bytes:
            end = min(self.at + size, length)
            data = bytearray(max(0, end - self.at))
            if end == length and len(data) >= len(trailer):
                data[-len(trailer) :] = trailer
            self.at = end
            self.delivered += len(data)
            return bytes(data)

    vast = Vast()
    found = identify(b"%PDF-1.7\n" + bytes(1000), vast, "a.pdf")  # type: ignore[arg-type]
    assert kinds(found) == {ENCRYPTED, NoticeKind.PARTLY_EXAMINED}
    assert vast.delivered < 140 << 20


@pytest.mark.parametrize(
    ("head", "media_type", "told"),
    [
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEM", "application/pgp-encrypted", {ENCRYPTED}),
        (b"-----BEGIN PGP SIGNED MESSAGE-----\n", "text/plain", {SIGNED}),
        (b"-----BEGIN PKCS7-----\nMII", "application/pkcs7-mime", set()),
        (b"age-encryption.org/v1\n-> X25519", "application/octet-stream", {ENCRYPTED}),
        (
            bytes.fromhex("308006092a864886f70d010703a080") + bytes(40),
            "application/pkcs7-mime",
            {ENCRYPTED},
        ),
        (bytes.fromhex("8c0d0409030a") + bytes(40), "application/pgp-encrypted", {ENCRYPTED}),
    ],
)
def test_an_envelope_is_recognised(head: bytes, media_type: str, told: set[NoticeKind]) -> None:
    found = facts(head)
    assert found.media_type == media_type
    assert kinds(found) == told


def test_a_7z_whose_table_lies_beyond_any_file_is_damaged() -> None:
    data = b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(4) + (2**64 - 1).to_bytes(8, "little") + bytes(80)
    assert kinds(facts(data, "far.7z")) == {NoticeKind.DAMAGED}


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(REAL)),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=8),
    st.integers(0, 100),
)
def test_no_damage_to_a_real_document_ends_in_an_error(
    name: str, edits: list[tuple[int, int]], kept: int
) -> None:
    data = bytearray((DOCUMENTS / name).read_bytes())
    for place, value in edits:
        data[place % len(data)] = value
    facts(bytes(data[: max(1, len(data) * kept // 100)]), name)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"", b"PK\x03\x04", b"%PDF-1.4\n", b"7z\xbc\xaf\x27\x1c", bytes.fromhex("d0cf11e0a1b11ae1")]
    ),
    st.binary(max_size=2000),
)
def test_no_bytes_end_in_an_error(head: bytes, rest: bytes) -> None:
    assert "/" in facts(head + rest).media_type
