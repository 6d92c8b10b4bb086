"""What the rules answer: verdicts, which are shared constants, and the decision that they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.reasons import Reason


class Outcome(StrEnum):
    """What one rule says of one request."""

    PERMITS = "permits"
    REFUSES = "refuses"
    NOT_ASKED = "not-asked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer. The reason is a bare code; `explain` gives it its particulars when asked."""

    rule: str
    outcome: Outcome
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a request: permitted only when every applicable rule permits.

    `verdicts` holds all rules in their order; `rule` is the first that refuses ("" when permitted).
    `knowable`: the person may be told of this denial and of `knowable_rules`; otherwise the answer must be
    the same as for a document that does not exist.
    """

    permitted: bool
    verdicts: tuple[Verdict, ...]
    rule: str
    knowable: bool
    knowable_rules: tuple[str, ...]


def permits(rule: str, code: str) -> Verdict:
    """Return a verdict that permits."""
    return Verdict(rule, Outcome.PERMITS, Reason(code))


def refuses(rule: str, code: str) -> Verdict:
    """Return a verdict that refuses."""
    return Verdict(rule, Outcome.REFUSES, Reason(code))


def not_asked(rule: str, code: str = "not-asked") -> Verdict:
    """Return the verdict of a rule that has nothing to say here."""
    return Verdict(rule, Outcome.NOT_ASKED, Reason(code))
