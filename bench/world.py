"""A large installation for benchmarks, generated fast: every row is sealed with the installation's own keys.

Documents have a head, a version and a title; their content is not there, because pages never open it.
`python -m bench.world FOLDER [DOCUMENTS]` leaves one in a folder.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Table, insert

from crypto.keyring import DekContext, Domain, KeyRing
from crypto.keys import Dek, FileRootKey
from crypto.parts import Part, parts_digest
from crypto.segments import ciphertext_length
from crypto.titlepack import PackEntry, seal_piece
from policies import InvalidLabel, Label, SecurityPolicy
from policies.requests import Role
from portal import models
from portal.audit import Event
from portal.identity.emails import email_index
from portal.identity.sessions import SessionLimits, Sessions
from portal.models.keystore import DatabaseKeyStore
from portal.services import installation
from portal.services.runtime import ROOT_KEY_FILE, Runtime
from portal.settings import Settings, load_settings

BATCH = 5_000
PIECE = 4_096
LABELS_EACH, SENDERS_EACH = 24, 4
LEVELS = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
COMMON, RARE = "report", "zinnia"
_SUBJECTS = (
    "radar antenna sonar hull propulsion bridge harbour convoy logistics fuel depot cable optics sensor drone "
    "payload runway shelter generator cooling firmware protocol cipher gateway network satellite uplink ground "
    "station vehicle armour turret simulator training manual procedure"
)
SUBJECTS = _SUBJECTS.split()
KINDS = (
    COMMON,
    "specification",
    "test plan",
    "minutes",
    "drawing",
    "schedule",
    "risk register",
    "acceptance",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world is."""

    documents: int = 100_000
    programmes: int = 20
    labels: int = 40
    companies: int = 10


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who measures: an API token and a browser's session, both as strong as two factors."""

    id: str
    token: str
    session: str


@dataclass(frozen=True, slots=True)
class World:
    """An open installation, its people, and what may be looked for in it."""

    runtime: Runtime
    organisation: str
    companies: tuple[str, ...]
    programmes: tuple[str, ...]
    labels: tuple[Label, ...]
    official: Person
    narrow: Person
    partner: Person

    @property
    def policy(self) -> SecurityPolicy:
        return self.runtime.access.policy


def settings_in(folder: Path) -> Settings:
    """Write the settings of an installation for benchmarks and return them; `strongroom serve` reads the same."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.toml").write_text(
        "demonstration = true\nrequests_per_minute = 1000000\ntoken_requests_per_minute = 1000000\n"
    )
    return load_settings({}, folder)


def build(folder: Path, size: Size, seed: int = 3) -> World:
    """Create an installation with `size` in `folder`."""
    return _Builder(folder, size, random.Random(seed)).build()


class _Builder:
    def __init__(self, folder: Path, size: Size, chance: random.Random) -> None:
        self.settings = settings_in(folder)
        self.size = size
        self.chance = chance
        self.runtime = installation.create(self.settings)
        self.database = self.runtime.database
        self.seals = self.database.seals
        self.now = self.runtime.clock()
        self.entry = self.runtime.log.append(Event(action="portal.start", details={"size": 0})).seq
        root = FileRootKey(self.settings.key_folder / ROOT_KEY_FILE)
        self.ring = KeyRing(root, DatabaseKeyStore(self.database.engine), now=self.runtime.clock)

    def build(self) -> World:
        organisation = self.organisation("Programme Office", "BEL")
        companies = [self.organisation(f"Company {n}", "FRA") for n in range(self.size.companies)]
        programmes = [self.programme(f"Programme {n:03}", organisation) for n in range(self.size.programmes)]
        labels = list(itertools.islice(distinct_labels(self.runtime.access.policy), self.size.labels))
        self.documents(organisation, companies, programmes, labels)
        return World(
            self.runtime,
            organisation,
            tuple(companies),
            tuple(programmes),
            tuple(labels),
            official=self.person("official", organisation, Role.OFFICIAL, programmes, LEVELS),
            narrow=self.person("narrow", organisation, Role.OFFICIAL, programmes[-1:], LEVELS[:2]),
            partner=self.person("partner", companies[-1], Role.PARTNER, programmes, LEVELS),
        )

    # Organisations and people, through the portal's own models

    def add(self, row: models.SealedRow) -> str:
        with self.database.write(self.entry) as session:
            session.add(row)
        return str(row.id)  # type: ignore[attr-defined]

    def organisation(self, name: str, nation: str) -> str:
        row = models.Organisation(id=models.new_id(), nation=nation, active=True, created=self.now)
        row.name = name
        return self.add(row)

    def programme(self, name: str, lead: str) -> str:
        row = models.Programme(id=models.new_id(), lead_organisation_id=lead, active=True, created=self.now)
        row.name = name
        return self.add(row)

    def person(
        self, name: str, organisation: str, role: Role, programmes: Sequence[str], levels: Sequence[str]
    ) -> Person:
        since = self.now - timedelta(days=1)
        email = f"{name}@bench.example"
        row = models.Person(
            id=models.new_id(), organisation_id=organisation, nation="BEL", active=True, created=since
        )
        row.name, row.email = name.title(), email
        row.email_index = email_index(self.seals.rows, email)
        person = self.add(row)
        self.add(models.RoleGrant(id=models.new_id(), person_id=person, role=role.value, valid_from=since))
        policy = self.runtime.access.policy
        clearance = models.ClearanceGrant(
            id=models.new_id(),
            person_id=person,
            policy_id=policy.id,
            classifications=json.dumps(sorted(levels)),
            categories=json.dumps({"Context": ["NATO", "Releasable"], "Releasable To": held_nations(policy)}),
            valid_from=since,
        )
        clearance.authority = "National Security Authority"
        self.add(clearance)
        for programme in programmes:
            self.add(
                models.Membership(
                    id=models.new_id(), person_id=person, programme_id=programme, valid_from=since
                )
            )
        runtime = self.runtime
        token, _ = runtime.account._tokens.create(person, "bench", 30, 2, 2)
        sessions = Sessions(self.database, runtime.log, runtime.clock, SessionLimits())
        secret, _ = sessions.open(person, 2, None, None)
        return Person(person, token, secret)

    # Documents, straight into their tables

    def documents(
        self, lead: str, companies: Sequence[str], programmes: Sequence[str], labels: Sequence[Label]
    ) -> None:
        engine = self.database.engine.execution_options(immediate=True)
        for classification, programme in itertools.product(LEVELS, programmes):
            self.ring.domain_key(classification, programme)
        policy = self.runtime.access.policy
        ranks = [policy.rank(label.classification) or 0 for label in labels]
        with engine.begin() as connection:
            digests = [bytes.fromhex(label.digest) for label in labels]
            rows = [
                {"id": number, "digest": digest, "canonical": label.canonical()}
                for number, (digest, label) in enumerate(zip(digests, labels, strict=True), 1)
            ]
            self.put(connection, models.LabelRecord, rows)
            counters: Counter[tuple[str, int, str, str, str]] = Counter()
            packs: dict[str, list[PackEntry]] = {programme: [] for programme in programmes}
            habits = {programme: self.habit(labels, companies) for programme in programmes}
            step = timedelta(days=730) / self.size.documents
            for start in range(0, self.size.documents, BATCH):
                heads, versions = [], []
                for number in range(start, min(start + BATCH, self.size.documents)):
                    programme = self.chance.choice(programmes)
                    used, weights, senders = habits[programme]
                    index = self.chance.choices(used, weights)[0]
                    head = self.head(self.now - step * (self.size.documents - number))
                    head |= {
                        "programme_id": programme,
                        "originator_id": self.chance.choice(senders),
                        "addressee_id": lead,
                        "label_id": index + 1,
                        "label_digest": digests[index],
                        "label_rank": ranks[index],
                    }
                    title = self.title(number)
                    context = models.document_context(
                        head["id"], head["label_digest"], head["programme_id"], 1
                    )
                    head["title_sealed"] = self.seals.values.seal((*context, "title_sealed"), title.encode())
                    heads.append(head)
                    versions.append(self.version(head, labels[index]))
                    place = (head["programme_id"], index + 1, head["originator_id"], lead, head["state"])
                    counters[place] += 1
                    packs[head["programme_id"]].append(PackEntry(head["id"], digests[index], title))
                self.put(connection, models.Document, heads)
                self.put(connection, models.Version, versions)
            names = [column.key for column in models.Counter.__table__.primary_key.columns]
            connection.execute(
                insert(models.Counter),
                [dict(zip(names, key, strict=True), number=number) for key, number in counters.items()],
            )
            connection.execute(insert(models.TitlePiece), list(self.pieces(packs)))

    def habit(
        self, labels: Sequence[Label], companies: Sequence[str]
    ) -> tuple[list[int], list[float], list[str]]:
        """Return which labels a programme uses, the plain ones most, how often each, and who sends to it."""
        special = range(len(LEVELS), len(labels))
        used = [*range(len(LEVELS)), *self.chance.sample(special, min(LABELS_EACH, len(special)))]
        senders = self.chance.sample(companies, min(SENDERS_EACH, len(companies)))
        return used, [1 / (place + 1) for place in range(len(used))], senders

    def head(self, created: datetime) -> dict[str, Any]:
        size = int(self.chance.lognormvariate(13, 2)) + 1
        due = created + timedelta(days=30) if self.chance.random() < 0.3 else None
        return {
            "id": models.new_id(),
            "uploaded_by": models.new_id(),
            "state": "received",
            "scan": "not-scanned",
            "current_version": 1,
            "size": size,
            "created": created,
            "changed": created,
            "due": due,
        }

    def version(self, head: dict[str, Any], label: Label) -> dict[str, Any]:
        size = head["size"]
        part = Part(size, ciphertext_length(size), os.urandom(32))
        context = DekContext(head["id"], 1, head["label_digest"], parts_digest([part]))
        domain = Domain(label.classification, head["programme_id"])
        key = f"{head['id']}/1"
        name = self.seals.values.seal(("versions", key, "file_name_sealed"), b"deliverable.pdf")
        return {
            "document_id": head["id"],
            "number": 1,
            "blob": f"{head['id'][:2]}/{head['id']}/{models.new_id()}",
            "file_name_sealed": name,
            "media_type": "application/pdf",
            "notices": "[]",
            "size": size,
            "sha256": os.urandom(32),
            "parts": json.dumps([[size, part.ciphertext_length, part.sha256.hex()]], separators=(",", ":")),
            "wrapped_dek": self.ring.wrap_dek(Dek.generate(), domain, context),
            "uploaded_by": head["uploaded_by"],
            "created": head["created"],
        }

    def title(self, number: int) -> str:
        rare = f" {RARE}" if number % 20_000 == 777 else ""
        one, other = self.chance.sample(SUBJECTS, 2)
        return f"{one.title()} {other} {self.chance.choice(KINDS)} {number}{rare}"

    def pieces(self, packs: dict[str, list[PackEntry]]) -> Iterator[dict[str, Any]]:
        for programme, entries in packs.items():
            for number, start in enumerate(range(0, len(entries), PIECE), 1):
                held = entries[start : start + PIECE]
                piece = seal_piece(self.ring, programme, number, held)
                yield {"programme_id": programme, "number": number, "entries": len(held), "piece": piece}

    def put(self, connection: Connection, model: type[models.SealedRow], rows: list[dict[str, Any]]) -> None:
        """Seal rows as `portal.models.sealing` does at a flush, and insert them."""
        table = cast(Table, model.__table__)
        names = sorted(column.key for column in table.columns if column.key not in ("seal", "row_version"))
        keys = [column.key for column in table.primary_key.columns]
        for row in rows:
            row |= {"log_entry": self.entry, "row_version": 1}
            key = "/".join(str(row[name]) for name in keys)
            row["seal"] = self.seals.rows.seal(table.name, key, 1, [(name, row[name]) for name in names])
        connection.execute(insert(model), rows)


def _nations(policy: SecurityPolicy) -> list[str]:
    tag = next(tag for tag in policy.tags if tag.name == "Releasable To")
    return sorted(item.name for item in tag.categories)


def held_nations(policy: SecurityPolicy) -> list[str]:
    """Return the half of the nations that clearances hold, so that lists have labels to leave out."""
    return _nations(policy)[::2]


def distinct_labels(policy: SecurityPolicy) -> Iterator[Label]:
    """Yield labels that are all different: each level alone, then releasable to one nation, then to two."""
    for level in LEVELS:
        yield policy.compose(level)
    nations = _nations(policy)
    for count in (1, 2):
        for released in itertools.combinations(nations, count):
            for level in LEVELS:
                # Not every nation may stand with every level.
                with suppress(InvalidLabel):
                    yield policy.compose(level, {"Releasable To": released})


def main() -> None:
    folder, documents = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else Size.documents
    build(folder, Size(documents)).runtime.close()


if __name__ == "__main__":
    main()
