"""The errors of this library. Each carries its reasons as values, so that callers can act on them."""

from __future__ import annotations

from policies.reasons import Reason


class PolicyError(Exception):
    """Base of every error raised by `policies`."""


class InvalidPolicy(PolicyError):
    """A security policy file was refused.

    `reason` says why, `line` where (counted from 1; None when no line can be named).
    """

    def __init__(self, reason: Reason, line: int | None = None) -> None:
        super().__init__(reason.text if line is None else f"line {line}: {reason.text}")
        self.reason = reason
        self.line = line


class InvalidLabel(PolicyError):
    """A label is not valid under the policy, or could not be read; `reasons` says why."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(" ".join(reason.text for reason in reasons))
        self.reasons = reasons


class InvalidClearance(PolicyError):
    """A clearance names what the policy does not hold; `reasons` says which."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(" ".join(reason.text for reason in reasons))
        self.reasons = reasons


class InvalidRequest(PolicyError):
    """A request or a rule set was put together wrongly: a mistake of the caller, never a decision."""


class XmlRefused(PolicyError):
    """XML was refused before its meaning was looked at; readers turn this into their own error."""

    def __init__(self, reason: Reason, line: int) -> None:
        super().__init__(f"line {line}: {reason.text}")
        self.reason = reason
        self.line = line
