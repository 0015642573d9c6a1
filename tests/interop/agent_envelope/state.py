"""State (§10): the replay window, conversations, two hops 0, replies; and acting (§9.5)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

from .cbor import Reader
from .delegation import Authority, Chain, check_action, resource
from .envelope import (
    Element,
    Envelope,
    Hop,
    Plain,
    read_header,
    read_hop,
    read_plain,
)
from .errors import Refused
from .hashes import H
from .limits import Limits
from .sealing import Audience, SealedBody, content_aad, open_audience, open_body, read_sealed_body
from .verify import READER, Verified, Verifier, check_content, lineage_of, verify

MAX_HOPS_OF_ONE = 64
MAX_ALLOTMENTS_OF_ONE = 64

# ---- the replay window (§10.1) -------------------------------------------------------------------

NEW, CONTINUED, FORKED, ANOTHER_PATH = "new", "continued", "forked", "another-path"
NO_AUTHORITY = H("principal")


def principal(key: bytes, subject: str) -> bytes:
    return H("principal", key, subject)


def principal_of(verified: Verified) -> bytes:
    """The principal that an envelope is remembered for."""
    authorities = verified.authorities_of(verified.envelope.sender)
    if not authorities:
        return NO_AUTHORITY
    return principal(authorities[0].anchor, authorities[0].subject)


def principals_at_any_time(verified: Verified) -> set[bytes]:
    """All principals that it may have been remembered for at another time."""
    envelope = verified.envelope
    found = {
        principal(element.form.root_key, element.form.root.subject or "")
        for element in envelope.elements
        if isinstance(element.form, Chain) and element.author == envelope.sender
    }
    return found | {
        principal(anchor.key, anchor.issuer)
        for anchor in verified.verifier.anchors
        if anchor.key == envelope.sender
    }


@dataclass
class Remembered:
    principal: bytes
    created: int
    expires: int
    hops: dict[bytes, int]
    ends: set[bytes]
    allotments: set[bytes] = field(default_factory=set)
    """Those handed out of it."""


@dataclass
class Floor:
    created: int
    until: int
    """When all that was forgotten has expired."""

    def raised(self, created: int, until: int) -> Floor:
        return Floor(max(self.created, created), max(self.until, until))


@dataclass
class ReplayWindow:
    room: int = 1 << 20
    """Envelopes of each principal."""
    principals: int = 1 << 20
    past: int = 0
    envelopes: dict[bytes, Remembered] = field(default_factory=dict)
    floors: dict[bytes, Floor] = field(default_factory=dict)

    def precheck(self, envelope: Envelope, earliest: int) -> None:
        """§9.3, step 3."""
        if envelope.header.expires <= max(self.past, earliest):
            raise Refused(321, "header")
        known = self.envelopes.get(envelope.g)
        if known is not None and envelope.tip in known.ends:
            raise Refused(340, "envelope")

    def admitted_before(self, envelope: Envelope) -> int:
        """How many elements, from the first on, count as admitted before."""
        known = self.envelopes.get(envelope.g)
        if known is None:
            return 0
        counts = [hop.content.count for hop in envelope.hops if hop.id in known.hops]
        return max([envelope.hops[0].content.count, *counts])

    def handed_out(self, envelope: Envelope) -> set[bytes]:
        """The allotments that count as admitted before, by their ids."""
        known = self.envelopes.get(envelope.g)
        return set() if known is None else known.allotments

    def hand_out(self, verified: Verified, after: int) -> list[Element]:
        """The allotments of an admitted envelope that were not handed out before."""
        known = self.envelopes[verified.envelope.g].allotments
        new = []
        for element in verified.for_me(after):
            allotment = lineage_of(element).id
            if allotment not in known and len(known) < MAX_ALLOTMENTS_OF_ONE:
                known.add(allotment)
                new.append(element)
        return new

    def admission(self, envelope: Envelope) -> str:
        known = self.envelopes.get(envelope.g)
        if known is None:
            return NEW
        if envelope.origin not in known.hops:
            return FORKED
        if any(hop.id in known.ends for hop in envelope.hops[:-1]):
            return CONTINUED
        return ANOTHER_PATH

    def admit(self, verified: Verified) -> tuple[str, int]:
        """Admits a verified envelope: how, and how many elements count as admitted before."""
        envelope = verified.envelope
        earliest = verified.now - verified.verifier.skew
        self.precheck(envelope, earliest)
        self._forget(max(self.past, earliest))
        result = self.admission(envelope), self.admitted_before(envelope)
        hops = {hop.id: hop.content.count for hop in envelope.hops}
        known = self.envelopes.get(envelope.g)
        if known is not None:
            if len(known.hops | hops) > MAX_HOPS_OF_ONE:
                raise Refused(342, "envelope")
            known.hops |= hops
            known.ends.add(envelope.tip)
        else:
            self._admit_new(verified, hops)
        self.past = max(self.past, earliest)
        return result

    def _admit_new(self, verified: Verified, hops: dict[bytes, int]) -> None:
        envelope, header = verified.envelope, verified.envelope.header
        whose = principal_of(verified)
        for other in {whose} | principals_at_any_time(verified):
            floor = self.floors.get(other)
            if floor is not None and header.created <= floor.created:
                raise Refused(341, "envelope")
        mine = [(e.created, g) for g, e in self.envelopes.items() if e.principal == whose]
        if not mine and whose not in self.floors:
            if len(self._principals()) >= self.principals:
                raise Refused(342, "envelope")
        if len(mine) >= self.room:
            if not mine or min(mine)[0] >= header.created:
                raise Refused(342, "envelope")
            self._forget_oldest(whose)
        self.envelopes[envelope.g] = Remembered(
            whose, header.created, header.expires, hops, {envelope.tip}
        )

    def _principals(self) -> set[bytes]:
        return {e.principal for e in self.envelopes.values()} | set(self.floors)

    def _forget_oldest(self, whose: bytes) -> None:
        created, g = min((e.created, g) for g, e in self.envelopes.items() if e.principal == whose)
        expires = self.envelopes.pop(g).expires
        self.floors[whose] = self.floors.get(whose, Floor(0, 0)).raised(created, expires)

    def _forget(self, past: int) -> None:
        """Forgets what has expired."""
        self.envelopes = {g: e for g, e in self.envelopes.items() if e.expires > past}
        self.floors = {p: f for p, f in self.floors.items() if f.until > past}

    def merge(self, other: ReplayWindow) -> None:
        """Takes over the window of another process of the same agent."""
        merged = ReplayWindow(self.room, self.principals, max(self.past, other.past))
        for one, there in ((self, other), (other, self)):
            for g, envelope in one.envelopes.items():
                if g in merged.envelopes:
                    known = merged.envelopes[g]
                    for hop, count in envelope.hops.items():
                        if len(known.hops) < MAX_HOPS_OF_ONE:
                            known.hops[hop] = count
                    known.ends |= envelope.ends
                    known.allotments |= envelope.allotments
                    continue
                floor = there.floors.get(envelope.principal)
                if (
                    g not in there.envelopes
                    and floor is not None
                    and envelope.created <= floor.created
                    and envelope.expires <= floor.until
                ):
                    continue
                merged.envelopes[g] = deepcopy(envelope)
            for whose, floor in one.floors.items():
                known_floor = merged.floors.get(whose, Floor(0, 0))
                merged.floors[whose] = known_floor.raised(floor.created, floor.until)
        merged._forget(merged.past)
        if len(merged._principals()) > merged.principals:
            raise Refused(342, "call")
        for whose in {e.principal for e in merged.envelopes.values()}:
            while sum(e.principal == whose for e in merged.envelopes.values()) > merged.room:
                merged._forget_oldest(whose)
        self.past, self.envelopes, self.floors = merged.past, merged.envelopes, merged.floors


# ---- conversations (§10.2) -----------------------------------------------------------------------

FORK, CONTINUES, GAP, BRANCH, JOINED = "fork", "continues", "gap", "branch", "joined"
Stand = tuple[int, bytes]


@dataclass(frozen=True)
class Held:
    """An envelope in the line of its sender. It is held once, whatever its path and version."""

    g: bytes
    origin: bytes
    base: Stand | None
    stand: Stand


@dataclass
class Conversation:
    parties: tuple[bytes, ...]
    principal: bytes | None
    """Whose room it takes: nobody's once the agent itself has spoken in it."""
    quiet_since: int
    lines: dict[bytes, list[Held]] = field(default_factory=dict)


@dataclass
class Conversations:
    agent: bytes
    room: int = 4096
    line: int = 1024
    held: dict[bytes, Conversation] = field(default_factory=dict)
    turn: int = 0

    def standing(self, envelope: Envelope) -> str:
        """How an envelope stands to those that are held; the first that applies."""
        here = self.held.get(envelope.conversation)
        line = here.lines.get(envelope.sender, []) if here is not None else []
        base = envelope.header.base
        if any(h.base == base and h.g != envelope.g for h in line):
            return FORK
        answered = envelope.header.in_reply_to is None or self._holds(
            envelope.header.in_reply_to[0]
        )
        if base is None or any(h.stand == base for h in line):
            return CONTINUES if answered else GAP
        if line:
            return GAP
        if any(
            h.stand == base
            for name, conversation in self.held.items()
            if name != envelope.conversation and envelope.sender in conversation.parties
            for other in conversation.lines.values()
            for h in other
        ):
            return BRANCH
        return JOINED

    def _holds(self, origin: bytes) -> bool:
        return any(
            h.origin == origin
            for conversation in self.held.values()
            for line in conversation.lines.values()
            for h in line
        )

    def record(self, envelope: Envelope, whose: bytes | None) -> str:
        """Records an admitted envelope, or, of no principal, one that the agent sent itself."""
        standing = self.standing(envelope)
        self.turn += 1
        name = envelope.conversation
        if name not in self.held:
            self._make_room(whose)
            self.held[name] = Conversation(envelope.parties, whose, self.turn)
        conversation = self.held[name]
        conversation.quiet_since = self.turn
        if envelope.sender == self.agent:
            conversation.principal = None
        line = conversation.lines.setdefault(envelope.sender, [])
        if not any(h.g == envelope.g for h in line):
            count, head = envelope.hops[0].content.count, envelope.hops[0].content.head
            base = envelope.header.base
            line.append(
                Held(envelope.g, envelope.origin, base, ((base[0] if base else 0) + count, head))
            )
            if len(line) > self.line:
                del line[0]
        return standing

    def _make_room(self, whose: bytes | None) -> None:
        if len(self.held) < self.room:
            return
        counts: dict[bytes, int] = {} if whose is None else {whose: 1}
        for conversation in self.held.values():
            if conversation.principal is not None:
                counts[conversation.principal] = counts.get(conversation.principal, 0) + 1
        held_of = {c.principal for c in self.held.values()} - {None}
        most = max((p for p in counts if p in held_of), key=counts.__getitem__, default=None)
        oldest = min(
            (n for n, c in self.held.items() if c.principal == most),
            key=lambda n: self.held[n].quiet_since,
        )
        del self.held[oldest]


# ---- a reader with its state ---------------------------------------------------------------------


@dataclass
class Received:
    """An admitted envelope."""

    verified: Verified
    admission: str
    after: int
    standing: str
    allotments: list[Element]
    """Those for this reader that count and were not handed out before."""
    attached: dict[int, Element] = field(default_factory=dict)

    def funding(self) -> list[Element]:
        """The allotments that pay for this request."""
        return [element for element in self.allotments if not lineage_of(element).is_purse]

    def purses(self) -> list[Element]:
        return [element for element in self.allotments if lineage_of(element).is_purse]

    def element(self, index: int) -> Element:
        if not 0 <= index < len(self.verified.envelope.elements):
            raise Refused(704, "call")
        return self.attached.get(index, self.verified.envelope.elements[index])

    def authorize(
        self,
        index: int,
        action: str,
        path: str,
        principals: Sequence[tuple[str, str]] | None = None,
    ) -> list[Authority]:
        """Authorities of the element's author that cover action and resource (§6.5)."""
        segments = resource(path)
        check_action(action)
        element = self.element(index)
        at = f"element {index}"
        if index < self.after:
            raise Refused(703, at)
        mine = self.verified.authorities_of(element.author)
        if not mine:
            raise Refused(701, at)
        covering = [a for a in mine if a.covers(action, segments)]
        if principals is None:
            found = covering[:1]
        else:
            by_principal = {(a.issuer, a.subject): a for a in reversed(covering)}
            found = [by_principal[p] for p in principals if p in by_principal]
        if len(found) < (1 if principals is None else len(principals)):
            raise Refused(702, at)
        return found

    def open(self, index: int, agent: bytes, sealing: Sequence[bytes]) -> Plain:
        """Opens a sealed element (§8.3). It fails in one way (V-601)."""
        element = self.element(index)
        if element.body is None:
            raise Refused(704, f"element {index}")
        plain = open_element(self.verified.envelope, element, agent, sealing)
        if plain is None:
            raise Refused(601, f"element {index}")
        return plain

    def attach(self, index: int, body: bytes) -> Element:
        """Gives an absent element its body, which is held against its record (§9.5)."""
        element = self.element(index)
        reader = Reader(body)
        form = read_plain(reader) if element.sealed is None else read_sealed_body(reader)
        reader.done()
        element = replace(element, body=body, form=form)
        check_content(element)
        self.attached[index] = element
        return element


def open_element(
    envelope: Envelope, element: Element, agent: bytes, sealing: Sequence[bytes]
) -> Plain | None:
    """Tries every audience element whose aid is that of the audience that the record names."""
    if element.sealed is None or not isinstance(element.form, SealedBody):
        return None
    named = envelope.elements[element.sealed[0]].form
    assert isinstance(named, Audience)
    s = content_aad(element.before, element.author, element.kind, element.commitment)
    for other in envelope.elements:
        if not isinstance(other.form, Audience) or other.form.aid != named.aid:
            continue
        for private in sealing:
            secret = open_audience(other.form, envelope.g, agent, private)
            if secret is None:
                continue
            plaintext = open_body(element.form, secret, s)
            if plaintext is None:
                continue
            reader = Reader(plaintext)
            try:
                plain = read_plain(reader)
                reader.done()
            except Refused:
                continue
            if plain.commitment(element.author) == element.commitment:
                return plain
    return None


@dataclass
class Inbox:
    verifier: Verifier
    window: ReplayWindow
    conversations: Conversations

    @classmethod
    def of(cls, verifier: Verifier, envelopes: int = 1 << 20, principals: int = 1 << 20) -> Inbox:
        return cls(verifier, ReplayWindow(envelopes, principals), Conversations(verifier.agent))

    def receive(self, data: bytes, now: int) -> Received:
        verified = verify(data, self.verifier, READER, now, self.window)
        admission, after = self.window.admit(verified)
        standing = self.conversations.record(verified.envelope, principal_of(verified))
        allotments = self.window.hand_out(verified, after)
        return Received(verified, admission, after, standing, allotments)

    def record_sent(self, envelope: Envelope) -> str:
        if envelope.sender != self.verifier.agent:
            raise Refused(905, "call")
        return self.conversations.record(envelope, None)


# ---- replies (§10.4) -----------------------------------------------------------------------------


def accept_reply(request: Envelope, reply: Envelope) -> None:
    answered = reply.header.in_reply_to
    if answered is None:
        raise Refused(801, "envelope")
    if answered[0] != request.origin:
        raise Refused(802, "envelope")
    if reply.sender not in request.header.to:
        raise Refused(803, "envelope")
    if reply.conversation != request.conversation:
        raise Refused(804, "envelope")


def check_path(reply: Envelope, path: Envelope) -> None:
    """The tip that the replier saw is the last hop of the known path (V-805)."""
    answered = reply.header.in_reply_to
    if answered is None:
        raise Refused(801, "envelope")
    if answered[0] != path.origin:
        raise Refused(802, "envelope")
    if answered[1] != (path.tip if len(path.hops) > 1 else None):
        raise Refused(805, "envelope")


# ---- two hops 0 (§10.3) --------------------------------------------------------------------------


@dataclass(frozen=True)
class OriginFork:
    culprit: bytes
    ids: tuple[bytes, bytes]


def origin_fork(data: bytes, limits: Limits = Limits()) -> OriginFork:
    """Evidence that an originator signed twice."""
    if len(data) > limits.bytes:
        raise Refused(201, 0)
    reader = Reader(data)
    reader.array(4)
    reader.text_constant("agent-envelope/1/origin-fork")
    inner = reader.nested()
    g = H("envelope", inner.rest())
    header = read_header(inner, limits)
    inner.done()
    hops: list[Hop] = []
    for _ in range(2):
        at = reader.pos
        hop = read_hop(reader, g, 0, header, limits)
        if not hop.statement.signed_by(header.sender):
            raise Refused(410, f"hop {len(hops)}")
        if hops and hop.id <= hops[0].id:
            raise Refused(118 if hop.id == hops[0].id else 117, at)
        hops.append(hop)
    reader.done()
    return OriginFork(header.sender, (hops[0].id, hops[1].id))
