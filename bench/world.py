"""A large installation for benchmarks, generated fast: every row is sealed with the installation's own keys.

Documents have a head, a version and a title; their content is not there, because pages never open it.
`python -m bench.world FOLDER [full]` leaves one in a folder, which `bench.pages --in FOLDER` measures.
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
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench.crowd import LEVELS, Crowd, Rows, nations, record_month
from crypto.keyring import DekContext, Domain
from crypto.keys import Dek
from crypto.parts import Part, parts_digest
from crypto.segments import ciphertext_length
from crypto.titlepack import PackEntry, seal_piece
from policies import InvalidLabel, Label, SecurityPolicy
from policies.requests import Role
from portal import models
from portal.audit import Event
from portal.cli.demonstration.clock import HistoryClock
from portal.clock import system_clock
from portal.identity.sessions import SessionLimits, Sessions
from portal.models.base import microseconds
from portal.services import installation
from portal.services.root_keys import open_ring
from portal.services.runtime import Runtime, open_portal
from portal.settings import Settings, load_settings

BATCH = 5_000
PIECE = 4_096
LABELS_EACH, SENDERS_EACH = 24, 4
COMMON, RARE = "report", "zinnia"
FACTS = "world.json"
HISTORY = timedelta(days=31)
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
    """How large a world is; `idle` programmes have no documents, and one person is a member of these too."""

    documents: int = 100_000
    programmes: int = 20
    labels: int = 40
    companies: int = 10
    people: int = 0
    records: int = 0
    idle: int = 0


FULL = Size(1_000_000, 500, 2_000, companies=200, people=10_000, records=200_000, idle=9_500)
"""The world for which `web.md` states its limits."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who measures: an API token and a browser's session, both as strong as two factors."""

    id: str
    token: str
    session: str


@dataclass(frozen=True, slots=True)
class World:
    """An open installation, its people by what they are, and what may be looked for in it."""

    runtime: Runtime
    organisation: str
    companies: tuple[str, ...]
    programmes: tuple[str, ...]
    labels: tuple[Label, ...]
    people: dict[str, Person]

    @property
    def policy(self) -> SecurityPolicy:
        return self.runtime.access.policy

    @property
    def official(self) -> Person:
        """A member of every programme, cleared to everything but half of the nations: the most work."""
        return self.people["official"]

    @property
    def partner(self) -> Person:
        return self.people["partner"]

    def save(self) -> None:
        """Write beside the data what `open_world` needs; sessions in it hold for ten hours."""
        facts = {
            "organisation": self.organisation,
            "companies": self.companies,
            "programmes": self.programmes,
            "labels": len(self.labels),
            "people": {name: asdict(person) for name, person in self.people.items()},
        }
        (self.runtime.settings.data / FACTS).write_text(json.dumps(facts))


def open_world(folder: Path) -> World:
    """Open a world that was saved."""
    facts = json.loads((folder / FACTS).read_text())
    runtime = open_portal(load_settings({}, folder))
    return World(
        runtime,
        facts["organisation"],
        tuple(facts["companies"]),
        tuple(facts["programmes"]),
        tuple(itertools.islice(distinct_labels(runtime.access.policy), facts["labels"])),
        {name: Person(**person) for name, person in facts["people"].items()},
    )


def settings_in(folder: Path, database_url: str = "") -> Settings:
    """Write the settings of an installation for benchmarks and return them; `strongroom serve` reads the same."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "demonstration = true",
        "requests_per_minute = 1000000",
        "token_requests_per_minute = 1000000",
        "session_idle_minutes = 600",
        # Its keys are as old as its history: no rotation is to run beside what is measured.
        "key_rotation_days = 36500",
    ]
    if database_url:
        lines.append(f'database_url = "{database_url}"')
    (folder / "settings.toml").write_text("\n".join(lines) + "\n")
    return load_settings({}, folder)


def build(folder: Path, size: Size, *, seed: int = 3, database_url: str = "") -> World:
    """Create an installation with `size` in `folder`, its business data in SQLite there or in an empty database."""
    return _Builder(settings_in(folder, database_url), size, random.Random(seed)).build()


class _Builder:
    def __init__(self, settings: Settings, size: Size, chance: random.Random) -> None:
        self.settings = settings
        self.size = size
        self.chance = chance
        self.now = system_clock()
        self.clock = HistoryClock(system_clock, self.now - HISTORY)
        self.runtime = installation.create(settings, self.clock)
        self.database = self.runtime.database
        self.seals = self.database.seals
        entry = self.runtime.log.append(Event(action="portal.start", details={"size": 0})).seq
        self.rows = Rows(self.seals, entry)
        self.ring = open_ring(settings, self.database.engine, self.clock)

    def build(self) -> World:
        policy = self.runtime.access.policy
        crowd = Crowd(self.rows, policy, self.chance, self.now - HISTORY)
        labels = tuple(itertools.islice(distinct_labels(policy), self.size.labels))
        with self.database.engine.execution_options(immediate=True).begin() as connection:
            organisation = crowd.organisation(connection, "Programme Office", "BEL")
            companies = tuple(
                crowd.organisation(connection, f"Company {n}", "FRA") for n in range(self.size.companies)
            )
            programmes = crowd.programmes(connection, self.size.programmes, organisation)
            crowd.people(connection, self.size.people, [organisation, *companies], programmes)
            idle = crowd.programmes(connection, self.size.idle, organisation, "Idle programme")
            partner = (companies[-1], Role.PARTNER, programmes, LEVELS)
            measuring = {
                "official": (organisation, Role.OFFICIAL, programmes, LEVELS),
                "broad": (organisation, Role.OFFICIAL, (*programmes, *idle), LEVELS),
                "typical": (organisation, Role.OFFICIAL, programmes[:12], LEVELS),
                "narrow": (organisation, Role.OFFICIAL, programmes[-1:], LEVELS[:2]),
                "partner": partner,
                "officer": (organisation, Role.OFFICER, (), ()),
                "auditor": (organisation, Role.AUDITOR, (), ()),
                "administrator": (organisation, Role.ADMINISTRATOR, (), ()),
            }
            ids = {name: crowd.person(connection, name, *what) for name, what in measuring.items()}
        self.documents(organisation, companies, programmes, labels)
        record_month(self.runtime, self.clock, self.size.records, self.chance)
        self.clock.present()
        people = {name: self.entered(person_id) for name, person_id in ids.items()}
        self.runtime.log.checkpoint()
        world = World(self.runtime, organisation, companies, programmes, labels, people)
        world.save()
        return world

    def entered(self, person_id: str) -> Person:
        """Give somebody an API token and a session."""
        runtime = self.runtime
        token, _ = runtime.account._tokens.create(person_id, "bench", 30, 2, 2)
        sessions = Sessions(self.database, runtime.log, runtime.clock, SessionLimits())
        secret, _ = sessions.open(person_id, 2, None, None)
        return Person(person_id, token, secret)

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
            self.rows.put(connection, models.LabelRecord, rows)
            counters: Counter[tuple[str, int, str, str, str]] = Counter()
            packs: dict[str, list[PackEntry]] = {programme: [] for programme in programmes}
            habits = {programme: self.habit(labels, companies) for programme in programmes}
            step = timedelta(days=730) / max(1, self.size.documents)
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
                    created = microseconds(head["created"])
                    packs[head["programme_id"]].append(PackEntry(head["id"], digests[index], title, created))
                self.rows.put(connection, models.Document, heads)
                self.rows.put(connection, models.Version, versions)
            names = [column.key for column in models.Counter.__table__.primary_key.columns]
            connection.execute(
                insert(models.Counter),
                [
                    dict(zip(names, key, strict=True), number=number, changed=1)
                    for key, number in counters.items()
                ],
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


def distinct_labels(policy: SecurityPolicy) -> Iterator[Label]:
    """Yield labels that are all different: each level alone, then releasable to one nation, to two, to three."""
    seen: set[Label] = set()
    every = nations(policy)
    for count in range(4):
        for released in itertools.combinations(every, count):
            for level in LEVELS:
                # Not every nation may stand with every level, and some are implied.
                with suppress(InvalidLabel):
                    label = policy.compose(level, {"Releasable To": released} if released else {})
                    if label not in seen:
                        seen.add(label)
                        yield label


def main() -> None:
    build(Path(sys.argv[1]), FULL if "full" in sys.argv else Size()).runtime.close()


if __name__ == "__main__":
    main()
