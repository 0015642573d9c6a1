"""Allotment elements (§11.3): lineages, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass

from .amounts import Terms
from .cbor import Reader
from .delegation import COUNTS, Anchor, Authority, Chain, Revocations, read_chain
from .errors import Refused
from .ledger import Allotment, Entry, Split, breach_alone, read_allotment, read_entry
from .limits import Sums
from .statement import Statement


@dataclass(frozen=True)
class Lineage:
    chain: Chain | None
    root: Statement[Allotment]
    splits: tuple[Statement[Entry], ...]

    @property
    def last(self) -> Statement[Allotment] | Statement[Entry]:
        return self.splits[-1] if self.splits else self.root

    @property
    def id(self) -> bytes:
        return self.last.id

    @property
    def signer(self) -> bytes:
        """The signer of the last statement."""
        content = self.last.content
        return content.payer if isinstance(content, Allotment) else content.holder

    @property
    def grant(self) -> Allotment | Split:
        return grant_of(self.last)

    @property
    def is_purse(self) -> bool:
        return self.grant.request is None

    @property
    def terms(self) -> Terms:
        return self.grant.terms

    @property
    def payer(self) -> bytes:
        return self.root.content.payer


def grant_of(statement: Statement[Allotment] | Statement[Entry]) -> Allotment | Split:
    """What a statement grants: the root itself, or the split in an entry."""
    content = statement.content
    if isinstance(content, Allotment):
        return content
    assert isinstance(content.event, Split)
    return content.event


def read_lineage(reader: Reader, sums: Sums) -> Lineage:
    """A lineage, and whether it is well formed (V-1010, V-1011) as it is read."""
    reader.array(2)
    chain = None if reader.null() else read_chain(reader, sums)
    start = reader.pos
    count = reader.array_of(1, sums.limits.links)
    sums.later("signatures", count, start)
    root = read_allotment(reader)
    allotment = root.content
    if (
        (None if chain is None else chain.id) != allotment.authority
        or (chain is not None and chain.holder != allotment.payer)
        or allotment.to == allotment.payer
    ):
        raise Refused(1010, root.at)
    above: Statement[Allotment] | Statement[Entry] = root
    splits = []
    for _ in range(count - 1):
        split = read_entry(reader)
        entry, granted = split.content, grant_of(above)
        if (
            not isinstance(entry.event, Split)
            or entry.holder != granted.to
            or entry.allotment != above.id
            or entry.event.to == entry.holder
        ):
            raise Refused(1010, split.at)
        if breach_alone(entry, granted.terms) is not None:
            raise Refused(1011, split.at)
        splits.append(split)
        above = split
    return Lineage(chain, root, tuple(splits))


def worth(
    lineage: Lineage,
    chain_worth: tuple[str, Authority | None] | None,
    anchor: Anchor | None,
    revocations: Revocations | None,
    now: int,
    skew: int,
) -> str:
    """Whether an allotment whose signatures hold counts, and if not, why."""
    terms = lineage.root.content.terms
    if chain_worth is not None:
        authority = chain_worth[1]
        if authority is None:
            return "unknown-payer"
        ceiling = authority.budget
    elif anchor is not None:
        ceiling = anchor.budget
    else:
        return "unknown-payer"
    if (
        ceiling is None
        or not terms.within(ceiling)
        or (ceiling.wall is not None and terms.wall is None)
    ):
        return "beyond-ceiling"
    if revocations is not None:
        holders = {lineage.payer, *(s.content.holder for s in lineage.splits)}
        if holders & revocations.keys:
            return "revoked"
    if lineage.terms.deadline <= now - skew:
        return "too-late"
    return COUNTS
