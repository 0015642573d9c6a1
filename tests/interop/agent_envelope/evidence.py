"""Evidence against the holder of a ledger (§11.6)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .allotments import grant_of
from .amounts import Terms, at_most, minus, plus
from .cbor import MAP, Reader
from .errors import Refused
from .ledger import (
    Allotment,
    Credit,
    Entry,
    Report,
    Split,
    breach_alone,
    breach_between,
    read_allotment,
    read_entry,
)
from .limits import Limits
from .statement import Statement

ENTRY_KEYS = 8


@dataclass(frozen=True)
class Conviction:
    culprit: bytes
    allotment: bytes
    breach: str


def _read_grant(reader: Reader) -> Statement[Allotment] | Statement[Entry]:
    """A root allotment or an entry that is a split: told apart by how many keys the payload has."""
    probe = Reader(reader.data, reader.pos, reader.end)
    probe.array(4)
    probe.nested()
    probe.skip()
    keys, _ = probe.nested().expect(MAP)
    return read_entry(reader) if keys == ENTRY_KEYS else read_allotment(reader)


def evidence(data: bytes, limits: Limits = Limits()) -> Conviction:
    """What the evidence convicts of; V-1028 if of nothing."""
    if len(data) > limits.bytes:
        raise Refused(201, 0)
    reader = Reader(data)
    reader.array(4)
    reader.text_constant("agent-envelope/1/evidence")
    grant = None if reader.null() else _read_grant(reader)
    entries = [read_entry(reader) for _ in range(reader.array_of(1, 3))]
    report = None if reader.null() else read_entry(reader)
    reader.done()
    if grant is not None:
        content = grant.content
        signer = content.payer if isinstance(content, Allotment) else content.holder
        if not grant.signed_by(signer):
            raise Refused(1012, "entry 0")
    for i, entry in enumerate([*entries, *([report] if report else [])]):
        if not entry.signed_by(entry.content.holder):
            raise Refused(1027, f"entry {i}")
    if report is not None and not isinstance(report.content.event, Report):
        raise Refused(1028, "call")
    first = entries[0].content
    if any(
        e.content.holder != first.holder or e.content.allotment != first.allotment for e in entries
    ):
        raise Refused(1028, "call")
    if grant is not None and (grant.id != first.allotment or grant_of(grant).to != first.holder):
        raise Refused(1028, "call")
    keys = [(entry.content.seq, entry.id) for entry in entries]
    if any(a >= b for a, b in pairwise(keys)):
        raise Refused(1028, "call")
    if grant is not None and not isinstance(grant.content, Allotment):
        if not isinstance(grant.content.event, Split):
            raise Refused(1028, "call")
    breach = _breach(grant, entries, report)
    if breach is None:
        raise Refused(1028, "call")
    return Conviction(first.holder, first.allotment, breach)


def _breach(
    grant: Statement[Allotment] | Statement[Entry] | None,
    entries: list[Statement[Entry]],
    report: Statement[Entry] | None,
) -> str | None:
    if grant is not None:
        return None if report is not None else _under(grant_of(grant).terms, entries)
    if report is not None:
        return _against_report(entries, report)
    if len(entries) == 2:
        return breach_between(*entries)
    if len(entries) == 3:
        return _three(entries)
    return None


def _under(terms: Terms, entries: list[Statement[Entry]]) -> str | None:
    """One entry that breaks 1 to 6, or a report and a later entry that break 3."""
    if len(entries) == 1:
        return breach_alone(entries[0].content, terms)
    if len(entries) == 2:
        reporting, later = entries[0].content, entries[1].content
        if isinstance(reporting.event, Report) and not isinstance(later.event, Report):
            out = minus(later.out, later.back)
            in_use = plus(plus(later.own, out), reporting.event.returned)
            if not at_most(in_use, terms.consumables):
                return "E2" if isinstance(later.event, Split) else "E3"
    return None


def _against_report(entries: list[Statement[Entry]], report: Statement[Entry]) -> str | None:
    said = report.content.event
    assert isinstance(said, Report)
    credit = entries[-1].content
    if not isinstance(credit.event, Credit) or credit.event.report != report.id:
        return None
    if len(entries) == 1:
        if credit.event.total != said.returned or credit.event.last != said.last:
            return "E5"
    elif len(entries) == 2:
        split = entries[0].content
        if (
            isinstance(split.event, Split)
            and split.seq == credit.event.split
            and (
                report.content.allotment != entries[0].id or report.content.holder != split.event.to
            )
        ):
            return "E5"
    return None


def _three(entries: list[Statement[Entry]]) -> str | None:
    """A credit, and two consecutive entries after it, the second a credit for the same split."""
    a, b, c = (statement.content for statement in entries)
    if (
        isinstance(a.event, Credit)
        and isinstance(c.event, Credit)
        and a.event.split == c.event.split
        and a.seq < b.seq
        and c.seq == b.seq + 1
        and c.prev == entries[1].id
        and any(
            c.back.get(key, 0) - b.back.get(key, 0)
            > c.event.total.get(key, 0) - a.event.total.get(key, 0)
            for key in c.back | b.back | c.event.total | a.event.total
        )
    ):
        return "E5"
    return None
