"""The vectors' operations, as the README of `tests/vectors/` defines them, on `agent_envelope`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent_envelope import delegation, identity, keeping, negotiation, pricing, state
from agent_envelope.amounts import (
    MONEY,
    UNIT,
    Amounts,
    Terms,
    check_unit,
    is_advisory,
    is_ceiling,
    order,
)
from agent_envelope.cbor import MAX_AMOUNT, Reader, encode
from agent_envelope.delegation import Anchor, Authority, Revocations
from agent_envelope.envelope import Element, Envelope, Plain, decode
from agent_envelope.errors import NAMES, Refused
from agent_envelope.evidence import evidence
from agent_envelope.hashes import H, expand
from agent_envelope.ledger import Split, read_history
from agent_envelope.limits import Limits, Sums
from agent_envelope.statement import KEY_PACKAGE, PROTECTED, Statement
from agent_envelope.verify import OBSERVER, Verified, Verifier, lineage_of, verify

FORMAT = "agent-envelope-vectors/1"

Json = dict[str, Any]


# ---- values --------------------------------------------------------------------------------------


def integer(value: int | str) -> int:
    return int(value)


def big(value: int) -> int | str:
    """An integer as the vectors write it."""
    return value if value < 2**53 else str(value)


def amounts_in(value: list[list[Any]]) -> Amounts:
    return {(e[0], e[2] if len(e) == 3 else None): integer(e[1]) for e in value}


def amounts_out(amounts: Mapping[tuple[int, str | None], int]) -> list[list[Any]]:
    return [
        [dimension, big(amount)] if unit is None else [dimension, big(amount), unit]
        for (dimension, unit), amount in amounts.items()
    ]


def terms_in(value: Json | None) -> Terms | None:
    if value is None:
        return None
    return Terms(
        amounts_in(value["amounts"]),
        integer(value["deadline"]),
        integer(value["depth"]),
        integer(value["wall"]) if "wall" in value else None,
    )


def terms_out(terms: Terms | None) -> Json | None:
    if terms is None:
        return None
    found: Json = {
        "amounts": amounts_out(terms.amounts),
        "deadline": big(terms.deadline),
        "depth": big(terms.depth),
    }
    if terms.wall is not None:
        found["wall"] = big(terms.wall)
    return found


def scope_in(value: list[Any]) -> delegation.Scope:
    return tuple((tuple(actions), tuple(prefix)) for actions, prefix in value)


def scope_out(scope: delegation.Scope) -> list[Any]:
    return [[list(actions), list(prefix)] for actions, prefix in scope]


def limits_in(value: Json | None) -> Limits:
    return Limits(**(value or {}))


def hexes(values: list[str]) -> frozenset[bytes]:
    return frozenset(map(bytes.fromhex, values))


def verifier_in(value: Json) -> Verifier:
    anchors = tuple(
        Anchor(
            key=bytes.fromhex(a["key"]),
            issuer=a["issuer"],
            subjects=frozenset(a["subjects"]) if "subjects" in a else None,
            scope=scope_in(a["scope"]),
            depth=a["depth"],
            max_lifetime=a["max_lifetime"],
            budget=terms_in(a.get("budget")),
        )
        for a in value["anchors"]
    )
    r = value.get("revocations")
    revocations = (
        None
        if r is None
        else Revocations(
            r["as_of"],
            r["max_age"],
            hexes(r.get("links", [])),
            hexes(r.get("tokens", [])),
            hexes(r.get("keys", [])),
        )
    )
    return Verifier(
        agent=bytes.fromhex(value["agent"]) if "agent" in value else bytes(32),
        anchors=anchors,
        audience=value.get("audience"),
        revocations=revocations,
        skew=value.get("skew", 30),
        require_sealed=value.get("require_sealed", False),
        require_funding=value.get("require_funding", False),
        admit_untrusted_origins=value.get("admit_untrusted_origins", False),
        limits=limits_in(value.get("limits")),
    )


def authority_out(authority: Authority) -> Json:
    running = authority.running
    return {
        "holder": authority.holder.hex(),
        "issuer": authority.issuer,
        "subject": authority.subject,
        "anchor": authority.anchor.hex(),
        "scope": scope_out(running.scope),
        "depth": running.depth,
        "window": None if running.window is None else list(running.window),
        "audience": running.audience,
        "conversation": None if running.conversation is None else running.conversation.hex(),
        "budget": terms_out(authority.budget),
    }


def ids_out(envelope: Envelope) -> Json:
    return {
        "envelope": envelope.g.hex(),
        "origin": envelope.origin.hex(),
        "tip": envelope.tip.hex(),
    }


def plain_out(plain: Plain) -> Json:
    return {"type": plain.type, "content": plain.content.hex()}


def element_out(element: Element) -> Json:
    found: Json = {
        "index": element.index,
        "id": element.id.hex(),
        "author": element.author.hex(),
        "hop": element.hop,
        "kind": element.kind,
    }
    if element.body is None:
        found["state"] = "absent"
    elif element.sealed is not None:
        found["state"] = "sealed"
    else:
        assert isinstance(element.form, Plain)
        found |= {"state": "clear"} | plain_out(element.form)
    return found


def verified_out(verified: Verified) -> Json:
    envelope = verified.envelope
    package = verified.key_package
    return ids_out(envelope) | {
        "from": envelope.sender.hex(),
        "conversation": envelope.conversation.hex(),
        "labels": [list(label) for label in envelope.header.labels],
        "terms": terms_out(envelope.header.terms),
        "hops": [
            {
                "id": hop.id.hex(),
                "signer": hop.content.signer.hex(),
                "at": hop.content.at,
                "next": [agent.hex() for agent in hop.content.next],
                "count": hop.content.count,
            }
            for hop in envelope.hops
        ],
        "elements": [element_out(e) for e in envelope.elements if not e.is_control],
        "chains": [
            {"author": element.author.hex(), "status": status}
            for element, status, _ in verified.chains
        ],
        "authorities": [authority_out(a) for a in verified.authorities],
        "key_package": None if package is None or package.body is None else package.body.hex(),
    }


# ---- operations ----------------------------------------------------------------------------------


@dataclass
class Case:
    """What the steps of one case share."""

    family: Family
    objects: dict[str, Any] = field(default_factory=dict)

    def verifier(self, name: str) -> Verifier:
        return verifier_in(self.family.verifiers[name])

    def identity(self, name: str) -> tuple[bytes, list[bytes]]:
        value = self.family.identities[name]
        return bytes.fromhex(value["agent"]), [bytes.fromhex(k) for k in value["sealing"]]


Operation = Callable[[Case, Json], Json]
OPERATIONS: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    def register(run: Operation) -> Operation:
        OPERATIONS[name] = run
        return run

    return register


def data_of(step: Json) -> bytes:
    return bytes.fromhex(step["bytes"])


@operation("key-package")
def _(_case: Case, step: Json) -> Json:
    package = identity.key_package(data_of(step), step["now"], limits_in(step.get("limits")))
    return {
        "agent": package.agent.hex(),
        "suite": package.suite,
        "not_before": package.not_before,
        "expires": package.expires,
    }


@operation("chain")
def _(_case: Case, step: Json) -> Json:
    chain = delegation.chain(data_of(step), limits_in(step.get("limits")))
    return {"holder": chain.holder.hex(), "id": chain.id.hex()}


@operation("decode")
def _(_case: Case, step: Json) -> Json:
    return ids_out(decode(data_of(step), limits_in(step.get("limits"))))


@operation("verify")
def _(case: Case, step: Json) -> Json:
    verifier = case.verifier(step["verifier"])
    return verified_out(verify(data_of(step), verifier, step["role"], step["now"]))


@operation("origin-fork")
def _(_case: Case, step: Json) -> Json:
    fork = state.origin_fork(data_of(step))
    return {"culprit": fork.culprit.hex(), "ids": [i.hex() for i in fork.ids]}


@operation("evidence")
def _(_case: Case, step: Json) -> Json:
    found = evidence(data_of(step))
    return {
        "culprit": found.culprit.hex(),
        "allotment": found.allotment.hex(),
        "breach": found.breach,
    }


@operation("message")
def _(_case: Case, step: Json) -> Json:
    return {"type": type(negotiation.message(data_of(step))).__name__.lower()}


@operation("agent-id")
def _(_case: Case, step: Json) -> Json:
    return {"text": identity.to_text(identity.agent_id(data_of(step)))}


@operation("agent-id-text")
def _(_case: Case, step: Json) -> Json:
    return {"bytes": identity.from_text(step["text"]).hex()}


@operation("resource")
def _(_case: Case, step: Json) -> Json:
    return {"segments": list(delegation.resource(step["text"]))}


@operation("allows")
def _(_case: Case, step: Json) -> Json:
    action = delegation.check_action(step["action"])
    path = delegation.resource(step["resource"])
    return {"allowed": delegation.covers(scope_in(step["scope"]), action, path)}


@operation("inbox")
def _(case: Case, step: Json) -> Json:
    rooms = {key: step[key] for key in ("envelopes", "principals") if key in step}
    case.objects[step["as"]] = state.Inbox.of(case.verifier(step["verifier"]), **rooms)
    return {}


def allotment_out(element: Element) -> Json:
    lineage = lineage_of(element)
    audit = lineage.root.content.audit
    return {
        "id": lineage.id.hex(),
        "payer": lineage.payer.hex(),
        "grantor": lineage.signer.hex(),
        "audit": None if audit is None else audit.hex(),
        "terms": terms_out(lineage.terms),
    }


@operation("receive")
def _(case: Case, step: Json) -> Json:
    received = case.objects[step["inbox"]].receive(data_of(step), step["now"])
    if "as" in step:
        case.objects[step["as"]] = received
    verified, after = received.verified, received.after
    funding: str | list[Json] = [allotment_out(e) for e in received.funding()]
    if not funding:
        funding = "none" if verified.envelope.header.terms is None else "declared"
    return {
        "admission": received.admission,
        "after": after,
        "standing": received.standing,
        "verified": verified_out(verified),
        "funding": funding,
        "purses": [allotment_out(e) for e in received.purses()],
        "unfunded": verified.unfunded(after),
    }


@operation("open")
def _(case: Case, step: Json) -> Json:
    agent, sealing = case.identity(step["identity"])
    return plain_out(case.objects[step["received"]].open(step["element"], agent, sealing))


@operation("attach")
def _(case: Case, step: Json) -> Json:
    received = case.objects[step["received"]]
    element = received.attach(step["element"], data_of(step))
    return plain_out(element.form) if isinstance(element.form, Plain) else {}


@operation("authorize")
def _(case: Case, step: Json) -> Json:
    principals = step.get("principals")
    found = case.objects[step["received"]].authorize(
        step["element"],
        step["action"],
        step["resource"],
        None if principals is None else [(issuer, subject) for issuer, subject in principals],
    )
    return {"authorities": [authority_out(a) for a in found]}


@operation("sent")
def _(case: Case, step: Json) -> Json:
    envelope = case.objects[step["as"]] = decode(data_of(step))
    return {"origin": envelope.origin.hex()}


@operation("record-sent")
def _(case: Case, step: Json) -> Json:
    case.objects[step["inbox"]].record_sent(case.objects[step["sent"]])
    return {}


@operation("accept-reply")
def _(case: Case, step: Json) -> Json:
    reply = case.objects[step["received"]].verified.envelope
    state.accept_reply(case.objects[step["sent"]], reply)
    case.objects[step["as"]] = reply
    return {}


@operation("check-path")
def _(case: Case, step: Json) -> Json:
    path = verify(data_of(step), case.verifier(step["verifier"]), OBSERVER, step["now"])
    state.check_path(case.objects[step["reply"]], path.envelope)
    return {}


@operation("merge")
def _(case: Case, step: Json) -> Json:
    case.objects[step["inbox"]].window.merge(case.objects[step["other"]].window)
    return {}


@operation("transcript")
def _(case: Case, step: Json) -> Json:
    agent, _ = case.identity(step["identity"])
    other = bytes.fromhex(step["other"])
    asker, worker = (agent, other) if step["side"] == "asker" else (other, agent)
    case.objects[step["as"]] = negotiation.Negotiation(asker, worker)
    return {}


@operation("transcript-receive")
def _(case: Case, step: Json) -> Json:
    received = case.objects[step["received"]]
    said = negotiation.message_of(received, *case.identity(step["identity"]))
    case.objects[step["transcript"]].take(received.verified.envelope, said, step["now"])
    return {"type": type(said).__name__.lower()}


@operation("transcript-send")
def _(case: Case, step: Json) -> Json:
    """What entropy makes of an envelope is no concern of a receiver (§2.4).

    So the envelope that the case expects is taken for the one that was built, and must be one
    that says the message, in reply to the right envelope.
    """
    agent, _ = case.identity(step["identity"])
    if not any(bytes.fromhex(step["entropy"])):
        raise Refused(901, "call")
    said = negotiation.message(bytes.fromhex(step["message"]))
    talk = case.objects[step["transcript"]]
    request = case.objects[step["reply_to"]].verified.envelope if "reply_to" in step else None
    to = [request.sender] if request is not None else hexes(step["to"])
    talk.check(agent, to, said, step["now"])
    data = bytes.fromhex(step["expect"].get("ok", {}).get("bytes", ""))
    built = verify(data, Verifier(agent, (), admit_untrusted_origins=True), OBSERVER, step["now"])
    envelope = built.envelope
    tip = request.tip if request is not None and len(request.hops) > 1 else None
    if (
        envelope.sender != agent
        or set(envelope.header.to) != set(to)
        or envelope.header.in_reply_to != (None if request is None else (request.origin, tip))
        or negotiation.message_of(state.Received(built, state.NEW, 0, "", [])) != said
    ):
        raise ValueError("the envelope does not say what was to be said")
    talk.take(envelope, said, step["now"])
    case.objects[step["as"]] = envelope
    return {"bytes": data.hex()}


@operation("settle")
def _(case: Case, step: Json) -> Json:
    settled = case.objects[step["as"]] = case.objects[step["transcript"]].settle(step["now"])
    return {"asker": settled.asker.hex(), "worker": settled.worker.hex()}


@operation("check-request")
def _(case: Case, step: Json) -> Json:
    received = case.objects[step["received"]]
    terms = case.objects[step["settled"]].check_request(received, step["now"])
    return {"terms": terms_out(terms)}


# ---- operations of local families: what SPEC.md says enough of -----------------------------------


def checked_amounts(value: list[list[Any]]) -> Amounts:
    """Amounts that may stand among each other (V-1001)."""
    found: Amounts = {}
    for entry in value:
        amount = integer(entry[1])
        unit = entry[2] if len(entry) == 3 else None
        try:
            check_unit(entry[0], unit, "call")
        except Refused:
            raise Refused(1001, "call") from None
        if not 1 <= amount <= MAX_AMOUNT or (entry[0], unit) in found:
            raise Refused(1001, "call")
        if unit is not None and not UNIT.fullmatch(unit):
            raise Refused(1001, "call")
        found[entry[0], unit] = amount
    return keeping.ordered(found)


@operation("amounts")
def _(_case: Case, step: Json) -> Json:
    return {"amounts": amounts_out(checked_amounts(step["amounts"]))}


@operation("add")
def _(_case: Case, step: Json) -> Json:
    total = keeping.add(checked_amounts(step["one"]), checked_amounts(step["other"]))
    return {"amounts": amounts_out(total)}


@operation("subtract")
def _(_case: Case, step: Json) -> Json:
    rest = keeping.take_away(checked_amounts(step["one"]), checked_amounts(step["other"]))
    return {"amounts": amounts_out(rest)}


@operation("share")
def _(_case: Case, step: Json) -> Json:
    shares = keeping.share(integer(step["total"]), [integer(w) for w in step["weights"]])
    return {"shares": [big(share) for share in shares]}


@operation("price")
def _(_case: Case, step: Json) -> Json:
    """A tariff that may not stand in an offer is refused with V-1102 where it is made."""
    value = step["tariff"]
    prices = sorted(
        ([d, integer(price), integer(per), *unit] for d, price, per, *unit in value["prices"]),
        key=lambda e: order((e[0], e[3] if len(e) == 4 else None)),
    )
    item: dict[int, Any] = {1: value["unit"], 2: prices}
    if "free" in value:
        item[3] = value["free"]
    try:
        tariff = pricing.read_tariff(Reader(encode(item)))
    except Refused:
        raise Refused(1102, "call") from None
    cost = tariff.cost(checked_amounts(step["used"]))
    return {"cost": amounts_out({(MONEY << 2, tariff.unit): cost} if cost else {})}


@operation("quota")
def _(case: Case, step: Json) -> Json:
    limits, burst = checked_amounts(step["limits"]), checked_amounts(step.get("burst", []))
    if (
        not limits
        or any(is_ceiling(dimension) for dimension, _ in limits)
        or not burst.keys() <= limits.keys()
        or step["period"] == 0
        or step["principals"] == 0
    ):
        raise Refused(907, "call")
    case.objects[step["as"]] = pricing.Quota(
        {
            key: pricing.Limit(limit, step["period"], burst.get(key, limit))
            for key, limit in limits.items()
        },
        step["principals"],
    )
    return {}


@operation("ask-quota")
def _(case: Case, step: Json) -> Json:
    issuer, subject = step["principal"]
    asked = checked_amounts(step["amounts"])
    case.objects[step["quota"]].take((issuer, subject), asked, step["now"])
    return {}


def meters_in(value: list[list[Any]]) -> tuple[tuple[int, str | None], ...]:
    return tuple((e[0], e[1] if len(e) == 2 else None) for e in value)


def terms_of(value: Json) -> Terms:
    terms = terms_in(value)
    assert terms is not None
    return terms


def terms_item(terms: Terms) -> dict[int, Any]:
    item: dict[int, Any] = {
        1: keeping.amounts_item(terms.amounts),
        2: terms.deadline,
        3: terms.depth,
    }
    if terms.wall is not None:
        item[4] = terms.wall
    return item


def check_meters(terms: Terms, meters: tuple[tuple[int, str | None], ...]) -> None:
    if not all(key in meters for key in terms.amounts if not is_advisory(key[0])):
        raise Refused(1106, "call")


@operation("can-meter")
def _(_case: Case, step: Json) -> Json:
    check_meters(terms_of(step["terms"]), meters_in(step["meters"]))
    return {}


def made(item: dict[int, Any]) -> Json:
    """The message, unless it contradicts itself (V-1118)."""
    data = encode(item)
    try:
        negotiation.message(data)
    except Refused:
        raise Refused(1118, "call") from None
    return {"bytes": data.hex()}


@operation("ask")
def _(_case: Case, step: Json) -> Json:
    floor = keeping.amounts_item(checked_amounts(step["floor"]))
    return made({1: 0, 2: terms_item(terms_of(step["want"])), 3: floor})


@operation("offer")
def _(_case: Case, step: Json) -> Json:
    most = terms_of(step["max"])
    check_meters(most, meters_in(step["meters"]))
    return made(
        {
            1: 1,
            2: keeping.amounts_item(checked_amounts(step["need"])),
            3: keeping.amounts_item(checked_amounts(step.get("estimate", []))),
            4: terms_item(most),
            5: step["meters"],
            6: step["valid_until"],
        }
    )


class LeftOut(Exception):
    """A step of a local family that SPEC.md leaves to the implementation (§2.4, §10)."""


def check_entropy(step: Json) -> bytes:
    entropy = bytes.fromhex(step["entropy"])
    if not any(entropy):
        raise Refused(901, "call")
    return entropy


@operation("entropy")
def _(_case: Case, step: Json) -> Json:
    check_entropy(step)
    return {}


@operation("new-signing-key")
def _(_case: Case, step: Json) -> Json:
    """§2.4 with the label of Appendix B; there are no inputs."""
    prk = hmac.digest(H("inputs"), check_entropy(step), "sha256")
    key = expand(prk, b"agent-envelope/1/entropy/signing-key" + bytes(9), 32)
    public = Ed25519PrivateKey.from_private_bytes(key).public_key()
    return {"agent": public.public_bytes_raw().hex()}


@operation("new-identity")
def _(_case: Case, step: Json) -> Json:
    check_entropy(step)
    raise LeftOut


@operation("configure")
def _(_case: Case, step: Json) -> Json:
    config = step["config"]
    if not config["anchors"]:
        raise Refused(906, "call")
    try:
        verifier = verifier_in(config)
        for anchor in verifier.anchors:
            delegation.read_name(Reader(encode(anchor.issuer)))
            delegation.read_scope(Reader(encode(config_scope(anchor.scope))))
    except Refused:
        raise Refused(907, "call") from None
    if (
        verifier.skew > 60
        or len({anchor.key for anchor in verifier.anchors}) < len(verifier.anchors)
        or verifier.limits.hops == 0
        or verifier.limits.bytes == 0
    ):
        raise Refused(907, "call")
    return {}


def config_scope(scope: delegation.Scope) -> list[Any]:
    """The set that a configured scope stands for."""
    permissions = [[sorted(set(actions), key=encode), list(prefix)] for actions, prefix in scope]
    return sorted(permissions, key=encode)


@operation("make-key-package")
def _(case: Case, step: Json) -> Json:
    agent, sealing = case.identity(step["identity"])
    begin, end = step["now"], step["now"] + step["lifetime"]
    public = X25519PrivateKey.from_private_bytes(sealing[0]).public_key().public_bytes_raw()
    payload = encode({1: agent, 2: identity.SUITE_X25519, 3: public, 4: begin, 5: end})
    if end <= begin:
        raise Refused(322)
    unsigned = Statement(KEY_PACKAGE, None, PROTECTED, None, payload, None, b"", b"", 0)
    signature = signer(case, step, agent)(unsigned.to_be_signed)
    return {"bytes": encode([PROTECTED, {}, payload, signature]).hex()}


def built(step: Json) -> bytes:
    """What a builder of the crate made, in a case in which it made something."""
    if "ok" not in step["expect"]:
        raise LeftOut
    return bytes.fromhex(step["expect"]["ok"]["bytes"])


@operation("draft")
def _(case: Case, step: Json) -> Json:
    """What entropy makes is no concern of a receiver: what was built must be accepted."""
    agent, _ = case.identity(step["identity"])
    verifier = Verifier(agent, (), admit_untrusted_origins=True)
    data = built(step)
    envelope = verify(data, verifier, OBSERVER, step["now"]).envelope
    if envelope.hops[-1].content.signer != agent:
        raise ValueError("signed by another")
    if "as" in step:
        case.objects[step["as"]] = envelope
    return {"bytes": data.hex()}


OPERATIONS["onward"] = OPERATIONS["draft"]


@operation("issue")
def _(_case: Case, step: Json) -> Json:
    data = built(step)
    if delegation.chain(data).holder != bytes.fromhex(step["holder"]):
        raise ValueError("another holder")
    return {"bytes": data.hex()}


OPERATIONS["extend"] = OPERATIONS["issue"]

OUTCOMES = ("done", "partial", "exceeded", "too-late", "cancelled", "failed")
GIVEN_BACK: tuple[int, bytes | None] = (1, bytes([7] * 32))
"""The basis of the report by which the vectors give something back: attested by this digest."""


def ledger_out(ledger: keeping.Ledger) -> Json:
    return {
        "free": amounts_out(ledger.free),
        "held": amounts_out(ledger.held),
        "own": amounts_out(ledger.own),
        "out": amounts_out(ledger.out),
        "back": amounts_out(ledger.back),
        "returned": amounts_out(ledger.returned),
        "closed": ledger.closed,
    }


def signer(case: Case, step: Json, agent: bytes) -> keeping.Signer:
    identity_value = case.family.identities[step["identity"]]
    if bytes.fromhex(identity_value["agent"]) != agent:
        raise Refused(905, "call")
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(identity_value["signing"])).sign


@operation("open-ledger")
def _(case: Case, step: Json) -> Json:
    received: state.Received = case.objects[step["received"]]
    element = received.funding()[0]
    ledger = keeping.Ledger(lineage_of(element), received.verified.now)
    signer(case, step, ledger.holder)
    case.objects[step["as"]] = ledger
    return ledger_out(ledger)


@operation("charge")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    ledger.charge(checked_amounts(step["amounts"]))
    return ledger_out(ledger)


@operation("reserve")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    case.objects[step["as"]] = ledger.reserve(checked_amounts(step["amounts"]))
    return ledger_out(ledger)


@operation("release")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    ledger.release(case.objects[step["hold"]])
    return ledger_out(ledger)


@operation("commit")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    overrun = ledger.commit(case.objects[step["hold"]], checked_amounts(step["amounts"]))
    return ledger_out(ledger) | {"overrun": amounts_out(overrun)}


@operation("close")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    ledger.close(OUTCOMES.index(step["outcome"]), signer(case, step, ledger.holder))
    return {"history": ledger.history().hex()}


@operation("give-back")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    sign = signer(case, step, ledger.holder)
    ledger.give_back(checked_amounts(step["amounts"]), GIVEN_BACK, OUTCOMES.index("partial"), sign)
    return {"history": ledger.history().hex()}


@operation("split")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    event = Split(
        bytes.fromhex(step["to"]), terms_of(step["terms"]), bytes.fromhex(step["request"])
    )
    sign = signer(case, step, ledger.holder)
    ledger.split(event, checked_amounts(step["keep"]), step["now"], sign)
    above = ledger.lineage
    statements = [above.root, *above.splits, ledger.entries[-1]]
    chain = b"\xf6" if above.chain is None else above.chain.raw
    raw = b"".join(statement.raw for statement in statements)
    return {"lineage": (b"\x82" + chain + bytes([0x80 | len(statements)]) + raw).hex()}


@operation("credit")
def _(case: Case, step: Json) -> Json:
    ledger = case.objects[step["ledger"]]
    reader = Reader(bytes.fromhex(step["history"]))
    history = read_history(reader, Sums(Limits()))
    reader.done()
    entry = ledger.credit(history, signer(case, step, ledger.holder))
    return {"entry": None if entry is None else entry.raw.hex()}


# ---- running -------------------------------------------------------------------------------------


@dataclass
class Family:
    name: str
    cases: list[Json]
    verifiers: Json
    identities: Json
    local: bool = False

    @classmethod
    def load(cls, path: Path) -> Family:
        value = json.loads(path.read_text())
        if value["format"] != FORMAT:
            raise ValueError(f"{path.name}: format {value['format']}")
        if value["family"] != path.stem:
            raise ValueError(f"{path.name}: family {value['family']}")
        return cls(
            value["family"],
            value["cases"],
            value.get("verifiers", {}),
            value.get("identities", {}),
            value.get("local", False),
        )


@dataclass
class Outcome:
    differences: list[str]
    error: BaseException | None = None
    left_out: bool = False
    """The case is of a local family, and about what SPEC.md leaves to an implementation."""


COMPARED_PLACES = ("offset", "hop", "element", "link")


def _unordered(value: Any) -> list[str]:
    return sorted(json.dumps(member, sort_keys=True) for member in value)


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where `found` is not as expected; what is not expected is not compared."""
    if path.endswith(".authorities") and isinstance(found, list):
        if _unordered(expected) != _unordered(found):
            return [f"{path[1:]}: expected {json.dumps(expected)}, found {json.dumps(found)}"]
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        result = []
        for key, value in expected.items():
            if key not in found:
                result.append(f"{path[1:]}.{key}: expected {json.dumps(value)}, not computed")
            else:
                result += differences(value, found[key], f"{path}.{key}")
        return result
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            line
            for i, (e, f) in enumerate(zip(expected, found, strict=True))
            for line in differences(e, f, f"{path}[{i}]")
        ]
    if expected != found:
        return [f"{path[1:]}: expected {json.dumps(expected)}, found {json.dumps(found)}"]
    return []


def _compare_error(expected: Json, found: Refused) -> list[str]:
    wanted = f"V-{expected['code']} {expected['name']} at {expected.get('at')}"
    if NAMES.get(expected["code"]) != expected["name"]:
        return [f"SPEC §12 has no error {expected['code']} {expected['name']}"]
    if expected["code"] != found.code:
        return [f"expected {wanted}, found {found}"]
    place = expected.get("at", "")
    if place.split(" ")[0] in COMPARED_PLACES and place != found.place:
        return [f"expected {wanted}, found it at {found.place}"]
    return []


def run_case(family: Family, case: Json) -> Outcome:
    shared = Case(family)
    for i, step in enumerate(case["steps"]):
        name, expect = step["do"], step["expect"]
        where = f"step {i} ({name}): "
        run = OPERATIONS.get(name)
        if run is None and family.local:
            return Outcome([], left_out=True)
        if run is None:
            return Outcome([where + "no such operation here"])
        try:
            found = run(shared, step)
        except LeftOut:
            return Outcome([], left_out=True)
        except Refused as refused:
            if "ok" in expect:
                return Outcome([where + f"expected acceptance, found {refused}"], refused)
            lines = _compare_error(expect["error"], refused)
            if i == len(case["steps"]) - 1 and case["rule"] != f"V-{refused.code}":
                lines = lines or [f"the case names {case['rule']}, found {refused}"]
            if lines:
                return Outcome([where + line for line in lines], refused)
        except Exception as error:  # a fault of this implementation, to be shown as one
            return Outcome([where + f"{type(error).__name__}: {error}"], error)
        else:
            if "ok" not in expect:
                e = expect["error"]
                return Outcome([where + f"expected V-{e['code']} {e['name']}, found acceptance"])
            if lines := differences(expect["ok"], found):
                return Outcome([where + line for line in lines])
    return Outcome([])
