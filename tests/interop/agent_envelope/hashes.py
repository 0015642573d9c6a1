"""Hashes (§2.2), and HKDF-Expand as §8 uses it."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from .cbor import encode

PREFIX = "agent-envelope/1/"
USES = frozenset(
    "envelope element commit control sealed conversation principal chain inputs".split()
)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def H(use: str, *parts: Any) -> bytes:
    """SHA-256 over the CBOR array `["agent-envelope/1/" + use, a, b, …]` (§2.2)."""
    if use not in USES:
        raise ValueError(f"no use of H is called {use}")
    return sha256(encode([PREFIX + use, *parts]))


def expand(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-256 (RFC 5869)."""
    return HKDFExpand(algorithm=SHA256(), length=length, info=info).derive(secret)
