"""Limits (§9.1), and the running sums of what an envelope has as a whole (§7.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import Refused

DAY = 86_400


@dataclass(frozen=True)
class Limits:
    bytes: int = 4 << 20
    elements: int = 1024
    hops: int = 16
    agents: int = 16
    audiences: int = 16
    readers: int = 64
    readers_in_all: int = 256
    chains: int = 8
    links: int = 16
    allotments: int = 16
    refs: int = 64
    labels: int = 16
    signatures: int = 64
    lifetime: int = DAY
    key_package_lifetime: int = DAY


@dataclass
class Sums:
    """What was counted so far; each addition is held against its limit (V-201)."""

    limits: Limits
    audiences: int = 0
    readers: int = 0
    chains: int = 0
    allotments: int = 0
    signatures: int = 0
    pending: list[tuple[str, int, int]] = field(default_factory=list)

    def add(self, what: str, count: int, at: int) -> None:
        total = getattr(self, what) + count
        limit = self.limits.readers_in_all if what == "readers" else getattr(self.limits, what)
        if total > limit:
            raise Refused(201, at)
        setattr(self, what, total)

    def later(self, what: str, count: int, at: int) -> None:
        """Notes what a body adds once it has been read."""
        self.pending.append((what, count, at))

    def settle(self) -> None:
        """Adds what was noted."""
        pending, self.pending = self.pending, []
        for what, count, at in pending:
            self.add(what, count, at)
