"""Messages of a negotiation (§11.8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .amounts import (
    AGENTS,
    Amounts,
    Ascending,
    Key,
    Terms,
    at_most,
    check_unit,
    consumables,
    is_advisory,
    is_ceiling,
    read_amounts,
    read_terms,
    read_unit,
)
from .cbor import Reader
from .envelope import NEGOTIATION, Envelope, Plain
from .errors import Refused
from .pricing import Tariff, read_tariff
from .state import Received

CONTENT_TYPE = "application/agent-envelope-negotiation+cbor"
MAX_METERS = 64
MAX_ASKS = 8


@dataclass(frozen=True)
class Ask:
    want: Terms
    floor: Amounts = field(hash=False)


@dataclass(frozen=True)
class Offer:
    need: Amounts = field(hash=False)
    estimate: Amounts = field(hash=False)
    max: Terms
    meters: tuple[Key, ...]
    valid_until: int
    tariff: Tariff | None


@dataclass(frozen=True)
class Accept:
    pass


@dataclass(frozen=True)
class Refuse:
    code: int
    lacking: Amounts | None = field(hash=False)
    retry_after: int | None


Message = Ask | Offer | Accept | Refuse


def covers(terms: Terms, amounts: Mapping[Key, int]) -> bool:
    """Each consumable is at least as much, and each ceiling that the terms state."""
    return at_most(consumables(amounts), terms.amounts) and all(
        value <= terms.amounts.get(key, value)
        for key, value in amounts.items()
        if is_ceiling(key[0])
    )


def _type(reader: Reader) -> int:
    """The value under key 1, without moving."""
    probe = Reader(reader.data, reader.pos, reader.end)
    next(probe.fields([1], range(2, 8)))
    at = probe.pos
    kind = probe.unsigned()
    if kind > 3:
        raise Refused(122, at)
    return kind


KEYS: dict[int, tuple[list[int], list[int]]] = {
    0: ([1, 2, 3], []),
    1: ([1, 2, 3, 4, 5, 6], [7]),
    2: ([1], []),
    3: ([1, 2], [3, 4]),
}


def read_message(reader: Reader) -> Message:
    kind = _type(reader)
    v: dict[int, Any] = {}
    places: dict[int, int] = {}
    for key in reader.fields(*KEYS[kind]):
        at = places[key] = reader.pos
        match kind, key:
            case _, 1:
                reader.unsigned()
            case (0, 2) | (1, 4):
                v[key] = read_terms(reader)
            case (0, 3) | (1, 2) | (1, 3):
                v[key] = read_amounts(reader)
            case 1, 5:
                v[key] = _read_meters(reader)
            case 1, 6:
                v[key] = reader.unsigned()
            case 1, 7:
                v[key] = read_tariff(reader)
            case 3, 2:
                code = v[key] = reader.unsigned()
                if code > 5:
                    raise Refused(122, at)
            case 3, 3:
                lacking = v[key] = read_amounts(reader)
                if not lacking:
                    raise Refused(120, at)
            case 3, 4:
                retry = v[key] = reader.unsigned()
                if retry == 0:
                    raise Refused(122, at)
    return _without_contradiction(kind, v, places)


def _without_contradiction(kind: int, v: dict[int, Any], places: dict[int, int]) -> Message:
    """The message, whose parts fit each other (V-122)."""
    match kind:
        case 0:
            if not covers(v[2], v[3]):
                raise Refused(122, places[3])
            return Ask(v[2], v[3])
        case 1:
            most: Terms = v[4]
            if not all(key in v[5] for key in most.amounts if not is_advisory(key[0])):
                raise Refused(122, places[5])
            if not covers(most, v[2]) or (most.depth == 0 and AGENTS in v[2]):
                raise Refused(122, places[2])
            return Offer(v[2], v[3], most, v[5], v[6], v.get(7))
        case 2:
            return Accept()
    return Refuse(v[2], v.get(3), v.get(4))


def _read_meters(reader: Reader) -> tuple[Key, ...]:
    meters: list[Key] = []
    ascending = Ascending()
    for _ in range(reader.array_of(0, MAX_METERS)):
        at = reader.pos
        size = reader.array()
        if size not in (1, 2):
            raise Refused(119, at)
        dimension = reader.unsigned()
        unit = read_unit(reader, at) if size == 2 else None
        check_unit(dimension, unit, at)
        ascending.next((dimension, unit), at)
        meters.append((dimension, unit))
    return tuple(meters)


def message(data: bytes) -> Message:
    """The content of an element of kind 9."""
    reader = Reader(data)
    found = read_message(reader)
    reader.done()
    return found


# ---- a negotiation, by either side ---------------------------------------------------------------


def message_of(
    received: Received, agent: bytes | None = None, sealing: Sequence[bytes] = ()
) -> Message:
    """The one message of an envelope that was admitted for the first time (V-1109)."""
    elements = [e for e in received.verified.envelope.elements if e.kind == NEGOTIATION]
    if len(elements) != 1:
        raise Refused(1109, "envelope")
    index = elements[0].index
    at = f"element {index}"
    if index < received.after:
        raise Refused(703, at)
    element = received.element(index)
    if element.body is None:
        raise Refused(704, at)
    if element.sealed is not None:
        plain = received.open(index, agent or bytes(32), sealing)
    else:
        assert isinstance(element.form, Plain)
        plain = element.form
    if plain.type != CONTENT_TYPE:
        raise Refused(908, at)
    return message(plain.content)


@dataclass
class Negotiation:
    """What was said between two, from the first ask to the last message (§11.8)."""

    asker: bytes
    worker: bytes
    conversation: bytes = b""
    last: tuple[bytes, Message] | None = None
    """The origin of the last envelope that counted, and its message."""
    asks: int = 0
    offer: Offer | None = None

    def check(self, sender: bytes, to: Collection[bytes], said: Message, now: int) -> None:
        """Whether `sender` may say this now, to these."""
        _check_sides({self.asker, self.worker}, sender, to)
        last = None if self.last is None else self.last[1]
        by_asker = sender == self.asker
        match said:
            case Ask():
                follows = by_asker and (last is None or isinstance(last, Offer))
            case Accept():
                follows = by_asker and isinstance(last, Offer)
            case Offer():
                follows = not by_asker and isinstance(last, Ask)
            case Refuse():
                follows = isinstance(last, Offer if by_asker else Ask)
        if not follows:
            raise Refused(1107, "envelope")
        if isinstance(said, Ask) and self.asks == MAX_ASKS:
            raise Refused(1110, "envelope")
        offer = said if isinstance(said, Offer) else self.offer
        if isinstance(said, (Offer, Accept)) and offer is not None and now >= offer.valid_until:
            raise Refused(1111, "envelope")

    def take(self, envelope: Envelope, said: Message, now: int) -> None:
        """The next message; what is refused leaves the negotiation as it was."""
        _check_sides({self.asker, self.worker}, envelope.sender, envelope.header.to)
        if self.last is not None:
            _check_reply(envelope, self.conversation, self.last[0])
        self.check(envelope.sender, envelope.header.to, said, now)
        self.asks += isinstance(said, Ask)
        if isinstance(said, Offer):
            self.offer = said
        self.conversation = envelope.conversation
        self.last = envelope.origin, said

    def settle(self, now: int) -> Settled:
        """What the two have settled by an acceptance."""
        if self.last is None or isinstance(self.last[1], (Ask, Offer)):
            raise Refused(1112, "call")
        if isinstance(self.last[1], Refuse):
            raise Refused(1113, "call")
        assert self.offer is not None
        if now >= self.offer.valid_until:
            raise Refused(1111, "call")
        return Settled(self.asker, self.worker, self.conversation, self.last[0], self.offer)


@dataclass
class Settled:
    asker: bytes
    worker: bytes
    conversation: bytes
    acceptance: bytes
    """The origin of the envelope that accepts."""
    offer: Offer
    request: bytes | None = None

    def check_request(self, received: Received, now: int) -> Terms:
        """The terms of the one request that rests on this."""
        envelope = received.verified.envelope
        if envelope.sender != self.asker:
            raise Refused(1108, "header")
        _check_sides({self.asker, self.worker}, envelope.sender, envelope.header.to)
        _check_reply(envelope, self.conversation, self.acceptance)
        if received.after:
            raise Refused(703, "element 0")
        if now >= self.offer.valid_until:
            raise Refused(1111, "envelope")
        terms = envelope.header.terms
        if terms is None:
            raise Refused(1114, "header")
        need, most = self.offer.need, self.offer.max
        if not covers(terms, need) or (AGENTS in need and terms.depth == 0):
            raise Refused(1115, "header")
        if not terms.within(most) or (most.wall is not None and terms.wall is None):
            raise Refused(1116, "header")
        if self.request is not None:
            raise Refused(1117, "envelope")
        self.request = envelope.origin
        return terms


def _check_sides(sides: set[bytes], sender: bytes, to: Collection[bytes]) -> None:
    if sender not in sides:
        raise Refused(1108, "header")
    if not sides - {sender} <= set(to):
        raise Refused(331, "header")


def _check_reply(envelope: Envelope, conversation: bytes, origin: bytes) -> None:
    answered = envelope.header.in_reply_to
    if answered is None:
        raise Refused(801, "header")
    if answered[0] != origin:
        raise Refused(802, "header")
    if envelope.conversation != conversation:
        raise Refused(804, "header")
