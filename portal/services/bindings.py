"""Bindings: the label of a document's version in a signed file beside it (STANAG 4778), for whoever may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from cryptography import x509

from crypto.keyring import KeyRing, RingKey
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
        self._made: dict[str, BindingKey] = {}

    @property
    def key(self) -> BindingKey:
        """The key that signs, with its certificate."""
        return self._of(self._ring.sealing("binding"))

    @property
    def certificates(self) -> Sequence[x509.Certificate]:
        """The certificates of every generation of the key, the current one first: older bindings stay good."""
        return [self._of(key).certificate for key in self._ring.versions("binding")]

    @property
    def pem(self) -> str:
        """All of them as PEM, one after the other."""
        return "".join(self._of(key).pem for key in self._ring.versions("binding"))

    def _of(self, key: RingKey) -> BindingKey:
        made = self._made.get(key.id)
        if made is None:
            made = self._made[key.id] = BindingKey.of(key, self._name)
        return made

    def of(self, actor: Actor, document_id: str, number: int | None = None) -> BindingFile:
        """Return the binding of one version (None: the current one), to those who may see the document; recorded.

        A denial is recorded first; then NotFound, or NotPermitted where the person may know of it.
        """
        permission = self._release.permit(actor, Action.DOCUMENT_SHOW, document_id, number)
        content = self._signed(permission.released, permission.label, self._release.sha384(permission))
        receipt = self._release.describe(permission)
        return BindingFile(f"{permission.released.file_name}.binding.xml", content, receipt.seq)

    def check(self, data: bytes) -> SignedBinding:
        """Return what a binding of this portal vouches for; raises Invalid when its signature does not hold."""
        return verify(data, self.certificates)

    def _signed(self, version: ReleasedVersion, label: Label, sha384: bytes) -> bytes:
        uri = quote(version.file_name)
        policies = {policy.id: policy for policy in (*self._policy.national, self._policy.current())}
        own = Label(label.policy_id, label.classification, label.categories)
        labels = [_written(own, policies[label.policy_id], version, LabelKind.ORIGINATOR)]
        labels += [
            _written(other, policies[other.policy_id], version, LabelKind.ALTERNATIVE)
            for other in label.alternatives
            if other.policy_id in policies
        ]
        return sign(stanag4778.serialise(labels, BoundData(uri, version.media_type)), uri, sha384, self.key)


def _written(label: Label, policy: SecurityPolicy, version: ReleasedVersion, kind: LabelKind) -> bytes:
    return stanag4774.serialise(label, created=version.created, policy=policy, kind=kind)
