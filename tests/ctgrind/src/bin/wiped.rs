//! No heap block that the library frees has a secret in it.
//!
//! The allocator of this program searches every block that is freed, the old one of a reallocation included, for the secrets
//! that are watched: keys, seeds and contents by their bytes, and the secret of an audience, which nobody outside the library
//! knows, by what it derives: 32 bytes whose HKDF is the audience's id. Controls show that both searches find what they look
//! for. What lies on the stack is not searched; `SECURITY.md` claims nothing about it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use agent_envelope::*;
use hkdf::Hkdf;
use sha2::Sha256;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// An audience, known by its id.
#[derive(Clone, Copy)]
struct Wanted {
    envelope: [u8; 32],
    id: [u8; 32],
}

thread_local! {
    /// Pieces of secrets. None of this allocates or is dropped, so that the allocator may use it.
    static PIECES: Cell<&'static [[u8; 16]]> = const { Cell::new(&[]) };
    static AUDIENCES: Cell<&'static [Wanted]> = const { Cell::new(&[]) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
    static BLOCKS: Cell<usize> = const { Cell::new(0) };
}

struct Searching;

// SAFETY: memory comes from and goes to the system's allocator; what is freed is read before.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that a block may be read whole: nothing of it is uninitialised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let bytes = unsafe { core::slice::from_raw_parts(block, layout.size()) };
        let pieces = PIECES.get();
        let audiences = AUDIENCES.get();
        if !pieces.is_empty() || !audiences.is_empty() {
            BLOCKS.set(BLOCKS.get() + 1);
            let piece = |window: &[u8]| pieces.iter().any(|piece| window == piece);
            let secret = |window: &[u8]| audiences.iter().any(|one| one.is_made_by(window));
            if bytes.windows(16).any(piece)
                || !audiences.is_empty() && bytes.windows(32).any(secret)
            {
                FOUND.set(FOUND.get() + 1);
            }
        }
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Searching = Searching;

impl Wanted {
    /// `aid = HKDF-Expand(secret, ["agent-envelope/1/audience-id", g], 32)`, SPEC §8.2.
    fn is_made_by(&self, secret: &[u8]) -> bool {
        // Most windows are no random bytes, and need no hash to be told.
        if secret.iter().filter(|byte| **byte == 0).count() > 8 {
            return false;
        }
        let Ok(prk) = Hkdf::<Sha256>::from_prk(secret) else { return false };
        let label = b"agent-envelope/1/audience-id";
        let head: [&[u8]; 4] = [&[0x82, 0x78, 28], label, &[0x58, 0x20], &self.envelope];
        let mut id = [0; 32];
        prk.expand_multi_info(&head, &mut id).is_ok() && id == self.id
    }
}

/// Runs `work` while `secrets` and `audiences` are watched, and returns in how many freed blocks one was found.
fn searched(secrets: &[&[u8]], audiences: &[Wanted], work: impl FnOnce()) -> usize {
    let pieces: Vec<[u8; 16]> = secrets
        .iter()
        .flat_map(|secret| [&secret[..16], &secret[secret.len() - 16..]])
        .map(|piece| piece.try_into().expect("16 bytes"))
        .collect();
    let pieces: &'static [[u8; 16]] = Box::leak(pieces.into_boxed_slice());
    let audiences: &'static [Wanted] = Box::leak(audiences.to_vec().into_boxed_slice());
    FOUND.set(0);
    BLOCKS.set(0);
    PIECES.set(pieces);
    AUDIENCES.set(audiences);
    work();
    PIECES.set(&[]);
    AUDIENCES.set(&[]);
    FOUND.get()
}

struct Run {
    failed: usize,
}

impl Run {
    fn expect(&mut self, name: &str, found: usize, left: bool) {
        let blocks = BLOCKS.get();
        // A control frees one block; a scenario that frees none would show nothing.
        let fine = (found > 0) == left && blocks > 0;
        let verdict = if fine { "ok" } else { "FAILED" };
        println!("{verdict:6} {name}: {found} of {blocks} freed blocks");
        self.failed += usize::from(!fine);
    }

    fn wiped(&mut self, name: &str, secrets: &[&[u8]], audiences: &[Wanted], work: impl FnOnce()) {
        let found = searched(secrets, audiences, work);
        self.expect(name, found, false);
    }

    fn left(&mut self, name: &str, secrets: &[&[u8]], audiences: &[Wanted], work: impl FnOnce()) {
        let found = searched(secrets, audiences, work);
        self.expect(name, found, true);
    }
}

/// Bytes that occur nowhere by chance.
fn bytes<const N: usize>(number: u64) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(None, &number.to_be_bytes()).expand(b"test", &mut out).expect("short");
    out
}

fn agent(number: u64) -> Identity {
    Identity::from_seeds(&bytes(number), &bytes(number + 1000))
}

fn package(identity: &Identity) -> KeyPackage {
    identity.key_package(NOW, HOUR).expect("an hour is a lifetime")
}

fn inbox(user: &Identity, agent: &Identity) -> Inbox {
    let all = Permission::new(["act"], &Resource::everything()).expect("a permission");
    let scope = Scope::new([all]).expect("a scope");
    let anchor = TrustAnchor::new(user.id(), "user.example", Subjects::Any, scope).expect("one");
    let anchors = TrustAnchors::new([anchor]).expect("one anchor");
    let verifier = Verifier::new(agent.id(), None, anchors, Revocations::none(), Limits::default());
    Inbox::new(verifier.expect("the default limits"))
}

fn controls(run: &mut Run) {
    let secret: [u8; 32] = bytes(1);
    run.left("control: a box", &[&secret], &[], || drop(black_box(Box::new(secret))));
    run.left("control: the old block of a vector that grew", &[&secret], &[], || {
        let mut grown = Vec::with_capacity(32);
        grown.extend_from_slice(&secret);
        let mut grown = black_box(grown);
        grown.extend_from_slice(&[0; 64]);
        grown.fill(0);
        drop(black_box(grown));
    });
    let envelope = bytes(2);
    let mut id = [0; 32];
    let info: [&[u8]; 4] =
        [&[0x82, 0x78, 28], b"agent-envelope/1/audience-id", &[0x58, 0x20], &envelope];
    let prk = Hkdf::<Sha256>::from_prk(&secret).expect("32 bytes");
    prk.expand_multi_info(&info, &mut id).expect("32 bytes");
    run.left("control: an audience's secret", &[], &[Wanted { envelope, id }], || {
        let block = [&[7; 13][..], &secret, &[9; 5]].concat();
        drop(black_box(block));
    });
}

fn keys(run: &mut Run) {
    let (seed, sealing, older): ([u8; 32], [u8; 32], [u8; 32]) = (bytes(10), bytes(11), bytes(12));
    let all: [&[u8]; 3] = [&seed, &sealing, &older];
    run.wiped("a signing key", &all, &[], || {
        drop(black_box(Box::new(SigningKey::from_seed(&seed))));
    });
    run.wiped("an identity", &all, &[], || {
        drop(black_box(Box::new(Identity::from_seeds(&seed, &sealing))));
    });
    run.wiped("an identity with older keys, rotated and forgotten", &all, &[], || {
        let mut identity =
            Box::new((0..5).fold(Identity::from_seeds(&seed, &sealing), |identity, _| {
                identity.with_older_sealing_key(&older)
            }));
        let entropy = Entropy::new(bytes(13)).expect("not zero");
        identity.rotate_sealing_key(entropy);
        drop(black_box(package(&identity)));
        identity.forget_older_sealing_keys();
        drop(black_box(identity));
    });
    run.wiped("entropy", &all, &[], || {
        drop(black_box(Box::new(Entropy::new(seed).expect("not zero"))));
        drop(black_box(Box::new(Identity::generate(Entropy::new(seed).expect("not zero")))));
    });
}

/// Says whether a text shows the beginning of a secret, as numbers, as hexadecimal or as it is.
fn shows(text: &str, secret: &[u8]) -> bool {
    let start = &secret[..6];
    let numbers = format!("{start:?}");
    let hex: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
    text.contains(&numbers[1..numbers.len() - 1])
        || text.to_lowercase().contains(&hex)
        || text.contains(&*String::from_utf8_lossy(start))
}

/// What has a secret prints none of it, in this set of features too.
fn prints(run: &mut Run) {
    let (seed, sealing): ([u8; 32], [u8; 32]) = (bytes(60), bytes(61));
    let content = b"ask the oracle at dawn, it said";
    let [user, worker] = [Identity::from_seeds(&seed, &sealing), agent(62)];
    let reader = package(&worker);
    let draft =
        || Draft::new(&user).to(worker.id()).sealed(Kind::User, "", &content[..], [&reader]);
    let sent = draft().sign(NOW, Entropy::new(bytes(63)).expect("not zero")).expect("a draft");
    let mut inbox = inbox(&user, &worker);
    let admitted = inbox.receive(sent.as_bytes(), NOW).expect("the worker is next");
    let Some(Item::Sealed(element)) = admitted.elements().next() else { unreachable!() };
    let mut opener = admitted.opener(&worker).expect("the worker verified");
    let opened = opener.open(&element).expect("the worker is a reader");
    let audience = opener.audience(&element).expect("the worker is a reader");
    let texts = [
        format!("{:?} {:#?}", Entropy::new(seed), SigningKey::from_seed(&seed)),
        format!("{user:?} {user:#?}"),
        format!("{:?} {:?}", draft(), NewElement::clear(Kind::User, "", &content[..])),
        format!("{sent:?} {admitted:?} {element:?} {opener:?} {opener:#?}"),
        format!("{opened:?} {:?} {audience:#?}", opened.clone()),
    ];
    let control = format!("{:?} {}", &seed[..], String::from_utf8_lossy(content));
    let secrets: [&[u8]; 4] = [&seed, &sealing, content, &bytes::<32>(1062)];
    let shown = |text: &String| secrets.iter().any(|secret| shows(text, secret));
    let fine = shown(&control) && !texts.iter().any(shown);
    println!("{:6} what has a secret prints none of it", if fine { "ok" } else { "FAILED" });
    run.failed += usize::from(!fine);
}

fn contents(run: &mut Run) {
    let [user, worker, auditor] = [20, 21, 22].map(agent);
    let [for_worker, for_auditor] = [&worker, &auditor].map(package);
    // Content that is known here by its first and last bytes, and that no heap block of this program holds.
    static CONTENT: [u8; 4096] = {
        let mut content = [0; 4096];
        let mut state = 0x9e37_79b9_u32;
        let mut at = 0;
        while at < content.len() {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            content[at] = state.to_be_bytes()[0];
            at += 1;
        }
        content
    };
    let entropy = |number| Entropy::new(bytes(number)).expect("not zero");
    let seeds: Vec<[u8; 32]> = [20, 21, 22, 1020, 1021, 1022, 30].map(bytes).to_vec();
    for size in [32, 100, 1000, 4096] {
        let mut watched: Vec<&[u8]> = seeds.iter().map(|seed| &seed[..]).collect();
        watched.push(&CONTENT[..size]);
        let mut sealed = Vec::new();
        run.wiped(&format!("sealing {size} bytes that are borrowed"), &watched, &[], || {
            let mut draft = Draft::new(&user).to([worker.id(), auditor.id()]).next(worker.id());
            // Six audiences, each with readers of its own, and so many that vectors grow.
            for number in 0..6_u64 {
                let other = package(&agent(40 + number));
                let other: &'static KeyPackage = Box::leak(Box::new(other));
                let readers = [&for_worker, other];
                draft = draft.sealed(Kind::Artifact, "text/plain", &CONTENT[..size], readers);
            }
            sealed = draft.sign(NOW, entropy(30)).expect("a draft").as_bytes().to_vec();
        });
        let audiences = audiences(&sealed);
        assert_eq!(audiences.len(), 6);
        // The same again, now that the ids are known: signing is deterministic.
        run.wiped(&format!("the audiences' secrets, sealing {size}"), &watched, &audiences, || {
            let others: Vec<KeyPackage> =
                (0..6).map(|number| package(&agent(40 + number))).collect();
            let mut draft = Draft::new(&user).to([worker.id(), auditor.id()]).next(worker.id());
            for other in &others {
                let readers = [&for_worker, other];
                draft = draft.sealed(Kind::Artifact, "text/plain", &CONTENT[..size], readers);
            }
            let again = draft.sign(NOW, entropy(30)).expect("a draft");
            assert!(again.as_bytes() == sealed);
        });
        run.wiped(
            &format!("opening {size} bytes, and letting another in"),
            &watched,
            &audiences,
            || {
                let mut inbox = inbox(&user, &worker);
                let admitted = inbox.receive(&sealed, NOW).expect("the worker is next");
                let mut opener = admitted.opener(&worker).expect("the worker verified");
                let mut let_in = Vec::new();
                let mut opened = Vec::new();
                for item in admitted.elements() {
                    let Item::Sealed(element) = item else { unreachable!("all is sealed") };
                    let plaintext = opener.open(&element).expect("the worker is a reader");
                    assert!(plaintext.content() == &CONTENT[..size]);
                    opened.push(plaintext.clone());
                    opened.push(plaintext);
                    let_in
                        .push(Box::new(opener.audience(&element).expect("the worker is a reader")));
                }
                let onward = admitted.onward(&worker).let_in(&let_in[0], [&for_auditor]);
                let onward = onward.element(NewElement::sealed_to_existing(
                    Kind::Assistant,
                    "text/plain",
                    &CONTENT[..size],
                    &let_in[1],
                ));
                drop(onward.next(auditor.id()).sign(NOW, entropy(31)).expect("a hop"));
            },
        );
        run.wiped(&format!("{size} bytes that do not open"), &watched, &audiences, || {
            let mut inbox = inbox(&user, &auditor);
            // The auditor is in `to`, but neither next nor a reader.
            assert!(inbox.receive(&sealed, NOW).is_err());
            let direct = Draft::new(&user)
                .to(auditor.id())
                .sealed(Kind::User, "text/plain", &CONTENT[..size], [&for_worker])
                .sign(NOW, entropy(32))
                .expect("a draft");
            let admitted = inbox.receive(direct.as_bytes(), NOW).expect("the auditor is next");
            let Some(Item::Sealed(element)) = admitted.elements().next() else { unreachable!() };
            assert!(element.open(&auditor).is_err());
        });
        // What SECURITY.md says of contents that are given away.
        run.left(
            &format!("{size} bytes that a draft owns are its giver's to wipe"),
            &watched,
            &[],
            || {
                let owned = CONTENT[..size].to_vec();
                let draft = Draft::new(&user).to(worker.id());
                let draft = draft.sealed(Kind::User, "text/plain", owned, [&for_worker]);
                drop(draft.sign(NOW, entropy(33)).expect("a draft"));
            },
        );
    }
    #[cfg(feature = "serde")]
    {
        let text = "what only the worker may know: 93f1c7d2b8e4a650";
        let watched: [&[u8]; 1] = [text.as_bytes()];
        let mut sealed = Vec::new();
        run.left("a value that a draft encodes is like one that it owns", &watched, &[], || {
            let draft = Draft::new(&user).to(worker.id());
            let draft = draft.sealed_cbor(Kind::User, &text, [&for_worker]);
            sealed = draft.sign(NOW, entropy(34)).expect("a draft").as_bytes().to_vec();
        });
        run.wiped("a value that is decoded and kept", &watched, &[], || {
            let mut inbox = inbox(&user, &worker);
            let admitted = inbox.receive(&sealed, NOW).expect("the worker is next");
            let Some(Item::Sealed(element)) = admitted.elements().next() else { unreachable!() };
            let opened = element.open(&worker).expect("the worker is a reader");
            let value: String = opened.content_as().expect("a text");
            assert_eq!(value, text);
            core::mem::forget(value);
        });
    }
}

/// The ids of an envelope's audiences, which are in the clear.
fn audiences(envelope: &[u8]) -> Vec<Wanted> {
    let digest = *Envelope::decode(envelope, &Limits::default()).expect("one").digest().as_bytes();
    // `[aid: bstr .size 32, COSE_Encrypt]`: heads 82 58 20, then the 4 items of the latter.
    let mut found = Vec::new();
    for at in 0..envelope.len().saturating_sub(40) {
        if envelope[at..at + 3] == [0x82, 0x58, 0x20] && envelope[at + 35] == 0x84 {
            let id = envelope[at + 3..at + 35].try_into().expect("32 bytes");
            found.push(Wanted { envelope: digest, id });
        }
    }
    found
}

fn main() -> ExitCode {
    let mut run = Run { failed: 0 };
    controls(&mut run);
    keys(&mut run);
    prints(&mut run);
    contents(&mut run);
    if run.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
