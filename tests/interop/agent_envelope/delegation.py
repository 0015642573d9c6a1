"""Delegation (§6): links, narrowing, anchors, what a chain is worth, authority."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
import re

from .amounts import Terms, read_terms
from .cbor import Reader
from .errors import Refused
from .limits import Limits, Sums
from .statement import LINK, Statement, read_agent, read_statement

ACTION = re.compile(r"[a-z0-9._-]{1,64}")
SEGMENT = re.compile(r"[A-Za-z0-9._~:@+-]{1,64}")
MAX_PERMISSIONS, MAX_ACTIONS, MAX_SEGMENTS, MAX_ACTIONS_IN_ALL = 64, 32, 16, 512
GRANT = -65537

Permission = tuple[tuple[str, ...], tuple[str, ...]]
"""Actions and prefix."""
Scope = tuple[Permission, ...]


# ---- scopes (§6.1) -------------------------------------------------------------------------------


def is_segment(text: str) -> bool:
    return SEGMENT.fullmatch(text) is not None and text not in (".", "..")


def resource(text: str) -> tuple[str, ...]:
    """The segments of a path, which are joined by `/`."""
    segments = tuple(text.split("/")) if text else ()
    if len(segments) > MAX_SEGMENTS:
        raise Refused(201, "call")
    at = 0
    for segment in segments:
        if not is_segment(segment):
            raise Refused(122, at)
        at += len(segment) + 1
    return segments


def check_action(action: str) -> str:
    if not ACTION.fullmatch(action):
        raise Refused(122, "call")
    return action


def covers(scope: Scope, action: str, path: Sequence[str]) -> bool:
    """Whether some permission has the action and a prefix of the path."""
    path = tuple(path)
    return any(action in actions and path[: len(prefix)] == prefix for actions, prefix in scope)


def narrower(scope: Scope, running: Scope) -> bool:
    """V-502, for each (permission, action) of the scope."""
    return all(covers(running, action, prefix) for actions, prefix in scope for action in actions)


def read_scope(reader: Reader) -> Scope:
    permissions: list[Permission] = []
    total = 0
    for _ in reader.members(reader.array_of(1, MAX_PERMISSIONS)):
        reader.array(2)
        at = reader.pos
        count = reader.array_of(1, MAX_ACTIONS)
        total += count
        if total > MAX_ACTIONS_IN_ALL:
            raise Refused(201, at)
        actions = []
        for at in reader.members(count):
            action = reader.text()
            if not ACTION.fullmatch(action):
                raise Refused(122, at)
            actions.append(action)
        prefix = []
        for _ in range(reader.array_of(0, MAX_SEGMENTS)):
            at = reader.pos
            segment = reader.text()
            if not is_segment(segment):
                raise Refused(122, at)
            prefix.append(segment)
        permissions.append((tuple(actions), tuple(prefix)))
    return tuple(permissions)


# ---- links and chains (§6.1) ---------------------------------------------------------------------


@dataclass(frozen=True)
class Claims:
    issuer: str | None
    subject: str | None
    audience: str | None
    not_before: int
    expires: int
    token: bytes
    holder: bytes
    scope: Scope | None
    depth: int | None
    name: str | None
    terms: Terms | None
    conversation: bytes | None


def read_name(reader: Reader) -> str:
    return reader.plain_text(1, 256)


def _read_claims(reader: Reader, index: int) -> Claims:
    root = index == 0
    c: dict[str, object] = dict.fromkeys(
        "issuer subject audience scope depth name terms conversation".split()
    )
    expires = 0
    required = [4, 5, 7, 8, GRANT]
    for key in reader.fields([1, 2, *required] if root else required, [3]):
        match key:
            case 1:
                c["issuer"] = read_name(reader)
            case 2:
                c["subject"] = read_name(reader)
            case 3:
                c["audience"] = read_name(reader)
            case 4:
                expires = c["expires"] = reader.unsigned()
            case 5:
                not_before = c["not_before"] = reader.unsigned()
                if expires <= not_before:
                    raise Refused(322, f"link {index}")
            case 7:
                c["token"] = reader.octets(16)
            case 8:
                c["holder"] = _read_confirmation(reader)
            case -65537:
                for key in reader.fields([1, 2] if root else [], [1, 2, 3, 4, 5]):
                    match key:
                        case 1:
                            c["scope"] = read_scope(reader)
                        case 2:
                            c["depth"] = reader.unsigned()
                        case 3:
                            c["name"] = read_name(reader)
                        case 4:
                            c["terms"] = read_terms(reader)
                        case 5:
                            c["conversation"] = reader.octets(32)
    return Claims(**c)  # type: ignore[arg-type]


def _read_confirmation(reader: Reader) -> bytes:
    """`{1: {1: 1, -1: 6, -2: key}}`, a COSE_Key of type OKP on Ed25519."""
    holder = b""
    for _ in reader.fields([1]):
        for key in reader.fields([1, -1, -2]):
            match key:
                case 1:
                    reader.integer(1)
                case -1:
                    reader.integer(6)
                case -2:
                    holder = read_agent(reader)
    return holder


@dataclass(frozen=True)
class Link:
    statement: Statement[Claims]
    signer: bytes
    """The root key, or the holder of the link above."""
    index: int

    @property
    def claims(self) -> Claims:
        return self.statement.content

    @property
    def id(self) -> bytes:
        return self.statement.id


@dataclass(frozen=True)
class Chain:
    links: tuple[Link, ...]
    raw: bytes

    @property
    def root_key(self) -> bytes:
        return self.links[0].signer

    @property
    def root(self) -> Claims:
        return self.links[0].claims

    @property
    def holder(self) -> bytes:
        return self.links[-1].claims.holder

    @property
    def id(self) -> bytes:
        return self.links[-1].id


# ---- narrowing (§6.2) ----------------------------------------------------------------------------


class Ceiling(Enum):
    UNKNOWN = "no link has stated one: any terms are within it"
    NONE = "the anchor has none: no terms are within it"


@dataclass(frozen=True)
class Running:
    """The running value: authority as folded from above."""

    scope: Scope
    depth: int
    window: tuple[int, int] | None
    audience: str | None
    conversation: bytes | None
    ceiling: Terms | Ceiling
    seen: frozenset[bytes] = field(default_factory=frozenset)
    """Signers and holders above."""

    def fold(self, link: Link) -> Running:
        """The running value after `link`, if that keeps V-502 to V-508."""
        claims, at = link.claims, f"link {link.index}"
        if claims.scope is not None and not narrower(claims.scope, self.scope):
            raise Refused(502, at)
        if self.depth < 1 or (claims.depth is not None and claims.depth > self.depth - 1):
            raise Refused(503, at)
        if self.window is not None:
            begin, end = self.window
            if claims.not_before < begin or claims.expires > end:
                raise Refused(504, at)
        if None not in (self.audience, claims.audience) and claims.audience != self.audience:
            raise Refused(505, at)
        if (
            None not in (self.conversation, claims.conversation)
            and claims.conversation != self.conversation
        ):
            raise Refused(506, at)
        ceiling = self.ceiling
        if claims.terms is not None:
            if ceiling is Ceiling.NONE:
                raise Refused(507, at)
            if isinstance(ceiling, Terms):
                if not claims.terms.within(ceiling):
                    raise Refused(507, at)
                ceiling = claims.terms.inheriting(ceiling)
            else:
                ceiling = claims.terms
        seen = self.seen | {link.signer}
        if claims.holder in seen:
            raise Refused(508, at)
        return Running(
            scope=self.scope if claims.scope is None else claims.scope,
            depth=self.depth - 1 if claims.depth is None else claims.depth,
            window=(claims.not_before, claims.expires),
            audience=self.audience if claims.audience is None else claims.audience,
            conversation=self.conversation if claims.conversation is None else claims.conversation,
            ceiling=ceiling,
            seen=seen | {claims.holder},
        )


def literals(root: Link) -> Running:
    """The start of the fold that decides whether a chain is well formed."""
    claims = root.claims
    assert claims.scope is not None and claims.depth is not None
    return Running(
        scope=claims.scope,
        depth=claims.depth,
        window=(claims.not_before, claims.expires),
        audience=claims.audience,
        conversation=claims.conversation,
        ceiling=Ceiling.UNKNOWN if claims.terms is None else claims.terms,
        seen=frozenset({root.signer, claims.holder}),
    )


def read_chain(reader: Reader, sums: Sums) -> Chain:
    """A chain, and whether it is well formed as it is read."""
    start = reader.pos
    count = reader.array_of(1, sums.limits.links)
    sums.later("signatures", count, start)
    links: list[Link] = []
    seen: set[bytes] = set()
    for i in range(count):
        if not links:
            statement = read_statement(reader, LINK, None, lambda r: _read_claims(r, 0), root=True)
            assert statement.key_id is not None
            signer = statement.key_id
        else:
            signer = links[-1].claims.holder
            statement = read_statement(
                reader, LINK, links[-1].id, lambda r: _read_claims(r, len(links))
            )
        seen.add(signer)
        if statement.content.holder in seen:
            raise Refused(508, f"link {i}")
        links.append(Link(statement, signer, i))
    running = literals(links[0])
    for link in links[1:]:
        running = running.fold(link)
    return Chain(tuple(links), reader.data[start : reader.pos])


def chain(data: bytes, limits: Limits = Limits()) -> Chain:
    """A chain that comes by itself: form, narrowing, and all signatures."""
    if len(data) > limits.bytes:
        raise Refused(201, 0)
    reader = Reader(data)
    found = read_chain(reader, Sums(limits))
    reader.done()
    for i, link in enumerate(found.links):
        if not link.statement.signed_by(link.signer):
            raise Refused(411, f"link {i}")
    return found


# ---- anchors and what a chain is worth (§6.3, §6.4) ----------------------------------------------


@dataclass(frozen=True)
class Anchor:
    key: bytes
    issuer: str
    subjects: frozenset[str] | None
    """None: any subject."""
    scope: Scope
    depth: int
    max_lifetime: int
    budget: Terms | None = None

    def running(self) -> Running:
        ceiling: Terms | Ceiling = Ceiling.NONE if self.budget is None else self.budget
        return Running(self.scope, self.depth, None, None, None, ceiling)

    def fold(self, chain: Chain) -> Running | None:
        """The chain from this anchor, or None if a link goes beyond it."""
        root = chain.root
        if (
            root.issuer != self.issuer
            or (self.subjects is not None and root.subject not in self.subjects)
            or root.expires - root.not_before > self.max_lifetime
        ):
            return None
        running = self.running()
        try:
            for link in chain.links:
                running = running.fold(link)
        except Refused:
            return None
        return running


@dataclass(frozen=True)
class Revocations:
    as_of: int
    max_age: int
    links: frozenset[bytes] = frozenset()
    tokens: frozenset[bytes] = frozenset()
    keys: frozenset[bytes] = frozenset()

    def stale(self, now: int, skew: int) -> bool:
        """Whether its greatest age is reached, or it is from the future (§6.6)."""
        return self.as_of + self.max_age <= now - skew or self.as_of > now + skew

    def has(self, chain: Chain) -> bool:
        return chain.root_key in self.keys or any(map(self._has_link, chain.links))

    def _has_link(self, link: Link) -> bool:
        claims = link.claims
        return link.id in self.links or claims.token in self.tokens or claims.holder in self.keys


@dataclass(frozen=True)
class Authority:
    """What a chain that counts, or an anchor's own key, gives (§6.5)."""

    holder: bytes
    issuer: str
    subject: str
    anchor: bytes
    running: Running

    def covers(self, action: str, path: Sequence[str]) -> bool:
        return covers(self.running.scope, action, path)

    @property
    def budget(self) -> Terms | None:
        return self.running.ceiling if isinstance(self.running.ceiling, Terms) else None


def own_authority(anchor: Anchor) -> Authority:
    return Authority(anchor.key, anchor.issuer, anchor.issuer, anchor.key, anchor.running())


COUNTS = "counts"


def judge(
    chain: Chain,
    anchors: Iterable[Anchor],
    revocations: Revocations | None,
    now: int,
    skew: int,
    conversation: bytes,
    *,
    reader: bool,
    audience: str | None,
) -> tuple[str, Authority | None]:
    """What a chain is worth if its signatures hold, and the authority it gives if it counts."""
    anchor = next((a for a in anchors if a.key == chain.root_key), None)
    if anchor is None:
        return "unknown-root", None
    running = anchor.fold(chain)
    if running is None:
        return "beyond-anchor", None
    if revocations is not None and revocations.has(chain):
        return "revoked", None
    assert running.window is not None
    begin, end = running.window
    if begin > now + skew:
        return "not-yet-valid", None
    if end <= now - skew:
        return "expired", None
    if reader and running.audience is not None and running.audience != audience:
        return "not-for-me", None
    if running.conversation is not None and running.conversation != conversation:
        return "other-conversation", None
    assert chain.root.issuer is not None and chain.root.subject is not None
    authority = Authority(
        chain.holder, chain.root.issuer, chain.root.subject, chain.root_key, running
    )
    return COUNTS, authority
