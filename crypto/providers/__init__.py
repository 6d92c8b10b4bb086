"""Providers of the root key: a file, a PKCS#11 token, or the Transit engine of Vault or OpenBao.

Each is a `RootKey`; what it needs beyond this package (`pkcs11`, `hvac`) is imported by its own module alone, so that
an installation loads only what it uses.
"""
