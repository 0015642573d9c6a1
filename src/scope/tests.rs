use super::*;

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

fn resource(text: &str) -> Resource {
    text.parse().expect("a resource")
}

fn permission(actions: &[&str], prefix: &str) -> Permission {
    Permission::new(actions.iter().copied(), &resource(prefix)).expect("a permission")
}

fn scope(permissions: &[Permission]) -> Scope {
    Scope::new(permissions.iter().cloned()).expect("a scope")
}

fn decode(input: &[u8]) -> Result<Scope, Error> {
    let mut decoder = Decoder::new(input);
    let scope = ScopeRef::decode(&mut decoder)?.to_scope();
    decoder.finish()?;
    Ok(scope)
}

/// Encodes permissions as they come, in whatever order and form.
fn encode(permissions: &[(&[&str], &[&str])]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.array(permissions.len());
    for (actions, segments) in permissions {
        encoder.array(2);
        for texts in [actions, segments] {
            encoder.array(texts.len());
            for text in *texts {
                encoder.text(text);
            }
        }
    }
    encoder.finish()
}

/// All paths over `alphabet` with at most `depth` segments.
fn paths(alphabet: &[&str], depth: usize) -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut last = paths.clone();
    for _ in 0..depth {
        last = last
            .iter()
            .flat_map(|path| alphabet.iter().map(move |segment| format!("{path}/{segment}")))
            .map(|path| path.trim_start_matches('/').to_owned())
            .collect();
        paths.extend(last.iter().cloned());
    }
    paths
}

/// What a scope grants of the universe, straight from the definition: one bit for each (action, resource).
fn extent(permissions: &[(&[&str], &str)], resources: &[String]) -> u32 {
    let mut bits = 0;
    for (index, resource) in resources.iter().enumerate() {
        for (row, action) in ["a", "b"].into_iter().enumerate() {
            let granted = permissions.iter().any(|(actions, prefix)| {
                let below = prefix.is_empty()
                    || resource == prefix
                    || resource.starts_with(&format!("{prefix}/"));
                below && actions.contains(&action)
            });
            bits |= u32::from(granted) << (2 * index + row);
        }
    }
    bits
}

#[test]
fn the_subset_test_agrees_with_brute_force_on_every_pair_of_small_scopes() {
    let resources = paths(&["x", "y"], 3);
    let prefixes = paths(&["x", "y"], 2);
    let sets: [&[&str]; 3] = [&["a"], &["b"], &["a", "b"]];
    let single: Vec<(&[&str], &str)> =
        prefixes.iter().flat_map(|p| sets.map(|set| (set, p.as_str()))).collect();
    let mut scopes = Vec::new();
    for (index, first) in single.iter().enumerate() {
        for second in &single[index..] {
            let both = [*first, *second];
            let made = scope(&both.map(|(actions, prefix)| permission(actions, prefix)));
            scopes.push((made, extent(&both, &resources)));
        }
    }
    assert_eq!(scopes.len(), 231);
    for (made, bits) in &scopes {
        for (index, text) in resources.iter().enumerate() {
            for (row, action) in ["a", "b"].into_iter().enumerate() {
                let granted = bits >> (2 * index + row) & 1 == 1;
                assert_eq!(made.allows(action, &resource(text)), granted, "{made} of {text}");
            }
        }
    }
    for (child, below) in &scopes {
        for (parent, above) in &scopes {
            assert_eq!(child.is_within(parent), below & !above == 0, "{child} within {parent}");
        }
    }
}

#[test]
fn the_first_permission_that_is_wider_is_named() {
    let parent = scope(&[permission(&["read"], "mail"), permission(&["send"], "mail/inbox")]);
    let child = scope(&[
        permission(&["read"], "mail/inbox"),
        permission(&["read", "send"], "mail/inbox/42"),
        permission(&["read", "send"], "mail"),
    ]);
    let names: Vec<_> = child.permissions().map(|permission| permission.to_string()).collect();
    assert_eq!(names, ["read on mail/inbox", "read, send on mail", "read, send on mail/inbox/42"]);
    assert_eq!(child.view().first_not_within(&parent.view()), Some(1));
    assert_eq!(child.view().first_not_within(&child.view()), None);
}

#[test]
fn a_full_permission_is_compared_action_by_action() {
    let names: Vec<String> = (0..32).map(|index| format!("tool.{index}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let child = scope(&[permission(&all, "x")]);
    let halves = [permission(&all[..16], ""), permission(&all[16..], "x")];
    assert!(child.is_within(&scope(&halves)));
    for missing in 0..32 {
        let rest: Vec<&str> = all.iter().filter(|name| **name != all[missing]).copied().collect();
        assert!(!child.is_within(&scope(&[permission(&rest, "")])), "{missing}");
    }
}

#[test]
fn paths_are_compared_by_whole_segments() {
    let inbox = scope(&[permission(&["read"], "mail/inbox")]);
    for (text, allowed) in [
        ("mail/inbox", true),
        ("mail/inbox/42", true),
        ("mail/inbo", false),
        ("mail/inbox2", false),
        ("mail", false),
        ("", false),
        ("Mail/inbox", false),
        ("x/mail/inbox", false),
    ] {
        assert_eq!(inbox.allows("read", &resource(text)), allowed, "{text}");
        assert_eq!(scope(&[permission(&["read"], text)]).is_within(&inbox), allowed, "{text}");
    }
    for action in ["", "rea", "reads", "Read", "*", "read,send"] {
        assert!(!inbox.allows(action, &resource("mail/inbox")), "{action}");
    }
}

#[test]
fn an_encoded_scope_has_these_bytes() {
    let made = scope(&[permission(&["write", "read"], "x/y"), permission(&["go"], "")]);
    // [[["go"], []], [["read", "write"], ["x", "y"]]]
    assert_eq!(made.encoded, b"\x82\x82\x81\x62go\x80\x82\x82\x64read\x65write\x82\x61x\x61y");
    assert_eq!(made.to_string(), "go on everything; read, write on x/y");
    assert_eq!(decode(&made.encoded), Ok(made));
}

#[test]
fn every_malformed_encoding_is_refused_at_its_offset() {
    let invalid = |offset, expected| Error::InvalidValue { offset, expected };
    let wrong = |offset, expected, found| Error::WrongType { offset, expected, found };
    let limit = |what, limit, found| Error::LimitExceeded { what, limit, found };
    let long = "a".repeat(65);
    let many: Vec<String> = (100..165).map(|index| index.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let wide: Vec<(&[&str], &[&str])> =
        many.iter().map(|name| (&many[..5], core::slice::from_ref(name))).collect();
    let full: Vec<(&[&str], &[&str])> = wide.iter().map(|(_, name)| (&many[..32], *name)).collect();
    let one = |action: &str| encode(&[(&[action], &[])]);
    let under = |segment: &str| encode(&[(&["a"], &["x", segment])]);
    for (input, error) in [
        (vec![], Error::Truncated { offset: 0 }),
        (vec![0xa0], wrong(0, "an array", "a map")),
        (vec![0xf6], wrong(0, "an array", "null")),
        (vec![0x9f, 0xff], Error::IndefiniteLength { offset: 0 }),
        (vec![0x80], Error::Empty { offset: 0, what: "scope" }),
        (vec![0x81, 0x81, 0x80], Error::WrongCount { offset: 1, expected: 2, found: 1 }),
        (vec![0x81, 0x83, 0, 0, 0], Error::WrongCount { offset: 1, expected: 2, found: 3 }),
        (vec![0x81, 0x61, b'a'], wrong(1, "an array", "a text string")),
        (encode(&[(&[], &["x"])]), Error::Empty { offset: 2, what: "list of actions" }),
        (vec![0x81, 0x82, 0x81, 0x41, b'a', 0x80], wrong(3, "a text string", "a byte string")),
        (vec![0x81, 0x82, 0x81, 0x61, 0xff, 0x80], Error::InvalidUtf8 { offset: 3 }),
        (vec![0x81, 0x82, 0x81, 0x61, b'a', 0xf6], wrong(5, "an array", "null")),
        (vec![0x81, 0x82, 0x81, 0x61, b'a'], Error::Truncated { offset: 5 }),
        (vec![0x81, 0x82, 0x81, 0x61, b'a', 0x80, 0], Error::TrailingBytes { offset: 6, count: 1 }),
        (encode(&[(&["b", "a"], &[])]), Error::UnsortedSet { offset: 5 }),
        (encode(&[(&["ab", "b"], &[])]), Error::UnsortedSet { offset: 6 }),
        (encode(&[(&["a", "a"], &[])]), Error::DuplicateMember { offset: 5 }),
        (encode(&[(&["b"], &[]), (&["a"], &[])]), Error::UnsortedSet { offset: 6 }),
        (encode(&[(&["a"], &["x"]), (&["a"], &[])]), Error::UnsortedSet { offset: 8 }),
        (encode(&[(&["a"], &[]), (&["a"], &[])]), Error::DuplicateMember { offset: 6 }),
        (one(""), invalid(3, ACTION)),
        (one("Read"), invalid(3, ACTION)),
        (one("a*"), invalid(3, ACTION)),
        (one("a b"), invalid(3, ACTION)),
        (one("ä"), invalid(3, ACTION)),
        (one("a\0"), invalid(3, ACTION)),
        (one(&long), invalid(3, ACTION)),
        (under(""), invalid(8, SEGMENT)),
        (under("."), invalid(8, SEGMENT)),
        (under(".."), invalid(8, SEGMENT)),
        (under("*"), invalid(8, SEGMENT)),
        (under("a/b"), invalid(8, SEGMENT)),
        (under("a%2Fb"), invalid(8, SEGMENT)),
        (under("ä"), invalid(8, SEGMENT)),
        (under(&long), invalid(8, SEGMENT)),
        (encode(&[(&many[..33], &[])]), limit("actions in a permission", 32, 33)),
        (encode(&[(&["a"], &many[..17])]), limit("segments in a permission", 16, 17)),
        (encode(&wide), limit("permissions in a scope", 64, 65)),
        (encode(&full[..17]), limit("actions in a scope", 512, 544)),
    ] {
        assert_eq!(decode(&input), Err(error), "{input:x?}");
    }
    assert_eq!(decode(&one(&long[1..])).map(|made| made.encoded), Ok(one(&long[1..])));
    for fine in ["...", "~x", "a:b@c+d-e_f", "A9", &long[1..]] {
        assert!(decode(&under(fine)).is_ok(), "{fine}");
    }
    assert!(decode(&encode(&wide[..64])).is_ok());
    assert!(decode(&encode(&full[..16])).is_ok());
}

#[test]
fn resources_that_are_no_path_are_refused_at_their_segment() {
    let refused = |text: &str| text.parse::<Resource>().expect_err(text);
    for (text, offset) in [
        ("/", 0),
        ("/mail", 0),
        ("mail/", 5),
        ("mail//inbox", 5),
        ("mail/./inbox", 5),
        ("mail/inbox/..", 11),
        ("mail/in box", 5),
        ("https://example.com", 7),
        ("mail/*", 5),
    ] {
        assert_eq!(refused(text), Error::InvalidValue { offset, expected: SEGMENT }, "{text}");
    }
    assert_eq!(
        refused("a?").to_string(),
        "value at byte 0 is not a resource segment: 1 to 64 of A-Z a-z 0-9 . _ ~ : @ + -, and not . or .."
    );
    let deep = ["x"; 16].join("/");
    assert_eq!(resource(&deep).segments().count(), 16);
    assert_eq!(
        refused(&(deep + "/x")),
        Error::LimitExceeded { what: "segments in a resource", limit: 16, found: 17 }
    );
    assert_eq!(resource("").segments().count(), 0);
}

#[test]
fn what_cannot_be_encoded_cannot_be_built() {
    let refused = |reason| Err::<(), _>(Error::Configuration { reason });
    let everything = Resource::everything();
    let many: Vec<String> = (100..165).map(|index| index.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let build = |actions: &[&str]| Permission::new(actions.iter().copied(), &everything).map(drop);
    assert_eq!(build(&[]), refused("a permission has at least one action"));
    assert_eq!(build(&many[..33]), refused("a permission has at most 32 actions"));
    assert_eq!(build(&many[..32]), Ok(()));
    assert_eq!(build(&["a"; 40]), Ok(()));
    for action in ["", "Read", "mail.*"] {
        assert_eq!(build(&[action]), refused("an action is 1 to 64 of a-z 0-9 . _ -"));
    }
    let each = || many.iter().map(|name| permission(&["a", "b"], name));
    assert_eq!(Scope::new([]).map(drop), refused("a scope has at least one permission"));
    assert_eq!(Scope::new(each()).map(drop), refused("a scope has at most 64 permissions"));
    let full = |count| Scope::new(many[..count].iter().map(|name| permission(&many[..32], name)));
    assert_eq!(full(16).map(drop), Ok(()));
    assert_eq!(
        full(17).map(drop),
        refused("a scope has at most 512 actions over all its permissions")
    );
    assert_eq!(Scope::new(each().take(64).chain(each().take(9))).map(drop), Ok(()));
}

fn any_permission() -> impl Strategy<Value = Permission> {
    let actions = proptest::collection::vec(prop_oneof!["[ab]", "[ab]", "[a-z0-9._-]{1,64}"], 1..5);
    let segment = prop_oneof!["[xy]", "[xy]", "[A-Za-z0-9_~:@+-]{1,64}"];
    (actions, proptest::collection::vec(segment, 0..4)).prop_map(|(actions, segments)| {
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        permission(&actions, &segments.join("/"))
    })
}

fn any_scope() -> impl Strategy<Value = Scope> {
    proptest::collection::vec(any_permission(), 1..6).prop_map(|permissions| scope(&permissions))
}

/// A scope, and one made of parts of it, so that "within" is not rare.
fn narrowed(parent: &Scope, choices: &[(usize, String)]) -> Scope {
    let all: Vec<Permission> = parent.permissions().collect();
    scope(
        &choices
            .iter()
            .map(|(pick, below)| {
                let from = &all[pick % all.len()];
                let actions: Vec<&str> = from.actions().step_by(1 + pick % 2).collect();
                let prefix = format!("{}/{below}", from.resource());
                permission(&actions, prefix.trim_matches('/'))
            })
            .collect::<Vec<_>>(),
    )
}

proptest! {
    #[test]
    fn scopes_come_back_from_their_bytes(made in any_scope()) {
        prop_assert_eq!(decode(&made.encoded), Ok(made.clone()));
        prop_assert_eq!(scope(&made.permissions().collect::<Vec<_>>()), made);
    }

    #[test]
    fn resources_come_back_from_their_text(text in "([A-Za-z0-9_~:@+-]{1,8}(/[A-Za-z0-9_~:@+-]{1,8}){0,5})?") {
        prop_assert_eq!(resource(&text).to_string(), text);
    }

    #[test]
    fn within_means_that_nothing_else_is_allowed(
        child in any_scope(),
        parent in any_scope(),
        below in "[xy]",
    ) {
        // Whatever is granted shows at the prefixes of the child's permissions, and below them.
        let every = child.permissions().all(|permission| permission.actions().all(|action| {
            let deeper = format!("{}/{below}", permission.resource());
            let at = parent.allows(action, &permission.resource());
            assert!(!at || parent.allows(action, &resource(deeper.trim_start_matches('/'))));
            at
        }));
        prop_assert_eq!(child.is_within(&parent), every);
    }

    #[test]
    fn narrowing_is_transitive(
        parent in any_scope(),
        first in proptest::collection::vec((0_usize..8, "[xy]?"), 1..5),
        second in proptest::collection::vec((0_usize..8, "[xy]?"), 1..5),
        any in any_scope(),
    ) {
        let middle = narrowed(&parent, &first);
        let last = narrowed(&middle, &second);
        prop_assert!(middle.is_within(&parent));
        prop_assert!(last.is_within(&middle));
        prop_assert!(last.is_within(&parent));
        prop_assert!(any.is_within(&any));
        if any.is_within(&last) {
            prop_assert!(any.is_within(&parent));
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_come_back(input in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(made) = decode(&input) {
            prop_assert_eq!(made.encoded, input);
        }
    }

    #[test]
    fn a_damaged_scope_is_refused_or_another_one(made in any_scope(), at in any::<usize>(), bit in 0..8) {
        let mut input = made.encoded.clone();
        let at = at % input.len();
        input[at] ^= 1_u8 << bit;
        if let Ok(other) = decode(&input) {
            prop_assert_ne!(other, made);
        }
    }
}

#[test]
fn what_is_shown_to_a_debugger_reads_as_the_text_form() {
    let one = permission(&["a", "b"], "x/y");
    let all = permission(&["c"], "");
    let both = scope(&[one.clone(), all]);
    assert_eq!(format!("{both:?}"), "Scope(c on everything; a, b on x/y)");
    assert_eq!(format!("{:?}", both.view()), "ScopeRef(c on everything; a, b on x/y)");
    assert_eq!(format!("{one:?}"), "Permission(a, b on x/y)");
    assert_eq!(format!("{:?}", resource("x/y")), "Resource(\"x/y\")");
}
