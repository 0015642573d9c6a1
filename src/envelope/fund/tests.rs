//! Allotments and reports as an adversary with keys of its own would place them.

use core::time::Duration;

use super::super::assemble::Part;
use super::super::costs::{NOW, agent, entropy, tokens};
use super::super::element::NewElement;
use super::*;
use crate::budget::{Basis, Breach, Dimension, Outcome, Wider, entries};
use crate::context::{AnyKind, Kind, encode_record};
use crate::digest::Digest;
use crate::{
    Grant, Inbox, Permission, Resource, Revocations, Scope, Subjects, TrustAnchor, TrustAnchors,
    Verifier,
};

fn terms(amounts: Amounts, depth: u32) -> Terms {
    Terms::new(amounts, NOW.saturating_add(Duration::from_secs(600)), depth)
}

/// 100 tokens, 5 agents, 3 levels.
fn whole() -> Terms {
    terms(tokens(100).with(Dimension::AGENTS, 5).expect("an amount"), 3)
}

struct World {
    user: Identity,
    planner: Identity,
    worker: Identity,
    eve: Identity,
    anchor: TrustAnchor,
}

impl World {
    fn new() -> Self {
        let [user, planner, worker, eve] = [1, 2, 3, 4].map(agent);
        let all = Permission::new(["do"], &Resource::everything()).expect("a permission");
        let scope = Scope::new([all]).expect("a scope");
        let anchor = TrustAnchor::new(user.id(), "user", Subjects::Any, scope)
            .expect("an anchor")
            .budget(whole());
        Self { user, planner, worker, eve, anchor }
    }

    fn inbox(&self, agent: &Identity) -> Inbox {
        let anchors = TrustAnchors::new([self.anchor.clone()]).expect("an anchor");
        let limits = Limits::default();
        Inbox::new(
            Verifier::new(agent.id(), None, anchors, Revocations::none(), limits)
                .expect("limits that admit something")
                .dangerously_admit_untrusted_origins(),
        )
    }

    /// The user pays the planner.
    fn paid(&self) -> Sent {
        Draft::new(&self.user)
            .to(self.planner.id())
            .clear(Kind::User, "text/plain", &b"go"[..])
            .allot(Allotment::new(self.planner.id(), whole()))
            .sign(NOW, entropy(1))
            .expect("it is the planner's turn")
            .persisted()
    }

    fn ledger(&self) -> Ledger {
        let sent = self.paid();
        let mut inbox = self.inbox(&self.planner);
        let mut received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
        let crate::Budget::Funded(funded) = received.take_funding() else { panic!("it is funded") };
        let funded = funded.into_iter().next().expect("one");
        Ledger::open(funded, &self.planner, NOW).expect("it is the planner's")
    }

    /// The history of a ledger of the planner's that was closed at once.
    fn closed(&self) -> Vec<u8> {
        let closed = self.ledger().close(&self.planner, Basis::Declared, Outcome::Done);
        closed.expect("it was open").persisted()
    }

    /// What the reader says of an envelope by `from` that ends with these control elements.
    fn says(
        &self,
        from: &Identity,
        reader: &Identity,
        elements: &[(Control, &[u8])],
    ) -> Result<(), Error> {
        let draft = Draft::new(from).to(reader.id()).clear(Kind::User, "text/plain", &b"go"[..]);
        let sent = place(draft, elements)?;
        self.inbox(reader).receive(sent.as_bytes(), NOW).map(|_| ())
    }
}

/// Signs a draft that ends with these control elements, as they are.
fn place(draft: Draft<'_>, elements: &[(Control, &[u8])]) -> Result<Sent, Error> {
    draft.sign_with(NOW, entropy(9), &[], |assembler| {
        elements.iter().for_each(|(control, body)| assembler.control(*control, body));
        Ok(())
    })
}

fn allotment_of(sent: &Sent) -> Vec<u8> {
    let envelope = Envelope::decode(sent.as_bytes(), &Limits::default()).expect("an envelope");
    let last = envelope.elements.last().expect("elements");
    last.encoded_body.expect("a body").to_vec()
}

fn misplaced(element: usize, reason: &'static str) -> Result<(), Error> {
    Err(Error::AllotmentPlace { element, reason })
}

#[test]
fn a_copied_allotment_funds_nothing_anywhere_else() {
    let world = World::new();
    let sent = world.paid();
    let copy = allotment_of(&sent);
    assert!(world.inbox(&world.planner).receive(sent.as_bytes(), NOW).is_ok());
    // Another author.
    assert_eq!(
        world.says(&world.eve, &world.planner, &[(Control::Allotment, &copy)]),
        misplaced(1, "its author did not make it out")
    );
    // The same author, to another receiver.
    assert_eq!(
        world.says(&world.user, &world.worker, &[(Control::Allotment, &copy)]),
        misplaced(1, "its holder may not act next")
    );
    // The same author and receiver, for another request.
    assert_eq!(
        world.says(&world.user, &world.planner, &[(Control::Allotment, &copy)]),
        misplaced(1, "it pays for another request")
    );
    // The same again in one envelope: the place has moved on.
    let draft = Draft::new(&world.user).to(world.planner.id());
    let twice = draft.clear(Kind::User, "text/plain", &b"go"[..]);
    let twice = twice.sign_with(NOW, entropy(1), &[], |assembler| {
        let allotment = Allotment::new(world.planner.id(), whole());
        let body = assembler.root(&allotment, &world.user, assembler.chain.0)?;
        assembler.control(Control::Allotment, &body);
        assembler.control(Control::Allotment, &body);
        Ok(())
    });
    let twice = twice.expect("well formed");
    let said = world.inbox(&world.planner).receive(twice.as_bytes(), NOW).map(|_| ());
    assert_eq!(said, misplaced(2, "it pays for another request"));
    // Nor do observers and relays pass it.
    let draft = Draft::new(&world.eve).to(world.planner.id());
    let stolen = place(draft, &[(Control::Allotment, &copy)]).expect("well formed");
    let inbox = world.inbox(&world.planner);
    let decode = || Envelope::decode(stolen.as_bytes(), &Limits::default()).expect("an envelope");
    let refused = misplaced(0, "its author did not make it out");
    assert_eq!(decode().verify_as_observer(inbox.verifier(), NOW).map(|_| ()), refused);
    assert_eq!(decode().verify_as_relay(inbox.verifier(), NOW).map(|_| ()), refused);
    // In a hop of the one whom it pays.
    let sent = Draft::new(&world.user)
        .to([world.planner.id(), world.worker.id()])
        .next(world.planner.id())
        .allot(Allotment::new(world.planner.id(), whole()))
        .sign(NOW, entropy(2))
        .expect("it is the planner's turn")
        .persisted();
    let mut inbox = world.inbox(&world.planner);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
    let copy = allotment_of(&sent);
    let onward = received.onward(&world.planner).next(world.worker.id());
    let bytes = onward.sign_with(NOW, entropy(3), &[], |assembler| {
        assembler.control(Control::Allotment, &copy);
        Ok(())
    });
    let bytes = bytes.expect("well formed");
    let said = world.inbox(&world.worker).receive(&bytes, NOW).map(|_| ());
    assert_eq!(said, misplaced(1, "its author did not make it out"));
}

#[test]
fn a_purse_is_delivered_by_its_payer_and_once_in_an_envelope() {
    let world = World::new();
    let purse = Allotment::new(world.planner.id(), whole()).as_purse();
    let sent = Draft::new(&world.user)
        .to(world.planner.id())
        .allot(purse)
        .sign(NOW, entropy(1))
        .expect("it is the planner's turn")
        .persisted();
    let copy = allotment_of(&sent);
    let purse = [(Control::Allotment, &copy[..])];
    assert_eq!(
        world.says(&world.eve, &world.planner, &purse),
        misplaced(1, "its author did not make it out")
    );
    assert_eq!(
        world.says(&world.user, &world.worker, &purse),
        misplaced(1, "its holder may not act next")
    );
    // Two ledgers of one allotment would convict the planner.
    assert_eq!(
        world.says(&world.user, &world.planner, &[purse[0], purse[0]]),
        misplaced(2, "it is there already")
    );
    assert_eq!(world.says(&world.user, &world.planner, &purse), Ok(()));
}

#[test]
fn an_allotment_covers_all_that_its_author_says() {
    let world = World::new();
    let copy = allotment_of(&world.paid());
    let follows = misplaced(1, "something of the same author follows it");
    let history = world.closed();
    let package = world.planner.key_package(NOW, Duration::from_secs(60)).expect("a package");
    for after in [(Control::Report, &history[..]), (Control::KeyPackage, package.as_bytes())] {
        let elements = [(Control::Allotment, &copy[..]), after];
        assert_eq!(world.says(&world.planner, &world.worker, &elements), follows);
    }
    let draft = Draft::new(&world.user).to(world.planner.id());
    let said = draft.sign_with(NOW, entropy(9), &[], |assembler| {
        assembler.control(Control::Allotment, &copy);
        assembler.push(&Part::Content(NewElement::clear(Kind::User, "text/plain", &b"more"[..])))
    });
    assert_eq!(said.map(|_| ()), misplaced(0, "something of the same author follows it"));
}

/// Element by element: kinds in their place, then allotments last, then reports, then audiences. SPEC §9.2.
#[test]
fn of_two_faults_that_follow_an_allotment_the_first_in_order_is_told() {
    let world = World::new();
    let copy = allotment_of(&world.paid());
    let allotment = (Control::Allotment, &copy[..]);
    let package = world.planner.key_package(NOW, Duration::from_secs(60)).expect("a package");
    let foreign = [allotment, (Control::KeyPackage, package.as_bytes())];
    let refused = Err(Error::KeyPackageOfAnother { element: 2 });
    assert_eq!(world.says(&world.user, &world.planner, &foreign), refused);
    let history = world.closed();
    let follows = misplaced(1, "something of the same author follows it");
    let of_another = [allotment, (Control::Report, &history[..])];
    assert_eq!(world.says(&world.user, &world.planner, &of_another), follows);
    // A sealed body whose audience is not there.
    let mut body = Encoder::new();
    body.array(3).bytes(&[0xa1, 0x01, 0x18, 0x18]).map(1).int(5).bytes(&[0; 12]).bytes(&[0; 16]);
    let (kind, nothing) = (AnyKind::Content(Kind::User), Digest([0; 32]));
    let record = encode_record(kind, &nothing, Some((9, nothing)), &[], false);
    let draft = Draft::new(&world.user).to(world.planner.id());
    let said = draft.sign_with(NOW, entropy(9), &[], |assembler| {
        assembler.control(Control::Allotment, &copy);
        assembler.element(&record, &body.finish());
        Ok(())
    });
    assert_eq!(said.map(|_| ()), misplaced(0, "something of the same author follows it"));
}

#[test]
fn a_report_is_the_history_of_its_authors_own_ledger() {
    let world = World::new();
    let mut ledger = world.ledger();
    let split = |to: &Identity| Split::new(to.id(), terms(tokens(10), 0)).as_purse();
    let none = Amounts::new();
    let _ = ledger.split(&world.planner, &split(&world.worker), None, &none, NOW).expect("free");
    let unfinished = ledger.entries();
    let report = ledger.give_back(&world.planner, &tokens(1), Basis::Declared).expect("free");
    let report = report.persisted();
    let mut other = world.other_ledger();
    let foreign = other.give_back(&world.planner, &tokens(1), Basis::Declared).expect("free");
    let _ = foreign.persisted();
    let foreign = other.give_back(&world.planner, &tokens(1), Basis::Declared).expect("free");
    let foreign = foreign.persisted();
    let pieces = entries(&report).expect("a history");
    let join = |pieces: &[&[u8]]| {
        let mut out = Encoder::new();
        out.array(pieces.len());
        pieces.iter().for_each(|piece| {
            out.raw(piece);
        });
        out.finish()
    };
    let says =
        |from: &Identity, body: &[u8]| world.says(from, &world.worker, &[(Control::Report, body)]);
    let refused = Err(Error::ReportForm { element: 1 });
    assert_eq!(says(&world.planner, &report), Ok(()));
    assert_eq!(says(&world.eve, &report), refused, "of another");
    assert_eq!(says(&world.planner, &unfinished), refused, "no report at its end");
    assert_eq!(says(&world.planner, &join(&pieces[1..])), refused, "no beginning");
    assert_eq!(says(&world.planner, &join(&[pieces[1], pieces[0]])), refused, "out of order");
    let mixed = [pieces[0], entries(&foreign).expect("a history")[1]];
    assert_eq!(says(&world.planner, &join(&mixed)), refused, "of two ledgers");
    let empty = says(&world.planner, &join(&[]));
    assert!(matches!(empty, Err(Error::Empty { what: "ledger history", .. })), "{empty:?}");
    let mut unsigned = report.clone();
    *unsigned.last_mut().expect("bytes") ^= 1;
    let signer = world.planner.id();
    assert_eq!(says(&world.planner, &unsigned), Err(Error::EntrySignature { entry: 1, signer }));
}

impl World {
    fn other_ledger(&self) -> Ledger {
        let purse = Allotment::new(self.planner.id(), whole()).as_purse();
        let sent = Draft::new(&self.user).to(self.planner.id()).allot(purse).sign(NOW, entropy(7));
        let sent = sent.expect("it is the planner's turn").persisted();
        let mut inbox = self.inbox(&self.planner);
        let mut received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
        let purse = received.take_purses().into_iter().next().expect("a purse");
        Ledger::open(purse, &self.planner, NOW).expect("it is the planner's")
    }
}

/// A lineage of these statements.
fn lineage(chain: Option<&DelegationChain>, statements: &[&[u8]]) -> Vec<u8> {
    let mut out = Encoder::new();
    out.array(2);
    match chain {
        Some(chain) => out.raw(chain.as_bytes()),
        None => out.null(),
    };
    out.array(statements.len());
    statements.iter().for_each(|statement| {
        out.raw(statement);
    });
    out.finish()
}

#[test]
fn a_lineage_hangs_together() {
    let world = World::new();
    let (user, planner, worker) = (&world.user, &world.planner, &world.worker);
    let claims = |payer: &Identity, to: &Identity| RootClaims {
        payer: payer.id(),
        to: to.id(),
        terms: whole(),
        request: None,
        nonce: [1; 16],
        audit: None,
        authority: None,
    };
    let root = |claims: RootClaims, by: &Identity| claims.sign(by.signing_key()).0;
    let honest = root(claims(user, planner), user);
    let mut ledger = world.other_ledger();
    let part = Split::new(worker.id(), terms(tokens(10), 1));
    let none = Amounts::new();
    let _ = ledger.split(planner, &part, None, &none, NOW).expect("it is free").persisted();
    let _ = ledger.give_back(planner, &tokens(1), Basis::Declared).expect("it is free");
    let told = ledger.entries();
    let told = entries(&told).expect("a history");
    let above = ledger_root(&ledger);
    let grant = |holder| {
        let all = world.anchor.clone();
        let scope = Permission::new(["do"], &Resource::everything()).expect("a permission");
        let grant = Grant::new("alice", Scope::new([scope]).expect("a scope"));
        DelegationChain::issue(user.signing_key(), &all, holder, grant, NOW, entropy(8))
            .expect("a grant within the anchor")
    };
    let (own, others) = (grant(world.eve.id()), grant(worker.id()));
    let under = |chain: &DelegationChain, payer: &Identity| {
        let authority = Some(chain.id());
        root(RootClaims { authority, ..claims(payer, planner) }, payer)
    };
    let eve = &world.eve;
    let unfit = |entry| Err(Error::AllotmentLineage { element: Some(1), entry });
    let says = |from: &Identity, reader: &Identity, body: &[u8]| {
        world.says(from, reader, &[(Control::Allotment, body)])
    };
    assert_eq!(says(user, planner, &lineage(None, &[&honest])), Ok(()));
    assert_eq!(says(planner, worker, &lineage(None, &[&above, told[0]])), Ok(()));
    assert_eq!(says(eve, planner, &lineage(Some(&own), &[&under(&own, eve)])), Ok(()));
    for (statements, chain, entry, why) in [
        (vec![&under(&own, eve)[..]], None, 0, "no chain where one is named"),
        (vec![&root(claims(eve, planner), eve)], Some(&own), 0, "a chain that is not named"),
        (vec![&under(&others, eve)], Some(&own), 0, "another chain than the one named"),
        (vec![&under(&others, eve)], Some(&others), 0, "the chain of another"),
        (vec![&root(claims(eve, eve), eve)], None, 0, "to itself"),
        (vec![&honest, told[0]], None, 1, "a split of another allotment"),
        (vec![&above, told[0], told[0]], None, 2, "a split by somebody else"),
        (vec![&above, told[1]], None, 1, "a report"),
    ] {
        assert_eq!(says(eve, planner, &lineage(chain, &statements)), unfit(entry), "{why}");
    }
    // Splits that no honest holder makes.
    let mut widened = crate::cbor::Decoder::new(told[0]);
    let split = crate::budget::SignedEntry::decode(&mut widened).expect("an entry").claims.clone();
    let again = |change: &dyn Fn(&mut Terms, &mut Amounts)| {
        let mut claims = split.clone();
        if let crate::budget::Event::Split { terms, .. } = &mut claims.event {
            change(terms, &mut claims.out);
        }
        claims.sign(planner.signing_key()).0
    };
    let breaks = |statement: &[u8], breach| {
        let said = says(planner, worker, &lineage(None, &[&above, statement]));
        assert_eq!(said, Err(Error::AllotmentBreach { element: Some(1), entry: 1, breach }));
    };
    let over = again(&|terms_, out| {
        *terms_ = terms(tokens(101), 1);
        *out = tokens(101);
    });
    breaks(&over, Breach::OverSplit);
    breaks(&again(&|_, out| *out = tokens(9)), Breach::OverSplit);
    breaks(&again(&|now, _| *now = terms(tokens(10), 3)), Breach::Widened(Wider::Depth));
    // Signatures, each by its own signer.
    for (index, signer) in [(0, user.id()), (1, planner.id())] {
        let mut statements = [above.clone(), told[0].to_vec()];
        *statements[index].last_mut().expect("bytes") ^= 1;
        let body = lineage(None, &[&statements[0], &statements[1]]);
        let refused = Error::AllotmentSignature { element: Some(1), entry: index, signer };
        assert_eq!(says(planner, worker, &body), Err(refused));
    }
    let long = vec![&honest[..]; 17];
    let found = says(user, planner, &lineage(None, &long));
    let what = "statements of an allotment";
    assert_eq!(found, Err(Error::LimitExceeded { what, limit: 16, found: 17 }));
}

/// The root statement from which a ledger's allotment comes.
fn ledger_root(ledger: &Ledger) -> Vec<u8> {
    let state = ledger.to_bytes();
    let mut decoder = crate::cbor::Decoder::new(&state);
    decoder.array_of(8).expect("a state");
    decoder.text().expect("a label");
    let (mut inner, _) = decoder.embedded().expect("a lineage");
    let lineage = crate::budget::Lineage::decode(&mut inner, &Limits::default(), None);
    lineage.expect("a lineage").root.encoded.to_vec()
}
