use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::*;
use crate::signature::check_key;

const KINDS: [StatementKind; 5] = [
    StatementKind::KeyPackage,
    StatementKind::Link,
    StatementKind::Hop,
    StatementKind::Allotment,
    StatementKind::Entry,
];

fn key() -> SigningKey {
    SigningKey::from_seed(&[0x11; 32])
}

fn agent() -> AgentId {
    AgentId::at(&key().public(), 0).expect("a public key")
}

/// Reads hex with comments from `#` to the end of a line.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().bytes())
        .filter(u8::is_ascii_hexdigit)
        .collect();
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte - b'a' + 10,
    };
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[track_caller]
fn assert_golden(
    kind: StatementKind,
    parent: Parent<'_>,
    key_id: Option<&AgentId>,
    statement: &str,
    signed: &str,
) {
    let (bytes, id) = sign(&key(), kind, parent, key_id, &[0xa0]);
    assert_eq!(bytes, hex(statement));
    assert_eq!(id.0, <[u8; 32]>::from(Sha256::digest(hex(signed))));
    assert_eq!(key().sign(&[&hex(signed)]), bytes[bytes.len() - 64..]);
}

#[test]
fn a_key_package_is_a_cose_sign1_without_a_parent() {
    assert_golden(
        StatementKind::KeyPackage,
        Parent::None,
        None,
        "84                  # COSE_Sign1
            43 a1 01 32      #   protected: {1: -19}, Ed25519
            a0               #   unprotected: {}
            41 a0            #   payload
            58 40            #   signature
               887170ea9c83d15a116a4c17278710fb472e3d166a7ee6e75091174e942324ab
               d94975298c035e4b8509662670e9154de60e15584273c4730bbce0395fbca80c",
        "84                  # Sig_structure
            6a 5369676e617475726531       # Signature1
            43 a1 01 32                   # protected
            58 1f                         # external_aad
               81                         #   [
               78 1c 6167656e742d656e76656c6f70652f312f6b65792d7061636b616765
                                          #   agent-envelope/1/key-package ]
            41 a0                         # payload",
    );
}

#[test]
fn a_root_link_names_its_signer_and_has_null_for_a_parent() {
    assert_golden(
        StatementKind::Link,
        Parent::Root,
        Some(&agent()),
        "84
            58 26            #   protected
               a2 01 32      #   {1: -19,
               04 58 20      #    4: the public key}
               d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737
            a0
            41 a0
            58 40
               f044028a87e444db2d1a1b5051643f554fe67656392f457e79dff84cfc0bf1ef
               428fee36b766a67e481dc12b12ead2e440415fd3b22f3d21da420fb58bf1ab0f",
        "84
            6a 5369676e617475726531
            58 26
               a2 01 32 04 58 20
               d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737
            58 18
               82
               75 6167656e742d656e76656c6f70652f312f6c696e6b   # agent-envelope/1/link
               f6
            41 a0",
    );
}

#[test]
fn a_hop_is_bound_to_the_id_before_it() {
    assert_golden(
        StatementKind::Hop,
        Parent::Id(&[0x22; 32]),
        None,
        "84
            43 a1 01 32
            a0
            41 a0
            58 40
               7c9db01f6ab58800e298507f3b261cb629a1164b9316131aea43ac2d7a1f1ad3
               aa52f0be7d4610d26e6ea1847337dd69d56d4b6f3bdd820acd44a89a16f22508",
        "84
            6a 5369676e617475726531
            43 a1 01 32
            58 38
               82
               74 6167656e742d656e76656c6f70652f312f686f70     # agent-envelope/1/hop
               58 20 2222222222222222222222222222222222222222222222222222222222222222
            41 a0",
    );
}

#[test]
fn no_kind_and_no_parent_signs_for_another() {
    let parents = [Parent::None, Parent::Root, Parent::Id(&[0x22; 32]), Parent::Id(&[0x23; 32])];
    let bound: Vec<_> =
        KINDS.iter().flat_map(|kind| parents.map(|parent| (*kind, parent))).collect();
    let mut ids = BTreeSet::new();
    for (kind, parent) in &bound {
        let (bytes, id) = sign(&key(), *kind, *parent, None, b"payload");
        assert!(ids.insert(id.0), "{kind:?} {parent:?}");
        let statement = Statement::decode(&mut Decoder::new(&bytes)).expect("its own bytes");
        for (other_kind, other_parent) in &bound {
            let read = statement.bind(*other_kind, *other_parent);
            let valid = read.check(&agent()).and_then(|check| check.verify()).is_ok();
            assert_eq!(
                valid,
                read.id() == id,
                "{kind:?} {parent:?} as {other_kind:?} {other_parent:?}"
            );
        }
    }
}

#[test]
fn an_id_names_the_content_and_not_the_signature() {
    let (mut bytes, id) = sign(&key(), StatementKind::Hop, Parent::Root, None, b"payload");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let statement = Statement::decode(&mut Decoder::new(&bytes)).expect("of the right form");
    assert_eq!(statement.bind(StatementKind::Hop, Parent::Root).id(), id);
}

#[test]
fn a_key_id_stands_in_roots_and_nowhere_else() {
    let (with, _) = sign(&key(), StatementKind::Link, Parent::Root, Some(&agent()), b"");
    let (without, _) = sign(&key(), StatementKind::Link, Parent::Root, None, b"");
    let (_, read) = Statement::decode_with_key_id(&mut Decoder::new(&with)).expect("a root");
    assert_eq!(read, agent());
    let refused = Statement::decode(&mut Decoder::new(&with)).err();
    let map = "protected header";
    assert_eq!(refused, Some(Error::UnknownKey { offset: 6, key: 4, map }.into()));
    let refused = Statement::decode_with_key_id(&mut Decoder::new(&without)).err();
    assert_eq!(refused, Some(Error::MissingKey { offset: 5, key: 4, map }.into()));
}

#[test]
fn a_key_id_that_signs_anything_is_refused_where_it_stands() {
    let (mut bytes, _) = sign(&key(), StatementKind::Link, Parent::Root, Some(&agent()), b"");
    let identity = [&[1][..], &[0; 31]].concat();
    assert!(check_key(&identity.clone().try_into().expect("32 bytes")).is_err());
    bytes[9..41].copy_from_slice(&identity);
    let reason = "the key is a point of small order";
    let refused = Statement::decode_with_key_id(&mut Decoder::new(&bytes)).err();
    assert_eq!(refused, Some(Error::InvalidAgentId { offset: 7, reason }.into()));
}

#[test]
fn only_the_one_form_of_headers_is_read() {
    let (bytes, _) = sign(&key(), StatementKind::Hop, Parent::Root, None, b"");
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Statement::decode(&mut Decoder::new(&bytes)).err()
    };
    assert_eq!(refused(&|_| {}), None);
    // EdDSA (-8) says less about what was signed than Ed25519 (-19).
    let expected = "algorithm -19 (Ed25519)";
    assert_eq!(
        refused(&|b| b[4] = 0x27),
        Some(Error::WrongConstant { offset: 4, expected }.into())
    );
    // {0: 0} unprotected.
    let found = refused(&|b| {
        b.splice(5..6, [0xa1, 0, 0]);
    });
    let map = "unprotected header";
    assert_eq!(found, Some(Error::UnknownKey { offset: 6, key: 0, map }.into()));
    // A detached payload.
    let (expected, found) = ("a byte string", "null");
    assert_eq!(
        refused(&|b| b[6] = 0xf6),
        Some(Error::WrongType { offset: 6, expected, found }.into())
    );
    // 63 bytes of signature.
    let found = refused(&|b| {
        b[8] = 63;
        b.pop();
    });
    assert_eq!(found, Some(Error::WrongLength { offset: 7, expected: 64, found: 63 }.into()));
}
