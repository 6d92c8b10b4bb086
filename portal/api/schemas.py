"""The schemas of the API's description: JSON Schema (2020-12) of what goes in and out."""

from __future__ import annotations

from typing import Any

from policies.requests import ScanState
from portal.audit.catalogue import CATALOGUE
from portal.services.documents import LONGEST_QUERY, SORTS
from portal.services.pages import LIMIT
from portal.services.standing import Standing

Json = dict[str, Any]

TIME: Json = {"type": "string", "format": "date-time"}
_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer", "minimum": 0}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_DIGEST: Json = {"type": "string", "pattern": "^sha-256:[0-9a-f]{64}$"}
_OPTIONAL: Json = {"type": ["string", "null"]}

_SCAN: Json = {"type": "string", "enum": [item.value for item in ScanState]}

_DOCUMENT: Json = {
    "id": _TEXT,
    "title": _TEXT,
    "label": {"$ref": "#/components/schemas/Label"},
    "programme": _TEXT,
    "programme_name": _TEXT,
    "originator": _TEXT,
    "version": _NUMBER,
    "size": _NUMBER,
    "digest": {**_DIGEST, "type": ["string", "null"]},
    "media_type": _OPTIONAL,
    "file_name": _OPTIONAL,
    "state": _TEXT,
    "scan": _SCAN,
    "signatures": {**TIME, "type": ["string", "null"]},
    "created": TIME,
    "changed": TIME,
    "due": {**TIME, "type": ["string", "null"]},
}
_VERSION: Json = {
    "version": _NUMBER,
    "file_name": _TEXT,
    "media_type": _TEXT,
    "size": _NUMBER,
    "digest": _DIGEST,
    "notices": _TEXTS,
    "scan": _SCAN,
    "signatures": {**TIME, "type": ["string", "null"]},
    "created": TIME,
    "log_entry": _NUMBER,
}
_RECEIPT: Json = {
    "id": _TEXT,
    "version": _NUMBER,
    "digest": _DIGEST,
    "size": _NUMBER,
    "media_type": _TEXT,
    "notices": _TEXTS,
    "scan": _SCAN,
    "signatures": {**TIME, "type": ["string", "null"]},
    "standing": {"type": "string", "enum": [item.value for item in Standing]},
    "marking": _TEXT,
    "time": TIME,
    "log_entry": _NUMBER,
}
_RECORD: Json = {
    "v": _NUMBER,
    "seq": _NUMBER,
    "time": TIME,
    "node": _TEXT,
    "action": {"type": "string", "enum": sorted(CATALOGUE)},
}
_MAY_RECORD: Json = {
    **dict.fromkeys(
        (
            "actor",
            "session",
            "role",
            "organisation",
            "programme",
            "document",
            "target",
            "label",
            "rule",
            "policy",
            "request",
        ),
        _TEXT,
    ),
    **dict.fromkeys(("assurance", "version", "bytes_handed", "completes"), _NUMBER),
    "decision": {"type": "string", "enum": ["permit", "deny"]},
    "outcome": {"type": "string", "enum": ["complete", "aborted", "failed", "unknown"]},
    "subjects": {
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "items": {"type": "integer"},
            "minItems": 2,
            "maxItems": 2,
        },
    },
    "details": {"type": "object"},
    "commitments": {"type": "object", "additionalProperties": _TEXT},
}
_UPLOAD: Json = {
    "id": _TEXT,
    "url": _TEXT,
    "state": {"type": "string", "enum": ["receiving", "checking", "filed", "refused"]},
    "length": _NUMBER,
    "stored": _NUMBER,
    "title": _TEXT,
    "file_name": _TEXT,
    "programme": _TEXT,
    "marking": _TEXT,
    "document": _OPTIONAL,
    "key": _OPTIONAL,
    "started": TIME,
    "expires": TIME,
    "receipt": {"anyOf": [{"$ref": "#/components/schemas/Receipt"}, {"type": "null"}]},
    "refusal": {
        "anyOf": [
            {
                "type": "object",
                "required": ["detail", "mend"],
                "properties": {"detail": _TEXT, "mend": _TEXT},
            },
            {"type": "null"},
        ]
    },
}
_SEARCH: Json = {
    "programme": _TEXT,
    "label": _TEXT,
    "sort": {"type": "string", "enum": list(SORTS)},
    "cursor": _TEXT,
    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": 50},
}


def _object(required: Json, **optional: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def _page(item: str) -> Json:
    return _object(
        {"items": {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}, "next": _OPTIONAL}
    )


def schemas() -> Json:
    """Return every schema by its name."""
    return {
        "Label": _object({"marking": _TEXT, "classification": _TEXT, "policy": _TEXT}),
        "Document": _object(_DOCUMENT),
        "DocumentDetail": _object({**_DOCUMENT, "versions": {"type": "array", "items": _object(_VERSION)}}),
        "DocumentPage": _page("Document"),
        "Programme": _object({"id": _TEXT, "name": _TEXT}),
        "ProgrammePage": _page("Programme"),
        "Receipt": _object(_RECEIPT),
        "Upload": _object(_UPLOAD),
        "UploadPage": _page("Upload"),
        "Search": _object({"q": {**_TEXT, "minLength": 1, "maxLength": LONGEST_QUERY}}, **_SEARCH),
        "Record": _object(_RECORD, **_MAY_RECORD),
        "RecordPage": _page("Record"),
        "Problem": _object(
            {"type": _TEXT, "title": _TEXT, "status": _NUMBER, "detail": _TEXT},
            mend=_TEXT,
            rules=_TEXTS,
            instance=_TEXT,
        ),
    }
