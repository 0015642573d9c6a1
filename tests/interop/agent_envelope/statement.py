"""Statements: untagged COSE_Sign1 with a fixed header (§4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from . import ed25519
from .cbor import Reader, encode
from .errors import Refused
from .hashes import PREFIX, sha256

T = TypeVar("T")

ALG_ED25519 = -19
PROTECTED = encode({1: ALG_ED25519})

KEY_PACKAGE, LINK, HOP, ALLOTMENT, ENTRY = "key-package", "link", "hop", "allotment", "entry"
WITH_PARENT = frozenset({LINK, HOP})


@dataclass(frozen=True)
class Statement(Generic[T]):
    kind: str
    parent: bytes | None
    """The id of the statement above, for kinds that have one."""
    protected: bytes
    key_id: bytes | None
    """The root key, in the header of a root link."""
    payload: bytes
    content: T
    signature: bytes
    raw: bytes
    at: int

    @cached_property
    def external_aad(self) -> bytes:
        if self.kind in WITH_PARENT:
            return encode([PREFIX + self.kind, self.parent])
        return encode([PREFIX + self.kind])

    @cached_property
    def to_be_signed(self) -> bytes:
        """The Sig_structure of RFC 9052 §4.4."""
        return encode(["Signature1", self.protected, self.external_aad, self.payload])

    @cached_property
    def id(self) -> bytes:
        return sha256(self.to_be_signed)

    def signed_by(self, key: bytes) -> bool:
        return ed25519.verify(key, self.to_be_signed, self.signature)


def read_agent(reader: Reader) -> bytes:
    """32 bytes that can be an agent id (V-115, V-123)."""
    at = reader.pos
    key = reader.octets(32)
    if not ed25519.is_agent_id(key):
        raise Refused(123, at)
    return key


def read_statement(
    reader: Reader,
    kind: str,
    parent: bytes | None,
    read_payload: Callable[[Reader], T],
    *,
    root: bool = False,
) -> Statement[T]:
    """A statement of this kind, read in the order of its bytes."""
    start = reader.pos
    reader.array(4)
    header = reader.nested()
    protected = header.rest()
    key_id = None
    for key in header.fields([1, 4] if root else [1]):
        if key == 1:
            header.integer(ALG_ED25519)
        else:
            key_id = read_agent(header)
    header.done()
    for _ in reader.fields([]):
        pass
    payload_reader = reader.nested()
    signature = reader.octets(64)
    payload = payload_reader.rest()
    content = read_payload(payload_reader)
    payload_reader.done()
    return Statement(
        kind=kind,
        parent=parent,
        protected=protected,
        key_id=key_id,
        payload=payload,
        content=content,
        signature=signature,
        raw=reader.data[start : reader.pos],
        at=start,
    )
