"""Encrypted streams, keys and sealed values; a library that knows nothing of the portal."""
