"""The tables, one file an aggregate, with no behaviour beyond their invariants."""

from portal.models.base import Base, Moment, new_id
from portal.models.circumstances import (
    Acknowledgement,
    Approval,
    FacilityClearance,
    Instruction,
    LevelSetting,
    Proposal,
)
from portal.models.credentials import ApiToken, Credential, OneTimeLink, SessionRecord
from portal.models.dated import Dated
from portal.models.documents import (
    DUE_LAST,
    KEK_OF_VERSION,
    Counter,
    Document,
    LabelRecord,
    TitlePiece,
    Upload,
    Version,
    VersionDigest,
    document_context,
)
from portal.models.grants import Briefing, ClearanceGrant, Membership, Programme
from portal.models.inspections import Inspection, ScanJob
from portal.models.installation import Key, Policy
from portal.models.people import Organisation, Person, RoleGrant
from portal.models.releases import DocumentRelease, OriginatorConsent, OriginatorControl
from portal.models.rotations import KeyRotation
from portal.models.sealing import SealedRow, Seals, TamperedRow
from portal.models.uploads import ResumableUpload, UploadLease
from portal.models.verified import VerifiedRows

__all__ = [
    "DUE_LAST",
    "KEK_OF_VERSION",
    "Acknowledgement",
    "ApiToken",
    "Approval",
    "Base",
    "Briefing",
    "ClearanceGrant",
    "Counter",
    "Credential",
    "Dated",
    "Document",
    "DocumentRelease",
    "FacilityClearance",
    "Inspection",
    "Instruction",
    "Key",
    "KeyRotation",
    "LabelRecord",
    "LevelSetting",
    "Membership",
    "Moment",
    "OneTimeLink",
    "Organisation",
    "OriginatorConsent",
    "OriginatorControl",
    "Person",
    "Policy",
    "Programme",
    "Proposal",
    "ResumableUpload",
    "RoleGrant",
    "ScanJob",
    "SealedRow",
    "Seals",
    "SessionRecord",
    "TamperedRow",
    "TitlePiece",
    "Upload",
    "UploadLease",
    "VerifiedRows",
    "Version",
    "VersionDigest",
    "document_context",
    "new_id",
]
