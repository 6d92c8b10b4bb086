"""The API's description: OpenAPI 3.1, made from what the views take and answer."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from portal.api.schemas import TIME, Json, schemas
from portal.http.content import runtime
from portal.http.routing import open_to_anyone
from portal.services.auditing import FORMATS
from portal.services.documents import SORTS
from portal.services.pages import LIMIT


def register(blueprint: Blueprint) -> None:
    """Add the route."""
    blueprint.add_url_rule("/openapi.json", "openapi", openapi, methods=["GET"])


@open_to_anyone
def openapi() -> Response:
    """Serve the description."""
    return jsonify(describe(runtime().settings.public_url))


def describe(server: str) -> Json:
    """Return the OpenAPI 3.1 description of the API at `server`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Strongroom",
            "version": "1",
            "description": "Documents by clearance, and the log that proves every access. Errors are RFC 9457 "
            "problem details. A document out of reach answers exactly like one that does not exist.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"{server}/api/v1"}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
            "responses": {
                name: _answer(words, "Problem", "application/problem+json")
                for name, words in _PROBLEMS.items()
            },
        },
    }


_PROBLEMS = {
    "Invalid": "The request cannot be carried out as it was written.",
    "Unauthenticated": "No token, or one that does not hold.",
    "NotPermitted": "A denial that the person may know of; the type names the rule.",
    "NotFound": "Absent, or out of reach.",
    "Conflict": "Changed meanwhile.",
    "Gone": "It was yours, waited too long, and is over.",
    "OtherVersion": "tus 1.0.0 is spoken here.",
    "OtherKind": "The body is no piece of an upload.",
    "Locked": "Another request is at it right now.",
    "Mismatch": "The bytes do not match their checksum.",
    "TooLarge": "Larger than the installation takes.",
    "RangeNotSatisfiable": "The range cannot be read, or lies outside.",
    "TooMany": "A rate limit was reached.",
    "Unavailable": "Keys, log or store are out of reach; nothing was opened or lost.",
}
_STATUS = {
    "Invalid": 400,
    "Unauthenticated": 401,
    "NotPermitted": 403,
    "NotFound": 404,
    "Conflict": 409,
    "Gone": 410,
    "OtherVersion": 412,
    "OtherKind": 415,
    "Locked": 423,
    "Mismatch": 460,
    "TooLarge": 413,
    "RangeNotSatisfiable": 416,
    "TooMany": 429,
    "Unavailable": 503,
}
_OTHER: Json = {
    "description": "Another method, another kind of body, or a fault in the portal.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_ALWAYS = ("Invalid", "Unauthenticated", "NotPermitted", "NotFound", "TooMany", "Unavailable")


def _says(words: str, kind: str = "string") -> Json:
    return {"description": words, "required": True, "schema": {"type": kind}}


_ENTRY: Json = {"Strongroom-Log-Entry": _says("The number of this access in the log.", "integer")}
_STORED: Json = {**_ENTRY, "Location": _says("The document's address.")}
_FILE: Json = {"Content-Disposition": _says("The file name (RFC 6266).")}
_BOUND: Json = {**_ENTRY, **_FILE}
_CONTENT: Json = {
    **_ENTRY,
    "ETag": _says("The SHA-256 of the whole version, in hexadecimal."),
    "Accept-Ranges": _says("Always `bytes`."),
    "Content-Disposition": _says("The file name (RFC 6266)."),
    "Repr-Digest": _says("The SHA-256 of the whole version (RFC 9530)."),
    "Strongroom-Version": _says("The version's number.", "integer"),
}
_RANGE: Json = {**_CONTENT, "Content-Range": _says("Which bytes these are, and of how many.")}


def _answer(
    words: str, schema: str | None, media_type: str = "application/json", headers: Json | None = None
) -> Json:
    answer: Json = {"description": words}
    if schema is not None:
        answer["content"] = {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    if headers:
        answer["headers"] = headers
    return answer


def _bytes(words: str, headers: Json, *media_types: str) -> Json:
    content = {media_type: {"schema": {"type": "string"}} for media_type in media_types or ("*/*",)}
    return {"description": words, "headers": headers, "content": content}


_CONTENTS: Json = {
    "200": _bytes("The content, in its own media type.", _CONTENT),
    "206": _bytes("The range.", _RANGE),
    "304": {"description": "What `If-None-Match` names is still the content.", "headers": _CONTENT},
}


def _operation(
    name: str,
    words: str,
    answers: Json,
    *,
    parameters: list[Json] | None = None,
    more: tuple[str, ...] = (),
    body: Json | None = None,
) -> Json:
    problems = {
        str(_STATUS[problem]): {"$ref": f"#/components/responses/{problem}"} for problem in (*_ALWAYS, *more)
    }
    responses = {**answers, **problems, "default": _OTHER}
    operation: Json = {"operationId": name, "summary": words, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _query(name: str, words: str, schema: Json | None = None, required: bool = False) -> Json:
    return {
        "name": name,
        "in": "query",
        "description": words,
        "required": required,
        "schema": schema or {"type": "string"},
    }


def _header(name: str, words: str, required: bool = False) -> Json:
    return {
        "name": name,
        "in": "header",
        "description": words,
        "required": required,
        "schema": {"type": "string"},
    }


_ID: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_NUMBER: Json = {
    "name": "number",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_LIMIT = _query(
    "limit", "How many items.", {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": 50}
)
_CURSOR = _query("cursor", "`next` of the page before.")
_FILTER = [
    _query("from", "From this time on (inclusive).", TIME),
    _query("to", "Before this time (exclusive).", TIME),
    _query("person", "Id of who acted."),
    _query("document", "Id of the document."),
    _query("programme", "Id of the programme."),
    _query("organisation", "Id of the organisation of who acted."),
    _query("action", "Action of the log's catalogue."),
    _query("decision", "What was decided.", {"type": "string", "enum": ["permit", "deny"]}),
    _query("label", "Marking as recorded."),
]
_DIGEST = _header("Repr-Digest", "`sha-256=:BASE64:` of the content; checked (RFC 9530).")
_NAME = _header("Content-Disposition", "`attachment; filename*=UTF-8''NAME`.")
_HOW = [
    _header("Range", "`bytes=FIRST-LAST`; one range, several give the whole."),
    _header("If-Range", "`ETag` that the range is to be of."),
    _header("If-None-Match", "`ETag` of what is at hand."),
]
_RAW: Json = {"application/octet-stream": {"schema": {"type": "string"}}}
_PIECE: Json = {"application/offset+octet-stream": {"schema": {"type": "string"}}}
_TUS: Json = {"Tus-Resumable": _says("`1.0.0`."), "Strongroom-Upload-State": _says("How the upload stands.")}
_OFFSET: Json = {**_TUS, "Upload-Offset": _says("How many bytes are in store.", "integer")}
_PIECES = [
    _header("Tus-Resumable", "`1.0.0`.", required=True),
    _header("Upload-Offset", "Where the body begins: as many bytes as are in store.", required=True),
    _header("Upload-Checksum", "`ALGORITHM BASE64` of the body: sha1, sha256, sha384 or sha512."),
]
_TAKEN = ("Conflict", "Gone", "OtherVersion", "TooLarge", "OtherKind", "Locked", "Mismatch")
_CREATED = {"201": _answer("Stored whole, with its record.", "Receipt", headers=_STORED)}


def _form(*fields: str) -> Json:
    properties: Json = {name: {"type": "string"} for name in fields}
    properties["file"] = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {"type": "object", "properties": properties, "required": [*fields, "file"]}
    return {"multipart/form-data": {"schema": schema}}


def _upload_paths() -> Json:
    stored = {
        "204": {"description": "In store; when it was the last, checked and filed.", "headers": _OFFSET}
    }
    return {
        "/uploads": {
            "get": _operation(
                "listUploads", "List your uploads under way.", {"200": _answer("All of them.", "UploadPage")}
            ),
            "post": _operation(
                "beginUpload",
                "Begin an upload in pieces (tus 1.0); a body is its first piece.",
                {
                    "201": {
                        "description": "Permitted.",
                        "headers": {**_TUS, "Location": _says("The upload's address.")},
                    },
                    "200": _answer("Stored before with this key.", "Receipt", headers=_STORED),
                },
                parameters=[
                    _header("Tus-Resumable", "`1.0.0`.", required=True),
                    _header("Upload-Length", "Length of the whole file in bytes.", required=True),
                    _header(
                        "Upload-Metadata",
                        "`NAME BASE64,…`: `filename`, `title`, `label`, `programme`, or `filename`, `document` and "
                        "`version` for a new version; `sha256` (hexadecimal) is checked; `key` as Idempotency-Key.",
                        required=True,
                    ),
                ],
                more=("Conflict", "OtherVersion", "TooLarge", "Locked", "Mismatch"),
            ),
        },
        "/uploads/{upload_id}": {
            "parameters": [
                {"name": "upload_id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": _operation(
                "showUpload",
                "Tell how an upload stands.",
                {"200": _answer("The upload.", "Upload")},
                more=("Gone",),
            ),
            "patch": _operation(
                "sendPiece", "Send the next bytes.", stored, parameters=_PIECES, body=_PIECE, more=_TAKEN
            ),
            "post": _operation(
                "sendPieceByPost",
                "Do what X-HTTP-Method-Override says: PATCH, DELETE or HEAD.",
                stored,
                parameters=[_header("X-HTTP-Method-Override", "The method.", required=True), *_PIECES],
                body=_PIECE,
                more=_TAKEN,
            ),
            "delete": _operation(
                "endUpload",
                "Give an upload up.",
                {"204": {"description": "Everything of it is removed."}},
                more=("Conflict", "Gone", "OtherVersion", "Locked"),
            ),
        },
    }


def _paths() -> Json:
    lists = [
        _query("programme", "Id of a programme."),
        _query("label", "Marking of a label."),
        _query("sort", "Order.", {"type": "string", "enum": list(SORTS)}),
        _CURSOR,
        _LIMIT,
    ]
    large = ("TooLarge", "Conflict")
    return {
        "/documents": {
            "get": _operation(
                "listDocuments",
                "List what you may see.",
                {"200": _answer("A page.", "DocumentPage")},
                parameters=lists,
            ),
            "post": _operation(
                "deposit",
                "Deposit a document, as a form or as a raw body.",
                {**_CREATED, "200": _answer("Stored before with this key.", "Receipt", headers=_STORED)},
                parameters=[
                    _query("programme", "Id of the programme (raw body)."),
                    _query("label", "Marking or STANAG 4774 label (raw body)."),
                    _header("Strongroom-Title", "Title, percent-encoded UTF-8 (raw body)."),
                    _header(
                        "Idempotency-Key",
                        "Any text of at most 100 characters; sent again with the same, the first receipt is answered "
                        "with 200 and nothing is stored twice.",
                    ),
                    _NAME,
                    _DIGEST,
                ],
                body={**_form("programme", "title", "label"), **_RAW},
                more=large,
            ),
        },
        "/documents/search": {
            "post": _operation(
                "searchDocuments",
                "Search titles.",
                {"200": _answer("A page.", "DocumentPage")},
                body={"application/json": {"schema": {"$ref": "#/components/schemas/Search"}}},
            )
        },
        "/documents/{id}": {
            "parameters": [_ID],
            "get": _operation(
                "showDocument", "Show a document.", {"200": _answer("The document.", "DocumentDetail")}
            ),
        },
        "/documents/{id}/versions": {
            "parameters": [_ID],
            "post": _operation(
                "depositVersion", "Deposit a new version.", _CREATED, body={**_form(), **_RAW}, more=large
            ),
        },
        "/documents/{id}/content": {
            "parameters": [_ID],
            "get": _operation(
                "readContent",
                "Hand out the current version, or a range of it.",
                _CONTENTS,
                parameters=_HOW,
                more=("RangeNotSatisfiable",),
            ),
            "put": _operation(
                "putContent",
                "Deposit a new version from a raw body.",
                _CREATED,
                parameters=[
                    _query("version", "The number that the version gets; refused when it is taken."),
                    _NAME,
                    _DIGEST,
                ],
                body=_RAW,
                more=large,
            ),
        },
        "/documents/{id}/versions/{number}/content": {
            "parameters": [_ID, _NUMBER],
            "get": _operation(
                "readVersion",
                "Hand out one version, or a range of it.",
                _CONTENTS,
                parameters=_HOW,
                more=("RangeNotSatisfiable",),
            ),
        },
        "/documents/{id}/binding": {
            "parameters": [_ID],
            "get": _operation(
                "readBinding",
                "Hand out the current version's label in a signed file (STANAG 4778).",
                {"200": _bytes("The binding.", _BOUND, "application/xml")},
            ),
        },
        "/documents/{id}/versions/{number}/binding": {
            "parameters": [_ID, _NUMBER],
            "get": _operation(
                "readVersionBinding",
                "Hand out one version's label in a signed file (STANAG 4778).",
                {"200": _bytes("The binding.", _BOUND, "application/xml")},
            ),
        },
        "/binding-certificate": {
            "get": {
                **_operation(
                    "readBindingCertificate",
                    "The X.509 certificates against which bindings are checked, the current one first.",
                    {"200": _bytes("The certificates.", _FILE, "application/x-pem-file")},
                ),
                "security": [],
            },
        },
        **_upload_paths(),
        "/documents.zip": {
            "get": _operation(
                "readArchive",
                "Stream several documents as one ZIP, when all of them may be read.",
                {"200": _bytes("The ZIP.", {}, "application/zip")},
                parameters=[
                    _query(
                        "id",
                        "Ids of documents.",
                        {"type": "array", "items": {"type": "string"}},
                        required=True,
                    ),
                    _query("leave_out", "Whether to leave out what may not be read.", {"type": "boolean"}),
                ],
            )
        },
        "/openapi.json": {
            "get": {
                **_operation(
                    "describe",
                    "This description (anyone).",
                    {
                        "200": {
                            "description": "OpenAPI 3.1.",
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        }
                    },
                ),
                "security": [],
            }
        },
        "/programmes": {
            "get": _operation(
                "listProgrammes", "List your programmes.", {"200": _answer("All of them.", "ProgrammePage")}
            )
        },
        "/audit/records": {
            "get": _operation(
                "listRecords",
                "List records of the access log, newest first (auditors).",
                {"200": _answer("A page.", "RecordPage")},
                parameters=[*_FILTER, _CURSOR, _LIMIT],
            )
        },
        "/audit/records/{seq}": {
            "parameters": [
                {"name": "seq", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
            ],
            "get": _operation(
                "showRecord", "Show one record (auditors).", {"200": _answer("The record.", "Record")}
            ),
        },
        "/audit/export": {
            "get": _operation(
                "exportRecords",
                "Stream an export, oldest record first, with a footer (auditors).",
                {"200": _bytes("The export.", _ENTRY, "application/jsonl", "text/csv")},
                parameters=[_query("format", "Format.", {"type": "string", "enum": list(FORMATS)}), *_FILTER],
            )
        },
    }
