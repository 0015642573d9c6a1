"""A COSE library opens the same bytes: python-cwt (PyPI `cwt`), as published, without a change.

Who does what:

- `cbor2` (which cwt uses) decodes the envelope; nothing of `agent_envelope` is used.
- cwt verifies COSE_Sign1 with alg -19 (Ed25519, RFC 9864) and external_aad; decrypts COSE_Encrypt
  with a recipient of alg 50 (HPKE-4-KE of draft-ietf-cose-hpke), whose Recipient_structure it
  builds itself from the `extra_info` it is given; and decrypts COSE_Encrypt0 with alg 24 and
  external_aad. Its HPKE is `pyhpke`, its other primitives are those of `cryptography`.
- This module adds the COSE tags 18, 96 and 16, which cwt wants and the envelope leaves out; and
  computes what SPEC.md has beside COSE, by `hashlib` and `cbor2`: *g*, ids, the element chain, the
  external_aad of §4, §8.2 and §8.3, `extra` of §8.2, key and iv of a sealed body. It compares the
  secret with its aid, and the plaintext with its commitment and with what the vectors say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass, field
import hashlib
import json
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cwt import COSE, COSEKey, DecodeError, VerifyError

V1 = "agent-envelope/1/"
SIGN1, ENCRYPT, ENCRYPT0 = 18, 96, 16
COFACTORED = frozenset({"signatures"})
"""The family whose signatures only the rule of SPEC.md §2.3 accepts; `cryptography` has another."""
ED25519, CHACHA20_POLY1305, HPKE_4_KE = -19, 24, 50


def digest(*parts: Any) -> bytes:
    return hashlib.sha256(cbor2.dumps(list(parts))).digest()


def expand(secret: bytes, info: list[Any], length: int) -> bytes:
    return HKDFExpand(algorithm=SHA256(), length=length, info=cbor2.dumps(info)).derive(secret)


def verify_sign1(statement: list[Any], key: bytes, external_aad: list[Any]) -> bytes:
    """The payload of a statement whose signature cwt finds valid."""
    header = cbor2.loads(statement[0])
    params: dict[int, Any] = {1: 1, -1: 6, 3: ED25519, -2: key}
    if 4 in header:
        params[2] = header[4]
    return COSE.new().decode(
        cbor2.CBORTag(SIGN1, statement), COSEKey.new(params), external_aad=cbor2.dumps(external_aad)
    )


def statement_id(statement: list[Any], external_aad: list[Any]) -> bytes:
    return digest("Signature1", statement[0], cbor2.dumps(external_aad), statement[2])


def open_audience(body: list[Any], g: bytes, agent: bytes, private: bytes) -> bytes:
    """The secret of an audience, by cwt alone: HPKE key encryption, then COSE_Encrypt."""
    aid, message = body
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    key = COSEKey.new({1: 1, -1: 4, 2: public[:8], 3: HPKE_4_KE, -2: public, -4: private})
    return COSE.new(verify_kid=True).decode(
        cbor2.CBORTag(ENCRYPT, message),
        key,
        external_aad=cbor2.dumps([V1 + "audience", g, aid]),
        extra_info=cbor2.dumps([V1 + "wrap", g, agent]),
    )


def holders(identities: dict[str, Any]) -> dict[bytes, set[bytes]]:
    """The agents of each sealing key: in some vectors another agent tries a stolen one."""
    found: dict[bytes, set[bytes]] = {}
    for identity in identities.values():
        for sealing in identity["sealing"]:
            agents = found.setdefault(bytes.fromhex(sealing), set())
            agents.add(bytes.fromhex(identity["agent"]))
    return found


def open_for_one_of(body: list[Any], g: bytes, agents: set[bytes], private: bytes) -> bytes:
    """The secret of an audience, whose wrap is bound to one of the agents."""
    secrets = []
    for agent in agents:
        with contextlib.suppress(DecodeError):
            secrets.append(open_audience(body, g, agent, private))
    (secret,) = secrets
    return secret


def open_body(message: list[Any], secret: bytes, s: list[Any]) -> bytes:
    okm = expand(secret, s, 44)
    if message[1] != {5: okm[32:]}:
        raise ValueError("the iv is another one")
    key = COSEKey.new({1: 4, 3: CHACHA20_POLY1305, -1: okm[:32]})
    return COSE.new().decode(cbor2.CBORTag(ENCRYPT0, message), key, external_aad=cbor2.dumps(s))


@dataclass
class Tally:
    done: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def expect(self, what: str, case: str, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:
            self.found.append(f"{case}: {what}: {type(error).__name__}: {error}")
        else:
            self.done[what] = self.done.get(what, 0) + 1

    def expect_refusal(self, what: str, case: str, run: Callable[[], object]) -> None:
        try:
            run()
        except (DecodeError, VerifyError, ValueError):
            self.done[what] = self.done.get(what, 0) + 1
        else:
            self.found.append(f"{case}: {what}: accepted")


@dataclass
class Source:
    """An envelope of an accepted case, and what its sealed bodies hold, as the case says."""

    case: str
    data: bytes
    identities: dict[str, Any]
    opened: dict[int, tuple[str, bytes]] = field(default_factory=dict)


def sources(directory: Path) -> Iterator[Source]:
    for path in sorted(directory.glob("*.json")):
        if path.stem in COFACTORED:
            continue
        family = json.loads(path.read_text())
        seen: dict[str, Source] = {}
        for case in family["cases"]:
            if case["rule"] is not None:
                continue
            received: dict[str, Source] = {}
            for step in case["steps"]:
                if step["do"] in ("verify", "receive"):
                    source = seen.setdefault(
                        step["bytes"],
                        Source(
                            f"{family['family']}/{case['name']}",
                            bytes.fromhex(step["bytes"]),
                            family.get("identities", {}),
                        ),
                    )
                    if "as" in step:
                        received[step["as"]] = source
                elif step["do"] == "open":
                    plain = step["expect"]["ok"]
                    received[step["received"]].opened[step["element"]] = (
                        plain["type"],
                        bytes.fromhex(plain["content"]),
                    )
        yield from seen.values()


def check_envelope(tally: Tally, source: Source) -> None:
    case = source.case
    _, header_bytes, elements, hops = cbor2.loads(source.data)
    header = cbor2.loads(header_bytes)
    g = digest(V1 + "envelope", header_bytes)

    authors: list[bytes] = []
    parent = g
    for k, hop in enumerate(hops):
        payload = cbor2.loads(hop[2])
        signer = header[3] if k == 0 else payload[1]
        aad = [V1 + "hop", parent]

        def hop_verifies(hop=hop, signer=signer, aad=aad) -> None:
            if verify_sign1(hop, signer, aad) != hop[2]:
                raise ValueError("another payload")

        tally.expect("hop verified", case, hop_verifies)
        tally.expect_refusal(
            "hop with another parent refused",
            case,
            lambda hop=hop, signer=signer: verify_sign1(hop, signer, [V1 + "hop", bytes(32)]),
        )
        parent = statement_id(hop, aad)
        authors += [signer] * (payload[4] - len(authors))

    secrets: dict[bytes, bytes] = {}
    c = g
    for index, (record_bytes, body_bytes) in enumerate(elements):
        author = authors[index]
        record = cbor2.loads(record_bytes)
        kind = record[1]
        if kind == 64:
            check_chain(tally, case, cbor2.loads(body_bytes))
        elif kind == 65:
            body = cbor2.loads(body_bytes)
            hints = {cbor2.loads(recipient[0])[4] for recipient in body[1][3]}
            for private, agents in holders(source.identities).items():
                key = X25519PrivateKey.from_private_bytes(private).public_key()
                if key.public_bytes_raw()[:8] not in hints:
                    continue

                def audience_opens(body=body, agents=agents, private=private) -> None:
                    secret = open_for_one_of(body, g, agents, private)
                    if expand(secret, [V1 + "audience-id", g], 32) != body[0]:
                        raise ValueError("another aid")
                    secrets[body[0]] = secret

                tally.expect("audience opened", case, audience_opens)
                tally.expect_refusal(
                    "audience of another envelope refused",
                    case,
                    lambda body=body, agents=agents, private=private: open_for_one_of(
                        body, bytes(32), agents, private
                    ),
                )
        elif index in source.opened:
            aid = cbor2.loads(elements[record[3][0]][1])[0]
            s = [V1 + "content", c, author, kind, record[2]]
            message = cbor2.loads(body_bytes)
            expected = source.opened[index]

            def body_opens(
                message=message, aid=aid, s=s, author=author, record=record, expected=expected
            ) -> None:
                plain = cbor2.loads(open_body(message, secrets[aid], s))
                if digest(V1 + "commit", author, *plain) != record[2]:
                    raise ValueError("another commitment")
                if tuple(plain[1:]) != expected:
                    raise ValueError(f"another content, {plain[1:]}")

            tally.expect("body opened", case, body_opens)
            tally.expect_refusal(
                "body at another place refused",
                case,
                lambda message=message, aid=aid, s=s: open_body(
                    message, secrets[aid], [*s[:1], bytes(32), *s[2:]]
                ),
            )
        c = digest(V1 + "element", c, record_bytes)


def check_chain(tally: Tally, case: str, chain: list[list[Any]]) -> None:
    parent: bytes | None = None
    signer = cbor2.loads(chain[0][0])[4]
    for link in chain:
        aad = [V1 + "link", parent]

        def link_verifies(link=link, signer=signer, aad=aad) -> None:
            if verify_sign1(link, signer, aad) != link[2]:
                raise ValueError("another payload")

        tally.expect("link verified", case, link_verifies)
        parent = statement_id(link, aad)
        signer = cbor2.loads(link[2])[8][1][-2]


NEEDED = ("hop verified", "link verified", "audience opened", "body opened")


def run(directory: Path) -> tuple[int, list[str]]:
    """How many checks agreed, and what did not."""
    tally = Tally()
    for source in sources(directory):
        check_envelope(tally, source)
    for what in NEEDED:
        if not tally.done.get(what):
            tally.found.append(f"nothing in the vectors for: {what}")
    return sum(tally.done.values()), tally.found
