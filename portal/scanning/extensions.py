"""Which media types a file name's extension promises."""

from __future__ import annotations

_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."
_ENCRYPTED = "application/encrypted"
_ARCHIVE = frozenset({"application/zip"})

_PROMISES: dict[str, frozenset[str]] = {
    "pdf": frozenset({"application/pdf"}),
    "doc": frozenset({"application/msword", "text/rtf"}),
    "xls": frozenset({"application/vnd.ms-excel"}),
    "ppt": frozenset({"application/vnd.ms-powerpoint"}),
    "vsd": frozenset({"application/vnd.visio"}),
    "msg": frozenset({"application/vnd.ms-outlook"}),
    "docx": frozenset({f"{_OOXML}wordprocessingml.document", _ENCRYPTED}),
    "docm": frozenset({"application/vnd.ms-word.document.macroEnabled.12", _ENCRYPTED}),
    "dotx": frozenset({f"{_OOXML}wordprocessingml.template", _ENCRYPTED}),
    "xlsx": frozenset({f"{_OOXML}spreadsheetml.sheet", _ENCRYPTED}),
    "xlsm": frozenset({"application/vnd.ms-excel.sheet.macroEnabled.12", _ENCRYPTED}),
    "xlsb": frozenset({"application/vnd.ms-excel.sheet.binary.macroEnabled.12", _ENCRYPTED}),
    "pptx": frozenset({f"{_OOXML}presentationml.presentation", _ENCRYPTED}),
    "pptm": frozenset({"application/vnd.ms-powerpoint.presentation.macroEnabled.12", _ENCRYPTED}),
    "ppsx": frozenset({f"{_OOXML}presentationml.slideshow", _ENCRYPTED}),
    "vsdx": frozenset({"application/vnd.ms-visio.drawing.main+xml", _ENCRYPTED}),
    "vsdm": frozenset({"application/vnd.ms-visio.drawing.macroEnabled.main+xml", _ENCRYPTED}),
    "odt": frozenset({f"{_ODF}text"}),
    "ods": frozenset({f"{_ODF}spreadsheet"}),
    "odp": frozenset({f"{_ODF}presentation"}),
    "odg": frozenset({f"{_ODF}graphics"}),
    "epub": frozenset({"application/epub+zip"}),
    "rtf": frozenset({"text/rtf", "application/rtf"}),
    "zip": _ARCHIVE,
    "7z": frozenset({"application/x-7z-compressed"}),
    "gz": frozenset({"application/gzip"}),
    "tgz": frozenset({"application/gzip"}),
    "bz2": frozenset({"application/x-bzip2"}),
    "xz": frozenset({"application/x-xz"}),
    "tar": frozenset({"application/x-tar"}),
    "rar": frozenset({"application/x-rar", "application/vnd.rar"}),
    "png": frozenset({"image/png"}),
    "jpg": frozenset({"image/jpeg"}),
    "jpeg": frozenset({"image/jpeg"}),
    "gif": frozenset({"image/gif"}),
    "tif": frozenset({"image/tiff"}),
    "tiff": frozenset({"image/tiff"}),
    "bmp": frozenset({"image/bmp", "image/x-ms-bmp"}),
    "webp": frozenset({"image/webp"}),
    "svg": frozenset({"image/svg+xml"}),
    "dwg": frozenset({"image/vnd.dwg"}),
    "mp4": frozenset({"video/mp4"}),
    "gpg": frozenset({"application/pgp-encrypted", "application/pgp-keys", "application/pgp-signature"}),
    "pgp": frozenset({"application/pgp-encrypted", "application/pgp-keys", "application/pgp-signature"}),
    "sig": frozenset({"application/pgp-signature", "application/octet-stream"}),
    "p7m": frozenset({"application/pkcs7-mime"}),
    "p7s": frozenset({"application/pkcs7-mime"}),
    "p7c": frozenset({"application/pkcs7-mime"}),
    "exe": frozenset({"application/x-dosexec", "application/vnd.microsoft.portable-executable"}),
    "dll": frozenset({"application/x-dosexec", "application/vnd.microsoft.portable-executable"}),
}
# fmt: off
_TEXT = frozenset({
    "txt", "text", "md", "rst", "log", "csv", "tsv", "json", "jsonl", "xml", "xsd", "xsl", "html", "htm", "css", "tex",
    "yaml", "yml", "toml", "ini", "cfg", "conf", "py", "js", "ts", "c", "h", "cpp", "java", "sh", "sql",
    "eml", "ics", "vcf", "step", "stp", "igs", "iges", "dxf",
})
_TEXTUAL = frozenset({
    "application/json", "application/x-ndjson", "application/javascript", "application/xml",
    "application/octet-stream", "application/postscript", "message/rfc822", "image/svg+xml", "image/vnd.dxf",
    "model/step",
})
# fmt: on


def promise_broken(file_name: str, media_type: str) -> bool:
    """Return whether the extension of `file_name` promises something else than `media_type`.

    An extension that is unknown here promises nothing. Textual formats are held to be text of some kind only, since
    the bytes of one textual format do not tell it reliably from another.
    """
    stem, dot, extension = file_name.rpartition(".")
    if not dot or not stem:
        return False
    extension = extension.casefold()
    if extension in _TEXT:
        return not (media_type.startswith("text/") or media_type in _TEXTUAL)
    return extension in _PROMISES and media_type not in _PROMISES[extension]
