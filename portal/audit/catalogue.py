"""The closed, typed catalogue of what the access log records: every action, what it means, and its details.

Nothing is recorded that is not listed here. Details carry identifiers, digests, numbers and codes, never
titles, names, addresses or free text: those go into the log as salted commitments (`PRIVATE_NAMES`). Values
are stored for ever, so an action or a key is added, never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from portal.audit.key_actions import KEY_ACTIONS
from portal.audit.kinds import Kind
from portal.errors import Invalid


@dataclass(frozen=True, slots=True)
class Entry:
    """One action of the catalogue.

    `outcomes`: its record is an intent, to be completed by a second record of the same action. `discloses`: a
    permitted record of it means that the actor was shown the document's content. `routine`: part of everybody's day
    (signing in, looking at a list), which pages may leave out; what was refused or failed is never routine.
    """

    action: str
    meaning: str
    details: Mapping[str, Kind]
    outcomes: bool = False
    discloses: bool = False
    routine: bool = False


COMMON: Mapping[str, Kind] = MappingProxyType(
    {
        "door": Kind.CODE,  # web, api, cli, job
        "problem": Kind.CODE,  # why it was refused or failed
        "status": Kind.COUNT,  # the HTTP status that was answered
    }
)
"""Details that every action may carry."""

LEDGER: Mapping[str, Kind] = MappingProxyType(
    {
        "subject": Kind.IDENTIFIER,  # person:ID, organisation:ID, programme:ID, document:ID, policy:OID
        "subject_version": Kind.COUNT,
        "subject_digest": Kind.DIGEST,
        "table": Kind.CODE,
        "row": Kind.IDENTIFIER,
        "row_version": Kind.COUNT,
        "row_digest": Kind.DIGEST,
        "withdrawn": Kind.FLAG,
    }
)
"""Details of the grants ledger: whose sealed rows changed, their new version and digest."""

PERIOD: Mapping[str, Kind] = MappingProxyType({"from": Kind.TIME, "until": Kind.TIME})

_EXAMINED = {"scan": Kind.CODE, "standing": Kind.CODE, "reasons": Kind.CODES, "signatures": Kind.TIME}
DEPOSIT: Mapping[str, Kind] = MappingProxyType(
    {
        "size": Kind.COUNT,
        "parts": Kind.COUNT,
        "digest": Kind.DIGEST,
        "parts_digest": Kind.DIGEST,
        "media_type": Kind.MEDIA_TYPE,
        "notices": Kind.CODES,
        **_EXAMINED,
        "row_version": Kind.COUNT,
        "row_digest": Kind.DIGEST,
    }
)

SHOWN: Mapping[str, Kind] = MappingProxyType(
    {"shown": Kind.COUNT, "shown_digest": Kind.DIGEST, "sort": Kind.CODE, "filters": Kind.CODES}
)

SELECTION: Mapping[str, Kind] = MappingProxyType(
    {
        "from": Kind.TIME,
        "until": Kind.TIME,
        "person": Kind.IDENTIFIER,
        "document": Kind.IDENTIFIER,
        "programme": Kind.IDENTIFIER,
        "organisation": Kind.IDENTIFIER,
        "action": Kind.CODE,
        "decision": Kind.CODE,
        "label": Kind.MARKING,
    }
)
"""A filter over the log, as the record of its use states it."""

ATTEMPTS: Mapping[str, Kind] = MappingProxyType(
    {"attempts": Kind.COUNT, "from": Kind.TIME, "until": Kind.TIME, "method": Kind.CODE}
)

KEY: Mapping[str, Kind] = MappingProxyType(
    {"key": Kind.IDENTIFIER, "key_kind": Kind.CODE, "version": Kind.COUNT, "domain": Kind.MARKING}
    | {
        "done": Kind.COUNT,
        "failed": Kind.COUNT,
        "until": Kind.TIME,
        "provider": Kind.CODE,
        "proof": Kind.DIGEST,
        "record": Kind.COUNT,
    }
)

PRIVATE_NAMES = frozenset(
    {
        "address",
        "comment",
        "description",
        "email",
        "file_name",
        "name",
        "path",
        "query",
        "reason",
        "title",
        "user_agent",
    }
)
"""What an event may hand over as `private`: it enters the log as a salted commitment only."""

CHANGE_OF_DOCUMENT = "grant.document"
"""What a change of a document's label, state or release is recorded as."""

_ROUTINE = frozenset(
    {
        "account.manage",
        "document.list",
        "document.search",
        "grant.show",
        "instruction.show",
        "job.run",
        "keys.show",
        "log.checkpoint",
        "log.read",
        "log.search",
        "organisation.manage",
        "policy.show",
        "programme.manage",
        "session.close",
        "session.open",
        "session.role",
        "system.status",
    }
)


def _entries() -> Mapping[str, Entry]:
    found: dict[str, Entry] = {}

    def add(
        action: str,
        meaning: str,
        *details: Mapping[str, Kind],
        outcomes: bool = False,
        discloses: bool = False,
    ) -> None:
        keys = dict(COMMON)
        for group in details:
            keys.update(group)
        found[action] = Entry(
            action, meaning, MappingProxyType(keys), outcomes, discloses, action in _ROUTINE
        )

    # Documents
    add("document.upload", "A new document was deposited.", DEPOSIT, outcomes=True)
    add("document.version", "A new version of a document was deposited.", DEPOSIT, outcomes=True)
    add(
        "upload.begin",
        "An upload in pieces was permitted; nothing of it is a document yet.",
        {"upload": Kind.IDENTIFIER, "size": Kind.COUNT},
        outcomes=True,
    )
    add(
        "upload.end",
        "An upload in pieces came to nothing, and what was stored of it was removed.",
        {"upload": Kind.IDENTIFIER, "size": Kind.COUNT, "cause": Kind.CODE},
    )
    add("document.list", "A page of the document list was shown.", SHOWN)
    add("document.search", "A search over documents was answered.", SHOWN)
    add("document.show", "A document's page was shown.", SHOWN)
    add(
        "document.read",
        "A document's content was handed out: as a download, in a ZIP or in the viewer.",
        {
            "size": Kind.COUNT,
            "ranges": Kind.IDENTIFIERS,
            "archive": Kind.IDENTIFIER,
            "ticket": Kind.IDENTIFIER,
            "digest": Kind.DIGEST,
        },
        outcomes=True,
        discloses=True,
    )
    add(
        "document.preview",
        "A picture or an extract of a document was shown.",
        {"page": Kind.COUNT, "ticket": Kind.IDENTIFIER, "size": Kind.COUNT, "ranges": Kind.IDENTIFIERS},
        outcomes=True,
        discloses=True,
    )
    add(
        "document.archive",
        "Several documents were asked for as one ZIP, whose dominant label this is; each is read on its own.",
        SHOWN,
        {"archive": Kind.IDENTIFIER},
    )
    add(
        "document.digest",
        "A digest of a document's content was computed, inside the portal: nothing of it was handed out.",
        outcomes=True,
    )
    add("document.scan", "A stored document was handed to the scanner, inside the portal.", outcomes=True)
    add(
        "document.verdict",
        "The scanner's verdict on a document took effect: it is handed out, or kept back.",
        _EXAMINED,
        outcomes=True,
    )
    add(
        "document.quarantine",
        "Security officers decided about a version that was kept back: admitted, or not.",
        LEDGER,
        {**_EXAMINED, "proposal": Kind.IDENTIFIER, "digest": Kind.DIGEST},
        outcomes=True,
    )
    add(
        "quarantine.show",
        "What is kept back was shown to an officer, or proposed and approved to be admitted.",
        SHOWN,
        LEDGER,
        {"proposal": Kind.IDENTIFIER, "digest": Kind.DIGEST, "until": Kind.TIME},
    )
    # The log itself
    add("log.search", "Records of the access log were shown.", SELECTION, SHOWN)
    add("log.read", "One record of the access log was shown.", {"record": Kind.COUNT, "proof": Kind.FLAG})
    add(
        "log.export",
        "Records of the access log were exported.",
        SELECTION,
        {
            "format": Kind.CODE,
            "records": Kind.COUNT,
            "first": Kind.COUNT,
            "last": Kind.COUNT,
            "root": Kind.DIGEST,
        },
        outcomes=True,
    )
    add("log.checkpoint", "A checkpoint of the log was signed.", {"size": Kind.COUNT, "root": Kind.DIGEST})
    add("log.verify", "The log was checked.", {"records": Kind.COUNT, "faults": Kind.COUNT})
    add("clock.jump", "The machine's clock stepped back.", {"last": Kind.TIME, "clock": Kind.TIME})
    # The grants ledger
    add(
        "grant.clearance",
        "A clearance was granted, changed or withdrawn.",
        LEDGER,
        PERIOD,
        {"classifications": Kind.MARKINGS, "categories_digest": Kind.DIGEST},
        outcomes=True,
    )
    add("grant.membership", "A programme membership was granted or ended.", LEDGER, PERIOD, outcomes=True)
    add(
        "grant.briefing",
        "A briefing was recorded or withdrawn.",
        LEDGER,
        PERIOD,
        {"classifications": Kind.MARKINGS, "categories_digest": Kind.DIGEST},
        outcomes=True,
    )
    add("grant.role", "A role was given or taken.", LEDGER, PERIOD, {"role": Kind.CODE}, outcomes=True)
    add("grant.account", "What a person signs in with, or their state, changed.", LEDGER, outcomes=True)
    add("grant.organisation", "An organisation's sealed rows changed.", LEDGER, PERIOD, outcomes=True)
    add("grant.programme", "A programme's sealed rows changed.", LEDGER, PERIOD, outcomes=True)
    for action, meaning in (
        ("grant.document", "A document's label, state, release or originator's control changed."),
        ("grant.consent", "What a document's originator agrees to was recorded, or the consent ended."),
    ):
        add(
            action,
            meaning,
            LEDGER,
            PERIOD,
            {"act": Kind.CODE, "party": Kind.IDENTIFIER, "digest": Kind.DIGEST},
            outcomes=True,
        )
    add(
        "grant.policy",
        "An approved security policy was put into force in place of the former.",
        LEDGER,
        {
            "proposal": Kind.IDENTIFIER,
            "digest": Kind.DIGEST,
            "former": Kind.DIGEST,
            "approver": Kind.IDENTIFIER,
        },
        outcomes=True,
    )
    for action, meaning in (
        ("grant.facility", "An organisation's facility clearance was granted or ended."),
        ("grant.instruction", "A security instruction was put into force or ended."),
        (
            "grant.setting",
            "How documents of a classification are handled changed: handling, networks, hours.",
        ),
    ):
        add(
            action,
            meaning,
            LEDGER,
            PERIOD,
            {"classifications": Kind.MARKINGS, "setting": Kind.CODE, "value_digest": Kind.DIGEST},
            outcomes=True,
        )
    add("instruction.show", "A security instruction was shown to those whom it concerns.", SHOWN)
    add("instruction.acknowledge", "A person acknowledged a security instruction.", LEDGER, outcomes=True)
    for action, meaning in (
        ("policy.propose", "A security policy was proposed, or the proposal withdrawn."),
        ("policy.approve", "An officer approved exactly what is proposed, for a time."),
    ):
        add(
            action,
            meaning,
            LEDGER,
            {"proposal": Kind.IDENTIFIER, "digest": Kind.DIGEST, "until": Kind.TIME},
            outcomes=True,
        )
    add(
        "policy.show",
        "Policies, proposals or what a policy would change were shown.",
        SHOWN,
        {"digest": Kind.DIGEST},
    )
    for action, meaning in (
        (
            "destruction.propose",
            "An officer requested a document's destruction, or the request was withdrawn.",
        ),
        ("destruction.approve", "An officer approved exactly what is to be destroyed, for a time."),
        ("document.destroy", "A document's wrapped keys were erased: nothing of it can be opened any more."),
        ("destruction.certify", "Manifests and blobs of a destroyed document are gone; it was certified."),
        ("spill.contain", "An officer contained a document, or the containment ended."),
    ):
        add(
            action,
            meaning,
            LEDGER,
            {
                "proposal": Kind.IDENTIFIER,
                "digest": Kind.DIGEST,
                "until": Kind.TIME,
                "approver": Kind.IDENTIFIER,
                "versions": Kind.COUNT,
                "objects": Kind.COUNT,
                "readers": Kind.COUNT,
            },
            outcomes=True,
        )
    add("destruction.show", "Requests of destruction, or certificates, were shown.", SHOWN)
    add("spill.show", "Contained documents, or the report on one, were shown.", SHOWN)
    add("grant.show", "An officer looked at people, or at what they were granted.", SHOWN)
    add("access.explain", "An officer asked why a person may or may not open a document.", SHOWN)
    # Accounts, organisations, programmes
    for action, meaning in (
        ("account.manage", "Accounts were looked at or managed."),
        ("account.create", "An account was created."),
        ("account.invite", "A one-time link was issued."),
        ("account.activate", "An account was activated through its one-time link."),
        ("account.change", "An account was changed."),
        ("account.lock", "An account was locked."),
        ("account.unlock", "An account was unlocked."),
        ("account.password", "A password was set."),
        ("account.factor", "A second factor was added or removed."),
        ("account.recover", "An account was recovered."),
        ("organisation.manage", "Organisations were looked at or managed."),
        ("organisation.create", "An organisation was created."),
        ("organisation.change", "An organisation was changed."),
        ("programme.manage", "Programmes were looked at or managed."),
        ("programme.create", "A programme was created."),
        ("programme.change", "A programme was changed."),
    ):
        add(
            action,
            meaning,
            LEDGER,
            SHOWN,
            {"method": Kind.CODE, "until": Kind.TIME},
            outcomes=not action.endswith(".manage"),
        )
    # Sign-in
    add("session.open", "A person signed in.", {"method": Kind.CODE, "until": Kind.TIME}, outcomes=True)
    add("session.role", "A person chose the role to act in.", {"role": Kind.CODE}, outcomes=True)
    add("session.close", "A session ended.", {"cause": Kind.CODE}, outcomes=True)
    add("session.refused", "A sign-in failed, or failed attempts were counted.", ATTEMPTS)
    add(
        "token.create",
        "An API token was created.",
        LEDGER,
        {"token": Kind.IDENTIFIER, "until": Kind.TIME, "scope": Kind.CODES},
        outcomes=True,
    )
    add(
        "token.revoke",
        "An API token was revoked.",
        LEDGER,
        {"token": Kind.IDENTIFIER, "cause": Kind.CODE},
        outcomes=True,
    )
    add("token.refused", "An API token was refused.", ATTEMPTS, {"token": Kind.IDENTIFIER})
    add("request.refused", "A request was refused, or refused requests were counted.", ATTEMPTS)
    # The portal
    add(
        "tamper.detected",
        "Stored data did not match its seal and was refused.",
        {
            "table": Kind.CODE,
            "row": Kind.IDENTIFIER,
            "store": Kind.CODE,
            "object": Kind.IDENTIFIER,
            "subject": Kind.IDENTIFIER,
        },
    )
    add(
        "policy.activated",
        "A security policy was put into force.",
        {"name": Kind.MARKING, "digest": Kind.DIGEST},
    )
    add("settings.changed", "Settings differ from those of the last start.", {"names": Kind.CODES})
    for action, meaning in KEY_ACTIONS.items():
        add(action, meaning, KEY, SHOWN)
    add(
        "portal.start",
        "The portal started.",
        {"release": Kind.IDENTIFIER, "size": Kind.COUNT, "root": Kind.DIGEST},
    )
    add("portal.stop", "The portal stopped.")
    add("portal.tidied", "What an interrupted upload had left was removed.", {"objects": Kind.COUNT})
    add(
        "storage.verify",
        "Database, manifests, blobs, keys and log were compared with one another.",
        {
            "documents": Kind.COUNT,
            "versions": Kind.COUNT,
            "parts": Kind.COUNT,
            "size": Kind.COUNT,
            "rows": Kind.COUNT,
            "records": Kind.COUNT,
            "seconds": Kind.COUNT,
            "faults": Kind.COUNT,
            "kinds": Kind.CODES,
            "unchecked": Kind.COUNT,
        },
    )
    add("storage.repair", "What follows from other stored things was written anew.", {"objects": Kind.COUNT})
    add("system.status", "The state of the portal's services was shown.")
    add("job.run", "A background job ran.", {"job": Kind.CODE, "done": Kind.COUNT, "failed": Kind.COUNT})
    return MappingProxyType(found)


CATALOGUE: Mapping[str, Entry] = _entries()
"""Every action that can be recorded, by its name."""


def entry(action: str) -> Entry:
    """Return the catalogue's entry; raises Invalid for an action that is not in it."""
    found = CATALOGUE.get(action)
    if found is None:
        raise Invalid(f"no action “{action}” is in the log's catalogue")
    return found


def check_details(found: Entry, details: Mapping[str, object]) -> None:
    """Raise Invalid unless every key is in the entry's schema and every value is of its kind."""
    for key, value in details.items():
        kind = found.details.get(key)
        if kind is None:
            raise Invalid(f"{found.action} has no detail “{key}”")
        if not kind.holds(value):
            raise Invalid(f"{found.action}: the detail “{key}” is not a {kind.value}")


def describe() -> str:
    """Write the catalogue as the Markdown that the documentation carries."""
    lines = ["| action | meaning | intent and outcome | details |", "|---|---|---|---|"]
    for name in sorted(CATALOGUE):
        found = CATALOGUE[name]
        keys = ", ".join(
            f"`{key}` ({kind.value})" for key, kind in sorted(found.details.items()) if key not in COMMON
        )
        lines.append(f"| `{name}` | {found.meaning} | {'yes' if found.outcomes else ''} | {keys} |")
    return "\n".join(lines) + "\n"
