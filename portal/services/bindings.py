"""Bindings: the label of a document's version in a signed file beside it (STANAG 4778), for whoever may see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from crypto.keyring import KeyRing
from policies import Label, SecurityPolicy, stanag4774, stanag4778
from policies.requests import Action
from policies.stanag4774 import LabelKind
from policies.stanag4778 import BoundData
from portal.services.actor import Actor
from portal.services.binding_signature import BindingKey, SignedBinding, sign, verify
from portal.services.release import Release, ReleasedVersion
from portal.services.security_policy import ActivePolicy

MEDIA_TYPE = "application/xml"


@dataclass(frozen=True, slots=True)
class BindingFile:
    """A binding: its file's name, its bytes, and the log entry that records it."""

    name: str
    content: bytes
    log_entry: int


class Bindings:
    """Makes bindings with the portal's own key, and checks them against its certificate."""

    def __init__(self, release: Release, policy: ActivePolicy, ring: KeyRing, name: str) -> None:
        self._release = release
        self._policy = policy
        self._ring = ring
        self._name = name

    @cached_property
    def key(self) -> BindingKey:
        """The key that signs, with its certificate."""
        return BindingKey.of(self._ring.sealing("binding"), self._name)

    def of(self, actor: Actor, document_id: str, number: int | None = None) -> BindingFile:
        """Return the binding of one version (None: the current one), to those who may see the document; recorded.

        A denial is recorded first; then NotFound, or NotPermitted where the person may know of it.
        """
        permission = self._release.permit(actor, Action.DOCUMENT_SHOW, document_id, number)
        content = self._signed(permission.released, permission.label)
        receipt = self._release.describe(permission)
        return BindingFile(f"{permission.released.file_name}.binding.xml", content, receipt.seq)

    def check(self, data: bytes) -> SignedBinding:
        """Return what a binding of this portal vouches for; raises Invalid when its signature does not hold."""
        return verify(data, self.key.certificate)

    def _signed(self, version: ReleasedVersion, label: Label) -> bytes:
        uri = quote(version.file_name)
        policies = {policy.id: policy for policy in (*self._policy.national, self._policy.current())}
        own = Label(label.policy_id, label.classification, label.categories)
        labels = [_written(own, policies[label.policy_id], version, LabelKind.ORIGINATOR)]
        labels += [
            _written(other, policies[other.policy_id], version, LabelKind.ALTERNATIVE)
            for other in label.alternatives
            if other.policy_id in policies
        ]
        return sign(
            stanag4778.serialise(labels, BoundData(uri, version.media_type)), uri, version.sha256, self.key
        )


def _written(label: Label, policy: SecurityPolicy, version: ReleasedVersion, kind: LabelKind) -> bytes:
    return stanag4774.serialise(label, created=version.created, policy=policy, kind=kind)
