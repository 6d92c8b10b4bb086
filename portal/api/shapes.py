"""The JSON shapes of answers."""

from __future__ import annotations

from typing import Any

from portal.clock import rfc3339
from portal.services.deposit import DepositReceipt
from portal.services.document_views import DocumentView, LabelView, VersionView


def label_shape(label: LabelView) -> dict[str, Any]:
    """Return a label as answers carry it."""
    return {"marking": label.marking, "classification": label.classification, "policy": label.policy}


def document_shape(document: DocumentView) -> dict[str, Any]:
    """Return a document as lists carry it."""
    current = document.current
    return {
        "id": document.id,
        "title": document.title,
        "label": label_shape(document.label),
        "programme": document.programme.id,
        "programme_name": document.programme.name,
        "originator": document.originator,
        "version": document.version,
        "size": document.size,
        "digest": f"sha-256:{current.sha256}" if current else None,
        "media_type": current.media_type if current else None,
        "file_name": current.file_name if current else None,
        "state": document.state,
        "scan": document.scan,
        "signatures": rfc3339(document.signatures) if document.signatures else None,
        "created": rfc3339(document.created),
        "changed": rfc3339(document.changed),
        "due": rfc3339(document.due) if document.due else None,
    }


def version_shape(version: VersionView) -> dict[str, Any]:
    """Return a version of a document."""
    return {
        "version": version.number,
        "file_name": version.file_name,
        "media_type": version.media_type,
        "size": version.size,
        "digest": f"sha-256:{version.sha256}",
        "notices": list(version.notices),
        "scan": version.scan,
        "signatures": rfc3339(version.signatures) if version.signatures else None,
        "created": rfc3339(version.created),
        "log_entry": version.log_entry,
    }


def receipt_shape(receipt: DepositReceipt) -> dict[str, Any]:
    """Return the receipt of a deposit."""
    return {
        "id": receipt.document_id,
        "version": receipt.version,
        "digest": f"sha-256:{receipt.sha256.hex()}",
        "size": receipt.size,
        "media_type": receipt.media_type,
        "notices": list(receipt.notices),
        "scan": receipt.found.scan.value,
        "signatures": rfc3339(receipt.found.signatures) if receipt.found.signatures else None,
        "standing": receipt.found.standing.value,
        "marking": receipt.marking,
        "time": rfc3339(receipt.time),
        "log_entry": receipt.log_entry,
    }
