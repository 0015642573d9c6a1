//! A chain of three by `biscuit-auth`.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use biscuit_auth::builder::{Algorithm, AuthorizerBuilder, BlockBuilder, fact, string};
use biscuit_auth::builder_ext::BuilderExt;
use biscuit_auth::datalog::SymbolTable;
use biscuit_auth::{AuthorizerLimits, Biscuit, KeyPair, PrivateKey, PublicKey};

use super::{Pair, Ring, Worlds, reading, writing};
use crate::race::job;
use crate::world::{ACTION, RESOURCE, World, verify_chain};

const PEER: &str = "biscuit-auth";
const LINKS: usize = 3;

/// One who issues, the keys of all blocks, and one who authorizes.
pub struct Issuer {
    root: KeyPair,
    public: PublicKey,
    next: Vec<KeyPair>,
    expires: SystemTime,
    authorizer: AuthorizerBuilder,
}

impl Issuer {
    pub fn new(world: &World, links: usize) -> Self {
        let key = |role| {
            let key = PrivateKey::from_bytes(&world.peer_seed(role), Algorithm::Ed25519);
            KeyPair::from(&key.expect("32 bytes"))
        };
        let root = key(4);
        let policy = "allow if resource($r), operation($o), right($r, $o)";
        let limits = AuthorizerLimits { max_time: Duration::from_secs(10), ..Default::default() };
        let authorizer = AuthorizerBuilder::new()
            .fact(fact("resource", &[string(RESOURCE)]))
            .and_then(|builder| builder.fact(fact("operation", &[string(ACTION)])))
            .and_then(|builder| builder.policy(policy))
            .expect("they parse")
            .set_limits(limits);
        Self {
            public: root.public(),
            root,
            next: (0..links).map(|link| key(5 + u8::try_from(link).expect("few"))).collect(),
            expires: SystemTime::now() + Duration::from_secs(3600),
            authorizer,
        }
    }

    pub fn issue(&self) -> Vec<u8> {
        let right = |action| fact("right", &[string(RESOURCE), string(action)]);
        let mut token = Biscuit::builder()
            .fact(right(ACTION))
            .and_then(|builder| builder.fact(right("mail.send")))
            .expect("facts")
            .check_expiration_date(self.expires)
            .build_with_key_pair(&self.root, SymbolTable::default(), &self.next[0])
            .expect("a whole block");
        for next in &self.next[1..] {
            let block = BlockBuilder::new().check_operation(ACTION);
            token = token.append_with_keypair(next, block).expect("a whole block");
        }
        token.to_vec().expect("a whole token")
    }

    pub fn verify(&self, bytes: &[u8]) -> Biscuit {
        Biscuit::from(bytes, self.public).expect("valid")
    }

    pub fn authorize(&self, bytes: &[u8]) -> usize {
        let authorizer = self.authorizer.clone().time().build(&self.verify(bytes));
        authorizer.expect("facts").authorize().expect("granted")
    }
}

pub fn pairs(worlds: &Worlds) -> Vec<Pair> {
    let issuers = Rc::new(Ring::new(worlds, |world| Issuer::new(world, LINKS)));
    let chains = Ring::new(worlds, |world| world.chain(LINKS).as_bytes().to_vec());
    let requests =
        Ring::new(worlds, |world| world.request(&world.chain(LINKS)).as_bytes().to_vec());
    let tokens = Rc::new(issuers.map(Issuer::issue));
    let bytes = Some((chains.at(0).len(), tokens.at(0).len()));
    let (issuing, verifying, read) = (Rc::clone(&issuers), Rc::clone(&issuers), Rc::clone(&tokens));
    vec![
        Pair {
            name: "issue a chain of 3",
            peer: PEER,
            theirs: "an authority block and two that narrow it; blocks name no holder",
            ours: "a chain of three links, each to a named holder",
            our_job: writing(worlds, |world| world.chain(LINKS)),
            their_job: job(move |turn| issuing.at(turn).issue()),
            bytes,
        },
        Pair {
            name: "verify a chain of 3",
            peer: PEER,
            theirs: "the signatures of three blocks",
            ours: "the signatures of three links, their keys as bytes, and that none widens",
            our_job: reading(worlds, chains, |_, bytes| verify_chain(bytes)),
            their_job: job(move |turn| verifying.at(turn).verify(read.at(turn))),
            bytes,
        },
        Pair {
            name: "authorize a request under a chain of 3",
            peer: "biscuit-auth (bearer)",
            theirs: "a bearer token, and a Datalog policy that can say more than our scopes; no encryption",
            ours: "the holder's signature over this request as well: four verifications, and the replay window",
            our_job: reading(worlds, requests, |world, bytes| world.authorize(bytes)),
            their_job: job(move |turn| issuers.at(turn).authorize(tokens.at(turn))),
            bytes: None,
        },
    ]
}
