"""Statements of budgets (§11.2) and the rules of a ledger (§11.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .amounts import AGENTS, Amounts, Terms, at_most, minus, plus, read_amounts, read_terms
from .cbor import Reader
from .errors import Refused
from .limits import Sums
from .statement import ALLOTMENT, ENTRY, Statement, read_agent, read_statement

# ---- form (§11.2) --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Allotment:
    """A root allotment."""

    payer: bytes
    to: bytes
    terms: Terms
    request: bytes | None
    nonce: bytes
    audit: bytes | None
    authority: bytes | None


@dataclass(frozen=True)
class Split:
    to: bytes
    terms: Terms
    request: bytes | None


@dataclass(frozen=True)
class Credit:
    split: int
    report: bytes
    total: Amounts = field(hash=False)
    last: bool


@dataclass(frozen=True)
class Report:
    returned: Amounts = field(hash=False)
    last: bool
    basis: tuple[int, bytes | None]
    outcome: int
    overrun: Amounts = field(hash=False)


@dataclass(frozen=True)
class Entry:
    holder: bytes
    allotment: bytes
    prev: bytes | None
    seq: int
    own: Amounts = field(hash=False)
    out: Amounts = field(hash=False)
    back: Amounts = field(hash=False)
    event: Split | Credit | Report


def hash_or_null(reader: Reader) -> bytes | None:
    return None if reader.null() else reader.octets(32)


def read_allotment(reader: Reader) -> Statement[Allotment]:
    return read_statement(reader, ALLOTMENT, None, _read_allotment)


def _read_allotment(reader: Reader) -> Allotment:
    a: dict[str, object] = {"audit": None, "authority": None}
    for key in reader.fields([1, 2, 3, 4, 5], [6, 7]):
        match key:
            case 1:
                a["payer"] = read_agent(reader)
            case 2:
                a["to"] = read_agent(reader)
            case 3:
                a["terms"] = read_terms(reader)
            case 4:
                a["request"] = hash_or_null(reader)
            case 5:
                a["nonce"] = reader.octets(16)
            case 6:
                a["audit"] = read_agent(reader)
            case 7:
                a["authority"] = reader.octets(32)
    return Allotment(**a)  # type: ignore[arg-type]


def read_entry(reader: Reader) -> Statement[Entry]:
    return read_statement(reader, ENTRY, None, _read_entry)


def _read_entry(reader: Reader) -> Entry:
    e: dict[str, object] = {}
    for key in reader.fields([1, 2, 3, 4, 5, 6, 7, 8]):
        match key:
            case 1:
                e["holder"] = read_agent(reader)
            case 2:
                e["allotment"] = reader.octets(32)
            case 3:
                e["prev"] = hash_or_null(reader)
            case 4:
                e["seq"] = reader.unsigned()
            case 5:
                e["own"] = read_amounts(reader, consumable=True)
            case 6:
                e["out"] = read_amounts(reader, consumable=True)
            case 7:
                e["back"] = read_amounts(reader, consumable=True)
            case 8:
                e["event"] = _read_event(reader)
    return Entry(**e)  # type: ignore[arg-type]


def _read_event(reader: Reader) -> Split | Credit | Report:
    start = reader.pos
    count = reader.array()
    tag = reader.unsigned()
    if tag > 2 or count != (4, 5, 6)[tag]:
        raise Refused(122, start)
    if tag == 0:
        return Split(read_agent(reader), read_terms(reader), hash_or_null(reader))
    if tag == 1:
        number, report = reader.unsigned(), reader.octets(32)
        total = read_amounts(reader, consumable=True)
        return Credit(number, report, total, _read_flag(reader))
    returned = read_amounts(reader, consumable=True)
    last = _read_flag(reader)
    basis = _read_basis(reader)
    outcome = _read_code(reader, 5)
    return Report(returned, last, basis, outcome, read_amounts(reader, consumable=True))


def _read_code(reader: Reader, most: int) -> int:
    at = reader.pos
    code = reader.unsigned()
    if code > most:
        raise Refused(122, at)
    return code


def _read_flag(reader: Reader) -> bool:
    return reader.unsigned(1) == 1


def _read_basis(reader: Reader) -> tuple[int, bytes | None]:
    start = reader.pos
    count = reader.array()
    basis = reader.unsigned()
    if basis > 2 or count != (2 if basis == 1 else 1):
        raise Refused(122, start)
    return basis, reader.octets(32) if basis == 1 else None


def read_history(reader: Reader, sums: Sums) -> tuple[Statement[Entry], ...]:
    """A ledger history: one entry or more."""
    start = reader.pos
    count, _ = reader.expect(4)
    if count == 0:
        raise Refused(120, start)
    if count > sums.limits.signatures:
        raise Refused(201, start)
    sums.later("signatures", count, start)
    return tuple(read_entry(reader) for _ in range(count))


# ---- rules (§11.5) -------------------------------------------------------------------------------


def breach_alone(entry: Entry, terms: Terms, returned_before: Amounts | None = None) -> str | None:
    """Which of rules 1 to 6 one entry breaks under granted terms: `E2`, …, or `order`.

    `returned_before` is what the latest report before it says is returned, if that is known.
    """
    event = entry.event
    granted = terms.consumables
    # 1
    if (entry.prev is None) != (entry.seq == 0):
        return "order"
    if entry.seq == 0:
        expected = event.terms.consumables if isinstance(event, Split) else {}
        if entry.out != expected:
            return "E2"
        if entry.back:
            return "E5"
    # 2
    if not at_most(entry.back, entry.out):
        return "E5"
    # 3
    returned = event.returned if isinstance(event, Report) else returned_before or {}
    in_use = plus(plus(entry.own, minus(entry.out, entry.back)), returned)
    if not at_most(in_use, granted):
        return "E2" if isinstance(event, Split) else "E3"
    if isinstance(event, Split):
        # 4
        if not event.terms.within(terms, split=True) or (
            terms.wall is not None and event.terms.wall is None
        ):
            return "E6"
        if not at_most(event.terms.consumables, entry.out) or entry.own.get(AGENTS, 0) < 1:
            return "E2"
    elif isinstance(event, Credit):
        # 5
        if event.split >= entry.seq or not at_most(event.total, entry.out):
            return "E5"
    elif event.last and in_use != granted:
        # 6
        return "E3"
    return None


def breach_between(a: Statement[Entry], b: Statement[Entry]) -> str | None:
    """Which of rules 7 to 12 entry b breaks against an earlier entry a of the same ledger."""
    x, y = a.content, b.content
    if x.seq == y.seq:
        # 12
        return None if a.id == b.id else "E1"
    if x.seq > y.seq:
        return breach_between(b, a)
    follows = y.seq == x.seq + 1
    # 7
    if isinstance(x.event, Report) and x.event.last:
        return "E7"
    # 8
    if follows and y.prev != a.id:
        return "E1"
    # 9
    if not (at_most(x.own, y.own) and at_most(x.out, y.out) and at_most(x.back, y.back)):
        return "E4"
    if (
        isinstance(x.event, Report)
        and isinstance(y.event, Report)
        and not at_most(x.event.returned, y.event.returned)
    ):
        return "E4"
    # 10
    grew = minus(y.out, x.out)
    if isinstance(y.event, Split):
        granted = y.event.terms.consumables
        if not at_most(granted, grew) or y.own.get(AGENTS, 0) < x.own.get(AGENTS, 0) + 1:
            return "E2"
        if follows and grew != granted:
            return "E2"
    elif follows and grew:
        return "E2"
    # 11
    if isinstance(y.event, Credit):
        credit = y.event
        if x.seq == credit.split and not (
            isinstance(x.event, Split) and at_most(credit.total, x.event.terms.consumables)
        ):
            return "E5"
        came = minus(y.back, x.back)
        most = credit.total
        if isinstance(x.event, Credit):
            if x.event.split == credit.split:
                if not at_most(x.event.total, credit.total):
                    return "E5"
                most = minus(credit.total, x.event.total)
            if x.event.report == credit.report:
                return "E5"
        if follows and not at_most(came, most):
            return "E5"
    elif follows and minus(y.back, x.back):
        return "E5"
    return None


def breach_of_history(entries: Sequence[Statement[Entry]], terms: Terms) -> tuple[int, str] | None:
    """The first entry of a whole history that breaks a rule, and which."""
    returned: Amounts = {}
    totals: dict[int, Amounts] = {}
    for i, statement in enumerate(entries):
        entry = statement.content
        broken = breach_alone(entry, terms, returned)
        for earlier in entries[:i]:
            broken = broken or breach_between(earlier, statement)
        if broken is None and isinstance(entry.event, Credit):
            credit = entry.event
            if not 0 <= credit.split < i or not isinstance(
                entries[credit.split].content.event, Split
            ):
                broken = "E5"
            grown = minus(credit.total, totals.get(credit.split, {}))
            totals[credit.split] = credit.total
        else:
            grown = {}
        before = entries[i - 1].content.back if i else {}
        if broken is None and minus(entry.back, before) != grown:
            broken = "E5"
        if broken is not None:
            return i, broken
        if isinstance(entry.event, Report):
            returned = entry.event.returned
    return None
