"""Deterministic CBOR (§3): a strict pull reader that keeps byte offsets, and an encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from .errors import Refused

MAX_COUNT = 2**53 - 1
"""The maximum of an unsigned integer, unless said otherwise (§2.1)."""
MAX_AMOUNT = 2**64 - 1
MAX_SIGNED = 2**63 - 1
"""The maximum of a key of a map, or of an algorithm, before anybody asks which it is."""

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
NULL = 22


def encode(value: Any) -> bytes:
    """The one encoding of `value`; keys of maps are put in the order of their encodings."""
    out = bytearray()
    _encode(value, out)
    return bytes(out)


def _encode(value: Any, out: bytearray) -> None:
    if value is None:
        out.append(0xF6)
    elif isinstance(value, bool):
        raise TypeError("there are no booleans in the format")
    elif isinstance(value, int):
        _encode_head(*((UNSIGNED, value) if value >= 0 else (NEGATIVE, -1 - value)), out)
    elif isinstance(value, (bytes, bytearray)):
        _encode_head(BYTES, len(value), out)
        out += value
    elif isinstance(value, str):
        text = value.encode()
        _encode_head(TEXT, len(text), out)
        out += text
    elif isinstance(value, (list, tuple)):
        _encode_head(ARRAY, len(value), out)
        for member in value:
            _encode(member, out)
    elif isinstance(value, dict):
        _encode_head(MAP, len(value), out)
        for key, item in sorted((encode(k), v) for k, v in value.items()):
            out += key
            _encode(item, out)
    else:
        raise TypeError(f"no CBOR for {type(value).__name__}")


def _encode_head(major: int, argument: int, out: bytearray) -> None:
    if argument < 24:
        out.append(major << 5 | argument)
        return
    for extra, size in enumerate((1, 2, 4, 8)):
        if argument < 1 << 8 * size:
            out.append(major << 5 | 24 + extra)
            out += argument.to_bytes(size, "big")
            return
    raise ValueError("integer of more than 64 bits")


def has_control(text: str) -> bool:
    """Whether `text` has a control character, U+0000–U+001F or U+007F–U+009F (§2.1)."""
    return any(c < "\x20" or "\x7f" <= c <= "\x9f" for c in text)


class Reader:
    """Reads items of known type, in the order of the bytes, from a part of the outermost input.

    The content of a byte string is read by a Reader over the same input, so that offsets need no
    translation.
    """

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data) if end is None else end

    # ---- heads ----

    def head(self) -> tuple[int, int, int]:
        """Major type, argument and offset of the next item; V-101 to V-107."""
        start = self.pos
        if start >= self.end:
            raise Refused(101, start)
        first = self.data[start]
        major, info = first >> 5, first & 31
        if 28 <= info <= 30:
            raise Refused(104, start)
        if info == 31:
            raise Refused(103, start)
        if major == TAG:
            raise Refused(106, start)
        if major == SIMPLE and info != NULL:
            raise Refused(105 if 25 <= info <= 27 else 107, start)
        self.pos = start + 1
        argument = info
        if info >= 24:
            size = 1 << (info - 24)
            if self.end - self.pos < size:
                raise Refused(101, start)
            argument = int.from_bytes(self.data[self.pos : self.pos + size], "big")
            self.pos += size
            if argument < (24 if size == 1 else 1 << 4 * size):
                raise Refused(102, start)
        return major, argument, start

    def expect(self, major: int) -> tuple[int, int]:
        """Argument and offset of the next item, which must be of this major type (V-110)."""
        found, argument, start = self.head()
        if found != major:
            raise Refused(110, start)
        self._has_content(major, argument, start)
        return argument, start

    def _has_content(self, major: int, argument: int, start: int) -> None:
        """A length or count may not exceed the bytes left (V-101)."""
        if BYTES <= major <= MAP and argument > self.end - self.pos:
            raise Refused(101, start)

    def done(self) -> None:
        """Nothing may follow (V-108)."""
        if self.pos != self.end:
            raise Refused(108, self.pos)

    # ---- items ----

    def unsigned(self, maximum: int = MAX_COUNT) -> int:
        value, start = self.expect(UNSIGNED)
        if value > maximum:
            raise Refused(116, start)
        return value

    def integer(self, constant: int) -> int:
        """An integer whose value the format fixes (V-121)."""
        start = self.pos
        if self.signed() != constant:
            raise Refused(121, start)
        return constant

    def signed(self) -> int:
        major, argument, start = self.head()
        if major not in (UNSIGNED, NEGATIVE):
            raise Refused(110, start)
        if argument > MAX_SIGNED:
            raise Refused(116, start)
        return argument if major == UNSIGNED else -1 - argument

    def octets(self, length: int | None = None) -> bytes:
        size, start = self.expect(BYTES)
        if length is not None and size != length:
            raise Refused(115, start)
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def bytes_constant(self, constant: bytes) -> bytes:
        start = self.pos
        if self.octets() != constant:
            raise Refused(121, start)
        return constant

    def text(self) -> str:
        size, start = self.expect(TEXT)
        self.pos += size
        try:
            return self.data[self.pos - size : self.pos].decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise Refused(109, start) from None

    def text_constant(self, constant: str) -> str:
        start = self.pos
        if self.text() != constant:
            raise Refused(121, start)
        return constant

    def plain_text(self, least: int, most: int) -> str:
        """Text of so many bytes without control characters (V-122)."""
        start = self.pos
        text = self.text()
        if not least <= len(text.encode()) <= most or has_control(text):
            raise Refused(122, start)
        return text

    def null(self) -> bool:
        """Reads null, if that is next."""
        if self.pos < self.end and self.data[self.pos] == SIMPLE << 5 | NULL:
            self.pos += 1
            return True
        return False

    def array(self, count: int | None = None) -> int:
        """The head of an array; of a fixed number of items (V-119) if `count` is given."""
        found, start = self.expect(ARRAY)
        if count is not None and found != count:
            raise Refused(119, start)
        return found

    def array_of(self, least: int, most: int) -> int:
        """The head of an array that has content if `least` is 1 (V-120), and a limit (V-201)."""
        count, start = self.expect(ARRAY)
        if count < least:
            raise Refused(120, start)
        if count > most:
            raise Refused(201, start)
        return count

    def members(self, count: int) -> Iterator[int]:
        """Offsets of `count` members of a set, which the caller reads one by one.

        Their encodings must strictly ascend (V-117, V-118).
        """
        last: bytes | None = None
        for _ in range(count):
            start = self.pos
            yield start
            this = self.data[start : self.pos]
            if last is not None and this <= last:
                raise Refused(118 if this == last else 117, start)
            last = this

    def fields(self, required: Sequence[int], optional: Sequence[int] = ()) -> Iterator[int]:
        """The keys of a map with integer keys; the caller reads each value (V-111 to V-114).

        A key is missing where it would stand: at the first greater key, else at the map's end.
        """
        count, _ = self.expect(MAP)
        pending = sorted(encode(key) for key in required)
        last: bytes | None = None
        for i in range(count):
            at = self.pos
            key = self.signed()
            this = self.data[at : self.pos]
            if last is not None and this <= last:
                raise Refused(113 if this == last else 114, at)
            last = this
            if pending and pending[0] < this:
                later = self._place_of(pending[0], count - 1 - i)
                raise Refused(112, at) if later is None else Refused(114, later)
            if key not in required and key not in optional:
                raise Refused(111, at)
            if pending and pending[0] == this:
                del pending[0]
            yield key
        if pending:
            raise Refused(112, self.pos)

    def _place_of(self, key: bytes, pairs: int) -> int | None:
        """Where a key stands in the rest of a map, of which the next item is a value."""
        probe = Reader(self.data, self.pos, self.end)
        with suppress(Refused):
            for _ in range(pairs):
                probe.skip()
                if probe.data.startswith(key, probe.pos, probe.end):
                    return probe.pos
                probe.skip()
        return None

    def nested(self) -> Reader:
        """A reader of what is in the next byte string, which holds one item and nothing else."""
        size, _ = self.expect(BYTES)
        self.pos += size
        return Reader(self.data, self.pos - size, self.pos)

    def rest(self) -> bytes:
        """All bytes of this reader's part that it has not read."""
        return self.data[self.pos : self.end]

    def skip(self, depth: int = 32) -> None:
        """Reads any one item, to check its form only."""
        major, argument, start = self.head()
        self._has_content(major, argument, start)
        if depth == 0:
            raise Refused(201, start)
        if major in (BYTES, TEXT):
            self.pos += argument
            if major == TEXT:
                try:
                    self.data[self.pos - argument : self.pos].decode("utf-8", "strict")
                except UnicodeDecodeError:
                    raise Refused(109, start) from None
        elif major == ARRAY:
            for _ in range(argument):
                self.skip(depth - 1)
        elif major == MAP:
            for _ in range(argument):
                self.skip(depth - 1)
                self.skip(depth - 1)
