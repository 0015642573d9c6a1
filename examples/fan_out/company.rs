//! The agents of the example: keys, inboxes, chains of authority, and the ledgers that they keep.

use std::time::Duration;

use agent_envelope::budget::{Amounts, Dimension, Funded, Ledger, Rate, Tariff, Terms};
use agent_envelope::{
    Admitted, Budget, DelegationChain, Entropy, Error, Grant, Identity, Inbox, Limits, Narrow,
    Permission, Resource, Revocations, Scope, Subjects, Timestamp, TrustAnchor, TrustAnchors,
    Verifier,
};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
pub(crate) const MONEY: &str = "USD:6";

/// Makes the same entropy in every run, so that the output can be compared. Real agents ask the operating system.
pub(crate) struct Seeds(u64);

impl Seeds {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    pub(crate) fn next(&mut self) -> Result<Entropy, Error> {
        Entropy::new(self.bytes())
    }

    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        self.0 += 1;
        let mut seed = [0x5a; 32];
        seed[..8].copy_from_slice(&self.0.to_be_bytes());
        seed
    }
}

pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) identity: Identity,
    /// The seed of its signing key, for the agent that cheats by hand.
    pub(crate) seed: [u8; 32],
    pub(crate) inbox: Inbox,
    /// By which it speaks for the user.
    pub(crate) chain: DelegationChain,
    pub(crate) ledger: Option<Ledger>,
}

impl Agent {
    pub(crate) fn ledger(&mut self) -> Result<&mut Ledger, String> {
        self.ledger.as_mut().ok_or_else(|| format!("{} holds no allotment", self.name))
    }
}

/// Opens the ledger of what an envelope funds.
pub(crate) fn open(
    name: &str,
    identity: &Identity,
    received: &mut Admitted<'_>,
) -> Result<Ledger, String> {
    let Budget::Funded(funded) = received.take_funding() else {
        let reasons: Vec<_> = received.unfunded().map(|reason| reason.to_string()).collect();
        return Err(format!("{name} is not funded: {}", reasons.join("; ")));
    };
    let funded: Funded = funded.into_iter().next().ok_or("funding names an allotment")?;
    Ledger::open(funded, identity, NOW).map_err(|error| error.to_string())
}

/// The user, who pays, and whoever it has.
pub(crate) struct Company {
    pub(crate) seeds: Seeds,
    pub(crate) user: Identity,
    anchor: TrustAnchor,
    anchors: TrustAnchors,
    scope: Scope,
}

impl Company {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut seeds = Seeds::new();
        let user = Identity::generate(seeds.next()?);
        let scope = Scope::new([Permission::new(["work"], &Resource::everything())?])?;
        let ceiling = terms(1_000_000, 20_000_000, 100, 4)?;
        let anchor = TrustAnchor::new(user.id(), "user.example", Subjects::Any, scope.clone())?
            .depth(3)
            .budget(ceiling);
        let anchors = TrustAnchors::new([anchor.clone()])?;
        Ok(Self { seeds, user, anchor, anchors, scope })
    }

    fn agent(
        &mut self,
        name: &str,
        seed: [u8; 32],
        chain: DelegationChain,
    ) -> Result<Agent, Error> {
        let identity = Identity::from_seeds(&seed, &self.seeds.bytes());
        let verifier = Verifier::new(
            identity.id(),
            None,
            self.anchors.clone(),
            Revocations::none(),
            Limits::default(),
        )?;
        let (name, inbox) = (name.to_owned(), Inbox::new(verifier));
        Ok(Agent { name, identity, seed, inbox, chain, ledger: None })
    }

    /// Takes on an agent whom the user itself gives authority.
    pub(crate) fn first(&mut self, name: &str) -> Result<Agent, Error> {
        let seed = self.seeds.bytes();
        let id = agent_envelope::SigningKey::from_seed(&seed).id();
        let grant = Grant::new("user", self.scope.clone()).depth(2).name(name);
        let entropy = self.seeds.next()?;
        let user = self.user.signing_key();
        let chain = DelegationChain::issue(user, &self.anchor, id, grant, NOW, entropy)?;
        self.agent(name, seed, chain)
    }

    /// Takes on an agent whom another gives authority.
    pub(crate) fn under(&mut self, above: &Agent, name: &str) -> Result<Agent, Error> {
        let seed = self.seeds.bytes();
        let id = agent_envelope::SigningKey::from_seed(&seed).id();
        let entropy = self.seeds.next()?;
        let narrower = Narrow::default().name(name);
        let chain = above.chain.extend(above.identity.signing_key(), id, narrower, NOW, entropy)?;
        self.agent(name, seed, chain)
    }
}

pub(crate) fn deadline() -> Timestamp {
    NOW.saturating_add(Duration::from_secs(600))
}

/// Tokens, millionths of a dollar, and how many agents may be hired.
pub(crate) fn amounts(tokens: u64, money: u64, agents: u64) -> Result<Amounts, Error> {
    let mut amounts = Amounts::new();
    if tokens > 0 {
        amounts = amounts.with(Dimension::OUTPUT_TOKENS, tokens)?;
    }
    if money > 0 {
        amounts = amounts.with_unit(Dimension::MONEY, money, MONEY)?;
    }
    if agents > 0 {
        amounts = amounts.with(Dimension::AGENTS, agents)?;
    }
    Ok(amounts)
}

pub(crate) fn terms(tokens: u64, money: u64, agents: u64, depth: u32) -> Result<Terms, Error> {
    Ok(Terms::new(amounts(tokens, money, agents)?, deadline(), depth))
}

/// Ten dollars for a million output tokens.
pub(crate) fn tariff() -> Result<Tariff, Error> {
    Tariff::new(MONEY)?.with(Dimension::OUTPUT_TOKENS, Rate { price: 10, per: 1 })
}

/// What writing so many tokens takes: the tokens, and their price.
pub(crate) fn cost(tokens: u64) -> Result<Amounts, Error> {
    let used = amounts(tokens, 0, 0)?;
    used.checked_add(&tariff()?.price(&used)?)
}
