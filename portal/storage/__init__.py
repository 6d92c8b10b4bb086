"""Encrypted blobs: whole or absent, durable once acknowledged. Storage never sees a key or plaintext."""

from portal.storage.blobs import BlobStore, BlobWriter, check_name
from portal.storage.chosen import open_store
from portal.storage.files import FileBlobStore

__all__ = ["BlobStore", "BlobWriter", "FileBlobStore", "check_name", "open_store"]
