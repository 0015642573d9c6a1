"""Dimensions, amounts and terms (§11.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import re

from .cbor import MAX_AMOUNT, Reader
from .errors import Refused

MAX_ENTRIES = 32
COMPUTE, MONEY, AGENTS_N = 2, 6, 7
CONSUMABLES = frozenset(range(1, 10))
CEILINGS = frozenset({16, 17})

Key = tuple[int, str | None]
"""A dimension and its unit: another unit is another dimension."""
Amounts = dict[Key, int]

AGENTS: Key = (AGENTS_N << 2, None)
CONCURRENCY: Key = (17 << 2 | 1, None)
UNIT = re.compile(r"[!-~]{1,64}")
DIGEST = re.compile(r"[0-9a-f]{64}")
MONEY_UNIT = re.compile(r"[!-~]+:(0|[1-9][0-9]?)")


def is_ceiling(dimension: int) -> bool:
    return bool(dimension & 1)


def is_advisory(dimension: int) -> bool:
    return bool(dimension & 2)


def money_unit(unit: str) -> bool:
    return bool(UNIT.fullmatch(unit) and MONEY_UNIT.fullmatch(unit))


def check_unit(dimension: int, unit: str | None, at: int | str) -> None:
    """Money and compute have a unit of their form, other named dimensions none (V-122)."""
    n = dimension >> 2
    if n not in (CEILINGS if is_ceiling(dimension) else CONSUMABLES):
        return
    if n == MONEY:
        valid = unit is not None and money_unit(unit)
    elif n == COMPUTE:
        valid = unit is not None and DIGEST.fullmatch(unit) is not None
    else:
        valid = unit is None
    if not valid:
        raise Refused(122, at)


def order(key: Key) -> tuple[int, bool, int, bytes]:
    """By dimension, then without unit before with, then by the unit's encoding."""
    dimension, unit = key
    encoded = b"" if unit is None else unit.encode()
    return dimension, unit is not None, len(encoded), encoded


class Ascending:
    """Checks that keys strictly ascend (V-117, V-118)."""

    def __init__(self) -> None:
        self.last: Key | None = None

    def next(self, key: Key, at: int) -> None:
        if self.last is not None:
            if key == self.last:
                raise Refused(118, at)
            if order(key) < order(self.last):
                raise Refused(117, at)
        self.last = key


def read_unit(reader: Reader, at: int) -> str:
    """1 to 64 visible ASCII characters."""
    unit = reader.text()
    if not UNIT.fullmatch(unit):
        raise Refused(122, at)
    return unit


def read_amount(reader: Reader) -> int:
    """1 to 2^64 − 1."""
    at = reader.pos
    amount = reader.unsigned(MAX_AMOUNT)
    if amount == 0:
        raise Refused(122, at)
    return amount


def read_amounts(reader: Reader, *, consumable: bool = False) -> Amounts:
    at = reader.pos
    amounts: Amounts = {}
    ascending = Ascending()
    for _ in range(reader.array_of(0, MAX_ENTRIES)):
        start = reader.pos
        size = reader.array()
        if size not in (2, 3):
            raise Refused(119, start)
        dimension = reader.unsigned()
        amount = read_amount(reader)
        unit = read_unit(reader, start) if size == 3 else None
        check_unit(dimension, unit, start)
        ascending.next((dimension, unit), start)
        amounts[dimension, unit] = amount
    if consumable and ceilings(amounts):
        raise Refused(122, at)
    return amounts


def consumables(amounts: Mapping[Key, int]) -> Amounts:
    return {key: value for key, value in amounts.items() if not is_ceiling(key[0])}


def ceilings(amounts: Mapping[Key, int]) -> Amounts:
    return {key: value for key, value in amounts.items() if is_ceiling(key[0])}


def at_most(a: Mapping[Key, int], b: Mapping[Key, int]) -> bool:
    """Whether each of `a` is at most that of `b`; absent is 0."""
    return all(value <= b.get(key, 0) for key, value in a.items())


def plus(a: Mapping[Key, int], b: Mapping[Key, int]) -> Amounts:
    """The sum, without a bound: for comparisons."""
    total = dict(a)
    for key, value in b.items():
        total[key] = total.get(key, 0) + value
    return total


def minus(a: Mapping[Key, int], b: Mapping[Key, int]) -> Amounts:
    """The difference; what is not above zero is left out."""
    return {k: v - b.get(k, 0) for k, v in a.items() if v > b.get(k, 0)}


@dataclass(frozen=True)
class Terms:
    amounts: Amounts = field(hash=False)
    deadline: int
    depth: int
    wall: int | None = None

    @property
    def consumables(self) -> Amounts:
        return consumables(self.amounts)

    @property
    def ceilings(self) -> Amounts:
        return ceilings(self.amounts)

    def within(self, other: Terms, *, split: bool = False) -> bool:
        """Whether these are within others; in a split the depth is less (§11.1)."""
        mine = self.ceilings
        return (
            at_most(self.consumables, other.consumables)
            and all(mine.get(key, value + 1) <= value for key, value in other.ceilings.items())
            and self.deadline <= other.deadline
            and (self.depth < other.depth if split else self.depth <= other.depth)
            and (self.wall is None or other.wall is None or self.wall <= other.wall)
        )

    def inheriting(self, above: Terms | None) -> Terms:
        """These, with the wall from above if they state none."""
        if self.wall is not None or above is None:
            return self
        return Terms(self.amounts, self.deadline, self.depth, above.wall)


def read_terms(reader: Reader) -> Terms:
    amounts: Amounts = {}
    deadline = depth = 0
    wall: int | None = None
    for key in reader.fields([1, 2, 3], [4]):
        at = reader.pos
        match key:
            case 1:
                amounts = read_amounts(reader)
            case 2:
                deadline = reader.unsigned()
            case 3:
                depth = reader.unsigned()
            case 4:
                wall = reader.unsigned()
                if wall == 0:
                    raise Refused(122, at)
    return Terms(amounts, deadline, depth, wall)
