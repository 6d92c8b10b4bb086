"""Receipts: what the portal holds of a version, where the log says so, and the proof that the log holds it."""

from __future__ import annotations

from dataclasses import dataclass

from crypto.translog.errors import ProofFailed
from crypto.translog.proofs import check_inclusion
from portal.audit import AuditLog, InclusionProof
from portal.errors import NotFound
from portal.services.actor import Actor
from portal.services.document_views import DocumentView, VersionView
from portal.services.documents import Documents


@dataclass(frozen=True, slots=True)
class VersionReceipt:
    """A version's receipt; `proof` is None until a checkpoint covers its entry, `proved` whether the proof holds."""

    document: DocumentView
    version: VersionView
    proof: InclusionProof | None
    proved: bool


class Receipts:
    """Hands out the receipts of versions to those who may see the document."""

    def __init__(self, log: AuditLog, documents: Documents) -> None:
        self._log = log
        self._documents = documents

    def of(self, actor: Actor, document_id: str, number: int) -> VersionReceipt:
        """Return a version's receipt, recorded as the document shown; raises NotFound, NotPermitted."""
        page = self._documents.show(actor, document_id, sent=True)
        version = next((item for item in page.versions if item.number == number), None)
        if version is None:
            raise NotFound(
                f"This document has no version {number}.", mend="Open the document to see its versions."
            )
        proof = self._proof(version.log_entry)
        return VersionReceipt(page.document, version, proof, proof is not None and _holds(proof))

    def _proof(self, entry: int) -> InclusionProof | None:
        # Nothing is signed for it: whoever looks at a receipt does not decide when the log is sealed.
        latest = self._log.latest_checkpoint()
        return None if latest is None or latest.size <= entry else self._log.inclusion_proof(entry)


def _holds(proof: InclusionProof) -> bool:
    checkpoint = proof.signed.checkpoint
    try:
        check_inclusion(proof.hashes, proof.seq, checkpoint.size, proof.leaf_hash, checkpoint.root)
    except ProofFailed:
        return False
    return True
