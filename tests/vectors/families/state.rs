//! SPEC §10 and §9.5: what a reader keeps. Replays, places in conversations, answers, and acting once.

use agent_envelope::{Draft, Inbox, Kind, Sent};
use serde_json::{Value, json};

use super::super::build::{Cast, Family, entropy, few, inbox, later, receive, resigned, with};
use super::super::run::hex;
use crate::adversary::cbor::{array, bytes, uint};
use crate::adversary::forge::{self, ASSISTANT, AUTHORITY, Element, Forgery, USER};
use crate::adversary::{Agent, HOUR, NOW, SECONDS};
use agent_envelope::{Grant, NewElement};

/// A note of an agent to the worker, created so many seconds later.
fn note(cast: &Cast, from: &Agent, seconds: u64) -> Vec<u8> {
    let chain = cast.authority(from);
    Draft::new(&from.identity)
        .to(cast.worker.id())
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"do"[..])
        .sign(later(seconds), entropy(&format!("state/note of {} at {seconds}", from.name)))
        .expect("a complete draft")
        .as_bytes()
        .to_vec()
}

fn authorize(received: &str, element: usize, action: &str, resource: &str) -> Value {
    json!({ "do": "authorize", "received": received, "element": element, "action": action, "resource": resource })
}

pub(super) fn replay(cast: &Cast) -> Value {
    let mut family = Family::new(
        "replay",
        "The replay window (SPEC §10.1): what was admitted before, floors, room, clocks that step back, merging; and acting once (§9.5).",
    );
    family.verifiers_of(cast);
    let (first, second) = (note(cast, &cast.user, 0), note(cast, &cast.user, 1));
    let begun = |more: &[Value]| {
        let mut steps = vec![inbox("in", "worker"), receive("in", &first, SECONDS, "one")];
        steps.extend_from_slice(more);
        steps
    };
    family.accept("once", "an envelope that was never seen", begun(&[]));
    family.variant(
        "another",
        "once",
        "and another one",
        begun(&[receive("in", &second, SECONDS + 1, "two")]),
    );
    family.refuse(
        "twice",
        "once",
        340,
        "the same envelope again",
        begun(&[receive("in", &first, SECONDS, "again")]),
    );
    family.refuse(
        "twice-later",
        "another",
        340,
        "instead of another one the same again, a second later",
        begun(&[receive("in", &first, SECONDS + 1, "two")]),
    );

    // Paths of one envelope.
    let chain = cast.authority(&cast.user);
    let both = Draft::new(&cast.user.identity)
        .to([cast.planner.id(), cast.worker.id()])
        .expires_in(HOUR)
        .authority(&chain)
        .clear(Kind::User, "text/plain", &b"do"[..])
        .sign(NOW, entropy("state/both"))
        .expect("a complete draft");
    let by_planner = |remark: &[u8]| {
        let mut forged = Forgery::of(both.as_bytes());
        let own = cast.authority(&cast.planner);
        forged.elements.push(Element::control(&cast.planner, AUTHORITY, own.as_bytes().to_vec()));
        forged.elements.push(Element::clear(&cast.planner, ASSISTANT, remark));
        forged.add_hop(&cast.planner, cast.planner.id(), &[cast.worker.id()]);
        forged.encode()
    };
    let (one, other) = (by_planner(b"this way"), by_planner(b"that way"));
    let paths = |all: &[&[u8]], more: &[Value]| {
        let mut steps = vec![inbox("in", "worker")];
        for (index, bytes) in all.iter().enumerate() {
            steps.push(receive("in", bytes, SECONDS, &format!("path {index}")));
        }
        steps.extend_from_slice(more);
        steps
    };
    family.accept(
        "continued",
        "an envelope, then the same with one hop more",
        paths(&[both.as_bytes(), &one], &[]),
    );
    family.accept("another-path", "two paths that part after hop 0", paths(&[&one, &other], &[]));
    family.refuse(
        "back-on-the-first-path",
        "another-path",
        340,
        "then the first path again",
        paths(&[&one, &other, &one], &[]),
    );
    family.accept("shorter", "a path, then its beginning", paths(&[&one, both.as_bytes()], &[]));
    family.refuse(
        "longer-again",
        "continued",
        340,
        "the longer path again",
        paths(&[both.as_bytes(), &one, &one], &[]),
    );
    let version = |content: &[u8]| {
        resigned(&Forgery::of(both.as_bytes()), &[&cast.user], |forged| {
            forged.elements[1] = Element::clear(&cast.user, USER, content);
        })
    };
    let forked = version(b"do the opposite");
    family.accept("forked", "two hops 0 over one header", paths(&[both.as_bytes(), &forked], &[]));
    family.refuse(
        "forked-twice",
        "forked",
        340,
        "the second of them again",
        paths(&[both.as_bytes(), &forked, &forked], &[]),
    );

    // Acting once.
    let send =
        |received: &str, element: usize| authorize(received, element, "mail.send", "mail/out");
    family.accept(
        "act",
        "the user's element authorizes",
        paths(&[both.as_bytes()], &[send("path 0", 1)]),
    );
    family.accept(
        "act-on-what-is-new",
        "of the longer path, the planner's element authorizes",
        paths(&[both.as_bytes(), &one], &[send("path 1", 3)]),
    );
    family.refuse(
        "act-again",
        "act-on-what-is-new",
        703,
        "of the longer path, the user's element, which came before",
        paths(&[both.as_bytes(), &one], &[send("path 1", 1)]),
    );
    family.accept(
        "act-on-another-path",
        "of the second path, the planner's element authorizes: it was not there before",
        paths(&[&one, &other], &[send("path 1", 3)]),
    );
    family.refuse(
        "act-again-on-another-path",
        "act-on-another-path",
        703,
        "of the second path, the user's element",
        paths(&[&one, &other], &[send("path 1", 1)]),
    );
    let forked_first = paths(&[&forked], &[send("path 0", 1)]);
    family.accept("act-on-a-version", "the second version alone authorizes", forked_first);
    let both_versions = vec![
        inbox("in", "worker"),
        receive("in", both.as_bytes(), SECONDS, "another version"),
        receive("in", &forked, SECONDS, "path 0"),
        send("path 0", 1),
    ];
    family.refuse(
        "act-on-both-versions",
        "act-on-a-version",
        703,
        "after another version of the same envelope it does not",
        both_versions,
    );

    // Room.
    let small =
        |name: &str, envelopes: u64| with(inbox(name, "worker"), "envelopes", json!(envelopes));
    let full = |third: &[u8]| {
        vec![
            small("in", 1),
            receive("in", &note(cast, &cast.user, 10), SECONDS + 40, "first"),
            receive("in", &note(cast, &cast.user, 20), SECONDS + 40, "second"),
            receive("in", third, SECONDS + 40, "third"),
        ]
    };
    let at = |seconds: u64| note(cast, &cast.user, seconds);
    family.accept(
        "room-for-one",
        "each newer envelope takes the room of the one before it",
        full(&at(30)),
    );
    family.refuse(
        "at-the-floor",
        "room-for-one",
        341,
        "the third is created when the forgotten one was",
        full(&{
            let chain = cast.authority(&cast.user);
            let other = Draft::new(&cast.user.identity)
                .to(cast.worker.id())
                .authority(&chain)
                .sign(later(10), entropy("state/at the floor"));
            other.expect("a complete draft").as_bytes().to_vec()
        }),
    );
    family.refuse(
        "forgotten-itself",
        "room-for-one",
        341,
        "the third is the forgotten one",
        full(&at(10)),
    );
    family.refuse(
        "below-the-floor",
        "room-for-one",
        341,
        "the third is created before the forgotten one",
        full(&at(5)),
    );
    family.refuse(
        "older-than-the-oldest",
        "room-for-one",
        342,
        "the third is above the floor, but older than the one in whose room it would come",
        full(&at(15)),
    );
    family.variant(
        "another-principal-has-its-own",
        "room-for-one",
        "the third is of another principal, and as old as the forgotten one",
        full(&note(cast, &cast.planner, 10)),
    );
    let two = |second: &[u8]| {
        vec![
            with(inbox("in", "worker"), "principals", json!(1)),
            receive("in", &first, SECONDS + 1, "one"),
            receive("in", second, SECONDS + 1, "two"),
        ]
    };
    family.accept("one-principal", "room for one principal, who sends twice", two(&second));
    family.refuse(
        "second-principal",
        "one-principal",
        342,
        "the second envelope is of another principal",
        two(&note(cast, &cast.planner, 1)),
    );

    // Clocks.
    let old = note(cast, &cast.user, 0);
    let new = note(cast, &cast.user, 600);
    let clock = |between: bool| {
        let mut steps = vec![inbox("in", "worker")];
        if between {
            steps.push(receive("in", &new, SECONDS + 600, "new"));
        }
        steps.push(receive("in", &old, SECONDS, "old"));
        steps
    };
    family.accept("clock", "an envelope in its time", clock(false));
    family.refuse(
        "clock-steps-back",
        "clock",
        321,
        "after another was admitted at a time at which this one had expired",
        clock(true),
    );
    let nearly = |seconds: u64| {
        vec![
            inbox("in", "worker"),
            receive("in", &note(cast, &cast.user, seconds), SECONDS + seconds, "new"),
            receive("in", &old, SECONDS, "old"),
        ]
    };
    // Notes live 60 s, and skew is 30 s.
    family.accept(
        "clock-steps-back-a-little",
        "after another was admitted 89 s later, less skew a second before this one expires",
        nearly(89),
    );
    family.refuse(
        "clock-steps-back-to-the-second",
        "clock-steps-back-a-little",
        321,
        "90 s later",
        {
            let mut steps = nearly(89);
            steps[1]["now"] = json!(SECONDS + 90);
            steps
        },
    );

    // Merging.
    let merge = |into: &str, from: &str| json!({ "do": "merge", "inbox": into, "other": from });
    let merged = |more: &[Value]| {
        let mut steps = vec![
            inbox("in", "worker"),
            inbox("twin", "worker"),
            receive("twin", &first, SECONDS, "there"),
            merge("in", "twin"),
        ];
        steps.extend_from_slice(more);
        steps
    };
    family.accept("merged", "one replica takes over what another has admitted", merged(&[]));
    family.refuse(
        "merged-replay",
        "merged",
        340,
        "what the other has admitted",
        merged(&[receive("in", &first, SECONDS, "here")]),
    );
    family.variant(
        "merged-new",
        "merged",
        "and what neither has seen",
        merged(&[receive("in", &second, SECONDS + 1, "here")]),
    );
    let crowded = |theirs: &[u8]| {
        let one = |name: &str| with(inbox(name, "worker"), "principals", json!(1));
        vec![
            one("in"),
            one("twin"),
            receive("in", &first, SECONDS + 1, "here"),
            receive("twin", theirs, SECONDS + 1, "there"),
            merge("in", "twin"),
        ]
    };
    family.accept(
        "merged-one-principal",
        "both remember the one principal for whom there is room",
        crowded(&second),
    );
    family.refuse(
        "merged-too-many-principals",
        "merged-one-principal",
        342,
        "they remember two between them",
        crowded(&note(cast, &cast.planner, 1)),
    );
    // What the twin has forgotten is refused here as well.
    let forgetful = |third: &[u8]| {
        vec![
            small("in", 1),
            small("twin", 1),
            receive("twin", &at(10), SECONDS + 40, "first"),
            receive("twin", &at(20), SECONDS + 40, "second"),
            merge("in", "twin"),
            receive("in", third, SECONDS + 40, "third"),
        ]
    };
    family.accept("merged-floor", "a newer envelope after merging", forgetful(&at(30)));
    family.refuse(
        "merged-forgotten",
        "merged-floor",
        341,
        "what the twin has forgotten",
        forgetful(&at(10)),
    );
    family.refuse(
        "merged-below-the-floor",
        "merged-floor",
        341,
        "something older",
        forgetful(&at(5)),
    );
    family.refuse(
        "merged-remembered",
        "merged-floor",
        340,
        "what the twin remembers",
        forgetful(&at(20)),
    );
    hops(cast, &mut family);
    family.finish()
}

/// Of one envelope, 64 hops are remembered.
fn hops(cast: &Cast, family: &mut Family) {
    let chain = cast.authority(&cast.user);
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .next(cast.planner.id())
        .expires_in(HOUR)
        .authority(&chain)
        .sign(NOW, entropy("state/hops"))
        .expect("a complete draft");
    let path = |seconds: u64| {
        let mut forged = Forgery::of(sent.as_bytes());
        forged.add_hop(&cast.planner, cast.planner.id(), &[cast.worker.id()]);
        forged.edit_hop(1, |hop| hop.set(3, uint(SECONDS + seconds)));
        forged.sign_hop(1, &cast.planner);
        forged.encode()
    };
    let all = |paths: u64| {
        let received = (0..paths).map(|seconds| {
            receive("in", &path(seconds), SECONDS + 100, &format!("path {seconds}"))
        });
        std::iter::once(inbox("in", "worker")).chain(received).collect::<Vec<_>>()
    };
    family.accept("hops-64", "63 paths that part after hop 0: 64 hops", all(63));
    family.refuse("hops-65", "hops-64", 342, "one path more", all(64));
    family.refuse("hops-64-again", "hops-64", 340, "the last of them again", {
        let mut steps = all(63);
        steps.push(receive("in", &path(62), SECONDS + 100, "again"));
        steps
    });
}

/// Envelopes of one conversation between user and worker, and of others that leave it.
pub(super) fn conversations(cast: &Cast) -> Value {
    let mut family = Family::new(
        "conversations",
        "How an envelope stands in its conversation (SPEC §10.2), and what is an answer to what (§10.4).",
    );
    family.verifiers_of(cast);
    let chain = cast.authority(&cast.user);
    let sign = |draft: Draft<'_>, label: &str, seconds: u64| -> Sent {
        let draft =
            draft.authority(&chain).clear(Kind::User, "text/plain", label.as_bytes().to_vec());
        draft
            .sign(later(seconds), entropy(&format!("conversations/{label}")))
            .expect("a complete draft")
    };
    let user = &cast.user.identity;
    let one = sign(Draft::new(user).to(cast.worker.id()), "one", 0);
    let two = sign(Draft::in_conversation(user, &one.line()), "two", 1);
    let three = sign(Draft::in_conversation(user, &two.line()), "three", 2);
    let again = sign(Draft::in_conversation(user, &one.line()), "two, again", 1);
    let answering = sign(Draft::following(&one, user), "two, in reply to one", 1);
    let anew = sign(Draft::new(user).to([cast.worker.id()]), "anew", 1);
    let branch = sign(
        Draft::branching_from(user, &one.line()).to([cast.worker.id(), cast.auditor.id()]),
        "branch",
        1,
    );
    let heard = |all: &[&Sent]| {
        let mut steps = vec![inbox("in", "worker")];
        for (index, sent) in all.iter().enumerate() {
            steps.push(receive("in", sent.as_bytes(), SECONDS + 2, &format!("number {index}")));
        }
        steps
    };
    family.accept("begins", "the first envelope of a conversation", heard(&[&one]));
    family.variant("continues", "begins", "the second one builds on it", heard(&[&one, &two]));
    family.variant(
        "begins-another",
        "begins",
        "the next one is in another conversation",
        heard(&[&one, &anew]),
    );
    family.accept("gap", "the third builds on a second that never came", heard(&[&one, &three]));
    family.accept("fork", "two build on the same first", heard(&[&one, &two, &again]));
    family.accept(
        "branch",
        "the sender goes on from here with somebody else besides",
        heard(&[&one, &branch]),
    );
    family.accept("joined", "a history that the reader does not hold", heard(&[&two]));
    family.accept(
        "joined-in-reply",
        "it builds on a history, and answers an envelope, that the reader does not hold",
        heard(&[&answering]),
    );
    family.accept(
        "joined-a-branch",
        "the same branch, to one who holds nothing",
        heard(&[&branch]),
    );
    family.accept("late", "the second comes after the third", heard(&[&one, &three, &two]));
    // What a hop adds is no part of the sender's line.
    let through = {
        let sent =
            sign(Draft::new(user).to(cast.worker.id()).next(cast.planner.id()), "through", 0);
        let mut forged = Forgery::of(sent.as_bytes());
        forged.elements.push(Element::clear(&cast.planner, ASSISTANT, b"a remark"));
        forged.add_hop(&cast.planner, cast.planner.id(), &[cast.worker.id()]);
        (sign(Draft::in_conversation(user, &sent.line()), "after the remark", 1), forged.encode())
    };
    family.accept("line-without-what-hops-add", "the first came with a remark of the planner; the second, which does not know of it, continues", [
        inbox("in", "worker"),
        receive("in", &through.1, SECONDS + 2, "first"),
        receive("in", through.0.as_bytes(), SECONDS + 2, "second"),
    ]);
    // Another that knows the context, and claims the user's stand.
    let grafted = {
        let others = cast.authority(&cast.planner);
        let own = Draft::new(&cast.planner.identity)
            .to(cast.worker.id())
            .authority(&others)
            .sign(later(1), entropy("conversations/grafted"));
        let second = Forgery::of(two.as_bytes());
        resigned(
            &Forgery::of(own.expect("a complete draft").as_bytes()),
            &[&cast.planner],
            |forged| {
                forged.header.set(2, second.header.get(2).expect("a context").clone());
                forged.header.set(7, second.header.get(7).expect("a base").clone());
            },
        )
    };
    family.accept("context-of-others", "another sender uses the context and the base of a conversation that is not its own: it is in another conversation, and no branch", [
        inbox("in", "worker"),
        receive("in", one.as_bytes(), SECONDS + 2, "first"),
        receive("in", &grafted, SECONDS + 2, "second"),
    ]);

    // Answers.
    let to_worker = cast.made(&cast.worker);
    let mut mailbox = Inbox::new(to_worker);
    let received = mailbox.receive(one.as_bytes(), NOW).expect("for the worker");
    let workers = cast.authority(&cast.worker);
    let answer = Draft::reply_to(&received, &cast.worker.identity)
        .authority(&workers)
        .clear(Kind::Assistant, "text/plain", &b"done"[..])
        .sign(later(1), entropy("conversations/answer"))
        .expect("a complete draft");
    let answer = answer.as_bytes().to_vec();
    let asked = |question: &Sent, answer: &[u8], record: bool| {
        let mut steps = vec![
            inbox("in", "user"),
            json!({ "do": "sent", "as": "question", "bytes": hex(question.as_bytes()) }),
        ];
        if record {
            steps.push(json!({ "do": "record-sent", "inbox": "in", "sent": "question" }));
        }
        steps.push(receive("in", answer, SECONDS + 2, "answer"));
        steps.push(json!({ "do": "accept-reply", "sent": "question", "received": "answer", "as": "reply" }));
        steps
    };
    family.accept(
        "answer",
        "the worker answers the user, who recorded what it sent",
        asked(&one, &answer, true),
    );
    family.variant(
        "answer-to-what-is-not-held",
        "answer",
        "the user did not record its question, so that the answer shows a gap",
        asked(&one, &answer, false),
    );
    let other_answer =
        |edit: &dyn Fn(&mut Forgery)| resigned(&Forgery::of(&answer), &[&cast.worker], edit);
    family.refuse(
        "no-answer",
        "answer",
        801,
        "the answer names nothing that it answers",
        asked(&one, &other_answer(&|forged| forged.header.remove(8)), true),
    );
    let unrelated = Draft::new(&cast.worker.identity)
        .to(cast.user.id())
        .authority(&workers)
        .sign(later(1), entropy("conversations/unrelated"));
    family.refuse(
        "unrelated",
        "answer",
        801,
        "an envelope of the worker that begins a conversation of its own",
        asked(&one, unrelated.expect("a complete draft").as_bytes(), true),
    );
    family.refuse(
        "answer-to-another",
        "answer",
        802,
        "the answer names another origin",
        asked(&one, &other_answer(&|forged| forged.header.set(8, array([bytes([7; 32])]))), true),
    );
    let version = resigned(&Forgery::of(one.as_bytes()), &[&cast.user], |forged| {
        forged.elements[1] = Element::clear(&cast.user, USER, b"do the opposite")
    });
    let version = Sent::from_bytes(version).expect("its own");
    family.refuse(
        "answer-to-another-version",
        "answer",
        802,
        "the question is another version under the same header",
        asked(&version, &answer, true),
    );
    let elsewhere = |edit: &dyn Fn(&mut Forgery)| asked(&one, &other_answer(edit), true);
    family.refuse(
        "answer-in-another-context",
        "answer",
        804,
        "the answer has another context",
        elsewhere(&|forged| forged.header.set(2, bytes([9; 16]))),
    );
    let mut more = [cast.user.id(), cast.auditor.id()];
    more.sort();
    family.refuse(
        "answer-to-more",
        "answer",
        804,
        "the answer goes to the auditor besides, who was no party",
        elsewhere(&|forged| forged.header.set(4, forge::agents(&more))),
    );
    // Of the two parties, only the worker was asked.
    for (name, station) in
        [("answer-by-oneself", &cast.planner), ("answer-by-oneself-another-way", &cast.auditor)]
    {
        let own = {
            let mut forged = Forgery::of(&answer);
            forged.header.set(3, bytes(cast.user.id().as_bytes()));
            forged.header.set(4, forge::agents(&[cast.worker.id()]));
            forged.header.set(11, forge::agents(&[station.id(), cast.user.id()]));
            forged.elements[0] = Element::control(&cast.user, AUTHORITY, chain.as_bytes().to_vec());
            forged.elements[1] = Element::clear(&cast.user, ASSISTANT, b"done");
            forged.edit_hop(0, |hop| hop.set(2, forge::agents(&[station.id()])));
            forged.cover(0, 2, &cast.user);
            forged.add_hop(station, station.id(), &[cast.user.id()]);
            forged.edit_hop(1, |hop| hop.set(3, uint(SECONDS + 1)));
            forged.sign_hop(1, station);
            forged.encode()
        };
        family.refuse(
            name,
            "answer",
            803,
            "the user answers itself, and lays out the way so that it gets it",
            asked(&one, &own, true),
        );
    }

    // The path that the replier saw.
    let through = sign(
        Draft::new(user).to(cast.worker.id()).next(cast.planner.id()),
        "by way of the planner",
        0,
    );
    let passed = |remark: Option<&[u8]>| {
        let mut forged = Forgery::of(through.as_bytes());
        if let Some(remark) = remark {
            forged.elements.push(Element::clear(&cast.planner, ASSISTANT, remark));
        }
        forged.add_hop(&cast.planner, cast.planner.id(), &[cast.worker.id()]);
        forged.encode()
    };
    let (seen, archived) = (passed(None), passed(Some(b"never shown to the worker")));
    let mut mailbox = Inbox::new(cast.made(&cast.worker));
    let received = mailbox.receive(&seen, NOW).expect("for the worker");
    let reply = Draft::reply_to(&received, &cast.worker.identity)
        .authority(&workers)
        .sign(later(1), entropy("conversations/reply"));
    let reply = reply.expect("a complete draft").as_bytes().to_vec();
    let compared = |known: &[u8]| {
        let mut steps = asked(&through, &reply, true);
        steps.push(json!({ "do": "check-path", "reply": "reply", "bytes": hex(known), "verifier": "user", "now": SECONDS }));
        steps
    };
    family.accept(
        "path",
        "the path that the replier saw is the one that is known",
        compared(&seen),
    );
    family.refuse(
        "path-another",
        "path",
        805,
        "the path that is known has a remark that the replier did not see",
        compared(&archived),
    );
    family.refuse(
        "path-shorter",
        "path",
        805,
        "the path that is known has hop 0 only",
        compared(through.as_bytes()),
    );
    let mut direct = asked(&one, &answer, true);
    direct.push(json!({ "do": "check-path", "reply": "reply", "bytes": hex(one.as_bytes()), "verifier": "user", "now": SECONDS }));
    family.accept("path-of-hop-0", "the replier saw hop 0 only, and so is it known", direct);
    family.finish()
}

/// Who may do what: SPEC §6.5.
pub(super) fn authority(cast: &Cast) -> Value {
    let mut family = Family::new(
        "authority",
        "Authorizing an element for an action on a resource (SPEC §6.5): one authority of its author covers both.",
    );
    family.verifiers_of(cast);
    let granted = |subject: &str, action: &str, segments: &[&str]| {
        cast.grant(
            &cast.user,
            Grant::new(subject, few(action, segments)),
            &format!("authority/{subject} {action}"),
        )
    };
    let (alice, acme) = (
        granted("alice", "mail.read", &["mail", "inbox"]),
        granted("acme", "mail.send", &["mail"]),
    );
    let bob = granted("bob", "mail.read", &["mail"]);
    let sent = Draft::new(&cast.user.identity)
        .to(cast.worker.id())
        .next(cast.planner.id())
        .expires_in(HOUR)
        .authority(&alice)
        .authority(&acme)
        .authority(&bob)
        .clear(Kind::User, "text/plain", &b"for me and for the firm"[..])
        .element(NewElement::clear(Kind::Memory, "text/plain", &b"a log"[..]))
        .sign(NOW, entropy("authority/sent"))
        .expect("three chains");
    let mut forged = Forgery::of(sent.as_bytes());
    forged.elements.push(Element::clear(&cast.planner, ASSISTANT, b"delete all"));
    forged.add_hop(&cast.planner, cast.planner.id(), &[cast.worker.id()]);
    let bytes = forged.encode();
    let asked = |element: usize, action: &str, resource: &str| {
        [
            inbox("in", "worker"),
            receive("in", &bytes, SECONDS, "it"),
            authorize("it", element, action, resource),
        ]
    };
    family.accept(
        "covered",
        "the first chain covers action and resource",
        asked(3, "mail.read", "mail/inbox/42"),
    );
    family.variant(
        "covered-by-another",
        "covered",
        "another chain covers the whole resource",
        asked(3, "mail.read", "mail"),
    );
    family.accept(
        "covered-by-the-second",
        "another action, of the second chain",
        asked(3, "mail.send", "mail/outbox"),
    );
    family.refuse(
        "other-action",
        "covered",
        702,
        "an action that no chain has",
        asked(3, "mail.delete", "mail/inbox/42"),
    );
    family.refuse(
        "other-resource",
        "covered",
        702,
        "a resource that no chain covers with this action",
        asked(3, "mail.read", "calendar"),
    );
    family.refuse(
        "segment-that-begins-alike",
        "covered-by-the-second",
        702,
        "a first segment that only begins like the prefix",
        asked(3, "mail.send", "mails"),
    );
    family.refuse(
        "element-of-a-hop",
        "covered",
        701,
        "the element that the planner added: the originator's chains are not the planner's",
        asked(5, "mail.read", "mail/inbox/42"),
    );
    family.refuse(
        "element-of-a-hop-other-action",
        "covered-by-the-second",
        701,
        "the same for the action of the second chain",
        asked(5, "mail.send", "mail/outbox"),
    );
    let jointly = |principals: Value, resource: &str| {
        let mut steps = asked(3, "mail.read", resource);
        steps[2]["principals"] = principals;
        steps
    };
    let login = crate::adversary::ISSUER;
    family.accept(
        "jointly",
        "alice and bob both agree",
        jointly(json!([[login, "alice"], [login, "bob"]]), "mail/inbox"),
    );
    family.refuse(
        "jointly-with-one-who-does-not",
        "jointly",
        702,
        "acme agrees to another action only",
        jointly(json!([[login, "alice"], [login, "acme"]]), "mail/inbox"),
    );
    family.refuse(
        "jointly-beyond-one",
        "jointly",
        702,
        "alice does not agree to the whole resource",
        jointly(json!([[login, "alice"], [login, "bob"]]), "mail"),
    );
    family.refuse(
        "jointly-under-another-issuer",
        "jointly",
        702,
        "a bob of another issuer",
        jointly(json!([[login, "alice"], ["https://other.example", "bob"]]), "mail/inbox"),
    );
    // An anchor acts by its own key.
    let own = Draft::new(&cast.login.identity)
        .to(cast.worker.id())
        .clear(Kind::User, "text/plain", &b"by myself"[..])
        .sign(NOW, entropy("authority/anchor"))
        .expect("a complete draft");
    let by_anchor = |action: &str| {
        [
            inbox("in", "worker"),
            receive("in", own.as_bytes(), SECONDS, "it"),
            authorize("it", 0, action, "mail"),
        ]
    };
    family.accept(
        "anchor",
        "an anchor has its own scope, without a window, on behalf of its own name",
        by_anchor("mail.send"),
    );
    family.refuse(
        "anchor-beyond-its-scope",
        "anchor",
        702,
        "an action that the anchor has not on this resource",
        by_anchor("mail.delete"),
    );
    family.finish()
}
