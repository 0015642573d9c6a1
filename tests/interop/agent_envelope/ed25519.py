"""The one rule for Ed25519 (§2.3): cofactored, over byte checks, in pure Python.

No library in common use decides exactly this, so points are computed here, in extended
coordinates. Nothing secret passes through: it only verifies.
"""

from __future__ import annotations

from collections.abc import Sequence
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
D2 = 2 * D % P
SQRT_M1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""(X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
NEUTRAL: Point = (0, 1, 1, 0)


def _root(square: int) -> int | None:
    """A square root modulo p, if there is one."""
    root = pow(square, (P + 3) // 8, P)
    if (root * root - square) % P:
        root = root * SQRT_M1 % P
    return None if (root * root - square) % P else root


def _add(a: Point, b: Point) -> Point:
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m = (y1 - x1) * (y2 - x2) % P
    n = (y1 + x1) * (y2 + x2) % P
    c = t1 * D2 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(a: Point) -> Point:
    x, y, z, _ = a
    xx, yy = x * x % P, y * y % P
    h = xx + yy
    e = h - (x + y) ** 2 % P
    g = xx - yy
    f = 2 * z * z + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _negate(a: Point) -> Point:
    x, y, z, t = a
    return -x % P, y, z, -t % P


def _table(a: Point) -> list[Point]:
    """0·a … 15·a."""
    table = [NEUTRAL, a]
    for _ in range(14):
        table.append(_add(table[-1], a))
    return table


def _combine(terms: Sequence[tuple[int, list[Point]]]) -> Point:
    """The sum of scalar · point, points given by their tables, four bits of all at a time."""
    result = NEUTRAL
    for shift in range(252, -1, -4):
        if result is not NEUTRAL:
            result = _double(_double(_double(_double(result))))
        for scalar, table in terms:
            if digit := scalar >> shift & 15:
                result = _add(result, table[digit])
    return result


def canonical(encoding: bytes) -> bool:
    """Rule 1: y is less than p, and the sign bit is not set where x = 0. On bytes alone."""
    bits = int.from_bytes(encoding, "little")
    y, sign = bits & (1 << 255) - 1, bits >> 255
    return y < P and not (sign and y in (1, P - 1))


def decompress(encoding: bytes) -> Point | None:
    """The point of a canonical encoding, or None if it is none of the curve (rule 5)."""
    bits = int.from_bytes(encoding, "little")
    y, sign = bits & (1 << 255) - 1, bits >> 255
    x = _root((y * y - 1) * pow(D * y * y + 1, P - 2, P) % P)
    if x is None:
        return None
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


def _small_order() -> frozenset[bytes]:
    """The canonical encodings of the eight points whose order divides 8.

    Twice a point of order 8 has y = 0, which is d·y⁴ + 2y² − 1 = 0.
    """
    found = {(1, 0), (P - 1, 0), (0, 0), (0, 1)}
    root = _root((1 + D) % P)
    assert root is not None
    for sign in (root, -root):
        y = _root((sign - 1) * pow(D, P - 2, P) % P)
        if y is not None:
            found |= {(value, bit) for value in (y, P - y) for bit in (0, 1)}
    assert len(found) == 8
    return frozenset((y | bit << 255).to_bytes(32, "little") for y, bit in found)


SMALL_ORDER = _small_order()
_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE = decompress(_BASE_Y.to_bytes(32, "little"))
assert _BASE is not None
_BASE_TABLE = _table(_BASE)


def is_agent_id(key: bytes) -> bool:
    """Whether 32 bytes can be an agent id: rules 1 and 2, on bytes alone."""
    return len(key) == 32 and canonical(key) and key not in SMALL_ORDER


def _parts(key: bytes, message: bytes, signature: bytes) -> tuple[int, int, Point, Point] | None:
    """S, k, A and R of a signature that keeps rules 1 to 5; what is left of the rules is the equation."""
    if len(signature) != 64 or not is_agent_id(key):
        return None
    r_bytes, s = signature[:32], int.from_bytes(signature[32:], "little")
    if not canonical(r_bytes) or s >= L:
        return None
    a, r = decompress(key), decompress(r_bytes)
    if a is None or r is None:
        return None
    k = int.from_bytes(hashlib.sha512(r_bytes + key + message).digest(), "little") % L
    return s, k, a, r


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` by `key` on `message` is valid: rules 1 to 6."""
    parts = _parts(key, message, signature)
    if parts is None:
        return False
    s, k, a, r = parts
    total = _combine([(s, _BASE_TABLE), (k, _table(_negate(a)))])
    x, y, z, _ = _double(_double(_double(_add(total, _negate(r)))))
    return x % P == 0 and (y - z) % P == 0


def batch_coefficients(signatures: Sequence[tuple[bytes, bytes, bytes]]) -> list[int]:
    """The coefficients z_i of a batch of (key, message, signature)."""
    seed = hashlib.sha512()
    for key, message, signature in signatures:
        seed.update(signature[32:])
        seed.update(hashlib.sha512(signature[:32] + key + message).digest())
    start = seed.digest()
    pieces = b"".join(
        hashlib.sha512(start + i.to_bytes(8, "little")).digest()
        for i in range((len(signatures) + 3) // 4)
    )
    return [
        int.from_bytes(pieces[16 * i : 16 * i + 16], "little") for i in range(len(signatures))
    ]


def verify_batch(signatures: Sequence[tuple[bytes, bytes, bytes]]) -> bool:
    """Whether all are valid, by one equation; accepts exactly what `verify` accepts of each."""
    terms: list[tuple[int, list[Point]]] = []
    base = 0
    coefficients = batch_coefficients(signatures)
    for z, (key, message, signature) in zip(coefficients, signatures, strict=True):
        parts = _parts(key, message, signature)
        if parts is None:
            return False
        s, k, a, r = parts
        base = (base + z * s) % L
        terms += [(z, _table(_negate(r))), (z * k % L, _table(_negate(a)))]
    x, y, z, _ = _double(_double(_double(_combine([(base, _BASE_TABLE), *terms]))))
    return x % P == 0 and (y - z) % P == 0
