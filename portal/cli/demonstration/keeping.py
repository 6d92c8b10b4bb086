"""What a demonstration keeps beside its data: its settings, and everybody's sign-ins for the next start.

The sign-ins lie in clear text in the demonstration's folder (mode 0600): that is what makes it a demonstration.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from portal.cli.demonstration.cast import CAST
from portal.cli.demonstration.world import Built, Member
from portal.clock import parse_rfc3339, rfc3339
from portal.errors import Conflict
from portal.settings import FILE_NAME

SIGN_INS = "demo.json"
_UNFINISHED = "demo.unfinished"
_BUILT = ("portal.db*", "log.db*", "blobs", "keys", "anchor", SIGN_INS, FILE_NAME)
_SETTINGS = """\
# A demonstration: keys and data lie in one folder, everybody's sign-ins in demo.json. Never put real documents here.
demonstration = true
public_url = "{url}"
size_limit = {size_limit}
# Passwords are random here, so that checking them may cost less.
argon2_memory = 19456
argon2_rounds = 2
# Scripts and browsers under test come from one address.
token_requests_per_minute = 6000
requests_per_minute = 6000
sign_ins_per_minute = 30
"""
_SIZE_LIMIT = 20 * 1024**3
_URL = re.compile(r'^public_url = ".*"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Kept:
    """The world as the next start finds it; the tokens hold until `tokens_until`."""

    world: Built
    tokens_until: datetime


def load(data: Path) -> Kept | None:
    """Return what the folder keeps, or None when no demonstration is there, after clearing one that was half built.

    Raises Conflict when the folder holds something else.
    """
    if (data / _UNFINISHED).exists():
        _clear(data)
    path = data / SIGN_INS
    if not path.exists():
        if (data / "portal.db").exists() or (data / FILE_NAME).exists():
            raise Conflict(
                f"{data} holds an installation that is no demonstration.",
                mend="Name another folder with --data.",
            )
        return None
    try:
        return _kept(json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError):
        raise Conflict(
            f"{path} cannot be read as the demonstration's sign-ins.",
            mend=f"Remove the folder {data} and start anew.",
        ) from None


def begin(data: Path, url: str) -> None:
    """Mark the folder as a demonstration under construction and write its settings."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data / _UNFINISHED).touch(mode=0o600)
    write_private(data / FILE_NAME, _SETTINGS.format(url=url, size_limit=_SIZE_LIMIT))


def finish(data: Path, kept: Kept) -> None:
    """Keep the sign-ins and take the mark away."""
    save(data, kept)
    (data / _UNFINISHED).unlink()


def save(data: Path, kept: Kept) -> None:
    """Write the sign-ins, whole or not at all."""
    people = [
        {
            "role": member.part.key,
            "id": member.id,
            "password": member.password,
            "totp_secret": member.totp_secret,
            "token": member.token,
        }
        for member in kept.world.people
    ]
    facts = {
        "programmes": kept.world.programmes,
        "people": people,
        "tokens_until": rfc3339(kept.tokens_until),
    }
    write_private(data / SIGN_INS, json.dumps(facts, indent=2) + "\n")


def set_url(data: Path, url: str) -> None:
    """Let the settings say where the demonstration is served this time."""
    path = data / FILE_NAME
    text = path.read_text("utf-8")
    changed = _URL.sub(f'public_url = "{url}"', text)
    if changed != text:
        write_private(path, changed)


def for_scripts(world: Built, url: str) -> dict[str, Any]:
    """Return the object that `--json` writes; its shape is fixed."""
    return {
        "url": url,
        "programmes": [{"id": key, "name": name} for name, key in world.programmes.items()],
        "people": [
            {
                "role": member.part.key,
                "id": member.id,
                "email": member.part.email,
                "password": member.password,
                "totp_secret": member.totp_secret,
                "token": member.token,
            }
            for member in world.people
        ],
    }


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _kept(facts: dict[str, Any]) -> Kept:
    by_key = {person["role"]: person for person in facts["people"]}
    members = []
    for part in CAST:
        known = by_key[part.key]
        members.append(Member(part, known["id"], known["password"], known["totp_secret"], known["token"]))
    return Kept(
        Built({str(name): str(key) for name, key in facts["programmes"].items()}, tuple(members)),
        parse_rfc3339(facts["tokens_until"]),
    )


def _clear(data: Path) -> None:
    """Remove what a start that was broken off had built; the mark says that there is nothing else to lose."""
    for pattern in _BUILT:
        for path in data.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (data / _UNFINISHED).unlink()
