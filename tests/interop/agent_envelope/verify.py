"""Verification (§9): for observers, relays and readers, in the order of §9.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .allotments import Lineage, worth
from .delegation import (
    COUNTS,
    Anchor,
    Authority,
    Chain,
    Revocations,
    judge,
    own_authority,
)
from .envelope import (
    ALLOTMENT,
    AUTHORITY,
    KEY_PACKAGE,
    Element,
    Envelope,
    Plain,
    decode,
)
from .errors import Refused
from .hashes import H
from .identity import SUITE_X25519, KeyPackage
from .limits import Limits
from .sealing import SealedBody
from .statement import Statement

OBSERVER, RELAY, READER = "observer", "relay", "reader"


@dataclass(frozen=True)
class Verifier:
    agent: bytes
    anchors: tuple[Anchor, ...]
    audience: str | None = None
    revocations: Revocations | None = None
    skew: int = 30
    require_sealed: bool = False
    require_funding: bool = False
    admit_untrusted_origins: bool = False
    least_suite: int = SUITE_X25519
    limits: Limits = Limits()

    def anchor(self, key: bytes) -> Anchor | None:
        return next((anchor for anchor in self.anchors if anchor.key == key), None)


class Window(Protocol):
    """What verification asks of a replay window (§10.1)."""

    def precheck(self, envelope: Envelope, earliest: int) -> None: ...

    def admitted_before(self, envelope: Envelope) -> int: ...

    def handed_out(self, envelope: Envelope) -> set[bytes]: ...


@dataclass(frozen=True)
class Verified:
    envelope: Envelope
    verifier: Verifier
    role: str
    now: int
    chains: tuple[tuple[Element, str, Authority | None], ...]
    allotments: tuple[tuple[Element, str], ...]
    authorities: tuple[Authority, ...]
    key_package: Element | None
    """The one to answer to (§5.2)."""

    def authorities_of(self, agent: bytes) -> list[Authority]:
        """Chains in their order before an anchor's own."""
        return [a for a in self.authorities if a.holder == agent]

    def for_me(self, after: int) -> list[Element]:
        """The allotments that count for this reader, purses among them."""
        return [
            element
            for element, value in self.allotments
            if value == COUNTS
            and element.index >= after
            and lineage_of(element).grant.to == self.verifier.agent
        ]

    def unfunded(self, after: int = 0) -> list[str]:
        return [
            value
            for element, value in self.allotments
            if value != COUNTS
            and element.index >= after
            and lineage_of(element).grant.to == self.verifier.agent
        ]


def lineage_of(element: Element) -> Lineage:
    assert isinstance(element.form, Lineage)
    return element.form


def verify(
    data: bytes, verifier: Verifier, role: str, now: int, window: Window | None = None
) -> Verified:
    """All of §9.2 and §9.3."""
    envelope = decode(data, verifier.limits)
    return verify_decoded(envelope, verifier, role, now, window)


def verify_decoded(
    envelope: Envelope, verifier: Verifier, role: str, now: int, window: Window | None
) -> Verified:
    header, hops = envelope.header, envelope.hops
    latest, earliest = now + verifier.skew, now - verifier.skew

    # 1. Times.
    if header.expires - header.created > verifier.limits.lifetime:
        raise Refused(323, "header")
    if header.created > latest:
        raise Refused(320, "header")
    if header.expires <= earliest:
        raise Refused(321, "header")
    for k, hop in enumerate(hops):
        if hop.content.at > latest:
            raise Refused(304, f"hop {k}")

    # 2. The addressee.
    if role != OBSERVER and verifier.agent not in hops[-1].content.next:
        raise Refused(330, "envelope")
    if role == READER and verifier.agent not in {*header.to, *(header.via or ())}:
        raise Refused(331, "header")

    # 3. The replay window.
    if window is not None:
        window.precheck(envelope, earliest)

    # 4. The element chain.
    for k, hop in enumerate(hops):
        count = hop.content.count
        if hop.content.head != (envelope.elements[count - 1].id if count else envelope.g):
            raise Refused(401, f"hop {k}")

    # 5. Control commitments and holders.
    for element in envelope.elements:
        if element.is_control:
            if element.commitment != H("control", element.author, element.kind, element.body):
                raise Refused(402, f"element {element.index}")
            if isinstance(element.form, Chain) and element.form.holder != element.author:
                raise Refused(501, f"element {element.index}")

    # 6. Policy.
    for element in envelope.elements:
        if element.kind == KEY_PACKAGE:
            if package_of(element).suite < verifier.least_suite:
                raise Refused(603, f"element {element.index}")
        elif not element.is_control and element.sealed is None and verifier.require_sealed:
            raise Refused(606, f"element {element.index}")

    # 7. Revocations, and what chains are worth.
    revocations = verifier.revocations
    if revocations is not None:
        if revocations.stale(now, verifier.skew):
            raise Refused(511, "call")
        for k, hop in enumerate(hops):
            if hop.content.signer in revocations.keys:
                raise Refused(512, f"hop {k}")

    def judged(chain: Chain) -> tuple[str, Authority | None]:
        return judge(
            chain,
            verifier.anchors,
            revocations,
            now,
            verifier.skew,
            envelope.conversation,
            reader=role == READER,
            audience=verifier.audience,
        )

    chains = tuple(
        (element, *judged(element.form))
        for element in envelope.elements
        if element.kind == AUTHORITY and isinstance(element.form, Chain)
    )

    # 8. The origin.
    if (
        verifier.anchor(envelope.sender) is None
        and not any(e.author == envelope.sender and value == COUNTS for e, value, _ in chains)
        and not verifier.admit_untrusted_origins
    ):
        raise Refused(510, "header")

    # 9. Allotments.
    declared = header.terms
    for element in envelope.elements:
        if element.kind == ALLOTMENT:
            lineage = lineage_of(element)
            _check_place(envelope, element, lineage)
            if (
                declared is not None
                and element.hop == 0
                and not lineage.is_purse
                and not declared.within(lineage.terms)
            ):
                raise Refused(1014, "header")
    allotments = tuple(
        (
            element,
            worth(
                lineage,
                None if lineage.chain is None else judged(lineage.chain),
                verifier.anchor(lineage.payer),
                revocations,
                now,
                verifier.skew,
            ),
        )
        for element in envelope.elements
        if element.kind == ALLOTMENT
        for lineage in [lineage_of(element)]
    )
    if role == READER and verifier.require_funding:
        before = 0 if window is None else window.admitted_before(envelope)
        spent = set() if window is None else window.handed_out(envelope)
        if not any(
            value == COUNTS
            and element.index >= before
            and lineage_of(element).grant.to == verifier.agent
            and not lineage_of(element).is_purse
            and lineage_of(element).id not in spent
            for element, value in allotments
        ):
            raise Refused(1016, "envelope")

    # 10 and 11. Signatures.
    _check_signatures(envelope)

    # 12. Content bodies.
    for element in envelope.elements:
        if not element.is_control and element.body is not None:
            check_content(element)

    own = tuple(
        own_authority(anchor)
        for signer in dict.fromkeys(hop.content.signer for hop in hops)
        for anchor in verifier.anchors
        if anchor.key == signer
    )
    return Verified(
        envelope=envelope,
        verifier=verifier,
        role=role,
        now=now,
        chains=chains,
        allotments=allotments,
        authorities=tuple(a for _, _, a in chains if a is not None) + own,
        key_package=_package_to_answer_to(envelope, earliest, latest),
    )


def package_of(element: Element) -> KeyPackage:
    assert isinstance(element.form, Statement)
    return element.form.content


def _check_place(envelope: Envelope, element: Element, lineage: Lineage) -> None:
    """V-1013 but for the order of elements."""
    grant = lineage.grant
    if (
        lineage.signer != element.author
        or grant.to not in envelope.hops[element.hop].content.next
        or (grant.request is not None and grant.request != element.before)
        or (grant.request is None and lineage.id in envelope.named_before(element.index))
    ):
        raise Refused(1013, f"element {element.index}")


def _check_signatures(envelope: Envelope) -> None:
    for k, hop in enumerate(envelope.hops):
        if not hop.statement.signed_by(hop.content.signer):
            raise Refused(410, f"hop {k}")
    for element in envelope.elements:
        at = f"element {element.index}"
        form = element.form
        match element.kind:
            case 64:
                assert isinstance(form, Chain)
                _check_links(form, at)
            case 66:
                assert isinstance(form, Statement)
                if not form.signed_by(form.content.agent):
                    raise Refused(412, at)
            case 67:
                lineage = lineage_of(element)
                if not lineage.root.signed_by(lineage.payer):
                    raise Refused(1012, at)
                for split in lineage.splits:
                    if not split.signed_by(split.content.holder):
                        raise Refused(1012, at)
                if lineage.chain is not None:
                    _check_links(lineage.chain, at)
            case 68:
                assert isinstance(form, tuple)
                for i, entry in enumerate(form):
                    if not entry.signed_by(entry.content.holder):
                        raise Refused(1027, f"entry {i}")


def _check_links(chain: Chain, at: str) -> None:
    for i, link in enumerate(chain.links):
        if not link.statement.signed_by(link.signer):
            raise Refused(411, f"link {i} of {at}")


def check_content(element: Element) -> None:
    """The body of a content element is that of its record (V-403, V-404)."""
    form = element.form
    if isinstance(form, Plain):
        if form.commitment(element.author) != element.commitment:
            raise Refused(403, f"element {element.index}")
    else:
        assert isinstance(form, SealedBody) and element.sealed is not None
        if H("sealed", element.body) != element.sealed[1]:
            raise Refused(404, f"element {element.index}")


def _package_to_answer_to(envelope: Envelope, earliest: int, latest: int) -> Element | None:
    """The one with the latest not-before, the last of several, of those in their window."""
    best: Element | None = None
    for element in envelope.elements:
        if element.kind == KEY_PACKAGE:
            package = package_of(element)
            if package.not_before <= latest and package.expires > earliest:
                if best is None or package.not_before >= package_of(best).not_before:
                    best = element
    return best
