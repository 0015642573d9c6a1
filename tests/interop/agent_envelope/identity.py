"""Agent ids and key packages (§5)."""

from __future__ import annotations

from dataclasses import dataclass

from . import ed25519
from .cbor import Reader
from .errors import Refused
from .limits import Limits
from .statement import KEY_PACKAGE, Statement, read_agent, read_statement

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
DID_KEY = "did:key:z"
MULTICODEC = b"\xed\x01"
SUITE_X25519 = 1
AHEAD = 60
"""Seconds by which the clock of a key package's agent may be ahead (§5.2)."""


def agent_id(key: bytes) -> bytes:
    """Bytes that come by themselves as an agent id."""
    if len(key) != 32:
        raise Refused(115, 0)
    if not ed25519.is_agent_id(key):
        raise Refused(123, 0)
    return key


def to_text(agent: bytes) -> str:
    """`did:key:z` followed by base58btc of `ed 01` and the 32 bytes (§5.1)."""
    number = int.from_bytes(MULTICODEC + agent, "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return DID_KEY + digits


def from_text(text: str) -> bytes:
    """The agent id that `text` is the one text of (V-123)."""
    if not text.startswith(DID_KEY):
        raise Refused(123, 0)
    at = len(DID_KEY)
    digits = text[at:]
    if len(digits) > 48 or any(c not in ALPHABET for c in digits):
        raise Refused(123, at)
    number = 0
    for c in digits:
        number = number * 58 + ALPHABET.index(c)
    data = number.to_bytes(36, "big").lstrip(b"\0")
    agent = data[2:]
    if data[:2] != MULTICODEC or not ed25519.is_agent_id(agent) or to_text(agent) != text:
        raise Refused(123, at)
    return agent


@dataclass(frozen=True)
class KeyPackage:
    agent: bytes
    suite: int
    sealing_key: bytes
    not_before: int
    expires: int


def read_key_package(reader: Reader, limits: Limits) -> Statement[KeyPackage]:
    statement = read_statement(reader, KEY_PACKAGE, None, _read_payload)
    package = statement.content
    if package.expires <= package.not_before:
        raise Refused(322)
    if package.expires - package.not_before > limits.key_package_lifetime:
        raise Refused(323)
    return statement


def _read_payload(reader: Reader) -> KeyPackage:
    agent = sealing_key = b""
    suite = not_before = expires = 0
    for key in reader.fields([1, 2, 3, 4, 5]):
        at = reader.pos
        match key:
            case 1:
                agent = read_agent(reader)
            case 2:
                suite = reader.unsigned()
                if suite != SUITE_X25519:
                    raise Refused(122, at)
            case 3:
                sealing_key = reader.octets(32)
            case 4:
                not_before = reader.unsigned()
            case 5:
                expires = reader.unsigned()
    return KeyPackage(agent, suite, sealing_key, not_before, expires)


def key_package(data: bytes, now: int, limits: Limits = Limits()) -> KeyPackage:
    """A key package that comes by itself, to be sealed to."""
    if len(data) > limits.bytes:
        raise Refused(201, 0)
    reader = Reader(data)
    statement = read_key_package(reader, limits)
    reader.done()
    package = statement.content
    if not package.not_before - AHEAD <= now < package.expires:
        raise Refused(602, "call")
    if not statement.signed_by(package.agent):
        raise Refused(412, "call")
    return package
