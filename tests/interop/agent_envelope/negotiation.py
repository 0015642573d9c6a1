"""Messages of a negotiation (§11.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    read_dimension,
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
    count, start = probe.expect(5)
    if count == 0:
        raise Refused(112, start)
    at = probe.pos
    if probe.unsigned() != 1:
        raise Refused(112, start)
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
    start = reader.pos
    kind = _type(reader)
    v: dict[int, object] = {}
    for key in reader.fields(*KEYS[kind]):
        at = reader.pos
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
    message: Message
    match kind:
        case 0:
            message = Ask(v[2], v[3])  # type: ignore[arg-type]
            sound = covers(message.want, message.floor)
        case 1:
            message = Offer(v[2], v[3], v[4], v[5], v[6], v.get(7))  # type: ignore[arg-type]
            sound = (
                covers(message.max, message.need)
                and not (message.max.depth == 0 and AGENTS in message.need)
                and all(k in message.meters for k in message.max.amounts if not is_advisory(k[0]))
            )
        case 2:
            message, sound = Accept(), True
        case _:
            message = Refuse(v[2], v.get(3), v.get(4))  # type: ignore[arg-type]
            sound = message.lacking is None or message.code in (0, 1, 4)
    if not sound:
        raise Refused(122, start)
    return message


def _read_meters(reader: Reader) -> tuple[Key, ...]:
    meters: list[Key] = []
    ascending = Ascending()
    for _ in range(reader.array_of(0, MAX_METERS)):
        at = reader.pos
        size = reader.array()
        if size not in (1, 2):
            raise Refused(119, at)
        dimension = read_dimension(reader)
        unit = read_unit(reader, dimension) if size == 2 else None
        if unit is None:
            check_unit(dimension, None, at)
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
    """What was said between two, from the first ask to the request (§11.8)."""

    asker: bytes
    worker: bytes
    conversation: bytes = b""
    last: tuple[bytes, Message] | None = None
    """The origin of the last envelope that counted, and its message."""
    asks: int = 0
    offer: Offer | None = None
    request: bytes | None = None

    def take(self, envelope: Envelope, said: Message, now: int) -> None:
        """The next message; what is refused leaves the negotiation as it was."""
        self._check_envelope(envelope, any_reply=self.last is None)
        last = None if self.last is None else self.last[1]
        by_asker = envelope.sender == self.asker
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
        self.asks += isinstance(said, Ask)
        self.offer = offer
        self.conversation = envelope.conversation
        self.last = envelope.origin, said

    def _check_envelope(self, envelope: Envelope, *, any_reply: bool) -> None:
        sides = {self.asker, self.worker}
        if envelope.sender not in sides:
            raise Refused(1108, "envelope")
        if not (sides - {envelope.sender}) <= set(envelope.header.to):
            raise Refused(331, "header")
        if any_reply:
            return
        assert self.last is not None
        if envelope.conversation != self.conversation:
            raise Refused(804, "envelope")
        answered = envelope.header.in_reply_to
        if answered is None:
            raise Refused(801, "envelope")
        if answered[0] != self.last[0]:
            raise Refused(802, "envelope")

    def settle(self, received: Received, now: int) -> Offer:
        """The request, which rests on the acceptance."""
        envelope = received.verified.envelope
        if self.last is None or isinstance(self.last[1], (Ask, Offer)):
            raise Refused(1112, "envelope")
        if isinstance(self.last[1], Refuse):
            raise Refused(1113, "envelope")
        if self.request is not None:
            raise Refused(1117, "envelope")
        if envelope.sender != self.asker:
            raise Refused(1108, "envelope")
        self._check_envelope(envelope, any_reply=False)
        if received.after:
            raise Refused(703, "envelope")
        offer = self.offer
        assert offer is not None
        if now >= offer.valid_until:
            raise Refused(1111, "envelope")
        terms = envelope.header.terms
        if terms is None:
            raise Refused(1114, "header")
        if not covers(terms, offer.need) or (AGENTS in offer.need and terms.depth == 0):
            raise Refused(1115, "header")
        if not terms.within(offer.max) or (offer.max.wall is not None and terms.wall is None):
            raise Refused(1116, "header")
        self.request = envelope.origin
        return offer
