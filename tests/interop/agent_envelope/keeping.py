"""The holder's side of an allotment: the ledger that it keeps (§11.4), and shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .allotments import Lineage
from .amounts import (
    AGENTS,
    CONCURRENCY,
    Amounts,
    Key,
    at_most,
    ceilings,
    consumables,
    minus,
    order,
    plus,
)
from .cbor import MAX_AMOUNT, Reader, encode
from .errors import Refused
from .ledger import Credit, Entry, Report, Split, breach_of_history, read_entry
from .statement import ENTRY, PROTECTED, Statement

Signer = Callable[[bytes], bytes]
DECLARED: tuple[int, bytes | None] = (0, None)


def add(one: Mapping[Key, int], other: Mapping[Key, int]) -> Amounts:
    """The sum, each at most 2^64 − 1 (V-1002)."""
    total = plus(one, other)
    if any(value > MAX_AMOUNT for value in total.values()):
        raise Refused(1002, "call")
    return ordered(total)


def take_away(one: Mapping[Key, int], other: Mapping[Key, int]) -> Amounts:
    """The difference; what is taken away must be there (V-1003)."""
    if not at_most(other, one):
        raise Refused(1003, "call")
    return ordered(minus(one, other))


def share(total: int, weights: Sequence[int]) -> list[int]:
    """Parts by weight, rounded down; what is left over goes one by one to the first."""
    whole = sum(weights)
    if whole == 0:
        raise Refused(1004, "call")
    parts = [total * weight // whole for weight in weights]
    rest = total - sum(parts)
    for i in sorted(range(len(parts)), key=lambda i: -(total * weights[i] % whole))[:rest]:
        parts[i] += 1
    return parts


def ordered(amounts: Mapping[Key, int]) -> Amounts:
    return {key: amounts[key] for key in sorted(amounts, key=order) if amounts[key]}


def amounts_item(amounts: Mapping[Key, int]) -> list[list[int | str]]:
    return [
        [dimension, amount] if unit is None else [dimension, amount, unit]
        for (dimension, unit), amount in ordered(amounts).items()
    ]


def entry_item(entry: Entry) -> dict[int, object]:
    """The payload of an entry (§11.2)."""
    event = entry.event
    said: list[object]
    if isinstance(event, Split):
        terms: dict[int, object] = {
            1: amounts_item(event.terms.amounts),
            2: event.terms.deadline,
            3: event.terms.depth,
        }
        if event.terms.wall is not None:
            terms[4] = event.terms.wall
        said = [0, event.to, terms, event.request]
    elif isinstance(event, Credit):
        said = [1, event.split, event.report, amounts_item(event.total), int(event.last)]
    else:
        kind, digest = event.basis
        basis = [kind] if digest is None else [kind, digest]
        returned, overrun = amounts_item(event.returned), amounts_item(event.overrun)
        said = [2, returned, int(event.last), basis, event.outcome, overrun]
    own, out, back = map(amounts_item, (entry.own, entry.out, entry.back))
    return {
        1: entry.holder,
        2: entry.allotment,
        3: entry.prev,
        4: entry.seq,
        5: own,
        6: out,
        7: back,
        8: said,
    }


@dataclass
class Ledger:
    lineage: Lineage
    admitted: int
    """When the allotment was: its wall begins then."""
    entries: list[Statement[Entry]] = field(default_factory=list)
    own: Amounts = field(default_factory=dict)
    out: Amounts = field(default_factory=dict)
    back: Amounts = field(default_factory=dict)
    returned: Amounts = field(default_factory=dict)
    overrun: Amounts = field(default_factory=dict)
    holds: dict[int, Amounts] = field(default_factory=dict)
    closed: bool = False

    @property
    def holder(self) -> bytes:
        return self.lineage.grant.to

    @property
    def held(self) -> Amounts:
        total: Amounts = {}
        for hold in self.holds.values():
            total = plus(total, hold)
        return ordered(total)

    @property
    def free(self) -> Amounts:
        """What is neither used, out, returned nor set aside."""
        gone = plus(plus(self.own, minus(self.out, self.back)), plus(self.returned, self.held))
        return ordered(minus(self.lineage.terms.consumables, gone))

    # ---- use ----

    def _check_use(self, amounts: Mapping[Key, int]) -> None:
        if self.closed:
            raise Refused(1020, "call")
        bounds = self.lineage.terms.ceilings
        if not at_most(consumables(amounts), self.free) or any(
            value > bounds.get(key, value) for key, value in ceilings(amounts).items()
        ):
            raise Refused(1003, "call")

    def charge(self, amounts: Mapping[Key, int]) -> None:
        self._check_use(amounts)
        self.own = add(self.own, consumables(amounts))

    def reserve(self, amounts: Mapping[Key, int]) -> int:
        self._check_use(amounts)
        hold = max(self.holds, default=0) + 1
        self.holds[hold] = consumables(amounts)
        return hold

    def release(self, hold: int) -> None:
        if self.holds.pop(hold, None) is None:
            raise Refused(1021, "call")

    def commit(self, hold: int, amounts: Mapping[Key, int]) -> Amounts:
        """Uses what was set aside, and what is free besides; the rest is overrun."""
        self.release(hold)
        overrun = ordered(minus(consumables(amounts), self.free))
        self.own = add(self.own, minus(consumables(amounts), overrun))
        self.overrun = add(self.overrun, overrun)
        return overrun

    # ---- entries ----

    def _sign(self, event: Split | Credit | Report, sign: Signer) -> Statement[Entry]:
        entry = Entry(
            holder=self.holder,
            allotment=self.lineage.id,
            prev=self.entries[-1].id if self.entries else None,
            seq=len(self.entries),
            own=ordered(self.own),
            out=ordered(self.out),
            back=ordered(self.back),
            event=event,
        )
        payload = encode(entry_item(entry))
        unsigned = Statement(ENTRY, None, PROTECTED, None, payload, entry, b"", b"", 0)
        raw = encode([PROTECTED, {}, payload, sign(unsigned.to_be_signed)])
        statement = read_entry(Reader(raw))
        self.entries.append(statement)
        return statement

    def history(self) -> bytes:
        count = encode([None] * len(self.entries))[: -len(self.entries)]
        return count + b"".join(entry.raw for entry in self.entries)

    def _report(
        self, returned: Amounts, last: bool, basis: tuple[int, bytes | None], outcome: int
    ) -> Report:
        self.returned = add(self.returned, returned)
        return Report(self.returned, last, basis, outcome, self.overrun)

    def give_back(
        self, amounts: Amounts, basis: tuple[int, bytes | None], outcome: int, sign: Signer
    ) -> None:
        """Returns something early."""
        self._check_use(amounts)
        self._sign(self._report(amounts, False, basis, outcome), sign)

    def close(self, outcome: int, sign: Signer) -> None:
        """The last report: what is set aside counts as used, all that is free is returned."""
        if self.closed:
            raise Refused(1020, "call")
        self.own, self.holds = add(self.own, self.held), {}
        self._sign(self._report(self.free, True, DECLARED, outcome), sign)
        self.closed = True

    def split(
        self, event: Split, keep: Mapping[Key, int], now: int, sign: Signer
    ) -> Statement[Entry]:
        """Grants a part to somebody else."""
        mine, theirs = self.lineage.terms, event.terms
        if self.closed:
            raise Refused(1020, "call")
        if event.to == self.holder:
            raise Refused(1021, "call")
        left = None if mine.wall is None else mine.wall - (now - self.admitted) * 1000
        if now >= mine.deadline or now >= theirs.deadline or (left is not None and left <= 0):
            raise Refused(1023, "call")
        if not theirs.within(mine, split=True) or (
            left is not None and (theirs.wall is None or theirs.wall > left)
        ):
            raise Refused(1022, "call")
        if len(self._running()) >= mine.amounts.get(CONCURRENCY, MAX_AMOUNT):
            raise Refused(1024, "call")
        spent = plus(theirs.consumables, {AGENTS: 1})
        if not at_most(plus(spent, keep), self.free):
            raise Refused(1003, "call")
        self.own = add(self.own, {AGENTS: 1})
        self.out = add(self.out, theirs.consumables)
        return self._sign(event, sign)

    def _running(self) -> set[int]:
        """The splits of children without a last report."""
        events = [(entry.content.seq, entry.content.event) for entry in self.entries]
        ended = {event.split for _, event in events if isinstance(event, Credit) and event.last}
        return {seq for seq, event in events if isinstance(event, Split)} - ended

    def credit(self, history: Sequence[Statement[Entry]], sign: Signer) -> Statement[Entry] | None:
        """Credits a child's report, with the history that leads to it; nothing if it is old."""
        if self.closed:
            raise Refused(1020, "call")
        report = history[-1].content.event
        child = history[0].content
        split = next((e for e in self.entries if e.id == child.allotment), None)
        if (
            split is None
            or not isinstance(split.content.event, Split)
            or not isinstance(report, Report)
            or any(
                (e.content.allotment, e.content.holder, e.content.seq)
                != (split.id, split.content.event.to, i)
                for i, e in enumerate(history)
            )
        ):
            raise Refused(1025, "call")
        if (breach := breach_of_history(history, split.content.event.terms)) is not None:
            raise Refused(1026, f"entry {breach[0]}")
        for i, entry in enumerate(history):
            if not entry.signed_by(entry.content.holder):
                raise Refused(1027, f"entry {i}")
        credits = [
            e.content.event
            for e in self.entries
            if isinstance(e.content.event, Credit) and e.content.event.split == split.content.seq
        ]
        if any(credit.report == history[-1].id for credit in credits):
            return None
        before = credits[-1].total if credits else {}
        if not at_most(before, report.returned) or (credits and credits[-1].last):
            raise Refused(1025, "call")
        self.back = add(self.back, minus(report.returned, before))
        event = Credit(split.content.seq, history[-1].id, report.returned, report.last)
        return self._sign(event, sign)
