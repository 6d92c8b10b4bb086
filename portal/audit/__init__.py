"""The access log: a transparency log of everything that the portal does, that an outsider can check."""

from portal.audit.append import Receipt
from portal.audit.checkpoint import InclusionProof, SignedCheckpoint
from portal.audit.log import AuditLog
from portal.audit.reading import Record
from portal.audit.record import Event
from portal.audit.schema import create_log
from portal.audit.search import Page, RecordFilter
from portal.audit.store import open_log_engine
from portal.audit.tracing import Reader

__all__ = [
    "AuditLog",
    "Event",
    "InclusionProof",
    "Page",
    "Reader",
    "Receipt",
    "Record",
    "RecordFilter",
    "SignedCheckpoint",
    "create_log",
    "open_log_engine",
]
