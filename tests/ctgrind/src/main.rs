//! No branch and no address depends on a secret: the library under valgrind's memcheck, with secrets marked as undefined.
//!
//! Every scenario marks secrets, runs code of the library, and shows that what comes out still depends on the mark, so that
//! the secret did go through. What is public by the protocol (public keys, signatures, ciphertext, ids) is marked as public
//! *after* it was computed, here, or in the list of suppressions beside this file; each with its reason. Controls do what must
//! be reported: a run in which one of them is not fails, as does a run without valgrind.

mod valgrind;

/// The library's own source, so that its private functions are measured without going through a builder. In a macro, since
/// rustfmt would follow the modules and look for their tests beside this file.
macro_rules! library {
    () => {
        #[allow(dead_code, unused_imports)]
        #[path = "../../../src"]
        mod library {
            pub(crate) mod fifo;
            #[path = "seal/primitives.rs"]
            pub(crate) mod primitives;
            pub(crate) mod signature;
        }
    };
}
library!();

extern crate alloc;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use agent_envelope::*;
use library::{fifo, primitives, signature};
use subtle::ConstantTimeEq;
use valgrind::{depends_on_a_secret, errors, public, secret};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// What a scenario must come to.
#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Nothing,
    Reports,
}

struct Run {
    passed: usize,
    failed: usize,
}

impl Run {
    fn scenario(&mut self, name: &str, expected: Expected, work: impl FnOnce()) {
        let before = errors();
        work();
        let reports = errors() - before;
        let fine = (reports > 0) == (expected == Expected::Reports);
        let verdict = if fine { "ok" } else { "FAILED" };
        let kind = if expected == Expected::Reports { "control" } else { "library" };
        println!("{verdict:6} {kind} {name}: {reports} reports");
        if fine { self.passed += 1 } else { self.failed += 1 }
    }

    fn control(&mut self, name: &str, work: impl FnOnce()) {
        self.scenario(name, Expected::Reports, work);
    }

    fn check(&mut self, name: &str, work: impl FnOnce()) {
        self.scenario(name, Expected::Nothing, work);
    }
}

/// A secret: bytes that differ from each other, marked.
fn secret_bytes<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = first.wrapping_add((index as u8).wrapping_mul(37));
    }
    let bytes = black_box(bytes);
    secret(&bytes);
    black_box(bytes)
}

/// Marks a value that may be in registers as public.
fn known<T: Copy>(value: T) -> T {
    let value = black_box(value);
    public(&value);
    black_box(value)
}

/// Marks what a computation over secrets gave to the world as public, after checking that the secret had reached it.
#[track_caller]
fn publish<T: ?Sized + AsRef<[u8]>>(value: &T) -> &T {
    assert!(depends_on_a_secret(value.as_ref()), "the secret did not reach what came out");
    public(value.as_ref());
    value
}

/// Marks every copy of an agent's name inside its identity as public. The name is its public key; the rest stays secret.
#[track_caller]
fn publish_name(identity: &Identity) -> AgentId {
    let id = identity.id();
    publish(id.as_bytes());
    let size = size_of_val(identity);
    let start = core::ptr::from_ref(identity).cast::<u8>();
    let mut copies = 0;
    for offset in 0..=size - 32 {
        // SAFETY: inside the identity; read as bytes only to be compared, padding included, which memcheck's marks allow.
        let bytes = unsafe { core::slice::from_raw_parts(start.add(offset), 32) };
        let copy: Vec<u8> = bytes.to_vec();
        public(&copy[..]);
        if copy == id.as_bytes() {
            public(bytes);
            copies += 1;
        }
    }
    assert!(copies >= 1, "an identity knows its name");
    id
}

/// An agent whose seeds are secret and whose name and sealing key are known.
fn identity(first: u8) -> Identity {
    let identity = Identity::from_seeds(&secret_bytes(first), &secret_bytes(first ^ 0x55));
    publish_name(&identity);
    identity
}

/// The key package of an agent, in public.
fn package(identity: &Identity) -> KeyPackage {
    let package = identity.key_package(NOW, HOUR).expect("an hour is a lifetime");
    public(package.as_bytes());
    // What is parsed of it is held apart from the bytes.
    KeyPackage::verify(package.as_bytes(), NOW, &Limits::default()).expect("it was just signed")
}

fn entropy(first: u8) -> Entropy {
    Entropy::new(secret_bytes(first)).expect("not all zero")
}

#[inline(never)]
fn left(value: u8) -> u8 {
    black_box("left");
    value
}

#[inline(never)]
fn right(value: u8) -> u8 {
    black_box("right");
    value ^ 1
}

fn controls(run: &mut Run) {
    run.control("a branch on a secret bit", || {
        let bit = secret_bytes::<1>(3)[0];
        black_box(if bit & 1 == 1 { left(bit) } else { right(bit) });
    });
    run.control("a table indexed by a secret", || {
        let table = black_box([7_u8; 256]);
        let index = secret_bytes::<1>(5)[0];
        black_box(table[usize::from(index)]);
    });
    run.control("a comparison that ends at the first difference", || {
        let tag = secret_bytes::<16>(9);
        let same = black_box(&tag[..]) == black_box(&[9_u8; 16][..]);
        black_box(same as u8);
    });
    run.control("variable-time curve arithmetic with a secret scalar", || {
        use curve25519_dalek::constants::ED25519_BASEPOINT_POINT as B;
        use curve25519_dalek::edwards::EdwardsPoint;
        use curve25519_dalek::scalar::Scalar;
        let scalar = Scalar::from_bytes_mod_order([17; 32]);
        secret(&scalar);
        black_box(EdwardsPoint::vartime_double_scalar_mul_basepoint(&scalar, &B, &scalar));
    });
    run.control("the square-and-multiply that a textbook has", || {
        let exponent = u64::from_le_bytes(secret_bytes::<8>(11));
        let mut power = 1_u64;
        for bit in 0..64 {
            power = power.wrapping_mul(power);
            if black_box(exponent) >> bit & 1 == 1 {
                power = left((power & 0xff) as u8).into();
            }
        }
        black_box(power);
    });
}

fn primitives_in_constant_time(run: &mut Run) {
    run.check("HKDF-Extract of a secret, with a secret salt", || {
        let prk = primitives::hkdf_extract(&secret_bytes::<32>(1), &[&secret_bytes::<32>(2), b"x"]);
        publish(&prk[..]);
    });
    run.check("HKDF-Expand of a secret key with secret info", || {
        let okm = primitives::Prk::new(&secret_bytes(3)).expand::<100>(&[&secret_bytes::<40>(4)]);
        publish(&okm[..]);
    });
    // Points that are public: one on the curve, which goes through the Edwards form, and one on the twist, which does not.
    let (mut edwards, mut montgomery) = (0, 0);
    for number in 0..16_u8 {
        let mut u = [number; 32];
        u[0] = 9 + number;
        let on_curve = curve25519_dalek::montgomery::MontgomeryPoint(u).to_edwards(0).is_some();
        let (name, count) = if on_curve {
            ("X25519 on the curve", &mut edwards)
        } else {
            ("X25519 on the twist", &mut montgomery)
        };
        *count += 1;
        if *count > 2 {
            continue;
        }
        run.check(name, || {
            let shared = primitives::x25519(&secret_bytes(number ^ 0x3c), black_box(&u));
            publish(&shared.expect("not of low order")[..]);
        });
    }
    assert!(edwards > 0 && montgomery > 0, "{edwards} and {montgomery}");
    run.check("X25519 with a point of low order", || {
        assert!(primitives::x25519(&secret_bytes(6), black_box(&[0; 32])).is_none());
    });
    run.check("an X25519 public key", || {
        publish(&primitives::x25519_public(&secret_bytes(7)));
    });
    run.check("comparison of secrets", || {
        let same = secret_bytes::<32>(8).ct_eq(&secret_bytes::<32>(8));
        let byte = same.unwrap_u8();
        publish(&[byte]);
    });
    for length in [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1000, 5000] {
        run.check(&format!("ChaCha20-Poly1305 over {length} secret bytes"), || {
            let key = secret_bytes(9);
            let plain: Vec<u8> = (0..length).map(|index: usize| index as u8).collect();
            secret(&plain[..]);
            let sealed =
                primitives::aead_seal(&key, &secret_bytes(10), b"aad", &plain).expect("short");
            let opened = primitives::aead_open(&key, &secret_bytes(10), b"aad", &sealed)
                .expect("just sealed");
            assert!(opened.is_empty() || depends_on_a_secret(&opened));
            // A tag that does not hold: the key is secret, that it does not fit is not.
            let mut spoilt = sealed;
            *spoilt.last_mut().expect("a tag") ^= 1;
            assert!(primitives::aead_open(&key, &secret_bytes(10), b"aad", &spoilt).is_none());
        });
    }
    for length in [0, 1, 32, 127, 128, 129, 4000] {
        run.check(&format!("an Ed25519 signature over {length} secret bytes"), || {
            let key = signature::SigningKey::from_seed(&secret_bytes(11));
            publish(&key.public());
            let message: Vec<u8> = (0..length).map(|index: usize| index as u8).collect();
            secret(&message[..]);
            publish(&key.sign(&[&message, b"and a part that is known"]));
        });
    }
    run.check("secret bytes that are wiped", || {
        drop(primitives::SecretBytes::new(secret_bytes::<64>(12).to_vec()));
    });
}

fn whole_envelopes(run: &mut Run) {
    run.check("entropy and what is generated of it", || {
        publish_name(&Identity::generate(entropy(20)));
        publish(SigningKey::generate(entropy(21)).id().as_bytes());
    });
    run.check("a key package and a rotated sealing key", || {
        let mut agent = identity(22);
        package(&agent);
        agent.rotate_sealing_key(entropy(23));
        package(&agent);
        agent.forget_older_sealing_keys();
        drop(agent.with_older_sealing_key(&secret_bytes(24)));
    });

    let [user, worker, auditor] = [30, 31, 32].map(identity);
    let [for_worker, for_auditor] = [&worker, &auditor].map(package);
    let anchors = || {
        let scope = Scope::new([Permission::new(["act"], &Resource::everything())?])?;
        TrustAnchors::new([TrustAnchor::new(user.id(), "user.example", Subjects::Any, scope)?])
    };
    let inbox = |agent: &Identity| {
        let anchors = anchors().expect("one anchor");
        let verifier =
            Verifier::new(agent.id(), None, anchors, Revocations::none(), Limits::default());
        Inbox::new(verifier.expect("the default limits"))
    };

    run.check("a delegation chain", || {
        let scope = Scope::new([Permission::new(["act"], &Resource::everything()).expect("one")]);
        let scope = scope.expect("a scope");
        let anchor = TrustAnchor::new(user.id(), "user.example", Subjects::Any, scope.clone())
            .expect("an anchor")
            .depth(2);
        let grant = Grant::new("alice", scope).depth(1);
        let chain = DelegationChain::issue(
            user.signing_key(),
            &anchor,
            worker.id(),
            grant,
            NOW,
            entropy(40),
        )
        .expect("within the anchor");
        publish(chain.as_bytes());
        let chain = DelegationChain::verify(chain.as_bytes(), &Limits::default()).expect("signed");
        let chain = chain
            .extend(worker.signing_key(), auditor.id(), Narrow::default(), NOW, entropy(41))
            .expect("a link");
        publish(chain.as_bytes());
    });

    let content = b"what the auditor must not see: 0000".to_vec();
    secret(&content[..]);
    let mut bytes = Vec::new();
    run.check("sealing content", || {
        let sent = Draft::new(&user)
            .to([worker.id(), auditor.id()])
            .next(worker.id())
            .sealed(Kind::User, "text/plain", &content[..], [&for_worker])
            .sealed(Kind::Artifact, "text/plain", &content[..], [&for_worker, &for_auditor])
            .sign(NOW, entropy(50))
            .expect("a draft");
        bytes = sent.as_bytes().to_vec();
        publish(&bytes);
    });
    let mut inbox = inbox(&worker);
    let admitted = inbox.receive(&bytes, NOW).expect("the worker is next");
    run.check("opening content", || {
        let mut opener = admitted.opener(&worker).expect("the worker verified");
        for item in admitted.elements() {
            let Item::Sealed(sealed) = item else { unreachable!("all is sealed") };
            let opened = opener.open(&sealed).expect("the worker is a reader");
            let found = opened.content();
            // Where it lies and how long it is was read in the plaintext.
            assert!(depends_on_a_secret(known(found)));
            let found = opened.content_type();
            assert!(depends_on_a_secret(known(found.as_bytes())));
        }
    });
    let mut onward = Vec::new();
    run.check("letting another reader in, and sealing to an audience of another", || {
        let mut opener = admitted.opener(&worker).expect("the worker verified");
        let Some(Item::Sealed(first)) = admitted.elements().next() else { unreachable!() };
        let audience = opener.audience(&first).expect("the worker is a reader");
        let answer =
            NewElement::sealed_to_existing(Kind::Assistant, "text/plain", &content[..], &audience);
        onward = admitted
            .onward(&worker)
            .let_in(&audience, [&for_auditor])
            .element(answer)
            .next(auditor.id())
            .sign(NOW, entropy(51))
            .expect("a hop");
        publish(&onward);
    });
    run.check("opening as one who was let in later", || {
        let anchors = anchors().expect("one anchor");
        let verifier =
            Verifier::new(auditor.id(), None, anchors, Revocations::none(), Limits::default());
        let admitted = Envelope::decode(&onward, &Limits::default())
            .and_then(|envelope| envelope.verify_as_reader(&verifier?, NOW))
            .and_then(|verified| verified.admit(&mut ReplayWindow::new(ReplayCapacity::default())))
            .expect("the auditor is next");
        let mut opener = admitted.opener(&auditor).expect("the auditor verified");
        let opened = admitted.elements().filter(|item| {
            let Item::Sealed(sealed) = item else { unreachable!("all is sealed") };
            known(opener.open(sealed).is_ok())
        });
        assert_eq!(opened.count(), 3, "the auditor was let in");
    });
    run.check("what was sealed with another key does not open", || {
        // The worker's wraps, but not the worker's key: another agent has its name, as after a key was lost.
        let package = package(&worker);
        let lost = Identity::from_seeds(&secret_bytes(31), &secret_bytes(77));
        assert_eq!(publish_name(&lost), worker.id());
        let sent = Draft::new(&user)
            .to(worker.id())
            .sealed(Kind::User, "text/plain", &content[..], [&package])
            .sign(NOW, entropy(52))
            .expect("a draft");
        let bytes = sent.as_bytes().to_vec();
        publish(&bytes);
        let anchors = anchors().expect("one anchor");
        let verifier =
            Verifier::new(lost.id(), None, anchors, Revocations::none(), Limits::default());
        let admitted = Envelope::decode(&bytes, &Limits::default())
            .and_then(|envelope| envelope.verify_as_reader(&verifier?, NOW))
            .and_then(|verified| verified.admit(&mut ReplayWindow::new(ReplayCapacity::default())))
            .expect("it is for this name");
        let Some(Item::Sealed(sealed)) = admitted.elements().next() else { unreachable!() };
        assert!(known(sealed.open(&lost).is_err()));
    });
}

fn main() -> ExitCode {
    if !valgrind::is_running() {
        println!("this program says nothing without valgrind: see .ci/ctgrind");
        return ExitCode::FAILURE;
    }
    let mut run = Run { passed: 0, failed: 0 };
    controls(&mut run);
    primitives_in_constant_time(&mut run);
    whole_envelopes(&mut run);
    println!("{} scenarios passed, {} failed", run.passed, run.failed);
    if run.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
