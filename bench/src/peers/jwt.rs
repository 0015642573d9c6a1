//! A signed grant as a JWT by `jsonwebtoken`.

use std::rc::Rc;

use ed25519_dalek::SigningKey;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, get_current_timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Pair, Ring, Worlds, reading, writing};
use crate::race::job;
use crate::world::{ACTION, RESOURCE, World, verify_chain};

const PEER: &str = "jsonwebtoken";
/// What stands before the seed of an Ed25519 key in PKCS #8.
const PKCS_8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What a link of ours says, in the words of RFC 7519 and RFC 8693.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    nbf: u64,
    exp: u64,
    jti: String,
    scope: Vec<String>,
    resource: String,
}

struct Issuer {
    key: EncodingKey,
    public: DecodingKey,
    validation: Validation,
    holder: String,
}

impl Issuer {
    fn new(world: &World) -> Self {
        let seed = world.peer_seed(3);
        let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_nbf = true;
        validation.set_audience(&["mail"]);
        validation.set_issuer(&["https://login.example"]);
        Self {
            key: EncodingKey::from_ed_der(&[PKCS_8.as_slice(), &seed].concat()),
            public: DecodingKey::from_ed_der(&public),
            validation,
            holder: world.sender.id().to_string(),
        }
    }

    fn issue(&self) -> String {
        let now = get_current_timestamp();
        let claims = Claims {
            iss: "https://login.example".into(),
            sub: "alice@example".into(),
            aud: "mail".into(),
            client_id: self.holder.clone(),
            nbf: now,
            exp: now + 3600,
            jti: "8c1b2ad0b1f54a6d9d0f8e7c6b5a4938".into(),
            scope: vec![ACTION.into(), "mail.send".into()],
            resource: RESOURCE.into(),
        };
        encode(&Header::new(Algorithm::EdDSA), &claims, &self.key).expect("claims are text")
    }

    fn verify(&self, token: &str) -> Claims {
        decode::<Claims>(token, &self.public, &self.validation).expect("valid").claims
    }

    fn authorize(&self, token: &str) -> String {
        let claims = self.verify(token);
        assert!(claims.resource == RESOURCE && claims.scope.iter().any(|action| action == ACTION));
        claims.sub
    }
}

pub fn pairs(worlds: &Worlds) -> Vec<Pair> {
    let issuers = Rc::new(Ring::new(worlds, Issuer::new));
    let chains = Ring::new(worlds, |world| world.chain(1).as_bytes().to_vec());
    let requests = Ring::new(worlds, |world| world.request(&world.chain(1)).as_bytes().to_vec());
    let tokens = Rc::new(issuers.map(Issuer::issue));
    let bytes = Some((chains.at(0).len(), tokens.at(0).len()));
    let (issuing, verifying, read) = (Rc::clone(&issuers), Rc::clone(&issuers), Rc::clone(&tokens));
    vec![
        Pair {
            name: "issue a grant",
            peer: PEER,
            theirs: "one EdDSA signature over JSON; it cannot be delegated further",
            ours: "a chain of one link",
            our_job: writing(worlds, |world| world.chain(1)),
            their_job: job(move |turn| issuing.at(turn).issue()),
            bytes,
        },
        Pair {
            name: "verify a grant",
            peer: PEER,
            theirs: "one verification, times, issuer and audience",
            ours: "a chain of one link by itself, its key as bytes; times and issuer are checked with an envelope only",
            our_job: reading(worlds, chains, |_, bytes| verify_chain(bytes)),
            their_job: job(move |turn| verifying.at(turn).verify(read.at(turn))),
            bytes,
        },
        Pair {
            name: "authorize a request under a grant",
            peer: "jsonwebtoken (bearer)",
            theirs: "a bearer token: whoever has it may use it for any request; one verification",
            ours: "the holder's signature over this request as well: two verifications, and the replay window",
            our_job: reading(worlds, requests, |world, bytes| world.authorize(bytes)),
            their_job: job(move |turn| issuers.at(turn).authorize(tokens.at(turn))),
            bytes: None,
        },
    ]
}
