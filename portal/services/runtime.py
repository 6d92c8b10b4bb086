"""The running portal: every service, put together once from the settings and handed to web, API, commands and jobs."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from crypto.keyring import SEALING_KINDS, KeyRing
from crypto.sealed import RowSealer, ValueSealer
from crypto.translog.note import NoteSigner, Signature, Verifier, key_id
from portal import migrations
from portal.audit import AuditLog, open_log_engine
from portal.clock import Clock, system_clock
from portal.errors import Unavailable
from portal.identity.credentials import Credentials
from portal.identity.links import Links
from portal.identity.passwords import PasswordHasher
from portal.identity.sessions import SessionLimits, Sessions
from portal.identity.sign_in import SignIn
from portal.identity.tokens import Tokens
from portal.models import Seals
from portal.models.database import Database, make_engine
from portal.scanning.scanners import Scanner, open_scanner
from portal.services.access import Access
from portal.services.account import Account
from portal.services.alarm import Alarm
from portal.services.archive import Archive
from portal.services.auditing import Auditing
from portal.services.bindings import Bindings
from portal.services.circumstances import Circumstances
from portal.services.deposit import Deposit
from portal.services.destruction import Destruction
from portal.services.directory import Directory
from portal.services.documents import Documents
from portal.services.erasure import Erasure
from portal.services.explain import Explain
from portal.services.filing import Filing
from portal.services.finder import Finder
from portal.services.fsck import Fsck
from portal.services.grants import Grants
from portal.services.housekeeping import Housekeeping
from portal.services.inspections import Inspections
from portal.services.key_seal import KeySeal
from portal.services.keys import Keys
from portal.services.labels import LabelReader
from portal.services.log_names import NameReader
from portal.services.manifests import Manifests
from portal.services.names import Names
from portal.services.pages import Cursors
from portal.services.people import People
from portal.services.picker import Picker
from portal.services.policy_changes import PolicyChanges
from portal.services.quarantine import Quarantine
from portal.services.quotas import Quotas
from portal.services.readership import Readership
from portal.services.receipts import Receipts
from portal.services.receiving import Receiving
from portal.services.reencryption import Reencryption
from portal.services.release import Release
from portal.services.releases import Releases
from portal.services.resumable import Resumable
from portal.services.root_keys import open_ring
from portal.services.rotations import Rotations
from portal.services.security_policy import ActivePolicy
from portal.services.spills import Spills
from portal.services.status import Status
from portal.services.titles import Titles
from portal.services.tracing import Tracing
from portal.services.uploads import UploadRegister
from portal.settings import Settings, SettingsError
from portal.storage import open_store


@dataclass(frozen=True)
class Runtime:
    """Everything that doors call, and what ends with the process."""

    settings: Settings
    clock: Clock
    node: str
    cookie_key: bytes
    database: Database
    log: AuditLog
    log_engine: Engine
    alarm: Alarm
    access: Access
    account: Account
    archive: Archive
    auditing: Auditing
    bindings: Bindings
    circumstances: Circumstances
    deposit: Deposit
    destruction: Destruction
    quarantine: Quarantine
    documents: Documents
    explain: Explain
    finder: Finder
    fsck: Fsck
    grants: Grants
    housekeeping: Housekeeping
    inspections: Inspections
    links: Links
    manifests: Manifests
    people: People
    picker: Picker
    policy_changes: PolicyChanges
    readership: Readership
    receipts: Receipts
    resumable: Resumable
    release: Release
    ring: KeyRing
    key_seal: KeySeal
    rotations: Rotations
    reencryption: Reencryption
    keys: Keys
    releases: Releases
    spills: Spills
    status: Status
    titles: Titles
    tracing: Tracing

    def close(self) -> None:
        """Commit what is queued in the log and close both databases."""
        self.resumable.close()
        self.inspections.close()
        self.log.close()
        self.log_engine.dispose()
        self.database.close()


class LogSigner:
    """Signs checkpoints with the ring's current log-signing key, opened on use."""

    def __init__(self, ring: KeyRing, origin: str) -> None:
        self._ring = ring
        self.name = origin

    @property
    def vkey(self) -> str:
        """The verifier key line."""
        return Verifier(self.name, self._ring.signer("log-signing").public_key).vkey

    def verifiers(self) -> Sequence[Verifier]:
        """Return what checks every signature that was ever made for the log."""
        return [Verifier(self.name, key.public_key) for key in self._ring.signers("log-signing")]

    def sign(self, text: bytes) -> Signature:
        """Sign the note's text."""
        key = self._ring.signer("log-signing")
        return Signature(self.name, key_id(self.name, key.public_key), key.sign(text))


def open_portal(settings: Settings, clock: Clock = system_clock) -> Runtime:
    """Open an initialised installation; raises Unavailable (with the mend) when keys, database or log are not there."""
    if not (settings.database_url or (settings.data / "portal.db").exists()):
        raise Unavailable(
            f"There is no installation in {settings.data}.", mend="Run `strongroom init` first."
        )
    engine = make_engine(settings.portal_database)
    _refuse_older_schema(engine, settings)
    ring = open_ring(settings, engine, clock)
    values = ValueSealer(ring)
    database = Database(engine, Seals(RowSealer(ring), values))
    node = settings.node or socket.gethostname()[:60] or "node"
    log_engine = open_log_engine(settings.log_place)
    signer: NoteSigner = LogSigner(ring, settings.name)
    log = AuditLog(
        log_engine,
        clock=clock,
        node=node,
        sealer=values,
        signer=signer,
        origin=settings.name,
        anchor=settings.anchor_file,
    )
    # Opened now: a key that is made on first use inside a transaction would wait for that transaction.
    for kind in SEALING_KINDS:
        ring.sealing(kind)
    runtime = _assemble(settings, clock, node, ring, values, database, log, log_engine)
    runtime.key_seal.look(now=True)
    return runtime


def _refuse_older_schema(engine: Engine, settings: Settings) -> None:
    """A newer schema is taken: while a new version is rolled out, nodes of the former one go on."""
    try:
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError as fault:
        raise Unavailable(
            "The database does not answer.", mend="Start it, and look at `strongroom doctor`."
        ) from fault
    if found is None or migrations.number(found) < migrations.newest():
        raise Unavailable(
            f"The database has the schema {found}, older than this version of Strongroom.",
            mend=f"Stop every node, then run `strongroom migrate --data {settings.data}`.",
        )


def _assemble(
    settings: Settings,
    clock: Clock,
    node: str,
    ring: KeyRing,
    values: ValueSealer,
    database: Database,
    log: AuditLog,
    log_engine: Engine,
) -> Runtime:
    blobs = open_store(settings)
    alarm = Alarm(log)
    policy = ActivePolicy(database, lambda fault: alarm.report(fault, None))
    access = Access(log, policy, settings, clock)
    labels = LabelReader(policy)
    titles = Titles(ring)
    cursors = Cursors(values)
    log_names = NameReader(database.seals, alarm)
    names = Names(database)
    directory = Directory(database, cursors, clock, alarm, names)
    uploads = UploadRegister(database, log, access, blobs, clock, node)
    filing = Filing(database, log, access, titles)
    release = Release(database, log, access, ring, blobs, alarm)
    inspections = Inspections(database, log, access, release, _scanner(settings), settings, clock, alarm)
    receiving = Receiving(
        database, access, ring, blobs, filing, uploads, Quotas(database, settings), clock, inspections
    )
    deposit = Deposit(database, access, labels, receiving, settings)
    resumable = Resumable(database, log, access, ring, deposit, alarm, settings, clock)
    manifests = Manifests(database, access, ring, blobs)
    fsck = Fsck(database, log, log_engine, settings.anchor_file, ring, blobs, titles, manifests, alarm)
    key_seal = KeySeal(log, ring)
    rotations = Rotations(database, log, ring, manifests, alarm, settings, clock, node)
    hasher = PasswordHasher(
        memory=settings.argon2_memory,
        rounds=settings.argon2_rounds,
        at_once=settings.argon2_at_once,
    )
    erasure = Erasure(database, log, access, ring, blobs, settings, clock)
    limits = SessionLimits(
        idle=timedelta(minutes=settings.session_idle_minutes),
        absolute=timedelta(hours=settings.session_hours),
    )
    sessions = Sessions(database, log, clock, limits)
    links = Links(database, log, clock, hasher)
    tokens = Tokens(database, log, clock)
    sign_in = SignIn(database, log, clock, hasher, sessions)
    credentials = Credentials(database, log, clock, hasher)
    documents = Documents(database, log, access, labels, titles, cursors, alarm)
    return Runtime(
        settings=settings,
        clock=clock,
        node=node,
        cookie_key=_cookie_key(ring),
        database=database,
        log=log,
        log_engine=log_engine,
        alarm=alarm,
        access=access,
        account=Account(database, log, clock, settings, sign_in, sessions, tokens, links, credentials),
        archive=Archive(release, access, log),
        auditing=Auditing(log, database, access, cursors, log_names, clock),
        bindings=Bindings(release, policy, ring, settings.name),
        circumstances=Circumstances(database, log, access, clock, alarm),
        deposit=deposit,
        quarantine=Quarantine(database, log, access, clock, alarm),
        destruction=Destruction(database, log, access, titles, clock, alarm, erasure),
        documents=documents,
        explain=Explain(database, log, access, alarm),
        finder=Finder(database, log, access, alarm, names),
        fsck=fsck,
        grants=Grants(database, log, access, clock, cursors, alarm, directory),
        housekeeping=Housekeeping(database, log, uploads, resumable, blobs, clock, erasure),
        inspections=inspections,
        links=links,
        manifests=manifests,
        people=People(
            database, log, access, clock, links, sessions, directory, alarm, link_hours=settings.link_hours
        ),
        picker=Picker(database, access, settings),
        readership=Readership(database, log),
        receipts=Receipts(log, documents),
        resumable=resumable,
        policy_changes=PolicyChanges(database, log, access, policy, clock, alarm),
        release=release,
        ring=ring,
        key_seal=key_seal,
        rotations=rotations,
        reencryption=Reencryption(database, log, access, ring, blobs, manifests, uploads, alarm),
        keys=Keys(database, log, access, ring, rotations, key_seal, settings, clock),
        releases=Releases(database, log, access, clock, alarm),
        spills=Spills(database, log, access, titles, clock, alarm),
        status=Status(database, log, access, settings, clock, fsck),
        titles=titles,
        tracing=Tracing(database, log, access, cursors, log_names, names, alarm),
    )


def _scanner(settings: Settings) -> Scanner | None:
    if not settings.scanner:
        return None
    try:
        return open_scanner(settings.scanner, limit=settings.scanner_limit, seconds=settings.scanner_seconds)
    except ValueError as fault:
        raise SettingsError(
            f"scanner: {settings.scanner!r} is no scanner's address ({fault}). Correct it."
        ) from None


def _cookie_key(ring: KeyRing) -> bytes:
    key = ring.sealing("session")
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"strongroom cookie").derive(key.material)
