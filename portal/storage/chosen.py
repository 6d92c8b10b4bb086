"""The blob store that the settings choose."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import urlsplit

from portal.errors import Unavailable
from portal.settings import Settings
from portal.storage.blobs import BlobStore
from portal.storage.files import FileBlobStore


def open_store(settings: Settings) -> BlobStore:
    """Return the store that `blob_store` names, or the blob folder; raises Unavailable for an unusable secret."""
    if not settings.blob_store:
        return FileBlobStore(settings.blob_folder)
    # Imported here: it takes a third of a second, which an installation without it need not spend.
    from portal.storage.s3 import S3BlobStore, S3Place

    address = urlsplit(settings.blob_store)
    return S3BlobStore(
        S3Place(
            bucket=address.netloc,
            prefix=address.path,
            endpoint=settings.s3_endpoint or None,
            region=settings.s3_region,
            access_key=settings.s3_access_key or None,
            secret_key=_secret(settings.s3_secret_file) if settings.s3_secret_file else None,
        )
    )


def _secret(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        secret = path.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise Unavailable(
            f"The secret of the object store in {path} cannot be read.", mend="Put the file back, mode 0600."
        ) from fault
    if mode & 0o077 or not secret:
        raise Unavailable(
            f"The secret of the object store in {path} is empty or open to others.",
            mend="Write the secret access key into it, and set its mode to 0600.",
        )
    return secret
