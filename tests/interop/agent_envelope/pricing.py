"""Prices and quotas (§11.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .amounts import (
    MAX_ENTRIES,
    MONEY,
    Amounts,
    Ascending,
    Key,
    check_unit,
    consumables,
    is_advisory,
    is_ceiling,
    money_unit,
    read_amount,
    read_unit,
)
from .cbor import MAX_AMOUNT, Reader
from .errors import Refused


@dataclass(frozen=True)
class Tariff:
    unit: str
    prices: Mapping[Key, tuple[int, int]] = field(hash=False)
    """So many units of money per so many of the dimension."""
    free: frozenset[int]

    def cost(self, use: Mapping[Key, int]) -> int:
        """What a running total costs; each term is rounded up to a whole unit of money."""
        total = 0
        for key, amount in consumables(use).items():
            if key[0] in self.free:
                continue
            if key not in self.prices:
                raise Refused(1101, "call")
            price, per = self.prices[key]
            total += -(-amount * price // per)
        if total > MAX_AMOUNT:
            raise Refused(1002, "call")
        return total


def read_tariff(reader: Reader) -> Tariff:
    unit = ""
    prices: dict[Key, tuple[int, int]] = {}
    free: list[int] = []
    for key in reader.fields([1, 2], [3]):
        at = reader.pos
        match key:
            case 1:
                unit = reader.text()
                if not money_unit(unit):
                    raise Refused(122, at)
            case 2:
                ascending = Ascending()
                for _ in range(reader.array_of(0, MAX_ENTRIES)):
                    at = reader.pos
                    size = reader.array()
                    if size not in (3, 4):
                        raise Refused(119, at)
                    dimension = reader.unsigned()
                    rate = read_amount(reader), read_amount(reader)
                    name = read_unit(reader, at) if size == 4 else None
                    check_unit(dimension, name, at)
                    if is_ceiling(dimension) or (dimension >> 2 == MONEY and name != unit):
                        raise Refused(122, at)
                    ascending.next((dimension, name), at)
                    prices[dimension, name] = rate
            case 3:
                for place in reader.members(reader.array_of(1, MAX_ENTRIES)):
                    free.append(reader.unsigned())
                    if is_ceiling(free[-1]) or any(d == free[-1] for d, _ in prices):
                        raise Refused(122, place)
    return Tariff(unit, prices, frozenset(free))


@dataclass(frozen=True)
class Limit:
    """Per period a principal gets `limit` back, and at once at most `burst`."""

    limit: int
    period: int
    burst: int


@dataclass
class Quota:
    """Virtual times by principal, issuer name and subject, and limited consumable."""

    limits: Mapping[Key, Limit]
    room: int
    """For so many principals."""
    times: dict[tuple[tuple[str, str], Key], int] = field(default_factory=dict)

    def take(self, principal: tuple[str, str], use: Amounts, now: int) -> None:
        """Grants all dimensions or none."""
        moved = {}
        for key, amount in consumables(use).items():
            limit = self.limits.get(key)
            if limit is None:
                spoken_of = any(d | 2 == key[0] | 2 for d, _ in self.limits)
                if is_advisory(key[0]) and not spoken_of:
                    continue
                raise Refused(1104, "call")
            if amount > limit.burst:
                raise Refused(1104, "call")
            clock = now * limit.limit
            virtual = max(self.times.get((principal, key), 0), clock) + amount * limit.period
            if virtual > clock + limit.burst * limit.period:
                raise Refused(1103, "call")
            moved[principal, key] = virtual
        if len({who for who, _ in self.times} | {principal}) > self.room:
            raise Refused(1105, "call")
        self.times |= moved
