//! Budgets from one end to the other: envelopes that pay, ledgers, reports, refunds, and what adversaries get.

use std::time::Duration;

use agent_envelope::budget::{
    Amounts, Basis, Breach, Dimension, Evidence, Funded, Ledger, Outcome, Split, Terms, Unfunded,
    Wider, audit, entries, splits,
};
use agent_envelope::{
    Admission, Admitted, AgentId, Allotment, Budget, DelegationChain, Draft, Entropy, Envelope,
    Error, Grant, Identity, Inbox, Item, Kind, Limits, Narrow, Permission, Resource, Revocations,
    Scope, Sent, SigningKey, Subjects, Timestamp, TrustAnchor, TrustAnchors, Verifier,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn later(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn entropy(number: u8) -> Entropy {
    Entropy::new([number; 32]).expect("not all zero")
}

fn tokens(amount: u64) -> Amounts {
    Amounts::new().with(Dimension::OUTPUT_TOKENS, amount).expect("an amount")
}

fn amounts(tokens_: u64, agents: u64) -> Amounts {
    tokens(tokens_).with(Dimension::AGENTS, agents).expect("an amount")
}

fn terms(amounts: Amounts, depth: u32) -> Terms {
    Terms::new(amounts, later(600), depth)
}

fn scope() -> Scope {
    Scope::new([Permission::new(["do"], &Resource::everything()).expect("a permission")])
        .expect("a scope")
}

/// An anchor who pays, and agents who work.
struct World {
    login: SigningKey,
    user: Identity,
    planner: Identity,
    worker: Identity,
    other: Identity,
    anchors: Vec<TrustAnchor>,
}

impl World {
    fn new() -> Self {
        let user = Identity::generate(entropy(2));
        let login = SigningKey::generate(entropy(1));
        let anchor = |key, name| {
            TrustAnchor::new(key, name, Subjects::Any, scope())
                .expect("an anchor")
                .budget(terms(amounts(1000, 20), 5))
        };
        let anchors = vec![anchor(user.id(), "user"), anchor(login.id(), "login")];
        let [planner, worker, other] = [3, 4, 5].map(|number| Identity::generate(entropy(number)));
        Self { login, user, planner, worker, other, anchors }
    }

    fn verifier(&self, agent: AgentId) -> Verifier {
        self.verifier_who_knows(agent, Revocations::none())
    }

    fn verifier_who_knows(&self, agent: AgentId, revocations: Revocations) -> Verifier {
        let anchors = TrustAnchors::new(self.anchors.clone()).expect("anchors");
        Verifier::new(agent, None, anchors, revocations, Limits::default())
            .expect("limits that admit something")
            .dangerously_admit_untrusted_origins()
    }

    fn inbox(&self, agent: &Identity) -> Inbox {
        Inbox::new(self.verifier(agent.id()))
    }

    /// The user pays the planner.
    fn paid(&self, terms: Terms) -> Sent {
        self.pays(&self.user, Allotment::new(self.planner.id(), terms), 10)
    }

    fn pays(&self, payer: &Identity, allotment: Allotment<'_>, number: u8) -> Sent {
        Draft::new(payer)
            .to(self.planner.id())
            .clear(Kind::User, "text/plain", &b"go"[..])
            .allot(allotment)
            .sign(NOW, entropy(number))
            .expect("it is the planner's turn")
            .persisted()
    }

    /// The planner's ledger of 100 tokens and 5 agents, three levels deep.
    fn ledger(&self) -> Ledger {
        let sent = self.paid(terms(amounts(100, 5), 3));
        self.open(&sent, &self.planner)
    }

    fn open(&self, sent: &Sent, holder: &Identity) -> Ledger {
        let mut inbox = self.inbox(holder);
        let mut received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
        open_only(&mut received, holder)
    }

    /// What the planner hears about an allotment that pays for nothing.
    fn unfunded(&self, sent: &Sent, verifier: Verifier, now: Timestamp) -> Vec<Unfunded> {
        let reasons = {
            let mut inbox = Inbox::new(verifier.clone());
            let mut received = inbox.receive(sent.as_bytes(), now).expect("an honest envelope");
            assert!(matches!(received.take_funding(), Budget::None));
            assert!(received.take_purses().is_empty());
            received.unfunded().collect::<Vec<_>>()
        };
        let refused =
            Inbox::new(verifier.require_funding()).receive(sent.as_bytes(), now).map(|_| ());
        assert_eq!(refused, Err(Error::MustBeFunded { reasons: reasons.clone() }));
        reasons
    }

    fn hand_on(&self, ledger: &mut Ledger, to: &Identity, part: Terms, number: u8) -> Sent {
        let by = if ledger.holder() == self.planner.id() { &self.planner } else { &self.worker };
        Draft::new(by)
            .to(to.id())
            .clear(Kind::Assistant, "text/plain", &b"a part of it"[..])
            .fund(ledger, Split::new(to.id(), part), Amounts::new())
            .sign(NOW, entropy(number))
            .expect("it is free")
            .persisted()
    }

    fn chain(&self, budget: Option<Terms>) -> DelegationChain {
        let grant = Grant::new("alice", scope()).depth(2).lifetime(Duration::from_secs(60));
        let grant = match budget {
            Some(budget) => grant.budget(budget),
            None => grant,
        };
        let (anchor, holder) = (&self.anchors[1], self.other.id());
        DelegationChain::issue(&self.login, anchor, holder, grant, NOW, entropy(20))
            .expect("a grant within the anchor")
    }
}

fn funded(budget: Budget) -> Vec<Funded> {
    match budget {
        Budget::Funded(funded) => funded,
        none => panic!("{none:?}"),
    }
}

/// Opens the ledger of the only allotment that is handed out.
fn open_only(received: &mut Admitted<'_>, holder: &Identity) -> Ledger {
    let mut funded = funded(received.take_funding());
    assert_eq!(funded.len(), 1);
    Ledger::open(funded.remove(0), holder, NOW).expect("it is the holder's")
}

fn lacking(dimension: Dimension, available: u64, needed: u64) -> Error {
    Error::AmountLacking { dimension, available, needed }
}

#[test]
fn a_budget_comes_down_is_used_and_comes_back() {
    let world = World::new();
    let sent = world.paid(terms(amounts(100, 5), 3));
    let mut inbox = Inbox::new(world.verifier(world.planner.id()).require_funding());
    let mut received = inbox.receive(sent.as_bytes(), NOW).expect("it is funded");
    assert_eq!(received.unfunded().count(), 0);
    let mut funding = funded(received.take_funding());
    let (user, planner) = (world.user.id(), world.planner.id());
    let funds = funding.remove(0);
    assert_eq!((funds.payer(), funds.grantor(), funds.is_purse()), (user, user, false));
    assert_eq!((funds.terms(), funds.audit()), (&terms(amounts(100, 5), 3), None));
    let mut ledger = Ledger::open(funds, &world.planner, NOW).expect("it is the planner's");
    assert_eq!((ledger.holder(), ledger.free()), (planner, amounts(100, 5)));
    ledger.charge(&tokens(10)).expect("it is free");
    let handed_on = world.hand_on(&mut ledger, &world.worker, terms(tokens(60), 0), 11);
    assert_eq!(ledger.free(), amounts(30, 4));

    let mut workers = world.inbox(&world.worker);
    let mut asked = workers.receive(handed_on.as_bytes(), NOW).expect("it is the worker's turn");
    let funds = funded(asked.take_funding()).remove(0);
    assert_eq!((funds.payer(), funds.grantor()), (user, planner));
    let mut part = Ledger::open(funds, &world.worker, NOW).expect("it is the worker's");
    let hold = part.reserve(&tokens(20)).expect("it is free");
    assert_eq!(part.commit(hold, &tokens(25)), Ok(Amounts::new()));
    let basis = Basis::Attested(agent_envelope::Digest::from_bytes([7; 32]));
    let history = part.close(&world.worker, basis, Outcome::Done).expect("it was open").persisted();
    let answer = Draft::reply_to(&asked, &world.worker)
        .report(&history)
        .clear(Kind::Assistant, "text/plain", &b"done"[..])
        .sign(NOW, entropy(12))
        .expect("an answer");

    let mut planners = world.inbox(&world.planner);
    planners.record_sent(&handed_on);
    let answer = planners.receive(answer.as_bytes(), NOW).expect("an honest answer");
    let reply = handed_on.accept_reply(answer).expect("it answers");
    let reports: Vec<_> = reply.received().reports().collect();
    assert_eq!(reports, [&history[..]]);
    let credit = ledger.credit(&world.planner, reports[0]).expect("an honest report");
    assert!(credit.is_some());
    let _ = credit.expect("it is new").persisted();
    assert!(ledger.credit(&world.planner, reports[0]).expect("an honest report").is_none());
    assert_eq!(ledger.free(), amounts(65, 4));
    assert!(ledger.quiescent());
    assert_eq!(Ledger::resume(&ledger.to_bytes()).as_ref(), Ok(&ledger));

    let closed = ledger.close(&world.planner, Basis::Declared, Outcome::Done).expect("it was open");
    let closed = closed.persisted();
    let lineage = received.allotments().next().expect("it was paid");
    let all = [&closed, &history].map(|history| entries(history).expect("a history")).concat();
    let found = audit(lineage, all).expect("all is signed");
    assert!(found.evidence.is_empty() && found.gaps.is_empty());
    // 100 = 10 by the planner, 25 by the worker, 65 returned.
    let own = found.accounts.values().map(|one| one.own.get(Dimension::OUTPUT_TOKENS));
    assert_eq!(own.map(Option::unwrap_or_default).sum::<u64>(), 35);
    assert_eq!(ledger.returned(), &amounts(65, 4));
}

#[test]
fn only_payers_who_are_known_pay() {
    let world = World::new();
    let planner = world.planner.id();
    let reasons = |sent: &Sent| world.unfunded(sent, world.verifier(planner), NOW);
    let payer = world.other.id();
    let stranger = world.pays(&world.other, Allotment::new(planner, terms(tokens(1), 0)), 11);
    assert_eq!(reasons(&stranger), [Unfunded::UnknownPayer { payer }]);

    // As the holder of a chain whose ceiling covers it.
    let chain = world.chain(Some(terms(tokens(50), 1)));
    let under = |chain, amount, number| {
        let allotment = Allotment::new(planner, terms(tokens(amount), 1)).under(chain);
        world.pays(&world.other, allotment, number)
    };
    let covered = under(&chain, 50, 12);
    assert_eq!(world.open(&covered, &world.planner).terms(), &terms(tokens(50), 1));
    let beyond = [Unfunded::BeyondCeiling { payer }];
    assert_eq!(reasons(&under(&chain, 51, 13)), beyond);
    // Without a ceiling of its own it has that of its anchor.
    let chain = world.chain(None);
    assert_eq!(world.open(&under(&chain, 1000, 14), &world.planner).free(), tokens(1000));
    assert_eq!(reasons(&under(&chain, 1001, 15)), beyond);
    let mut poor = World::new();
    poor.anchors[1] = TrustAnchor::new(poor.login.id(), "login", Subjects::Any, scope())
        .expect("an anchor without a budget");
    let sent = under(&chain, 1, 16);
    assert_eq!(poor.unfunded(&sent, poor.verifier(planner), NOW), beyond);
    poor.anchors.remove(1);
    let unknown = [Unfunded::UnknownPayer { payer }];
    assert_eq!(poor.unfunded(&sent, poor.verifier(planner), NOW), unknown);
    // The chain is over a minute later, on every tolerated clock.
    let sent = Draft::new(&world.other)
        .to(planner)
        .expires_in(Duration::from_secs(600))
        .allot(Allotment::new(planner, terms(tokens(1), 0)).under(&chain))
        .sign(NOW, entropy(17))
        .expect("an envelope")
        .persisted();
    assert_eq!(world.unfunded(&sent, world.verifier(planner), later(91)), unknown);
}

#[test]
fn an_anchor_pays_within_its_ceiling() {
    let mut world = World::new();
    let ceiling = terms(amounts(1000, 20), 5).with_wall(Duration::from_secs(30)).expect("a wall");
    world.anchors[0] = TrustAnchor::new(world.user.id(), "user", Subjects::Any, scope())
        .expect("an anchor")
        .budget(ceiling.clone());
    let planner = world.planner.id();
    assert_eq!(world.open(&world.paid(ceiling.clone()), &world.planner).terms(), &ceiling);
    let beyond = [Unfunded::BeyondCeiling { payer: world.user.id() }];
    let wall =
        |terms: Terms, seconds| terms.with_wall(Duration::from_secs(seconds)).expect("a wall");
    for wider in [
        wall(terms(tokens(1001), 5), 30),
        wall(terms(tokens(1), 6), 30),
        wall(Terms::new(tokens(1), later(601), 5), 30),
        wall(terms(tokens(1), 5), 31),
        // What is left out would be lifted for all below.
        terms(tokens(1), 5),
    ] {
        assert_eq!(world.unfunded(&world.paid(wider), world.verifier(planner), NOW), beyond);
    }
    world.anchors[0] = TrustAnchor::new(world.user.id(), "user", Subjects::Any, scope())
        .expect("an anchor without a budget");
    let sent = world.paid(terms(tokens(1), 0));
    assert_eq!(world.unfunded(&sent, world.verifier(planner), NOW), beyond);
}

#[test]
fn revoked_keys_and_passed_deadlines_pay_nothing() {
    let world = World::new();
    let planner = world.planner.id();
    let sent = world.paid(terms(tokens(1), 0));
    // Revoked after it was signed, and the payer has signed the envelope too.
    let revoked = world.verifier_who_knows(planner, Revocations::none().key(world.user.id()));
    let refused = Inbox::new(revoked).receive(sent.as_bytes(), NOW).map(|_| ());
    assert_eq!(refused, Err(Error::SignerRevoked { hop: 0, signer: world.user.id() }));
    // Further down only the allotment knows the payer and who came between.
    let mut ledger = world.ledger();
    let handed_on = world.hand_on(&mut ledger, &world.worker, terms(amounts(50, 2), 2), 11);
    let mut part = world.open(&handed_on, &world.worker);
    let deeper = world.hand_on(&mut part, &world.other, terms(tokens(10), 0), 12);
    let reader = world.other.id();
    for agent in [world.user.id(), planner] {
        let knows = world.verifier_who_knows(reader, Revocations::none().key(agent));
        assert_eq!(world.unfunded(&deeper, knows, NOW), [Unfunded::Revoked { agent }]);
    }
    assert_eq!(world.open(&deeper, &world.other).free(), tokens(10));

    let sent = Draft::new(&world.user)
        .to(planner)
        .expires_in(Duration::from_secs(3600))
        .allot(Allotment::new(planner, terms(tokens(1), 0)))
        .sign(NOW, entropy(13))
        .expect("an envelope")
        .persisted();
    let (deadline, now) = (later(600), later(630));
    let late = [Unfunded::TooLate { deadline, now }];
    assert_eq!(world.unfunded(&sent, world.verifier(planner), now), late);
    // The deadline gets the skew that every time gets.
    let mut inbox = world.inbox(&world.planner);
    let mut received = inbox.receive(sent.as_bytes(), later(629)).expect("in time");
    assert_eq!(funded(received.take_funding()).len(), 1);
}

#[test]
fn funding_is_handed_out_once() {
    let world = World::new();
    let sent = world.paid(terms(tokens(100), 0));
    let mut inbox = world.inbox(&world.planner);
    let mut received = inbox.receive(sent.as_bytes(), NOW).expect("it is funded");
    assert!(received.take_purses().is_empty());
    assert_eq!(funded(received.take_funding()).len(), 1);
    assert!(matches!(received.take_funding(), Budget::None));
    drop(received);
    let replayed = Err(Error::Replayed { envelope: sent.digest() });
    assert_eq!(inbox.receive(sent.as_bytes(), NOW).map(|_| ()), replayed);
    let bytes = inbox.to_bytes();
    let mut inbox =
        Inbox::restore(world.verifier(world.planner.id()), &bytes).expect("it was written");
    assert_eq!(inbox.receive(sent.as_bytes(), NOW).map(|_| ()), replayed);
}

/// An envelope that pays two, one of whom passes it on to the other and pays as well, or not.
fn two_paths(world: &World, pays_again: bool) -> (Sent, Vec<u8>) {
    let (planner, worker) = (world.planner.id(), world.worker.id());
    let sent = Draft::new(&world.user)
        .to([planner, worker])
        .clear(Kind::User, "text/plain", &b"both of you"[..])
        .allot(Allotment::new(planner, terms(amounts(100, 5), 3)))
        .allot(Allotment::new(worker, terms(tokens(7), 0)))
        .sign(NOW, entropy(30))
        .expect("both are next")
        .persisted();
    let mut inbox = world.inbox(&world.planner);
    let mut received = inbox.receive(sent.as_bytes(), NOW).expect("it is funded");
    let mut ledger = open_only(&mut received, &world.planner);
    let onward = received
        .onward(&world.planner)
        .clear(Kind::Assistant, "text/plain", &b"and this"[..])
        .next(worker);
    let bytes = if pays_again {
        let part = Split::new(worker, terms(tokens(30), 0));
        let hop = onward.fund(&mut ledger, part, Amounts::new()).sign(NOW, entropy(31));
        hop.expect("it is free").persisted()
    } else {
        onward.sign(NOW, entropy(31)).expect("a hop")
    };
    (sent, bytes)
}

#[test]
fn each_allotment_funds_once_over_all_paths() {
    let world = World::new();
    let (direct, longer) = two_paths(&world, true);
    let sizes =
        |budget| funded(budget).iter().map(|one| one.terms().amounts().clone()).collect::<Vec<_>>();
    let mut inbox = world.inbox(&world.worker);
    let mut received = inbox.receive(direct.as_bytes(), NOW).expect("it is the worker's turn");
    assert_eq!(sizes(received.take_funding()), [tokens(7)]);
    drop(received);
    let mut received = inbox.receive(&longer, NOW).expect("more of it");
    assert_eq!(received.admission(), Admission::Continued { after: 3 });
    assert_eq!(sizes(received.take_funding()), [tokens(30)]);
    assert!(matches!(received.take_funding(), Budget::None));
    drop(received);

    // The other way round.
    let mut inbox = world.inbox(&world.worker);
    let mut received = inbox.receive(&longer, NOW).expect("it is the worker's turn");
    assert_eq!(sizes(received.take_funding()), [tokens(7), tokens(30)]);
    drop(received);
    let mut received = inbox.receive(direct.as_bytes(), NOW).expect("a path of its own");
    assert_eq!(received.admission(), Admission::OtherPath { after: 3 });
    assert!(matches!(received.take_funding(), Budget::None));
}

/// Two hops by one signer, of two times, that hand on the very same part to the worker.
fn one_part_in_two_hops(world: &World, purse: bool) -> [Vec<u8>; 2] {
    let (planner, worker) = (world.planner.id(), world.worker.id());
    let sent = Draft::new(&world.user)
        .to([planner, worker])
        .next(planner)
        .clear(Kind::User, "text/plain", &b"one of you"[..])
        .allot(Allotment::new(planner, terms(amounts(100, 5), 3)))
        .sign(NOW, entropy(34))
        .expect("the planner is next")
        .persisted();
    let mut inbox = world.inbox(&world.planner);
    let mut received = inbox.receive(sent.as_bytes(), NOW).expect("it is funded");
    let stored = open_only(&mut received, &world.planner).to_bytes();
    [0, 1].map(|second| {
        // Who goes on from one state twice signs the same entry twice.
        let mut ledger = Ledger::resume(&stored).expect("it was written");
        let part = Split::new(worker, terms(tokens(30), 0));
        let part = if purse { part.as_purse() } else { part };
        let hop = received.onward(&world.planner).next(worker);
        let hop = hop.fund(&mut ledger, part, Amounts::new()).sign(later(second), entropy(35));
        hop.expect("it is free").persisted()
    })
}

/// What is not handed out is not used up: trust in the payer may come while the envelope is valid.
#[test]
fn an_allotment_that_did_not_count_is_handed_out_when_it_does() {
    let world = World::new();
    let [one, other] = one_part_in_two_hops(&world, false);
    let mut stranger = World::new();
    stranger.anchors.remove(0);
    let mut inbox = stranger.inbox(&stranger.worker);
    let mut received = inbox.receive(&one, later(1)).expect("it is the worker's turn");
    assert!(matches!(received.take_funding(), Budget::None));
    let payer = world.user.id();
    assert!(received.unfunded().eq([Unfunded::UnknownPayer { payer }]));
    drop(received);

    let knows_the_payer = world.verifier(world.worker.id());
    let mut inbox = Inbox::restore(knows_the_payer, &inbox.to_bytes()).expect("it was written");
    let mut received = inbox.receive(&other, later(1)).expect("a path of its own");
    assert_eq!(funded(received.take_funding()).len(), 1);
}

#[test]
fn an_allotment_that_comes_on_two_paths_is_handed_out_once() {
    let world = World::new();
    for purse in [false, true] {
        let take = |inbox: &mut Inbox, bytes: &[u8]| {
            let mut received = inbox.receive(bytes, later(1)).expect("it is the worker's turn");
            let taken = match received.take_funding() {
                Budget::Funded(funded) => funded,
                Budget::Declared(_) | Budget::None => Vec::new(),
            };
            let taken = taken.into_iter().chain(received.take_purses());
            (received.admission(), taken.map(|one| one.id()).collect::<Vec<_>>())
        };
        let [first, second] = one_part_in_two_hops(&world, purse);
        let mut inbox = world.inbox(&world.worker);
        let (admission, taken) = take(&mut inbox, &first);
        assert_eq!((admission, taken.len()), (Admission::New, 1));
        let mut restored = Inbox::restore(world.verifier(world.worker.id()), &inbox.to_bytes())
            .expect("it was written");
        let mut replica = world.inbox(&world.worker);
        replica.merge_window(inbox.window()).expect("there is room");
        // Another ledger of the same allotment would convict the worker of what the planner did.
        for inbox in [&mut inbox, &mut restored, &mut replica] {
            let again = take(inbox, &second);
            assert_eq!(again, (Admission::OtherPath { after: 2 }, Vec::new()));
        }
    }
}

#[test]
fn an_allotment_that_was_handed_out_pays_for_no_other_path() {
    let world = World::new();
    let [first, second] = one_part_in_two_hops(&world, false);
    let mut inbox = Inbox::new(world.verifier(world.worker.id()).require_funding());
    assert!(inbox.receive(&first, later(1)).is_ok());
    let refused = inbox.receive(&second, later(1)).map(|_| ());
    assert_eq!(refused, Err(Error::MustBeFunded { reasons: Vec::new() }));
}

#[test]
fn what_has_paid_once_pays_for_nothing_more() {
    let world = World::new();
    let strict = || Inbox::new(world.verifier(world.worker.id()).require_funding());
    let (direct, unpaid) = two_paths(&world, false);
    let mut inbox = strict();
    assert!(inbox.receive(direct.as_bytes(), NOW).is_ok());
    // Hop 1 asks for more and brings nothing.
    let refused = inbox.receive(&unpaid, NOW).map(|_| ());
    assert_eq!(refused, Err(Error::MustBeFunded { reasons: Vec::new() }));
    assert!(strict().receive(&unpaid, NOW).is_ok(), "nothing of it was paid for before");
    let (direct, paid) = two_paths(&world, true);
    let mut inbox = strict();
    assert!(inbox.receive(direct.as_bytes(), NOW).is_ok());
    assert!(inbox.receive(&paid, NOW).is_ok());
}

#[test]
fn terms_that_are_only_declared_pay_nothing() {
    let world = World::new();
    let declared = terms(tokens(50), 1);
    let sent = Draft::new(&world.user)
        .to(world.planner.id())
        .declare(declared.clone())
        .sign(NOW, entropy(11))
        .expect("an envelope");
    let mut inbox = world.inbox(&world.planner);
    let mut received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
    assert!(matches!(received.take_funding(), Budget::Declared(found) if found == declared));
    let strict = world.verifier(world.planner.id()).require_funding();
    let refused = Inbox::new(strict).receive(sent.as_bytes(), NOW).map(|_| ());
    assert_eq!(refused, Err(Error::MustBeFunded { reasons: Vec::new() }));
    // Relays and observers are not funded, and need not be.
    let strict = world.verifier(world.planner.id()).require_funding();
    let decode = || Envelope::decode(sent.as_bytes(), strict.limits()).expect("an envelope");
    assert!(decode().verify_as_relay(&strict, NOW).is_ok());
    assert!(decode().verify_as_observer(&strict, NOW).is_ok());
    assert_eq!(
        decode().verify_as_reader(&strict, NOW).map(|_| ()),
        Err(Error::MustBeFunded { reasons: Vec::new() })
    );
}

#[test]
fn what_is_declared_is_within_what_pays() {
    let world = World::new();
    let planner = world.planner.id();
    let sign = |declared: Terms, purse: bool| {
        let allotment = Allotment::new(planner, terms(tokens(50), 1));
        let allotment = if purse { allotment.as_purse() } else { allotment };
        Draft::new(&world.user)
            .to(planner)
            .declare(declared)
            .allot(allotment)
            .sign(NOW, entropy(11))
            .map(|_| ())
    };
    assert_eq!(sign(terms(tokens(50), 1), false), Ok(()));
    for (declared, wider) in [
        (terms(tokens(51), 1), Wider::Amount(Dimension::OUTPUT_TOKENS)),
        (terms(amounts(1, 1), 1), Wider::Amount(Dimension::AGENTS)),
        (terms(tokens(1), 2), Wider::Depth),
        (Terms::new(tokens(1), later(601), 1), Wider::Deadline),
    ] {
        let refused = Err(Error::DeclaredBeyondAllotment { element: 0, wider });
        assert_eq!(sign(declared.clone(), false), refused);
        assert_eq!(sign(declared, true), Ok(()), "a purse pays for no request");
    }
}

#[test]
fn a_purse_opens_a_ledger_and_pays_for_no_request() {
    let world = World::new();
    let planner = world.planner.id();
    let purse = Allotment::new(planner, terms(amounts(100, 5), 3)).audited_by(world.other.id());
    let sent = world.pays(&world.user, purse.as_purse(), 11);
    let strict = Inbox::new(world.verifier(planner).require_funding());
    let refused = { strict }.receive(sent.as_bytes(), NOW).map(|_| ());
    assert_eq!(refused, Err(Error::MustBeFunded { reasons: Vec::new() }));
    let mut inbox = world.inbox(&world.planner);
    let mut received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
    assert!(matches!(received.take_funding(), Budget::None));
    let mut purses = received.take_purses();
    assert!(received.take_purses().is_empty());
    let purse = purses.remove(0);
    assert!(purses.is_empty() && purse.is_purse());
    assert_eq!(purse.audit(), Some(world.other.id()));
    let mut ledger = Ledger::open(purse, &world.planner, NOW).expect("it is the planner's");
    // What is split from it pays, or is a purse again.
    let handed_on = world.hand_on(&mut ledger, &world.worker, terms(tokens(60), 0), 12);
    assert_eq!(world.open(&handed_on, &world.worker).audit(), Some(world.other.id()));
    let part = Split::new(world.worker.id(), terms(tokens(10), 0)).as_purse();
    let sent = Draft::new(&world.planner)
        .to(world.worker.id())
        .fund(&mut ledger, part, Amounts::new())
        .sign(NOW, entropy(13))
        .expect("it is free")
        .persisted();
    let mut inbox = world.inbox(&world.worker);
    let mut received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
    assert!(matches!(received.take_funding(), Budget::None));
    assert_eq!(received.take_purses().len(), 1);
}

#[test]
fn signing_that_fails_leaves_all_ledgers_as_they_were() {
    let world = World::new();
    let (mut one, mut two) = (world.ledger(), world.ledger());
    let before = (one.to_bytes(), two.to_bytes());
    let (planner, worker, other) = (&world.planner, world.worker.id(), world.other.id());
    let part = |to, amount| Split::new(to, terms(tokens(amount), 0));
    let none = Amounts::new;
    let draft = || Draft::new(planner).to([worker, other]);

    // The first split is made when the second turns out too large.
    let failed = draft()
        .fund(&mut one, part(worker, 60), none())
        .fund(&mut two, part(other, 101), none())
        .sign(NOW, entropy(11));
    let wider = Wider::Amount(Dimension::OUTPUT_TOKENS);
    assert_eq!(failed.map(|_| ()), Err(Error::SplitWidened { wider }));
    assert_eq!((one.to_bytes(), two.to_bytes()), before);

    let failed = draft()
        .fund(&mut one, part(worker, 60), none())
        .fund(&mut two, part(other, 60), tokens(41))
        .sign(NOW, entropy(11));
    assert_eq!(failed.map(|_| ()), Err(lacking(Dimension::OUTPUT_TOKENS, 100, 101)));
    assert_eq!((one.to_bytes(), two.to_bytes()), before);

    // Nobody else can take it, so it would be lost.
    let failed = draft()
        .next(other)
        .fund(&mut one, part(other, 60), none())
        .fund(&mut two, part(worker, 60), none())
        .sign(NOW, entropy(11));
    let reason = "its holder may not act next";
    assert_eq!(failed.map(|_| ()), Err(Error::AllotmentPlace { element: 1, reason }));
    assert_eq!((one.to_bytes(), two.to_bytes()), before);

    let failed = Draft::new(&world.worker)
        .to(other)
        .fund(&mut one, part(other, 60), none())
        .sign(NOW, entropy(11));
    let (expected, found) = (planner.id(), worker);
    assert_eq!(failed.map(|_| ()), Err(Error::WrongIdentity { expected, found }));
    let chain = world.chain(None);
    let failed = draft()
        .fund(&mut one, part(worker, 60), none())
        .allot(Allotment::new(other, terms(tokens(1), 0)).under(&chain))
        .sign(NOW, entropy(11));
    let (expected, found) = (other, planner.id());
    assert_eq!(failed.map(|_| ()), Err(Error::WrongIdentity { expected, found }));
    let failed =
        Draft::new(planner).fund(&mut one, part(worker, 60), none()).sign(NOW, entropy(11));
    assert_eq!(failed.map(|_| ()), Err(Error::IncompleteDraft { reason: "it has no recipient" }));
    assert_eq!(one.to_bytes(), before.0);

    // On the way on, too.
    let sent = Draft::new(&world.user).to([planner.id(), worker]).sign(NOW, entropy(12));
    let sent = sent.expect("an envelope");
    let mut inbox = world.inbox(planner);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
    let failed = received
        .onward(planner)
        .next(worker)
        .fund(&mut one, part(worker, 10), none())
        .fund(&mut two, part(other, 10), none())
        .sign(NOW, entropy(13));
    assert_eq!(failed.map(|_| ()), Err(Error::AllotmentPlace { element: 1, reason }));
    let failed = received
        .onward(planner)
        .next(worker)
        .fund(&mut one, part(worker, 10), none())
        .sign(later(600), entropy(13));
    let expires = later(60);
    assert_eq!(failed.map(|_| ()), Err(Error::Expired { expires, now: later(600) }));
    assert_eq!((one.to_bytes(), two.to_bytes()), before);

    // And then it works.
    let sent = draft()
        .fund(&mut one, part(worker, 60), none())
        .fund(&mut two, part(other, 60), none())
        .sign(NOW, entropy(11))
        .expect("both are free")
        .persisted();
    assert_eq!((one.free(), two.free()), (amounts(40, 4), amounts(40, 4)));
    assert_eq!(world.open(&sent, &world.worker).free(), tokens(60));
    assert_eq!(world.open(&sent, &world.other).free(), tokens(60));
}

#[test]
fn one_seed_never_makes_one_header_of_two_payments() {
    let world = World::new();
    let ledger = world.ledger();
    let sign = |split: Split, keep: Amounts| {
        let mut ledger = ledger.clone();
        let draft = Draft::new(&world.planner).to(world.worker.id());
        draft.fund(&mut ledger, split, keep).sign(NOW, entropy(11)).expect("it is free").persisted()
    };
    let part = |amount| Split::new(world.worker.id(), terms(tokens(amount), 0));
    let all = [
        sign(part(10), Amounts::new()),
        sign(part(11), Amounts::new()),
        sign(part(10).as_purse(), Amounts::new()),
        sign(part(10), tokens(1)),
    ];
    for (index, one) in all.iter().enumerate() {
        for other in &all[..index] {
            assert_ne!(one.digest(), other.digest(), "two hop 0 over one header accuse");
        }
    }
    assert_eq!(sign(part(10), Amounts::new()), all[0]);
}

#[test]
fn a_restart_goes_on_and_a_retry_starts_no_second_ledger() {
    let world = World::new();
    let mut ledger = world.ledger();
    ledger.charge(&tokens(60)).expect("it is free");
    let hold = ledger.reserve(&tokens(30)).expect("it is free");
    // Row 29: the retry has what is left, not the whole again.
    let mut ledger = Ledger::resume(&ledger.to_bytes()).expect("the latest point");
    let reason = "the hold is not one of this ledger, or from before it was resumed";
    assert_eq!(ledger.release(hold), Err(Error::LedgerRefused { reason }));
    assert_eq!(ledger.charge(&tokens(11)), Err(lacking(Dimension::OUTPUT_TOKENS, 10, 11)));
    assert_eq!(ledger.charge(&tokens(10)), Ok(()));
    // All below draw on the same: no limit of its own for each hop.
    let failed = Draft::new(&world.planner)
        .to(world.worker.id())
        .fund(&mut ledger, Split::new(world.worker.id(), terms(tokens(1), 0)), Amounts::new())
        .sign(NOW, entropy(11));
    assert_eq!(failed.map(|_| ()), Err(lacking(Dimension::OUTPUT_TOKENS, 0, 1)));
}

#[test]
fn nothing_is_shrunk_silently_and_finishing_stays_possible() {
    let world = World::new();
    let mut ledger = world.ledger();
    let part = Split::new(world.worker.id(), terms(tokens(95), 0));
    let before = ledger.to_bytes();
    let keep = tokens(10);
    let failed = ledger.split(&world.planner, &part, None, &keep, NOW).map(|_| ());
    assert_eq!(failed, Err(lacking(Dimension::OUTPUT_TOKENS, 100, 105)));
    assert_eq!(ledger.to_bytes(), before);
    let handed_on = world.hand_on(&mut ledger, &world.worker, terms(tokens(90), 0), 11);
    // Exactly what was asked for.
    assert_eq!(world.open(&handed_on, &world.worker).terms(), &terms(tokens(90), 0));
    assert_eq!(ledger.charge(&keep), Ok(()));
}

#[test]
fn work_under_way_is_held_and_given_back() {
    let world = World::new();
    let mut ledger = world.ledger();
    let one = ledger.reserve(&tokens(60)).expect("it is free");
    // Row 31: nobody can check first and charge later.
    let refused = ledger.reserve(&tokens(60)).map(|_| ());
    assert_eq!(refused, Err(lacking(Dimension::OUTPUT_TOKENS, 40, 60)));
    assert_eq!(ledger.charge(&tokens(41)), Err(lacking(Dimension::OUTPUT_TOKENS, 40, 41)));
    let two = ledger.reserve(&tokens(40)).expect("it is free");
    assert_eq!(ledger.free().get(Dimension::OUTPUT_TOKENS), None);
    assert_eq!(ledger.release(two), Ok(()));
    assert_eq!(ledger.commit(one, &tokens(5)), Ok(Amounts::new()));
    assert_eq!((ledger.held(), ledger.free()), (&Amounts::new(), amounts(95, 5)));
}

#[test]
fn a_job_that_runs_dear_stops_and_still_reports() {
    let world = World::new();
    let mut ledger = world.ledger();
    let handed_on = world.hand_on(&mut ledger, &world.worker, terms(tokens(20), 0), 11);
    let mut inbox = world.inbox(&world.worker);
    let mut asked = inbox.receive(handed_on.as_bytes(), NOW).expect("it is the worker's turn");
    let mut part = open_only(&mut asked, &world.worker);
    part.charge(&tokens(15)).expect("it is free");
    assert_eq!(part.charge(&tokens(10)), Err(lacking(Dimension::OUTPUT_TOKENS, 5, 10)));
    // It has happened all the same.
    assert_eq!(part.record(&tokens(10)), Ok(tokens(5)));
    let history = part.close(&world.worker, Basis::Declared, Outcome::Exceeded);
    let history = history.expect("it was open").persisted();
    let answer = Draft::reply_to(&asked, &world.worker)
        .report(&history)
        .sign(NOW, entropy(12))
        .expect("an answer");
    let mut inbox = world.inbox(&world.planner);
    let answer = inbox.receive(answer.as_bytes(), NOW).expect("an honest answer");
    let reply = handed_on.accept_reply(answer).expect("it answers");
    let history = reply.received().reports().next().expect("a report");
    let _ = ledger.credit(&world.planner, history).expect("an honest report");
    // Whoever asked pays what it granted and no more; going beyond is no confession.
    assert_eq!(ledger.free(), amounts(80, 4));
    assert_eq!((part.own(), part.overrun()), (&tokens(20), &tokens(5)));
    let sent = world.paid(terms(amounts(100, 5), 3));
    let mut inbox = world.inbox(&world.planner);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
    let lineage = received.allotments().next().expect("it was paid");
    let (above, below) = (ledger.entries(), entries(history).expect("a history"));
    let all = [entries(&above).expect("a history"), below].concat();
    let found = audit(lineage, all).expect("all is signed");
    assert_eq!(found.evidence, []);
    assert_eq!(found.accounts.get(&part.id()).map(|one| one.overrun.clone()), Some(tokens(5)));
}

#[test]
fn a_forked_ledger_is_proven_from_what_its_children_hold() {
    let world = World::new();
    let mut ledger = world.ledger();
    // In one ledger it cannot be done.
    let mut copy = ledger.clone();
    let to_worker = world.hand_on(&mut ledger, &world.worker, terms(tokens(60), 0), 11);
    let second = Split::new(world.other.id(), terms(tokens(60), 0));
    let failed = Draft::new(&world.planner)
        .to(world.other.id())
        .fund(&mut ledger, second, Amounts::new())
        .sign(NOW, entropy(12));
    assert_eq!(failed.map(|_| ()), Err(lacking(Dimension::OUTPUT_TOKENS, 40, 60)));
    // In two nobody can tell, offline and at once.
    let to_other = world.hand_on(&mut copy, &world.other, terms(tokens(60), 0), 12);
    assert_eq!(world.open(&to_worker, &world.worker).free(), tokens(60));
    assert_eq!(world.open(&to_other, &world.other).free(), tokens(60));
    // But each child holds what proves it, and needs nothing of the cheat.
    let mut inboxes = (world.inbox(&world.worker), world.inbox(&world.other));
    let one = inboxes.0.receive(to_worker.as_bytes(), NOW).expect("an envelope");
    let other = inboxes.1.receive(to_other.as_bytes(), NOW).expect("an envelope");
    let one = one.allotments().next().expect("it is funded");
    let other = other.allotments().next().expect("it is funded");
    let (ones, others) = (splits(one).expect("a lineage"), splits(other).expect("a lineage"));
    let evidence = Evidence::between(ones[0], others[0]).expect("signed").expect("a fork");
    assert_eq!((evidence.culprit(), evidence.breach()), (world.planner.id(), Breach::Fork));
    assert_eq!(evidence.allotment(), ledger.id());
    assert_eq!(Evidence::verify(evidence.as_bytes()).as_ref(), Ok(&evidence));
    let found = audit(one, [ones, others].concat()).expect("all is signed");
    assert_eq!(found.evidence, [evidence]);
}

#[test]
fn agents_that_echo_each_other_come_to_an_end() {
    let world = World::new();
    for (agents, depth, error) in [
        (9, 3, Error::SplitWidened { wider: Wider::Depth }),
        (2, 9, lacking(Dimension::AGENTS, 0, 1)),
    ] {
        let mut world = World::new();
        world.anchors[0] = world.anchors[0].clone().budget(terms(amounts(1000, 20), 9));
        let sent = world.paid(terms(amounts(100, agents), depth));
        let mut ledger = world.open(&sent, &world.planner);
        let ends = loop {
            let (by, to) = if ledger.holder() == world.planner.id() {
                (&world.planner, &world.worker)
            } else {
                (&world.worker, &world.planner)
            };
            let free = ledger.free();
            let left = free.get(Dimension::AGENTS).unwrap_or(0).saturating_sub(1);
            let part = if left > 0 { amounts(100, left) } else { tokens(100) };
            let below = u32::try_from(ledger.terms().depth().saturating_sub(1)).expect("small");
            let number = u8::try_from(100 + left * 9 + u64::from(below)).expect("small");
            let sent = Draft::new(by)
                .to(to.id())
                .fund(&mut ledger, Split::new(to.id(), terms(part, below)), Amounts::new())
                .sign(NOW, entropy(number));
            match sent {
                Ok(sent) => ledger = world.open(&sent.persisted(), to),
                Err(error) => break error,
            }
        };
        assert_eq!(ends, error);
    }
    drop(world);
}

#[test]
fn a_chain_that_narrows_its_ceiling_narrows_what_its_holder_may_pay() {
    let world = World::new();
    let chain = world.chain(Some(terms(tokens(500), 3)));
    let narrowed = chain
        .extend(
            world.other.signing_key(),
            world.worker.id(),
            Narrow::default().budget(terms(tokens(40), 1)),
            NOW,
            entropy(21),
        )
        .expect("it narrows");
    let pays = |amount| {
        let allotment = Allotment::new(world.planner.id(), terms(tokens(amount), 1));
        world.pays(&world.worker, allotment.under(&narrowed), 22)
    };
    let payer = world.worker.id();
    assert_eq!(world.open(&pays(40), &world.planner).free(), tokens(40));
    let verifier = world.verifier(world.planner.id());
    assert_eq!(world.unfunded(&pays(41), verifier, NOW), [Unfunded::BeyondCeiling { payer }]);
    // The chain is the payer's: it attests nothing that is said beside it.
    let sent = pays(40);
    let mut inbox = world.inbox(&world.planner);
    let received = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
    let Some(Item::Present(first)) = received.elements().next() else { panic!("clear content") };
    let refused = first.authorize("do", &Resource::everything()).map(|_| ());
    assert_eq!(refused, Err(Error::Unattested { element: 0, author: payer }));
}
