"""Sealing (§8): audiences, HPKE, sealed bodies."""

from __future__ import annotations

from dataclasses import dataclass
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .cbor import Reader, encode
from .errors import Refused
from .hashes import PREFIX, expand
from .limits import Sums

ALG_CHACHA20_POLY1305 = 24
ALG_HPKE_4_KE = 50
CONTENT_HEADER = encode({1: ALG_CHACHA20_POLY1305})
HINT = 8
TAG = 16


# ---- form (§8.2, §8.3) ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipient:
    protected: bytes
    hint: bytes
    ek: bytes
    wrapped: bytes


@dataclass(frozen=True)
class Audience:
    aid: bytes
    iv: bytes
    ciphertext: bytes
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True)
class SealedBody:
    iv: bytes
    ciphertext: bytes


def _read_content_layer(reader: Reader) -> bytes:
    """`h'a1011818', {5: iv}`; the iv."""
    header = reader.nested()
    for _ in header.fields([1]):
        header.integer(ALG_CHACHA20_POLY1305)
    header.done()
    iv = b""
    for _ in reader.fields([5]):
        iv = reader.octets(12)
    return iv


def read_audience(reader: Reader, sums: Sums) -> Audience:
    reader.array(2)
    aid = reader.octets(32)
    reader.array(4)
    iv = _read_content_layer(reader)
    ciphertext = reader.octets(32 + TAG)
    start = reader.pos
    count = reader.array_of(1, sums.limits.readers)
    sums.later("readers", count, start)
    recipients: list[Recipient] = []
    for _ in range(count):
        at = reader.pos
        recipient = _read_recipient(reader)
        if recipients and recipient.hint <= recipients[-1].hint:
            raise Refused(118 if recipient.hint == recipients[-1].hint else 117, at)
        recipients.append(recipient)
    return Audience(aid, iv, ciphertext, tuple(recipients))


def _read_recipient(reader: Reader) -> Recipient:
    reader.array(3)
    header = reader.nested()
    protected = header.rest()
    hint = ek = b""
    for key in header.fields([1, 4]):
        if key == 1:
            header.integer(ALG_HPKE_4_KE)
        else:
            hint = header.octets(HINT)
    header.done()
    for _ in reader.fields([-4]):
        ek = reader.octets(32)
    return Recipient(protected, hint, ek, reader.octets(32 + TAG))


def read_sealed_body(reader: Reader) -> SealedBody:
    reader.array(3)
    iv = _read_content_layer(reader)
    at = reader.pos
    ciphertext = reader.octets()
    if len(ciphertext) < TAG:
        raise Refused(122, at)
    return SealedBody(iv, ciphertext)


# ---- HPKE-4-KE, RFC 9180 base mode ---------------------------------------------------------------

KEM, KDF, AEAD = 0x0020, 0x0001, 0x0003
KEM_SUITE = b"KEM" + KEM.to_bytes(2, "big")
HPKE_SUITE = b"HPKE" + b"".join(i.to_bytes(2, "big") for i in (KEM, KDF, AEAD))
MODE_BASE = b"\0"


def _extract(salt: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), material, "sha256")


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return _extract(salt, b"HPKE-v1" + suite + label + material)


def _labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def shared_secret(private: bytes, ek: bytes) -> bytes | None:
    """Decap, or None if the result of X25519 is all zeros."""
    key = X25519PrivateKey.from_private_bytes(private)
    try:
        dh = key.exchange(X25519PublicKey.from_public_bytes(ek))
    except ValueError:
        return None
    if not any(dh):
        return None
    context = ek + key.public_key().public_bytes_raw()
    eae = _labeled_extract(KEM_SUITE, b"", b"eae_prk", dh)
    return _labeled_expand(KEM_SUITE, eae, b"shared_secret", context, 32)


def hpke_open(private: bytes, ek: bytes, info: bytes, ciphertext: bytes) -> bytes | None:
    """The plaintext of the first message of a context, with empty aad."""
    secret = shared_secret(private, ek)
    if secret is None:
        return None
    context = (
        MODE_BASE
        + _labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
        + _labeled_extract(HPKE_SUITE, b"", b"info_hash", info)
    )
    base = _labeled_extract(HPKE_SUITE, secret, b"secret", b"")
    key = _labeled_expand(HPKE_SUITE, base, b"key", context, 32)
    nonce = _labeled_expand(HPKE_SUITE, base, b"base_nonce", context, 12)
    return aead_open(key, nonce, ciphertext, b"")


def aead_open(key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, aad)
    except InvalidTag:
        return None


# ---- opening (§8.2, §8.3) ------------------------------------------------------------------------


def wrap_info(g: bytes, agent: bytes, protected: bytes) -> bytes:
    """The Recipient_structure that is HPKE's info."""
    extra = encode([PREFIX + "wrap", g, agent])
    return encode(["HPKE Recipient", ALG_CHACHA20_POLY1305, protected, extra])


def audience_aad(g: bytes, aid: bytes) -> bytes:
    return encode([PREFIX + "audience", g, aid])


def enc_structure(context: str, external_aad: bytes) -> bytes:
    return encode([context, CONTENT_HEADER, external_aad])


def open_audience(audience: Audience, g: bytes, agent: bytes, private: bytes) -> bytes | None:
    """The secret of an audience, by the recipient with the hint of this sealing key, if any."""
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    for recipient in audience.recipients:
        if recipient.hint != public[:HINT]:
            continue
        info = wrap_info(g, agent, recipient.protected)
        key = hpke_open(private, recipient.ek, info, recipient.wrapped)
        if key is None or len(key) != 32:
            return None
        aad = enc_structure("Encrypt", audience_aad(g, audience.aid))
        secret = aead_open(key, audience.iv, audience.ciphertext, aad)
        if secret is None or len(secret) != 32:
            return None
        aid = expand(secret, encode([PREFIX + "audience-id", g]), 32)
        return secret if hmac.compare_digest(aid, audience.aid) else None
    return None


def content_aad(before: bytes, author: bytes, kind: int, commitment: bytes) -> bytes:
    """s = the CBOR array `["agent-envelope/1/content", c_j, author, kind, commitment]`."""
    return encode([PREFIX + "content", before, author, kind, commitment])


def content_key(secret: bytes, s: bytes) -> tuple[bytes, bytes]:
    """Key and iv of a sealed body."""
    okm = expand(secret, s, 44)
    return okm[:32], okm[32:]


def open_body(body: SealedBody, secret: bytes, s: bytes) -> bytes | None:
    key, iv = content_key(secret, s)
    if not hmac.compare_digest(iv, body.iv):
        return None
    return aead_open(key, iv, body.ciphertext, enc_structure("Encrypt0", s))
