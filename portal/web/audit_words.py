"""The access log in plain words: a sentence for every action, rules and problems said as people would say them.

A deed is written twice: as it was done ("downloaded {document}") and as it was meant ("download {document}"), which
refusals, failures and what has no recorded end take. What stands in braces becomes a name or a link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from portal.audit.catalogue import CATALOGUE
from portal.audit.search import LogEntry
from portal.web.custody_words import CUSTODY_DEEDS
from portal.web.key_words import KEY_DEEDS


@dataclass(frozen=True, slots=True)
class Deed:
    """An action in words: what was `done`, what was `meant`, its icon; `undone` where it takes a grant back."""

    done: str
    meant: str
    icon: str
    undone: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that nobody did, in one sentence; `alarm` where it always reads like a refusal."""

    words: str
    icon: str
    alarm: bool = False


DEEDS: Mapping[str, Deed | Happening] = MappingProxyType(
    {
        "document.upload": Deed("sent a new document, {number}", "send a new document", "upload"),
        "document.version": Deed(
            "sent version {version} of {document}", "send a new version of {document}", "upload"
        ),
        "upload.begin": Deed("began to send a document in pieces", "send a document in pieces", "upload"),
        "upload.end": Deed(
            "gave up sending a document in pieces", "end the sending of a document in pieces", "upload"
        ),
        "document.list": Deed("looked at a list of documents", "look at a list of documents", "list"),
        "document.search": Deed(
            "searched the titles of documents", "search the titles of documents", "search"
        ),
        "document.show": Deed("opened the page of {document}", "open the page of {document}", "file-text"),
        "document.read": Deed("downloaded {document}", "download {document}", "download"),
        "document.preview": Deed("viewed {document}", "view {document}", "eye"),
        "document.archive": Deed(
            "asked for several documents as one ZIP", "have several documents as one ZIP", "file-zip"
        ),
        "document.quarantine": Deed(
            "decided whether {document} leaves quarantine",
            "decide whether {document} leaves quarantine",
            "alert-triangle",
        ),
        "quarantine.show": Deed(
            "looked at what is kept back, or asked to admit it",
            "look at what is kept back",
            "alert-triangle",
        ),
        "document.scan": Deed(
            "{document} was handed to the malware scanner",
            "have {document} scanned",
            "shield-check",
        ),
        "document.verdict": Deed(
            "the scanner's verdict on {document} took effect",
            "let a verdict on {document} take effect",
            "shield-check",
        ),
        "document.digest": Deed(
            "asked for the signed label of {document}, for which the portal computed its digest",
            "have a digest of {document} computed",
            "shield-check",
        ),
        "log.search": Deed("looked at the access log", "look at the access log", "timeline"),
        "log.read": Deed(
            "looked at entry {record} of the access log", "look at an entry of the access log", "timeline"
        ),
        "log.export": Deed("exported the access log", "export the access log", "file-export"),
        "log.checkpoint": Happening("The portal signed a checkpoint of the log", "shield-check"),
        "log.verify": Deed("checked the access log", "check the access log", "shield-check"),
        "clock.jump": Happening("The clock of the machine stepped back", "clock", alarm=True),
        "grant.clearance": Deed(
            "granted {target} a clearance",
            "grant or withdraw a clearance of {target}",
            "certificate",
            "withdrew a clearance of {target}",
        ),
        "grant.membership": Deed(
            "made {target} a member of {programme}",
            "change the membership of {target} in {programme}",
            "certificate",
            "ended the membership of {target} in {programme}",
        ),
        "grant.briefing": Deed(
            "recorded a briefing of {target}",
            "record or withdraw a briefing of {target}",
            "certificate",
            "withdrew a briefing of {target}",
        ),
        "grant.role": Deed(
            "gave {target} the role {role}",
            "give or take a role of {target}",
            "certificate",
            "took the role {role} from {target}",
        ),
        "grant.account": Deed(
            "changed what {target} signs in with, or the state of the account",
            "change what {target} signs in with, or the state of the account",
            "key",
        ),
        "grant.organisation": Deed(
            "changed what stands of {organisation}", "change what stands of {organisation}", "building"
        ),
        "grant.programme": Deed(
            "changed what stands of {programme}", "change what stands of {programme}", "folder"
        ),
        "grant.document": Deed(
            "changed the label, state or release of {document}",
            "change the label, state or release of {document}",
            "file",
        ),
        "grant.consent": Deed(
            "recorded what the originator of {document} agrees to",
            "record what the originator of {document} agrees to",
            "certificate",
            "ended a consent of the originator of {document}",
        ),
        "grant.policy": Deed(
            "put an approved security policy into force",
            "put a security policy into force",
            "scale",
        ),
        "grant.facility": Deed(
            "changed for what the premises of an organisation are cleared",
            "change for what the premises of an organisation are cleared",
            "building",
        ),
        "grant.instruction": Deed(
            "issued or ended a security instruction",
            "issue or end a security instruction",
            "clipboard-list",
        ),
        "grant.setting": Deed(
            "changed how documents of a level are handled",
            "change how documents of a level are handled",
            "scale",
        ),
        "instruction.show": Deed(
            "looked at the security instructions",
            "look at the security instructions",
            "clipboard-list",
        ),
        "instruction.acknowledge": Deed(
            "acknowledged a security instruction",
            "acknowledge a security instruction",
            "clipboard-list",
        ),
        "policy.propose": Deed(
            "proposed a security policy or withdrew a proposal",
            "propose a security policy or withdraw a proposal",
            "scale",
        ),
        "policy.approve": Deed(
            "approved a proposed security policy",
            "approve a proposed security policy",
            "scale",
        ),
        "policy.show": Deed(
            "looked at security policies or proposals",
            "look at security policies or proposals",
            "scale",
        ),
        "grant.show": Deed(
            "looked at people and what they were granted",
            "look at people and what they were granted",
            "users",
        ),
        "access.explain": Deed(
            "asked why {target} may or may not open {document}",
            "ask why {target} may or may not open {document}",
            "help-circle",
        ),
        "account.manage": Deed("looked at accounts", "look at or manage accounts", "users"),
        "account.create": Deed("created the account of {target}", "create an account", "user"),
        "account.invite": Deed(
            "issued a one-time link for {target}", "issue a one-time link for {target}", "mail"
        ),
        "account.activate": Deed(
            "activated the account of {target}", "activate the account of {target}", "user"
        ),
        "account.change": Deed("changed the account of {target}", "change the account of {target}", "user"),
        "account.lock": Deed("locked the account of {target}", "lock the account of {target}", "lock"),
        "account.unlock": Deed("unlocked the account of {target}", "unlock the account of {target}", "key"),
        "account.password": Deed("set a password for {target}", "set a password for {target}", "key"),
        "account.factor": Deed(
            "added or removed a second factor of {target}", "add or remove a second factor of {target}", "key"
        ),
        "account.recover": Deed(
            "recovered the account of {target}", "recover the account of {target}", "key"
        ),
        "organisation.manage": Deed("looked at organisations", "look at or manage organisations", "building"),
        "organisation.create": Deed(
            "created the organisation {organisation}", "create an organisation", "building"
        ),
        "organisation.change": Deed("changed {organisation}", "change {organisation}", "building"),
        "programme.manage": Deed("looked at programmes", "look at or manage programmes", "folder"),
        "programme.create": Deed("created the programme {programme}", "create a programme", "folder"),
        "programme.change": Deed(
            "changed the programme {programme}", "change the programme {programme}", "folder"
        ),
        "session.open": Deed("signed in", "sign in", "key"),
        "session.close": Deed("signed out", "sign out", "logout"),
        "session.role": Deed(
            "chose which of their roles to act in", "act in another of their roles", "switch-horizontal"
        ),
        "session.refused": Happening("A sign-in as {target} was refused", "circle-x", alarm=True),
        "token.create": Deed("made an API token", "make an API token", "key"),
        "token.revoke": Deed("revoked an API token", "revoke an API token", "key"),
        "token.refused": Happening("An API token was refused", "circle-x", alarm=True),
        "request.refused": Happening("A request of {who} was refused", "circle-x", alarm=True),
        "tamper.detected": Happening(
            "Stored data did not match its seal: it was refused", "alert-triangle", alarm=True
        ),
        "policy.activated": Deed(
            "put a security policy into force", "put a security policy into force", "scale"
        ),
        "settings.changed": Happening("The portal started with other settings than before", "settings"),
        **{action: Deed(*words, "key") for action, words in KEY_DEEDS.items()},
        **{action: Deed(*words) for action, words in CUSTODY_DEEDS.items()},
        "portal.start": Happening("The portal started", "device-laptop"),
        "portal.stop": Happening("The portal stopped", "device-laptop"),
        "portal.tidied": Happening("The portal cleared away what an interrupted upload had left", "trash"),
        "system.status": Deed(
            "looked at the state of the portal", "look at the state of the portal", "checkup-list"
        ),
        "storage.verify": Happening("The portal checked what is stored", "checkup-list"),
        "storage.repair": Happening(
            "The portal wrote anew what follows from other stored things", "checkup-list"
        ),
        "job.run": Deed("ran a background job", "run a background job", "refresh"),
    }
)

RULES: Mapping[str, str] = MappingProxyType(
    {
        "account-active": "The account or its organisation was not active",
        "role-permits": "No role of theirs includes this",
        "assurance": "The sign-in was too weak for the classification",
        "clearance-in-force": "No clearance in force: it has ended, or has not begun",
        "label-dominated": "The clearance does not cover the label",
        "need-to-know": "Not a member of the programme",
        "briefed": "A briefing that the label asks for is missing",
        "facility": "The organisation is not cleared to hold this classification",
        "releasable": "Not released to their organisation",
        "originator-consent": "The originator has not agreed",
        "document-state": "The document was not available: in quarantine, withdrawn, expired or destroyed",
        "system-ceiling": "Above what this installation may hold",
        "handling": "Documents of this classification are viewed only",
        "two-person": "A second person had not approved it",
        "place-and-time": "Not from this network, or not at this hour",
        "no-self-grant": "Nobody changes what they hold themselves",
        "no-such-document": "There is no document with that id",
    }
)
"""Why something was refused, by rule."""

PROBLEMS: Mapping[str, str] = MappingProxyType(
    {
        "wrong-password": "Wrong password, or no such account",
        "wrong-code": "Wrong code",
        "used-code": "A code that had been used already",
        "inactive": "The account is not active",
        "no-second-factor": "No second factor is set up",
        "no-such-token": "No such token, or it has ended",
        "no-such-session": "No such session, or it has ended",
        "not-found": "It asked for something that is not there, or out of reach",
        "invalid": "It could not be carried out as it was written",
        "conflict": "What it was to change had changed meanwhile",
        "not-permitted": "The role does not include this",
        "not-signed-in": "Nobody was signed in",
        "too-large": "It was larger than the portal takes",
        "too-many-requests": "Too many requests",
        "range-not-satisfiable": "It asked for bytes that are not there",
        "integrity": "Stored data did not match its seal",
        "unavailable": "Something that the portal needs was not there",
        "failure": "The portal failed",
    }
)
"""Why something was refused or failed, by the code in the record's details."""

CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "idle": "after a time without use",
        "expired": "at its time limit",
        "revoked": "revoked",
        "replaced": "by a new sign-in",
        "switched": "to act in another role",
    }
)

ASSURANCE: Mapping[int, str] = MappingProxyType(
    {1: "a password", 2: "a password and a second factor", 3: "a passkey or certificate"}
)


def why_refused(fields: Mapping[str, Any]) -> str:
    """Return in words why a record's deed was refused; "" where the record does not say."""
    rule = fields.get("rule")
    if rule:
        return RULES.get(rule, rule)
    problem = fields.get("details", {}).get("problem")
    if not problem:
        return ""
    return PROBLEMS.get(problem) or RULES.get(problem, problem)


def deed_of(action: str) -> Deed | Happening:
    """Return an action's words; a record that a later release wrote goes by its action's name."""
    return DEEDS.get(action) or Happening(f"The log carries {action}", "info-circle")


def is_refusal(fields: Mapping[str, Any]) -> bool:
    """Tell whether a record is to read as a refusal or an alarm."""
    deed = deed_of(fields["action"])
    return fields.get("decision") == "deny" or (isinstance(deed, Happening) and deed.alarm)


def template_of(entry: LogEntry) -> str:
    """Return the sentence of an entry with names in braces: {who}, {document}, {target}, {programme}, …"""
    fields = entry.record.fields
    deed = deed_of(entry.record.action)
    if isinstance(deed, Happening):
        return deed.words
    outcome = (entry.outcome or entry.record).get("outcome")
    if fields.get("decision") == "deny":
        return f"{{who}} was refused permission to {deed.meant}"
    if outcome == "failed":
        return f"{{who}} tried to {deed.meant}, which failed"
    if entry.unsure or outcome == "aborted":
        return f"{{who}} began to {deed.meant}"
    done = deed.undone if deed.undone and fields.get("details", {}).get("withdrawn") else deed.done
    return f"{{who}} {done}"


def how_it_ended(entry: LogEntry) -> str:
    """Return in words how an intent ended, where that needs saying."""
    outcome = (entry.outcome or entry.record).get("outcome")
    known = CATALOGUE.get(entry.record.action)
    discloses = known is not None and known.discloses
    if entry.outcome is None and entry.unsure:
        return "No recorded end yet: read it as disclosed" if discloses else "No recorded end yet"
    if outcome == "unknown":
        return (
            "Closed without a known end: read it as disclosed" if discloses else "Closed without a known end"
        )
    if outcome == "aborted":
        return "Broken off"
    if outcome == "failed":
        return "Nothing was changed or handed over" if not discloses else "Failed"
    return "Complete" if outcome == "complete" and discloses else ""
