"""A transparency log: RFC 6962 Merkle tree, C2SP tiles, signed notes and checkpoints, proofs, verification.

A library of its own: it needs the standard library and, for Ed25519, `cryptography`.
"""
