//! What the envelope is made of, read by others: every statement by coset and ed25519-dalek, every claims set as a CWT, and
//! every sealed body opened with hpke and coset, from the bytes alone and with nothing of this crate.

use crate::support;

use std::collections::{BTreeMap, BTreeSet};

use agent_envelope::{DelegationChain, Item, Limits};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use ciborium::Value;
use coset::cwt::{ClaimName, ClaimsSet, Timestamp};
use coset::iana::{Algorithm, CwtClaimName};
use coset::{
    AsCborValue, CborSerializable, CoseEncrypt, CoseEncrypt0, CoseSign1, RegisteredLabelWithPrivate,
};
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use hpke::{Deserializable, Kem, OpModeR, single_shot_open};
use sha2::{Digest, Sha256};
use support::{NOW, World, corpus, read, sealing_secret};

type X25519 = hpke::kem::X25519HkdfSha256;

// --- CBOR of others ---

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("a vector takes all");
    out
}

fn decode(bytes: &[u8]) -> Value {
    ciborium::from_reader(bytes).expect("CBOR")
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn bytes(value: &Value) -> &[u8] {
    value.as_bytes().expect("a byte string")
}

fn key32(value: &Value) -> [u8; 32] {
    bytes(value).try_into().expect("32 bytes")
}

fn number(value: &Value) -> i128 {
    value.as_integer().expect("an integer").into()
}

/// Returns the value of an integer key.
fn at(map: &Value, key: i64) -> Option<&Value> {
    let pairs = map.as_map().expect("a map");
    pairs.iter().find(|(found, _)| found.as_integer() == Some(key.into())).map(|(_, value)| value)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn bstr(value: &[u8]) -> Value {
    Value::Bytes(value.to_vec())
}

/// `["agent-envelope/1/" + label, …rest]`.
fn labelled(label: &str, rest: &[Value]) -> Vec<u8> {
    let label = text(&format!("agent-envelope/1/{label}"));
    encode(&Value::Array([&[label][..], rest].concat()))
}

fn hash(label: &str, rest: &[Value]) -> [u8; 32] {
    Sha256::digest(labelled(label, rest)).into()
}

// --- an envelope taken apart ---

struct Element {
    record: Vec<u8>,
    body: Option<Vec<u8>>,
    author: [u8; 32],
    /// The element chain before it and after it.
    before: [u8; 32],
    id: [u8; 32],
}

impl Element {
    fn record(&self) -> Value {
        decode(&self.record)
    }

    fn kind(&self) -> i128 {
        number(at(&self.record(), 1).expect("a kind"))
    }
}

struct Parts {
    digest: [u8; 32],
    hops: Vec<[u8; 32]>,
    elements: Vec<Element>,
}

/// Verifies a statement by its signer, and returns its payload and its id.
fn verify(
    statement: &Value,
    kid: bool,
    label: &str,
    rest: &[Value],
    signer: &[u8; 32],
) -> (Value, [u8; 32]) {
    let statement = CoseSign1::from_cbor_value(statement.clone()).expect("a COSE_Sign1");
    let header = &statement.protected.header;
    assert_eq!(header.alg, Some(RegisteredLabelWithPrivate::Assigned(Algorithm::Ed25519)));
    assert_eq!(header.key_id, if kid { signer.to_vec() } else { Vec::new() });
    assert!(statement.unprotected.is_empty());
    let aad = labelled(label, rest);
    let key = VerifyingKey::from_bytes(signer).expect("a public key");
    statement
        .verify_signature(&aad, |signature, signed| {
            key.verify_strict(signed, &Signature::from_slice(signature).expect("64 bytes"))
        })
        .expect("the signer's signature");
    let id = Sha256::digest(statement.tbs_data(&aad)).into();
    (decode(&statement.payload.expect("a payload")), id)
}

/// Takes an envelope apart, verifying all hops and the element chain.
fn parts(envelope: &[u8]) -> Parts {
    let envelope = decode(envelope);
    let [version, header, elements, hops] = items(&envelope) else { panic!("four items") };
    assert_eq!(*version, text("agent-envelope/1"));
    let digest = hash("envelope", std::slice::from_ref(header));
    let from = key32(at(&decode(bytes(header)), 3).expect("a sender"));
    let mut parts = Parts { digest, hops: Vec::new(), elements: Vec::new() };
    let (mut prev, mut chain) = (digest, digest);
    let mut left = items(elements).iter();
    for hop in items(hops) {
        // The signer stands in what it signs; hop 0's is the sender.
        let claims = decode(bytes(&items(hop)[2]));
        let signer = at(&claims, 1).map_or(from, key32);
        let (claims, id) = verify(hop, false, "hop", &[bstr(&prev)], &signer);
        let count = usize::try_from(number(at(&claims, 4).expect("a count"))).expect("few");
        while parts.elements.len() < count {
            let [record, body] = items(left.next().expect("an element")) else { panic!("two") };
            let before = chain;
            chain = hash("element", &[bstr(&chain), record.clone()]);
            parts.elements.push(Element {
                record: bytes(record).to_vec(),
                body: body.as_bytes().cloned(),
                author: signer,
                before,
                id: chain,
            });
        }
        assert_eq!(key32(at(&claims, 5).expect("a head")), chain);
        parts.hops.push(id);
        prev = id;
    }
    assert!(left.next().is_none());
    parts
}

#[test]
fn hops_and_elements_are_those_that_others_compute() {
    let world = World::new();
    for case in corpus(&world) {
        let parts = parts(&case.bytes);
        let verifier = world.verifier(case.reader);
        let verified = read(&case.bytes, &verifier).expect(case.name);
        assert_eq!(&parts.digest, verified.digest().as_bytes(), "{}", case.name);
        let hops: Vec<_> = verified.hops().map(|hop| *hop.id().as_bytes()).collect();
        assert_eq!(parts.hops, hops, "{}", case.name);

        let admitted = world.inbox(case.reader).receive(&case.bytes, NOW).expect(case.name);
        let mut salts = BTreeSet::new();
        for item in admitted.elements() {
            let provenance = item.provenance();
            let element = &parts.elements[provenance.index()];
            assert_eq!(&element.id, provenance.id().as_bytes());
            assert_eq!(&element.author, provenance.author().as_bytes());
            let commit = at(&element.record(), 2).expect("a commitment").clone();
            if let Item::Present(_) = item {
                let body = decode(element.body.as_ref().expect("it is present"));
                let [salt, content_type, content] = items(&body) else { panic!("three") };
                assert!(salts.insert(bytes(salt).to_vec()), "two elements share a salt");
                let author = bstr(&element.author);
                let fields = [author, salt.clone(), content_type.clone(), content.clone()];
                assert_eq!(bytes(&commit), hash("commit", &fields));
            }
        }
        for element in parts.elements.iter().filter(|element| (64..96).contains(&element.kind())) {
            let body = bstr(element.body.as_ref().expect("control data is there"));
            let kind = Value::from(u64::try_from(element.kind()).expect("a small number"));
            let fields = [bstr(&element.author), kind, body];
            let commit = at(&element.record(), 2).expect("a commitment").clone();
            assert_eq!(bytes(&commit), hash("control", &fields));
        }
    }
}

// --- delegation ---

/// Verifies a chain and returns the ids of its links, and its holder.
fn chain(value: &Value) -> (Vec<[u8; 32]>, [u8; 32]) {
    let mut ids = Vec::new();
    let mut signer = None;
    for link in items(value) {
        let is_root = signer.is_none();
        let by = signer.unwrap_or_else(|| {
            let protected = decode(bytes(&items(link)[0]));
            key32(at(&protected, 4).expect("the root's key"))
        });
        let above = ids.last().map_or(Value::Null, |id: &[u8; 32]| bstr(id));
        let (claims, id) = verify(link, is_root, "link", &[above], &by);
        signer = Some(check_claims(&encode(&claims), is_root));
        ids.push(id);
    }
    (ids, signer.expect("a chain has a root"))
}

/// Reads a link's claims as a CWT and returns the key that it confirms.
fn check_claims(payload: &[u8], is_root: bool) -> [u8; 32] {
    let claims = ClaimsSet::from_slice(payload).expect("a claims set");
    assert_eq!(claims.issuer.is_some(), is_root);
    assert_eq!(claims.subject.is_some(), is_root);
    let now = i64::try_from(NOW.as_unix_seconds()).expect("not that late");
    let whole = |time: Option<Timestamp>| match time {
        Some(Timestamp::WholeSeconds(seconds)) => seconds,
        other => panic!("{other:?}"),
    };
    let (not_before, expires) = (whole(claims.not_before), whole(claims.expiration_time));
    assert!(not_before <= now && now < expires);
    assert_eq!(claims.issued_at, None);
    assert_eq!(claims.cwt_id.expect("a token id").len(), 16);
    let [(cnf, key), (grant, _)] = &claims.rest[..] else { panic!("two more claims") };
    assert_eq!(*cnf, ClaimName::Assigned(CwtClaimName::Cnf));
    assert_eq!(*grant, ClaimName::PrivateUse(-65_537));
    let key = at(key, 1).expect("a COSE_Key");
    let parsed = coset::CoseKey::from_cbor_value(key.clone()).expect("a COSE_Key");
    assert_eq!(parsed.kty, coset::KeyType::Assigned(coset::iana::KeyType::OKP));
    key32(at(key, -2).expect("x"))
}

#[test]
fn links_are_signed_cwts_whose_ids_others_compute() {
    let world = World::new();
    let mut links = 0;
    for case in corpus(&world) {
        let parts = parts(&case.bytes);
        for element in parts.elements.iter().filter(|element| element.kind() == 64) {
            let body = element.body.as_ref().expect("control data is there");
            let (ids, holder) = chain(&decode(body));
            assert_eq!(holder, element.author);
            let ours = DelegationChain::verify(body, &Limits::default()).expect(case.name);
            let mut known = Vec::new();
            ours.for_each_step(|step| known.push(*step.id().as_bytes()));
            assert_eq!(ids, known);
            links += ids.len();
        }
    }
    assert!(links >= 10, "{links} links");
}

// --- key packages, allotments, reports ---

#[test]
fn key_packages_are_signed_by_their_agent() {
    let world = World::new();
    let mut packages = 0;
    for case in corpus(&world) {
        let parts = parts(&case.bytes);
        for element in parts.elements.iter().filter(|element| element.kind() == 66) {
            let body = decode(element.body.as_ref().expect("control data is there"));
            let (claims, _) = verify(&body, false, "key-package", &[], &element.author);
            assert_eq!(key32(at(&claims, 1).expect("an agent")), element.author);
            packages += 1;
        }
    }
    assert_eq!(packages, 1);
}

#[test]
fn allotments_and_ledger_entries_follow_from_one_another() {
    let world = World::new();
    let (mut splits, mut entries) = (0, 0);
    for case in corpus(&world) {
        let parts = parts(&case.bytes);
        for element in &parts.elements {
            let Some(body) = &element.body else { continue };
            if element.kind() == 67 {
                let body = decode(body);
                let [carried, lineage] = items(&body) else { panic!("two items") };
                let (links, payer) = chain(carried);
                let mut lineage = items(lineage).iter();
                let root = lineage.next().expect("a root allotment");
                let (claims, mut id) = verify(root, false, "allotment", &[], &payer);
                assert_eq!(key32(at(&claims, 7).expect("a chain")), links[links.len() - 1]);
                let mut holder = key32(at(&claims, 2).expect("a holder"));
                let mut request = at(&claims, 4).expect("a request").clone();
                for entry in lineage {
                    let (claims, next) = verify(entry, false, "entry", &[], &holder);
                    assert_eq!(key32(at(&claims, 2).expect("an allotment")), id);
                    let event = items(at(&claims, 8).expect("an event"));
                    (id, holder, request) = (next, key32(&event[1]), event[3].clone());
                    splits += 1;
                }
                assert_eq!(key32(&request), element.before);
            }
            if element.kind() == 68 {
                let mut prev = Value::Null;
                for entry in items(&decode(body)) {
                    let (claims, id) = verify(entry, false, "entry", &[], &element.author);
                    assert_eq!(at(&claims, 3), Some(&prev));
                    prev = bstr(&id);
                    entries += 1;
                }
            }
        }
    }
    assert_eq!((splits, entries), (1, 2));
}

// --- sealing ---

fn expand<const N: usize>(secret: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let hkdf = Hkdf::<Sha256>::from_prk(secret).expect("32 bytes");
    hkdf.expand(info, &mut out).expect("few bytes");
    out
}

fn open_aead(key: &[u8], iv: &[u8], aad: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, ()> {
    let cipher = ChaCha20Poly1305::new(&Key::try_from(key).expect("32 bytes"));
    let nonce = Nonce::try_from(iv).expect("12 bytes");
    cipher.decrypt(&nonce, Payload { msg: ciphertext, aad }).map_err(|_| ())
}

/// Opens an audience and returns its id with its secret.
fn open_audience(parts: &Parts, body: &[u8], reader: u8) -> Option<([u8; 32], Vec<u8>)> {
    let body = decode(body);
    let [id, encrypted] = items(&body) else { panic!("two items") };
    let private = <X25519 as Kem>::PrivateKey::from_bytes(&sealing_secret(reader)).expect("32");
    let public =
        x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(sealing_secret(reader)));
    let agent = support::identity(reader).id();

    // HPKE-4-KE is newer than the coset at hand: another registered number stands in for it while coset reads the rest.
    let mut readable = encrypted.clone();
    let recipients = &mut readable.as_array_mut().expect("four items")[3];
    for recipient in recipients.as_array_mut().expect("recipients") {
        let fields = recipient.as_array_mut().expect("three items");
        let mut protected = decode(bytes(&fields[0]));
        let algorithm = &mut protected.as_map_mut().expect("a map")[0].1;
        assert_eq!(number(algorithm), 50);
        *algorithm = Value::from(-31);
        fields[0] = bstr(&encode(&protected));
    }
    let read = CoseEncrypt::from_cbor_value(readable).expect("a COSE_Encrypt");
    let chacha = Some(RegisteredLabelWithPrivate::Assigned(Algorithm::ChaCha20Poly1305));
    assert_eq!(read.protected.header.alg, chacha);
    let hints: Vec<_> = read.recipients.iter().map(|one| &one.protected.header.key_id).collect();
    assert!(hints.windows(2).all(|pair| pair[0] < pair[1]));
    let mine = hints.iter().position(|hint| hint[..] == public.as_bytes()[..8])?;

    let wrap = &items(&items(encrypted)[3])[mine];
    let [protected, unprotected, wrapped] = items(wrap) else { panic!("three items") };
    let enc = at(unprotected, -4).expect("an encapsulated key");
    let enc = <X25519 as Kem>::EncappedKey::from_bytes(bytes(enc)).expect("32 bytes");
    let extra = labelled("wrap", &[bstr(&parts.digest), bstr(agent.as_bytes())]);
    let info = encode(&Value::Array(vec![
        text("HPKE Recipient"),
        Value::from(24),
        protected.clone(),
        bstr(&extra),
    ]));
    let key = single_shot_open::<hpke::aead::ChaCha20Poly1305, hpke::kdf::HkdfSha256, X25519>(
        &OpModeR::Base,
        &private,
        &enc,
        &info,
        bytes(wrapped),
        &[],
    )
    .expect("the wrap for this reader");
    let external_aad = labelled("audience", &[bstr(&parts.digest), id.clone()]);
    let secret = read
        .decrypt_ciphertext(
            &external_aad,
            || (),
            |ciphertext, aad| open_aead(&key, &read.unprotected.iv, aad, ciphertext),
        )
        .expect("the secret of the audience");
    let known = expand::<32>(&secret, &labelled("audience-id", &[bstr(&parts.digest)]));
    assert_eq!(key32(id), known);
    Some((known, secret))
}

#[test]
fn sealed_bodies_open_with_other_libraries() {
    let world = World::new();
    let mut opened = Vec::new();
    for case in corpus(&world) {
        let parts = parts(&case.bytes);
        for reader in [3, 4, 5] {
            let mut secrets = BTreeMap::new();
            for element in parts.elements.iter().filter(|element| element.kind() == 65) {
                let body = element.body.as_ref().expect("control data is there");
                secrets.extend(open_audience(&parts, body, reader));
            }
            for element in parts.elements.iter().filter(|element| element.kind() < 64) {
                let record = element.record();
                let (Some(sealed), Some(body)) = (at(&record, 3), &element.body) else { continue };
                let [audience, digest] = items(sealed) else { panic!("two items") };
                assert_eq!(bytes(digest), hash("sealed", &[bstr(body)]));
                let audience = usize::try_from(number(audience)).expect("an index");
                let audience = parts.elements[audience].body.as_ref().expect("it is there");
                let id = key32(&items(&decode(audience))[0]);
                let Some(secret) = secrets.get(&id) else { continue };

                let commit = at(&record, 2).expect("a commitment");
                let kind = at(&record, 1).expect("a kind");
                let place = labelled(
                    "content",
                    &[bstr(&element.before), bstr(&element.author), kind.clone(), commit.clone()],
                );
                let derived = expand::<44>(secret, &place);
                let read = CoseEncrypt0::from_slice(body).expect("a COSE_Encrypt0");
                assert_eq!(read.unprotected.iv, derived[32..]);
                let plain = read
                    .decrypt_ciphertext(
                        &place,
                        || (),
                        |ciphertext, aad| {
                            open_aead(&derived[..32], &derived[32..], aad, ciphertext)
                        },
                    )
                    .expect("the body");
                let plain = decode(&plain);
                let [salt, content_type, content] = items(&plain) else { panic!("three") };
                let fields =
                    [bstr(&element.author), salt.clone(), content_type.clone(), content.clone()];
                assert_eq!(bytes(commit), hash("commit", &fields));
                opened.push((case.name, reader, bytes(content).to_vec()));
            }
        }
    }
    let of = |name: &str, reader| {
        let all = opened.iter().filter(|one| (one.0, one.1) == (name, reader));
        all.map(|(_, _, content)| String::from_utf8_lossy(content)).collect::<Vec<_>>()
    };
    assert_eq!(of("two audiences", 3), ["for all of you", ""]);
    assert_eq!(of("two audiences", 4).len(), 3);
    assert_eq!(of("two audiences", 5).len(), 3);
    let both = ["plan and do", "one thing after the other"];
    assert_eq!(of("hops with a late reader", 3), both);
    assert_eq!(of("hops with a late reader", 4), [""; 0]);
    assert_eq!(of("hops with a late reader", 5), both);
}
