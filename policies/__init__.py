"""Security policies, labels, clearances and access decisions: values in, decisions out.

A library of its own on the standard library alone: no database, no clock, no network. Everything is
denied unless something permits it, and every answer says why.
"""

from pathlib import Path

from policies.errors import InvalidClearance, InvalidLabel, InvalidPolicy, InvalidRequest, PolicyError
from policies.labels import Clearance, Label
from policies.policy import AccessDecision, SecurityPolicy
from policies.reasons import Reason
from policies.spif import load_policy, parse_policy

SHIPPED = Path(__file__).with_name("nato.xml")
"""The security policy that the portal ships: modelled on NATO's public classifications."""

__all__ = [
    "SHIPPED",
    "AccessDecision",
    "Clearance",
    "InvalidClearance",
    "InvalidLabel",
    "InvalidPolicy",
    "InvalidRequest",
    "Label",
    "PolicyError",
    "Reason",
    "SecurityPolicy",
    "load_policy",
    "parse_policy",
]
