//! Any sequence of operations on a tree of ledgers: every unit stays accounted for, an error changes nothing, and whoever is
//! honest is never convicted, whatever part of the entries is shown; whoever signs twice is. And any bytes as what others show
//! of a ledger.

use std::sync::OnceLock;

use super::assert_conserved;
use crate::support::{NOW, World, cbor, entropy, identity, later};
use agent_envelope::budget::{
    Amounts, Basis, Breach, Dimension, Evidence, Hold, Ledger, Outcome, Split, Terms, audit,
    entries, splits,
};
use agent_envelope::{
    AgentId, Allotment, Budget, Draft, Grant, Identity, Inbox, Limits, Revocations, Subjects,
    Timestamp, TrustAnchor, TrustAnchors, Verifier,
};
use arbitrary::{Result, Unstructured};

/// The ledger that all trees begin with, as it is stored, and the lineage of its allotment.
struct Root {
    state: Vec<u8>,
    lineage: Vec<u8>,
    agents: Vec<Identity>,
}

const AGENTS: u8 = 6;

fn root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(|| {
        let world = World::new();
        let amounts = Amounts::new()
            .with(Dimension::OUTPUT_TOKENS, 1000)
            .and_then(|amounts| amounts.with(Dimension::AGENTS, 12))
            .and_then(|amounts| amounts.with_unit(Dimension::MONEY, u64::MAX, "USD:6"))
            .and_then(|amounts| amounts.with(Dimension::MEMORY, 1 << 20))
            .and_then(|amounts| amounts.with(Dimension::CONCURRENCY, 4))
            .expect("amounts");
        let terms = Terms::new(amounts, later(1800), 4);
        let scope = crate::support::scope(&[(&["summarise"], "")]);
        let anchor = TrustAnchor::new(
            world.login.id(),
            crate::support::ISSUER,
            Subjects::Any,
            scope.clone(),
        )
        .expect("an anchor")
        .budget(terms.clone());
        let agents: Vec<_> = (20..20 + AGENTS).map(identity).collect();
        let (payer, holder) = (&world.user, &agents[0]);
        let grant = Grant::new("alice", scope).budget(terms.clone());
        let chain = agent_envelope::DelegationChain::issue(
            &world.login,
            &anchor,
            payer.id(),
            grant,
            NOW,
            entropy(900),
        )
        .expect("a grant within the anchor");
        let sent = Draft::new(payer)
            .to(holder.id())
            .authority(&chain)
            .allot(Allotment::new(holder.id(), terms).under(&chain))
            .sign(NOW, entropy(901))
            .expect("an allotment within the ceiling")
            .persisted();
        let verifier = Verifier::new(
            holder.id(),
            None,
            TrustAnchors::new([anchor]).expect("one anchor"),
            Revocations::none(),
            Limits::default(),
        );
        let mut inbox = Inbox::new(verifier.expect("limits that admit something"));
        let mut admitted = inbox.receive(sent.as_bytes(), NOW).expect("an honest envelope");
        let lineage = admitted.allotments().next().expect("an allotment").to_vec();
        let Budget::Funded(funded) = admitted.take_funding() else { panic!("it is funded") };
        let funded = funded.into_iter().next().expect("one allotment");
        let ledger = Ledger::open(funded, holder, NOW).expect("made out to the holder");
        Root { state: ledger.to_bytes(), lineage, agents }
    })
}

/// A ledger that was just opened, as stored.
fn opened(lineage: &[u8], now: Timestamp) -> Vec<u8> {
    let none = || cbor::array(&[]);
    cbor::array(&[
        cbor::text("agent-envelope/1/state/ledger"),
        cbor::bytes(lineage),
        cbor::uint(now.as_unix_seconds()),
        none(),
        none(),
        cbor::uint(0),
        none(),
        none(),
    ])
}

struct Node {
    ledger: Ledger,
    agent: usize,
    holds: Vec<Hold>,
    /// Holds from before it was resumed.
    stale: Vec<Hold>,
    /// What it reported last.
    report: Option<Vec<u8>>,
}

pub(crate) fn run(data: &[u8]) {
    let Some((form, data)) = data.split_first() else { return };
    match form % 8 {
        6 => shown(data),
        7 => convicted(data),
        _ => {
            let _ = operate(&mut Unstructured::new(data));
        }
    }
}

fn amounts(input: &mut Unstructured<'_>) -> Result<Amounts> {
    let which = input.arbitrary::<u8>()?;
    let mut amounts = Amounts::new();
    let dimensions =
        [Dimension::OUTPUT_TOKENS, Dimension::AGENTS, Dimension::MEMORY, Dimension::CPU.advisory()];
    for (bit, dimension) in dimensions.into_iter().enumerate() {
        if which >> bit & 1 != 0 {
            let amount = input.arbitrary::<u8>()?.into();
            amounts = amounts.clone().with(dimension, amount).unwrap_or(amounts);
        }
    }
    if which & 16 != 0 {
        let amount = match input.arbitrary::<u8>()? {
            255 => u64::MAX,
            254 => 1 << 63,
            byte => byte.into(),
        };
        amounts = amounts.clone().with_unit(Dimension::MONEY, amount, "USD:6").unwrap_or(amounts);
    }
    Ok(amounts)
}

/// Adds the ceilings that no part of the allotment may leave out.
fn with_ceilings(part: Amounts) -> Amounts {
    let most = [(Dimension::MEMORY, 1 << 10), (Dimension::CONCURRENCY, 3)];
    most.into_iter().fold(part, |part, (dimension, most)| match part.get(dimension) {
        Some(_) => part,
        None => part.with(dimension, most).expect("one more dimension"),
    })
}

fn operate(input: &mut Unstructured<'_>) -> Result<()> {
    let root = root();
    let mut now = NOW;
    let ledger = Ledger::resume(&root.state).expect("stored before");
    let mut nodes = vec![Node { ledger, agent: 0, holds: vec![], stale: vec![], report: None }];
    let mut gone = Vec::new();
    let mut steps = 0;
    while !input.is_empty() && !nodes.is_empty() && steps < 40 {
        steps += 1;
        let (act, at) =
            (input.arbitrary::<u8>()?, usize::from(input.arbitrary::<u8>()?) % nodes.len());
        let before = nodes[at].ledger.clone();
        let unchanged = |ledger: &Ledger, ok: bool| {
            assert!(ok || *ledger == before, "an error changes nothing")
        };
        let identity = &root.agents[nodes[at].agent];
        match act % 14 {
            0 => {
                let used = amounts(input)?;
                let node = &mut nodes[at];
                let ceiling = used.get(Dimension::MEMORY).unwrap_or_default();
                let most = node.ledger.terms().amounts().get(Dimension::MEMORY).unwrap_or(u64::MAX);
                let fits = !node.ledger.is_closed()
                    && used.consumables().le(&node.ledger.free())
                    && ceiling <= most;
                let charged = node.ledger.charge(&used);
                assert_eq!(charged.is_ok(), fits, "{charged:?}");
                unchanged(&node.ledger, fits);
            }
            1 => {
                let used = amounts(input)?;
                let node = &mut nodes[at];
                let recorded = node.ledger.record(&used);
                if let Ok(over) = &recorded {
                    let taken = node.ledger.own().checked_sub(before.own()).expect("use grows");
                    assert_eq!(taken.checked_add(over), Ok(used.consumables()));
                }
                unchanged(&node.ledger, recorded.is_ok());
            }
            2 => {
                let held = amounts(input)?;
                let node = &mut nodes[at];
                let hold = node.ledger.reserve(&held);
                unchanged(&node.ledger, hold.is_ok());
                node.holds.extend(hold);
            }
            3 => {
                let used = amounts(input)?;
                let node = &mut nodes[at];
                if let Some(hold) = node.holds.pop() {
                    let committed = node.ledger.commit(hold, &used);
                    unchanged(&node.ledger, committed.is_ok());
                }
            }
            4 => {
                let node = &mut nodes[at];
                if let Some(hold) = node.holds.pop() {
                    let closed = node.ledger.is_closed();
                    assert!(node.ledger.release(hold).is_ok() || closed);
                }
            }
            5 => {
                let (part, keep) = (amounts(input)?, amounts(input)?);
                let shape = input.arbitrary::<u8>()?;
                let to = usize::from(shape) % root.agents.len();
                let deadline = later(u64::from(input.arbitrary::<u8>()?) * 10);
                let part = if shape & 16 == 0 { with_ceilings(part) } else { part };
                let terms = Terms::new(part, deadline, u32::from(shape / 64));
                let split = Split::new(root.agents[to].id(), terms);
                let request = (shape & 32 != 0).then_some([9; 32]);
                let node = &mut nodes[at];
                let granted = node.ledger.split(identity, &split, request, &keep, now);
                unchanged(&node.ledger, granted.is_ok());
                if let Ok(lineage) = granted {
                    let state = opened(&lineage.persisted(), now);
                    let ledger = Ledger::resume(&state).expect("a ledger that was just opened");
                    assert_eq!(ledger.holder(), root.agents[to].id());
                    let (seq, child) = node.ledger.children().last().expect("the child");
                    assert_eq!((child.id(), child.terms()), (ledger.id(), ledger.terms()));
                    assert!(usize::try_from(seq).is_ok());
                    nodes.push(Node {
                        ledger,
                        agent: to,
                        holds: vec![],
                        stale: vec![],
                        report: None,
                    });
                }
            }
            6 | 7 => {
                let which = usize::from(input.arbitrary::<u8>()?) % nodes.len();
                let Some(report) = nodes[which].report.clone() else { continue };
                let child = nodes[which].ledger.id();
                let node = &mut nodes[at];
                let mine = node.ledger.children().any(|(_, one)| one.id() == child);
                let credit = node.ledger.credit(identity, &report);
                // What an honest child reports is credited, once.
                assert!(credit.is_ok() || !mine || before.is_closed(), "{credit:?}");
                assert!(credit.is_err() || mine);
                let news = matches!(&credit, Ok(Some(_)));
                unchanged(&node.ledger, news);
                if news {
                    let again = node.ledger.clone();
                    assert!(matches!(node.ledger.credit(identity, &report), Ok(None)));
                    assert_eq!(node.ledger, again);
                }
            }
            8 => {
                let back = amounts(input)?;
                let node = &mut nodes[at];
                let given = node.ledger.give_back(identity, &back, Basis::Replayable);
                unchanged(&node.ledger, given.is_ok());
                if let Ok(history) = given {
                    node.report = Some(history.persisted());
                }
            }
            9 => {
                let node = &mut nodes[at];
                let closed = node.ledger.close(identity, Basis::Declared, Outcome::Done);
                assert_eq!(closed.is_err(), before.is_closed());
                unchanged(&node.ledger, closed.is_ok());
                if let Ok(history) = closed {
                    assert!(node.ledger.free().is_empty() && node.ledger.is_closed());
                    node.report = Some(history.persisted());
                }
            }
            10 => {
                let node = &mut nodes[at];
                node.ledger = Ledger::resume(&before.to_bytes()).expect("its own latest state");
                let own = before.own().checked_add(before.held()).expect("within the allotment");
                assert_eq!((node.ledger.own(), node.ledger.entries()), (&own, before.entries()));
                node.stale.append(&mut node.holds);
            }
            11 => {
                let node = &mut nodes[at];
                if let Some(hold) = node.stale.pop() {
                    assert!(node.ledger.release(hold).is_err());
                    assert_eq!(node.ledger, before);
                }
            }
            12 => {
                now = now.saturating_add(std::time::Duration::from_secs(
                    input.arbitrary::<u8>()?.into(),
                ));
            }
            _ => {
                let node = nodes.swap_remove(at);
                gone.push(node.ledger.entries());
                let entries = entries(&node.ledger.entries()).map_or(0, |all| all.len());
                assert_eq!(node.ledger.abandon().entries(), entries);
                continue;
            }
        }
        let node = &nodes[at];
        assert_conserved(&node.ledger);
        for (earlier, later) in [
            (before.own(), node.ledger.own()),
            (before.granted(), node.ledger.granted()),
            (before.credited(), node.ledger.credited()),
            (before.returned(), node.ledger.returned()),
        ] {
            assert!(earlier.consumables().le(&later.consumables()), "totals never fall");
        }
    }
    gone.extend(nodes.iter().map(|node| node.ledger.entries()));
    judge(input, &gone, nodes.first())
}

/// Shows what was signed, whole and in part, to an auditor; then lets one of the holders sign a second history.
fn judge(input: &mut Unstructured<'_>, histories: &[Vec<u8>], cheat: Option<&Node>) -> Result<()> {
    let root = root();
    let all: Vec<&[u8]> =
        histories.iter().filter_map(|history| entries(history).ok()).flatten().collect();
    let found = audit(&root.lineage, all.iter().copied()).expect("all is signed");
    assert_eq!(found.evidence, [], "an honest holder is convicted");
    let mask = input.arbitrary::<u64>().unwrap_or(0x5a5a_5a5a_5a5a_5a5a);
    let some =
        || all.iter().enumerate().filter(|(at, _)| mask >> (at % 64) & 1 != 0).map(|(_, one)| *one);
    let found = audit(&root.lineage, some().rev()).expect("all is signed");
    assert_eq!(found.evidence, [], "an honest holder is convicted by a part");

    let Some(node) = cheat.filter(|node| !node.ledger.is_closed()) else { return Ok(()) };
    let identity = &root.agents[node.agent];
    let (mut one, mut other) = (node.ledger.clone(), node.ledger.clone());
    let none = Amounts::new();
    let _ = one
        .give_back(identity, &none, Basis::Declared)
        .expect("nothing is always free")
        .persisted();
    let _ = other
        .give_back(identity, &none, Basis::Replayable)
        .expect("nothing is always free")
        .persisted();
    let [one, other] = [&one, &other].map(|ledger| ledger.last_entry().expect("an entry").to_vec());
    let fork = Evidence::between(&one, &other).expect("both are signed").expect("a fork");
    assert_eq!((fork.culprit(), fork.breach()), (node.ledger.holder(), Breach::Fork));
    assert_eq!(Evidence::verify(fork.as_bytes()).as_ref(), Ok(&fork));
    let shown = all.iter().copied().chain([&one[..], &other]);
    let found = audit(&root.lineage, shown).expect("all is signed").evidence;
    assert!(found.contains(&fork) && found.iter().all(|one| one.culprit() == fork.culprit()));
    Ok(())
}

/// Any bytes as what a peer shows of a ledger.
fn shown(data: &[u8]) {
    let root = root();
    match entries(data) {
        Err(error) => super::refused(&error, data),
        Ok(found) => {
            // Together they are what was shown, but for the head of the array.
            assert!(data.ends_with(&found.concat()));
            match audit(&root.lineage, found) {
                Ok(found) => found.evidence.iter().for_each(|one| {
                    assert_eq!(Evidence::verify(one.as_bytes()).as_ref(), Ok(one));
                }),
                Err(error) => super::refused(&error, &[]),
            }
        }
    }
    if let Err(error) = splits(data) {
        super::refused(&error, data);
    }
    let mut ledger = Ledger::resume(&root.state).expect("stored before");
    let before = ledger.clone();
    assert!(ledger.credit(&root.agents[0], data).is_err());
    assert_eq!(ledger, before);
}

/// Any bytes as evidence: none convicts whoever has signed nothing, and what does is in the one form that is made here.
fn convicted(data: &[u8]) {
    match Evidence::verify(data) {
        Ok(evidence) => {
            assert_eq!(evidence.as_bytes(), data);
            let (culprit, payer): (AgentId, _) =
                (evidence.culprit(), crate::support::identity(2).id());
            assert_ne!(culprit, payer, "who never kept a ledger is convicted");
        }
        Err(error) => super::refused(&error, data),
    }
}

/// Ledgers as they are stored: just opened, with use, a hold, a split and a credit, and closed.
pub(crate) fn stored() -> Vec<Vec<u8>> {
    let root = root();
    let [holder, child] = [&root.agents[0], &root.agents[1]];
    let tokens = |amount| Amounts::new().with(Dimension::OUTPUT_TOKENS, amount).expect("tokens");
    let mut ledger = Ledger::resume(&root.state).expect("stored before");
    let mut states = vec![ledger.to_bytes()];
    ledger.charge(&tokens(5)).expect("it is free");
    let hold = ledger.reserve(&tokens(7)).expect("it is free");
    states.push(ledger.to_bytes());
    ledger.commit(hold, &tokens(9)).expect("it is free");
    let part = Split::new(child.id(), Terms::new(with_ceilings(tokens(100)), later(60), 1));
    let lineage =
        ledger.split(holder, &part, None, &tokens(1), NOW).expect("it is free").persisted();
    states.push(ledger.to_bytes());
    let mut below = Ledger::resume(&opened(&lineage, NOW)).expect("just opened");
    below.record(&tokens(101)).expect("it is open");
    let history =
        below.close(child, Basis::Replayable, Outcome::Done).expect("it is open").persisted();
    states.push(below.to_bytes());
    let _ = ledger.credit(holder, &history).expect("an honest report");
    states.push(ledger.to_bytes());
    let _ = ledger.close(holder, Basis::Declared, Outcome::Done).expect("it is open").persisted();
    states.push(ledger.to_bytes());
    states
}
