"""What an upload is, judged by its bytes: media type, notices, and whether its name may be kept."""

from portal.scanning.content import HEAD_LENGTH, identify
from portal.scanning.facts import ContentFacts, Notice, NoticeKind
from portal.scanning.names import clean_file_name, clean_title

__all__ = [
    "HEAD_LENGTH",
    "ContentFacts",
    "Notice",
    "NoticeKind",
    "clean_file_name",
    "clean_title",
    "identify",
]
