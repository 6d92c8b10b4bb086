"""`strongroom push` of large files: in pieces (tus 1.0), going on where a line, a portal or this program broke off."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

from portal.cli.remote import Refused, Remote
from portal.cli.transfers import Advance, Body, Outgoing
from portal.errors import PortalError, Unavailable

WORTH_IT = 16 << 20
"""Files from this size on are sent in pieces."""
_TRIES = 8
_LONGEST_WAIT = 30.0
_ASK_EVERY = 0.5
_TUS = {"Tus-Resumable": "1.0.0"}
_AGAIN = frozenset({409, 423, 429})


def push(remote: Remote, file: Outgoing, advance: Advance, facts: Mapping[str, str]) -> dict[str, Any]:
    """Send a file; `facts` are those of Upload-Metadata beside name and digest. Returns the portal's receipt.

    An upload of the same file for the same purpose that is under way is gone on with. Raises Refused, Unavailable.
    """
    upload_id = _found(remote, file, facts) or _begun(remote, file, facts)
    path = f"/uploads/{quote(upload_id, safe='')}"
    sent, tries = 0, 0
    with file.path.open("rb") as content:
        while True:
            try:
                state, stored = _standing(remote, path)
                advance(stored - sent)
                if stored > sent:
                    tries = 0
                sent = stored
                if state != "receiving":
                    return _outcome(remote, path)
                counted = _Counted(advance)
                try:
                    _send(remote, path, content, file, stored, counted)
                finally:
                    sent += counted.total
            except PortalError as fault:
                tries += 1
                if tries > _TRIES or not _passes(fault):
                    raise
                time.sleep(min(2.0**tries / 4, _LONGEST_WAIT))


class _Counted:
    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self.total = 0

    def __call__(self, count: int) -> None:
        self.total += count
        self._advance(count)


def _passes(fault: PortalError) -> bool:
    return isinstance(fault, Unavailable) or (
        isinstance(fault, Refused) and (fault.status in _AGAIN or fault.status >= 500)
    )


def _metadata(facts: Mapping[str, str]) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in facts.items())


def _key(file: Outgoing) -> str:
    return f"push-{file.sha256.hex()}-"


def _found(remote: Remote, file: Outgoing, facts: Mapping[str, str]) -> str | None:
    wanted = {
        "title": facts.get("title"),
        "programme": facts.get("programme"),
        "document": facts.get("document"),
    }
    for item in remote.json("GET", "/uploads")["items"]:
        same = all(item[name] == value for name, value in wanted.items() if value is not None)
        if (
            same
            and str(item["key"] or "").startswith(_key(file))
            and item["length"] == file.size
            and item["state"] in ("receiving", "checking")
            and (not facts.get("label") or item["marking"] == facts["label"])
        ):
            return str(item["id"])
    return None


def _begun(remote: Remote, file: Outgoing, facts: Mapping[str, str]) -> str:
    metadata = {
        **facts,
        "filename": file.path.name,
        "sha256": file.sha256.hex(),
        "key": _key(file) + secrets.token_hex(8),
    }
    headers = {**_TUS, "Upload-Length": str(file.size), "Upload-Metadata": _metadata(metadata)}
    with remote.ask("POST", "/uploads", headers=headers) as answer:
        return answer.headers["Location"].rpartition("/")[2]


def _standing(remote: Remote, path: str) -> tuple[str, int]:
    found = remote.json("GET", path)
    return str(found["state"]), int(found["stored"])


def _send(
    remote: Remote, path: str, content: BinaryIO, file: Outgoing, offset: int, advance: Advance
) -> None:
    content.seek(offset)
    headers = {
        **_TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    remote.ask("PATCH", path, headers=headers, body=Body(content, file.size - offset, advance)).close()


def _outcome(remote: Remote, path: str) -> dict[str, Any]:
    while True:
        found = remote.json("GET", path)
        if found["state"] == "filed":
            receipt: dict[str, Any] = found["receipt"]
            return receipt
        if found["state"] == "refused":
            raise Refused(found["refusal"]["detail"], mend=found["refusal"]["mend"], status=400)
        time.sleep(_ASK_EVERY)
