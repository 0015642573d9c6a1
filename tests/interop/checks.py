"""Tests of this implementation that are no vectors: against other implementations, and at random.

The random choices are the same in each run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey

from agent_envelope import cbor, ed25519, identity, sealing
from agent_envelope.envelope import decode
from agent_envelope.errors import Refused
from agent_envelope.verify import verify
from vectors import Family, verifier_in

Check = Callable[[Random, Path], None]
CHECKS: list[Check] = []


def check(run: Check) -> Check:
    CHECKS.append(run)
    return run


def encode_point(point: ed25519.Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, ed25519.P - 2, ed25519.P)
    x, y = x * inverse % ed25519.P, y * inverse % ed25519.P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def signature_with_torsion(
    random: Random, message: bytes, in_key: bytes, in_r: bytes
) -> tuple[bytes, bytes]:
    """A key and a signature on `message`, a point of small order added to the key and to R."""
    torsion = [ed25519.decompress(encoded) for encoded in (in_key, in_r)]
    assert torsion[0] is not None and torsion[1] is not None
    a, r = random.randrange(1, ed25519.L), random.randrange(1, ed25519.L)
    base = ed25519._table(ed25519._BASE)
    key = encode_point(ed25519._add(ed25519._combine([(a, base)]), torsion[0]))
    r_bytes = encode_point(ed25519._add(ed25519._combine([(r, base)]), torsion[1]))
    k = int.from_bytes(ed25519.hashlib.sha512(r_bytes + key + message).digest(), "little")
    s = (r + k * a) % ed25519.L
    return key, r_bytes + s.to_bytes(32, "little")


@check
def ed25519_accepts_what_a_library_signs_and_refuses_what_it_refuses(
    random: Random, _: Path
) -> None:
    for _ in range(24):
        private = Ed25519PrivateKey.from_private_bytes(random.randbytes(32))
        key = private.public_key().public_bytes_raw()
        message = random.randbytes(random.randrange(80))
        signature = private.sign(message)
        assert ed25519.verify(key, message, signature)
        altered = bytearray(signature)
        altered[random.randrange(64)] ^= 1 << random.randrange(8)
        for k, m, s in (
            (key, message + b"x", signature),
            (key, message, bytes(altered)),
        ):
            try:
                Ed25519PublicKey.from_public_bytes(k).verify(s, m)
                expected = True
            except (InvalidSignature, ValueError):
                expected = False
            assert ed25519.verify(k, m, s) == expected


@check
def ed25519_is_cofactored(random: Random, _: Path) -> None:
    """A point of small order in the key or in R changes nothing; s + L and small keys do."""
    torsion = sorted(ed25519.SMALL_ORDER)
    for in_key in torsion:
        in_r = random.choice(torsion)
        message = random.randbytes(16)
        key, signature = signature_with_torsion(random, message, in_key, in_r)
        assert ed25519.verify(key, message, signature)
        assert ed25519.verify_batch([(key, message, signature)])
        s = int.from_bytes(signature[32:], "little") + ed25519.L
        malleable = signature[:32] + s.to_bytes(32, "little")
        assert not ed25519.verify(key, message, malleable)
        assert not ed25519.verify(in_key, message, signature)
        assert not ed25519.verify(in_key, message, in_r + bytes(32))


@check
def a_batch_accepts_what_each_accepts(random: Random, _: Path) -> None:
    batch = []
    for _ in range(8):
        private = Ed25519PrivateKey.from_private_bytes(random.randbytes(32))
        message = random.randbytes(20)
        batch.append((private.public_key().public_bytes_raw(), message, private.sign(message)))
    assert ed25519.verify_batch(batch)
    for i in range(len(batch)):
        key, message, signature = batch[i]
        broken = [*batch[:i], (key, message + b"!", signature), *batch[i + 1 :]]
        assert not ed25519.verify_batch(broken)


@check
def a_batch_and_one_alone_agree_on_the_vectors_of_signatures(_: Random, directory: Path) -> None:
    """Hops of torsion, of other forms of R and s: single and batch equation accept the same."""
    family = Family.load(directory / "signatures.json")
    hops: set[tuple[bytes, bytes, bytes]] = set()
    for case in family.cases:
        for step in case["steps"]:
            with suppress(Refused):
                for hop in decode(bytes.fromhex(step["bytes"])).hops:
                    statement = hop.statement
                    hops.add((hop.content.signer, statement.to_be_signed, statement.signature))
    valid = sorted(each for each in hops if ed25519.verify(*each))
    wrong = sorted(hops - set(valid))
    assert len(valid) > 10 and len(wrong) > 10
    assert ed25519.verify_batch(valid)
    for each in wrong:
        assert not ed25519.verify_batch([each])
        assert not ed25519.verify_batch([*valid[:2], each])


@check
def agent_ids_and_their_text_are_one_to_one(random: Random, _: Path) -> None:
    for _ in range(200):
        agent = random.randbytes(32)
        if not ed25519.is_agent_id(agent):
            continue
        text = identity.to_text(agent)
        assert identity.from_text(text) == agent
        place = random.randrange(len(identity.DID_KEY), len(text))
        for other in (
            text[:place] + text[place + 1 :],
            text[:place] + "1" + text[place:],
            text.replace("did", "DID"),
            text[:place] + "0" + text[place + 1 :],
        ):
            try:
                assert identity.from_text(other) != agent
            except Refused as refused:
                assert refused.code == 123


@check
def hpke_opens_what_another_implementation_sealed(random: Random, _: Path) -> None:
    suite = CipherSuite.new(
        KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.CHACHA20_POLY1305
    )
    for _ in range(8):
        private = random.randbytes(32)
        key = X25519PrivateKey.from_private_bytes(private)
        info, plaintext = random.randbytes(random.randrange(99)), random.randbytes(32)
        enc, context = suite.create_sender_context(
            KEMKey.from_pyca_cryptography_key(key.public_key()), info=info
        )
        wrapped = context.seal(plaintext)
        assert sealing.hpke_open(private, enc, info, wrapped) == plaintext
        assert sealing.hpke_open(private, enc, info + b"x", wrapped) is None
        for low_order in (bytes(32), (1).to_bytes(32, "little")):
            assert sealing.hpke_open(private, low_order, info, wrapped) is None


def random_item(random: Random, depth: int = 3) -> object:
    choice = random.randrange(7 if depth else 4)
    size = random.choice([0, 1, 23, 24, 255, 256])
    match choice:
        case 0:
            return random.getrandbits(random.randrange(65)) - random.choice([0, 1 << 63])
        case 1:
            return random.randbytes(size)
        case 2:
            return "é" * size
        case 3:
            return None
        case 4 | 5:
            return [random_item(random, depth - 1) for _ in range(random.randrange(5))]
    return {
        random.getrandbits(17): random_item(random, depth - 1) for _ in range(random.randrange(5))
    }


@check
def cbor_has_one_form(random: Random, _: Path) -> None:
    """What the encoder writes is read, and no cut or added byte is."""
    for _ in range(300):
        data = cbor.encode(random_item(random))
        reader = cbor.Reader(data)
        reader.skip()
        reader.done()
        for wrong, code in ((data[:-1], 101), (data + b"\0", 108)):
            reader = cbor.Reader(wrong)
            try:
                reader.skip()
                reader.done()
            except Refused as refused:
                assert refused.code == code, (data.hex(), str(refused))
            else:
                raise AssertionError(data.hex())


def accepted(directory: Path, least: int) -> Iterator[tuple[str, bytes, Family, dict]]:
    """Accepted steps that verify, the longest envelope of each family."""
    for path in sorted(directory.glob("*.json")):
        family = Family.load(path)
        steps = [
            step
            for case in family.cases
            for step in case["steps"]
            if step["do"] == "verify" and "ok" in step["expect"]
        ]
        if steps:
            step = max(steps, key=lambda step: len(step["bytes"]))
            yield family.name, bytes.fromhex(step["bytes"]), family, step
            least -= 1
    if least > 0:
        raise AssertionError(f"{least} families with envelopes that are accepted are missing")


@check
def no_flipped_bit_no_cut_and_no_insertion_is_accepted(random: Random, directory: Path) -> None:
    for name, data, family, step in accepted(directory, 2):
        verifier = verifier_in(family.verifiers[step["verifier"]])
        verify(data, verifier, step["role"], step["now"])
        for i in range(150):
            altered = bytearray(data)
            place = random.randrange(len(data))
            if i % 3 == 0 and i % 2:
                altered[place:] = b""
            elif i % 3 == 0:
                altered.insert(place, random.getrandbits(8))
            else:
                altered[place] ^= 1 << random.randrange(8)
            try:
                verify(bytes(altered), verifier, step["role"], step["now"])
            except Refused:
                continue
            raise AssertionError(f"{name}: byte {place} altered and accepted")


def run(directory: Path) -> tuple[int, list[str]]:
    """How many checks passed, and what did not."""
    passed, found = 0, []
    for each in CHECKS:
        try:
            each(Random(each.__name__), directory)
            passed += 1
        except Exception as error:
            found.append(f"{each.__name__}: {type(error).__name__}: {error}")
    return passed, found
