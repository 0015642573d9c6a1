"""The envelope (§7): elements, kinds, header, hops, and its form in the order of §9.2."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .allotments import Lineage, read_lineage
from .amounts import Terms, read_terms
from .cbor import ARRAY, MAP, MAX_COUNT, Reader
from .delegation import Chain, read_chain
from .errors import Refused
from .hashes import H
from .identity import KeyPackage, read_key_package
from .ledger import Entry, Report, read_history
from .limits import Limits, Sums
from .sealing import Audience, SealedBody, read_audience, read_sealed_body
from .statement import HOP, Statement, read_agent, read_statement

VERSION = "agent-envelope/1"

USER, ASSISTANT, SYSTEM, NEGOTIATION = 0, 1, 2, 9
AUTHORITY, AUDIENCE, KEY_PACKAGE, ALLOTMENT, REPORT = 64, 65, 66, 67, 68
CONTROL = range(64, 69)
UNASSIGNED = range(69, 65536)
ORIGINATORS = frozenset({USER, SYSTEM, NEGOTIATION, KEY_PACKAGE})


@dataclass(frozen=True)
class Plain:
    """`[salt, content-type, content]`."""

    salt: bytes
    type: str
    content: bytes

    def commitment(self, author: bytes) -> bytes:
        return H("commit", author, self.salt, self.type, self.content)


def read_plain(reader: Reader) -> Plain:
    reader.array(3)
    return Plain(reader.octets(16), reader.plain_text(0, 256), reader.octets())


Body = (
    Plain
    | SealedBody
    | Chain
    | Audience
    | Statement[KeyPackage]
    | Lineage
    | tuple[Statement[Entry], ...]
)


@dataclass(frozen=True)
class Element:
    index: int
    at: int
    kind: int
    commitment: bytes
    sealed: tuple[int, bytes] | None
    """The index of its audience, and the digest of its body."""
    references: tuple[bytes, ...]
    elidable: bool
    record: bytes
    body: bytes | None
    form: Body | None
    """What the body says, None if it is absent."""
    id: bytes
    """c_{j+1}."""
    before: bytes
    """c_j."""
    author: bytes = b""
    hop: int = 0

    @property
    def is_control(self) -> bool:
        return self.kind in CONTROL


@dataclass(frozen=True)
class Header:
    id: bytes
    context: bytes
    sender: bytes
    to: tuple[bytes, ...]
    created: int
    expires: int
    base: tuple[int, bytes] | None
    in_reply_to: tuple[bytes, bytes | None] | None
    terms: Terms | None
    labels: tuple[tuple[str, str], ...]
    via: tuple[bytes, ...] | None


@dataclass(frozen=True)
class HopContent:
    signer: bytes
    next: tuple[bytes, ...]
    at: int
    count: int
    head: bytes
    absent: tuple[int, ...]


@dataclass(frozen=True)
class Hop:
    statement: Statement[HopContent]

    @property
    def id(self) -> bytes:
        return self.statement.id

    @property
    def content(self) -> HopContent:
        return self.statement.content


@dataclass(frozen=True)
class Envelope:
    header: Header
    header_bytes: bytes
    g: bytes
    elements: tuple[Element, ...]
    hops: tuple[Hop, ...]
    raw: bytes = field(repr=False)

    @property
    def sender(self) -> bytes:
        return self.header.sender

    @property
    def origin(self) -> bytes:
        return self.hops[0].id

    @property
    def tip(self) -> bytes:
        return self.hops[-1].id

    @property
    def parties(self) -> tuple[bytes, ...]:
        return tuple(sorted({self.sender, *self.header.to}))

    @property
    def conversation(self) -> bytes:
        return conversation(self.header.context, self.parties)

    def named_before(self, index: int) -> set[bytes]:
        """Ids of the allotments below an index."""
        return {e.form.id for e in self.elements[:index] if isinstance(e.form, Lineage)}


def conversation(context: bytes, parties: tuple[bytes, ...]) -> bytes:
    """H("conversation", context, parties), parties being a set (§7.3)."""
    return H("conversation", context, list(parties))


# ---- reading, in the order of the bytes ----------------------------------------------------------


def _read_agents(reader: Reader, limits: Limits, *, is_set: bool) -> tuple[bytes, ...]:
    count = reader.array_of(1, limits.agents)
    if is_set:
        return tuple(read_agent(reader) for _ in reader.members(count))
    return tuple(read_agent(reader) for _ in range(count))


def read_header(reader: Reader, limits: Limits) -> Header:
    h: dict[str, object] = {
        "base": None,
        "in_reply_to": None,
        "terms": None,
        "labels": (),
        "via": None,
    }
    for key in reader.fields([1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11]):
        match key:
            case 1:
                h["id"] = reader.octets(16)
            case 2:
                h["context"] = reader.octets(16)
            case 3:
                h["sender"] = read_agent(reader)
            case 4:
                h["to"] = _read_agents(reader, limits, is_set=True)
            case 5:
                h["created"] = reader.unsigned()
            case 6:
                h["expires"] = reader.unsigned()
            case 7:
                reader.array(2)
                h["base"] = reader.unsigned(), reader.octets(32)
            case 8:
                at = reader.pos
                count = reader.array()
                if count not in (1, 2):
                    raise Refused(119, at)
                h["in_reply_to"] = reader.octets(32), reader.octets(32) if count == 2 else None
            case 9:
                h["terms"] = read_terms(reader)
            case 10:
                h["labels"] = _read_labels(reader, limits)
            case 11:
                h["via"] = _read_agents(reader, limits, is_set=False)
    return Header(**h)  # type: ignore[arg-type]


def _read_labels(reader: Reader, limits: Limits) -> tuple[tuple[str, str], ...]:
    count, start = reader.expect(MAP)
    if count == 0:
        raise Refused(120, start)
    if count > limits.labels:
        raise Refused(201, start)
    labels: list[tuple[str, str]] = []
    last: bytes | None = None
    for _ in range(count):
        at = reader.pos
        key = reader.plain_text(1, 64)
        encoded = reader.data[at : reader.pos]
        if last is not None and encoded <= last:
            raise Refused(113 if encoded == last else 114, at)
        last = encoded
        labels.append((key, reader.plain_text(0, 256)))
    return tuple(labels)


def read_element(reader: Reader, index: int, before: bytes, sums: Sums) -> Element:
    """An element; what it violates beyond the form of its bytes is said to be at the element."""
    try:
        return _read_element(reader, index, before, sums)
    except Refused as refused:
        if refused.code < 200:
            raise
        place = f"element {index}"
        if isinstance(refused.at, str) and refused.at.startswith("link"):
            place = f"{refused.at} of {place}"
        raise Refused(refused.code, place) from None


def _read_element(reader: Reader, index: int, before: bytes, sums: Sums) -> Element:
    start = reader.pos
    reader.array(2)
    record = reader.nested()
    record_bytes = record.rest()
    kind = 0
    commitment = b""
    sealed: tuple[int, bytes] | None = None
    references: tuple[bytes, ...] = ()
    elidable = False
    for key in record.fields([1, 2], [3, 4, 5]):
        match key:
            case 1:
                kind = record.unsigned()
                if kind in UNASSIGNED:
                    raise Refused(308)
            case 2:
                commitment = record.octets(32)
            case 3:
                record.array(2)
                sealed = record.unsigned(), record.octets(32)
            case 4:
                count = record.array_of(1, sums.limits.refs)
                references = tuple(record.octets(32) for _ in record.members(count))
            case 5:
                record.integer(1)
                elidable = True
    record.done()
    if kind in CONTROL and (sealed is not None or references or elidable):
        raise Refused(309)
    body: bytes | None = None
    form: Body | None = None
    if reader.null():
        if kind in CONTROL:
            raise Refused(309)
    else:
        inner = reader.nested()
        body = inner.rest()
        form = _read_body(inner, kind, sealed is not None, sums)
        inner.done()
        sums.settle()
    return Element(
        index=index,
        at=start,
        kind=kind,
        commitment=commitment,
        sealed=sealed,
        references=references,
        elidable=elidable,
        record=record_bytes,
        body=body,
        form=form,
        before=before,
        id=H("element", before, record_bytes),
    )


def _read_body(reader: Reader, kind: int, sealed: bool, sums: Sums) -> Body:
    start = reader.pos
    match kind:
        case 64:
            sums.add("chains", 1, start)
            return read_chain(reader, sums)
        case 65:
            sums.add("audiences", 1, start)
            return read_audience(reader, sums)
        case 66:
            sums.later("signatures", 1, start)
            return read_key_package(reader, sums.limits)
        case 67:
            sums.add("allotments", 1, start)
            return read_lineage(reader, sums)
        case 68:
            return read_history(reader, sums)
    return read_sealed_body(reader) if sealed else read_plain(reader)


def _read_hop(reader: Reader, index: int, header: Header, limits: Limits) -> HopContent:
    first = index == 0
    values: dict[int, object] = {}
    for key in reader.fields([2, 4, 5], [1, 3, 6]):
        match key:
            case 1:
                values[1] = read_agent(reader)
            case 2:
                values[2] = _read_agents(reader, limits, is_set=True)
            case 3:
                values[3] = reader.unsigned()
            case 4:
                values[4] = reader.unsigned()
            case 5:
                values[5] = reader.octets(32)
            case 6:
                count, at = reader.expect(ARRAY)
                if count == 0:
                    raise Refused(120, at)
                if count > limits.elements:
                    raise Refused(201, at)
                values[6] = tuple(reader.unsigned() for _ in reader.members(count))
    if (1 in values, 3 in values) != (not first, not first):
        raise Refused(306, f"hop {index}")
    return HopContent(
        signer=header.sender if first else values[1],  # type: ignore[arg-type]
        next=values[2],  # type: ignore[arg-type]
        at=header.created if first else values[3],  # type: ignore[arg-type]
        count=values[4],  # type: ignore[arg-type]
        head=values[5],  # type: ignore[arg-type]
        absent=values.get(6, ()),  # type: ignore[arg-type]
    )


def read_hop(reader: Reader, parent: bytes, index: int, header: Header, limits: Limits) -> Hop:
    """Hop 0, of which `parent` is *g*, or a later hop."""
    return Hop(read_statement(reader, HOP, parent, lambda r: _read_hop(r, index, header, limits)))


def decode(data: bytes, limits: Limits = Limits()) -> Envelope:
    """An envelope whose form is right (§9.2): no hash compared, no clock, no signature."""
    if len(data) > limits.bytes:
        raise Refused(201, 0)
    sums = Sums(limits)
    reader = Reader(data)
    reader.array(4)
    reader.text_constant(VERSION)
    inner = reader.nested()
    header_bytes = inner.rest()
    header = read_header(inner, limits)
    inner.done()
    g = H("envelope", header_bytes)
    elements = []
    before = g
    for index in range(reader.array_of(0, limits.elements)):
        element = read_element(reader, index, before, sums)
        before = element.id
        elements.append(element)
    start = reader.pos
    count = reader.array_of(1, limits.hops)
    sums.add("signatures", count - 1, start)
    hops: list[Hop] = []
    for k in range(count):
        parent = hops[-1].id if hops else g
        hops.append(read_hop(reader, parent, k, header, limits))
    reader.done()
    if header.expires <= header.created:
        raise Refused(322, "header")
    _check_path(header, hops, len(elements))
    authored = []
    k = 0
    for element in elements:
        while hops[k].content.count <= element.index:
            k += 1
        authored.append(replace(element, hop=k, author=hops[k].content.signer))
    envelope = Envelope(header, header_bytes, g, tuple(authored), tuple(hops), data)
    for element in envelope.elements:
        _check_element(envelope, element)
    _check_absences(envelope)
    return envelope


# ---- rules of form beyond the bytes --------------------------------------------------------------


def _check_path(header: Header, hops: list[Hop], elements: int) -> None:
    """V-301 to V-305, hop by hop (§7.4)."""
    for k, hop in enumerate(hops):
        at = f"hop {k}"
        this = hop.content
        above = hops[k - 1].content if k else None
        if above is not None and this.signer not in above.next:
            raise Refused(301, at)
        if this.signer in this.next:
            raise Refused(302, at)
        if (
            (above is not None and this.count < above.count)
            or this.count > elements
            or (k == len(hops) - 1 and this.count != elements)
            or (k == 0 and header.base is not None and header.base[0] + this.count > MAX_COUNT)
        ):
            raise Refused(303, at)
        if (above is not None and this.at < above.at) or this.at > header.expires:
            raise Refused(304, at)
        if header.via is not None:
            via = header.via
            if 1 <= k <= len(via) and this.signer != via[k - 1]:
                raise Refused(305, at)
            if k < len(via):
                if this.next != (via[k],):
                    raise Refused(305, at)
            elif not set(this.next) <= set(header.to):
                raise Refused(305, at)


def _check_element(envelope: Envelope, element: Element) -> None:
    """Kinds in their place, allotments last, reports and audiences, of one element (§9.2)."""
    at = f"element {element.index}"
    if element.kind in ORIGINATORS and element.hop != 0:
        raise Refused(307, at)
    form = element.form
    if element.kind == KEY_PACKAGE:
        assert isinstance(form, Statement)
        if form.content.agent != envelope.sender:
            raise Refused(313, at)
    if element.index and element.kind != ALLOTMENT:
        previous = envelope.elements[element.index - 1]
        if previous.kind == ALLOTMENT and previous.hop == element.hop:
            raise Refused(1013, f"element {previous.index}")
    if element.kind == REPORT:
        assert isinstance(form, tuple)
        entries = [statement.content for statement in form]
        if (
            any(e.holder != element.author or e.allotment != entries[0].allotment for e in entries)
            or any(e.seq != i for i, e in enumerate(entries))
            or not isinstance(entries[-1].event, Report)
        ):
            raise Refused(1015, at)
    if element.sealed is not None:
        audience = element.sealed[0]
        if audience >= element.index or envelope.elements[audience].kind != AUDIENCE:
            raise Refused(312, at)


def _check_absences(envelope: Envelope) -> None:
    """V-311 hop by hop, then V-310 element by element."""
    listed: set[int] = set()
    for k, hop in enumerate(envelope.hops):
        for index in hop.content.absent:
            if (
                index >= hop.content.count
                or not envelope.elements[index].elidable
                or index in listed
            ):
                raise Refused(311, f"hop {k}")
            listed.add(index)
    for element in envelope.elements:
        if element.body is None and element.index not in listed:
            raise Refused(310, f"element {element.index}")
