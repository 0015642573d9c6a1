//! SPEC §3, and the forms of §5 to §8: what is refused before anything is compared.

use serde_json::{Value, json};

use super::super::build::{
    Cast, Family, cover_again, decode, decode_within, edit_control, entropy, resigned,
};
use super::super::run::terms;
use crate::adversary::cbor::{Item, array, bytes, int, map, text, uint};
use crate::adversary::forge::{self, AUTHORITY, Forgery};
use crate::adversary::{Agent, HOUR, NOW, SECONDS};
use agent_envelope::{Draft, Kind, NewElement, Reference};

/// Clear, sealed, labelled and summarised: 0 chain, 1 key package, 2 user, 3 audience, 4 sealed artifact, 5 summary.
pub(super) fn whole(cast: &Cast) -> Vec<u8> {
    let chain = cast.authority(&cast.user);
    let own = cast.package(&cast.user);
    let readers = [cast.package(&cast.worker), cast.package(&cast.auditor)];
    Draft::new(&cast.user.identity)
        .to([cast.worker.id(), cast.auditor.id()])
        .expires_in(HOUR)
        .label("skill", "summarise")
        .label("tenant", "acme")
        .declare(terms(&super::super::build::purse_of(3, 1)).expect("terms"))
        .authority(&chain)
        .key_package(&own)
        .clear(Kind::User, "text/plain", &b"read this"[..])
        .sealed(Kind::Artifact, "text/plain", &b"the secret"[..], readers.iter())
        .element(
            NewElement::clear(Kind::Summary, "text/plain", &b"a secret"[..])
                .refers_to([Reference::Here(0), Reference::Here(1)])
                .elidable(),
        )
        .sign(NOW, entropy("encoding/whole"))
        .expect("a complete draft")
        .as_bytes()
        .to_vec()
}

/// An item that is written by hand.
fn raw(written: &[u8]) -> Item {
    Item::Raw(written.to_vec())
}

/// Replaces the payload of hop 0 by something that need not be a map, and signs it.
fn hop_0(forged: &Forgery, signer: &Agent, payload: &[u8]) -> Vec<u8> {
    let mut forged = forged.clone();
    let aad = forge::hop_aad(&forged.before(0));
    forged.hops[0] = forge::statement(signer, &forge::protected(None), &aad, payload);
    forged.encode()
}

fn pair(key: &str, value: Item) -> (Item, Item) {
    (text(key), value)
}

pub(super) fn family(cast: &Cast) -> Value {
    let mut family = Family::new(
        "encoding",
        "Deterministic CBOR and the form of every part of an envelope (SPEC §3, §9.2): what a decoder refuses.",
    );
    let user = &cast.user;
    let honest = whole(cast);
    let forged = Forgery::of(&honest);
    let mut case = |name: &str, code: u16, comment: &str, bytes: Vec<u8>| {
        family.refuse(name, "whole", code, comment, [decode(&bytes)]);
    };
    let header =
        |edit: &dyn Fn(&mut Item)| resigned(&forged, &[user], |forged| edit(&mut forged.header));
    let record = |element: usize, edit: &dyn Fn(&mut Item)| {
        resigned(&forged, &[user], |forged| edit(&mut forged.elements[element].record))
    };
    let control = |element: usize, edit: &dyn Fn(&mut Item)| {
        resigned(&forged, &[user], |forged| edit_control(forged, element, user, edit))
    };
    let item = |edit: &dyn Fn(&mut Item)| {
        let mut item = forged.item();
        edit(&mut item);
        item.encode()
    };
    let hop = |edit: &dyn Fn(&mut Item)| {
        let mut payload = forged.hop(0);
        edit(&mut payload);
        hop_0(&forged, user, &payload.encode())
    };
    let created = |written: &'static [u8]| header(&|header| header.set(5, raw(written)));
    // A clear body with a commitment that fits it.
    let clear_body = |body: Item| {
        resigned(&forged, &[user], |forged| {
            let commit = forge::content_commit(&user.id(), &body);
            forged.elements[2].record.set(2, bytes(commit));
            forged.replace_body(2, body.encode());
        })
    };

    // Each rule of §3, at several depths.
    case(
        "truncated-by-a-byte",
        101,
        "the last byte is missing",
        honest[..honest.len() - 1].to_vec(),
    );
    case(
        "truncated-header",
        101,
        "the last byte of the header is missing; its byte string is as long as it is",
        header(&|header| {
            let mut encoded = header.encode();
            encoded.pop();
            *header = Item::Raw(encoded);
        }),
    );
    case(
        "length-beyond-the-input",
        101,
        "the envelope's id has a length of 2^32 - 1 in its head",
        header(&|header| header.set(1, raw(&[0x5a, 0xff, 0xff, 0xff, 0xff, 1]))),
    );
    case(
        "count-beyond-the-input",
        101,
        "the array of elements has a count of 2^32 - 1 in its head",
        item(&|item| {
            item.items()[2] = raw(&[0x9a, 0xff, 0xff, 0xff, 0xff]);
        }),
    );
    case("empty-input", 101, "there is no byte at all", Vec::new());
    case(
        "long-array-head",
        102,
        "the outermost array has a two-byte head",
        forged.item().long().encode(),
    );
    case(
        "long-time",
        102,
        "created is written in eight bytes where four do",
        header(&|header| {
            let long = header.get(5).expect("created").long();
            header.set(5, long);
        }),
    );
    case(
        "long-length",
        102,
        "the length of a label's value has a head of its own where none is needed",
        header(&|header| {
            header.set(
                10,
                Item::Map(vec![
                    pair("skill", text("summarise").long()),
                    pair("tenant", text("acme")),
                ]),
            );
        }),
    );
    case(
        "long-negative",
        102,
        "the algorithm in a protected header is -19 in three bytes",
        item(&|item| {
            item.items()[3].items()[0].items()[0] = bytes([0xa1, 0x01, 0x39, 0x00, 0x12]);
        }),
    );
    case(
        "indefinite-array",
        103,
        "the outermost array has indefinite length",
        forged.item().indefinite().encode(),
    );
    case(
        "indefinite-map",
        103,
        "the record of the clear element has indefinite length",
        record(2, &|record| *record = record.indefinite()),
    );
    case(
        "indefinite-bytes",
        103,
        "the envelope's id is a byte string of indefinite length, of one chunk",
        header(&|header| {
            let id = header.get(1).expect("an id").indefinite();
            header.set(1, id);
        }),
    );
    case(
        "indefinite-text",
        103,
        "the version is a text of indefinite length",
        item(&|item| item.items()[0] = item.items()[0].indefinite()),
    );
    case("break-alone", 103, "created is a break", created(&[0xff]));
    case("reserved-28", 104, "created has additional information 28", created(&[0x1c]));
    case(
        "reserved-29-array",
        104,
        "the outermost array has additional information 29",
        [&[0x9d], &honest[1..]].concat(),
    );
    case(
        "reserved-30-simple",
        104,
        "created is major type 7 with additional information 30",
        created(&[0xfe]),
    );
    case("float-16", 105, "created is a half-precision float", created(&[0xf9, 0x7b, 0xff]));
    case(
        "float-32",
        105,
        "created is a single-precision float",
        created(&[0xfa, 0x4e, 0xd6, 0x93, 0xa4]),
    );
    case(
        "float-64",
        105,
        "the count of hop 0 is a double-precision float",
        hop(&|hop| hop.set(4, raw(&[0xfb, 0x40, 0x18, 0, 0, 0, 0, 0, 0]))),
    );
    case(
        "tagged-envelope",
        106,
        "the envelope is tagged as COSE_Sign1",
        [&[0xd2], &honest[..]].concat(),
    );
    case(
        "tagged-time",
        106,
        "created is tagged as epoch-based time",
        created(&[0xc1, 0x1a, 0x6b, 0x49, 0xd2, 0x00]),
    );
    case("simple-true", 107, "created is true", created(&[0xf5]));
    case(
        "simple-undefined-body",
        107,
        "the body of the clear element is undefined instead of null or bytes",
        item(&|item| {
            item.items()[2].items()[2].items()[1] = raw(&[0xf7]);
        }),
    );
    case("simple-two-bytes", 107, "created is the simple value 32", created(&[0xf8, 0x20]));
    case(
        "trailing-after-envelope",
        108,
        "a byte follows the envelope",
        [&honest[..], &[0]].concat(),
    );
    case(
        "trailing-in-header",
        108,
        "an item follows the map inside the header's byte string",
        header(&|header| {
            *header = raw(&[&header.encode()[..], &[0xf6]].concat());
        }),
    );
    case(
        "trailing-in-body",
        108,
        "an item follows the clear body inside its byte string",
        resigned(&forged, &[user], |forged| {
            let body = forged.elements[2].body.clone().expect("a clear body");
            forged.replace_body(2, [&body[..], &[0xf6]].concat());
        }),
    );
    case(
        "trailing-in-payload",
        108,
        "an item follows the payload of hop 0",
        hop_0(&forged, user, &[&forged.hop(0).encode()[..], &[0]].concat()),
    );
    case(
        "not-utf8-label",
        109,
        "the value of a label is C3 28",
        header(&|header| {
            header.set(
                10,
                Item::Map(vec![
                    pair("skill", raw(&[0x62, 0xc3, 0x28])),
                    pair("tenant", text("acme")),
                ]),
            );
        }),
    );
    case(
        "not-utf8-surrogate",
        109,
        "a content type holds a surrogate, ED A0 80",
        clear_body(array([bytes([7; 16]), raw(&[0x63, 0xed, 0xa0, 0x80]), bytes(b"read this")])),
    );
    case("wrong-type-envelope", 110, "the envelope is a map", {
        let mut bytes = honest.clone();
        bytes[0] = 0xa4;
        bytes
    });
    case("wrong-type-time", 110, "created is a text", header(&|header| header.set(5, text("now"))));
    case(
        "wrong-type-negative-time",
        110,
        "created is -1",
        header(&|header| header.set(5, int(-1))),
    );
    case(
        "wrong-type-payload",
        110,
        "the payload of hop 0 is an array",
        hop_0(&forged, user, &array([bytes([0; 128])]).encode()),
    );
    case(
        "wrong-type-null-header",
        110,
        "the header is null instead of a byte string",
        item(&|item| item.items()[1] = Item::Null),
    );
    case(
        "unknown-key-header",
        111,
        "the header has a key 12",
        header(&|header| header.set(12, uint(0))),
    );
    case(
        "unknown-key-record",
        111,
        "a record has a key 6",
        record(2, &|record| record.set(6, uint(0))),
    );
    case("unknown-key-hop", 111, "hop 0 has a key 7", hop(&|hop| hop.set(7, uint(0))));
    case(
        "unknown-key-negative",
        111,
        "the header has a key -1",
        header(&|header| header.set(-1, uint(0))),
    );
    case(
        "unknown-key-link",
        111,
        "a link has the CWT claim 6 (iat), which this format does not have",
        {
            let mut claims = forge::root_claims(
                crate::adversary::ISSUER,
                user,
                forge::scope(&[(&["summarise"], &[])]),
                2,
            );
            claims.set(6, uint(SECONDS));
            let chain = forge::chain(&cast.login.id(), &[(&cast.login, claims)]);
            resigned(&forged, &[user], |forged| {
                forged.elements[0] = forge::Element::control(user, AUTHORITY, chain)
            })
        },
    );
    case("missing-key-expires", 112, "the header has no key 6", header(&|header| header.remove(6)));
    case(
        "missing-key-commitment",
        112,
        "a record has no key 2",
        record(2, &|record| record.remove(2)),
    );
    case("missing-key-head", 112, "hop 0 has no key 5", hop(&|hop| hop.remove(5)));
    case(
        "missing-key-iv",
        112,
        "the unprotected header of an audience has no iv",
        control(3, &|body| body.items()[1].items()[1] = map([])),
    );
    case(
        "duplicate-key-header",
        113,
        "the header has key 5 twice",
        header(&|header| {
            let created = header.pairs()[4].clone();
            header.pairs().insert(4, created);
        }),
    );
    case(
        "duplicate-key-label",
        113,
        "a label is there twice",
        header(&|header| {
            header.set(
                10,
                Item::Map(vec![pair("skill", text("summarise")), pair("skill", text("acme"))]),
            );
        }),
    );
    case(
        "unsorted-keys-header",
        114,
        "keys 5 and 6 of the header stand the other way round",
        header(&|header| header.pairs().swap(4, 5)),
    );
    case(
        "unsorted-labels",
        114,
        "labels sort by their encoding, so that the shorter key comes first",
        header(&|header| {
            header.set(
                10,
                Item::Map(vec![pair("tenant", text("acme")), pair("skill", text("summarise"))]),
            );
        }),
    );
    case(
        "unsorted-keys-record",
        114,
        "keys 1 and 2 of a record stand the other way round",
        record(2, &|record| record.pairs().swap(0, 1)),
    );
    case(
        "wrong-length-id",
        115,
        "the envelope's id has 15 bytes",
        header(&|header| header.set(1, bytes([1; 15]))),
    );
    case(
        "wrong-length-agent",
        115,
        "from has 31 bytes",
        header(&|header| header.set(3, bytes(&user.id().as_bytes()[..31]))),
    );
    case(
        "wrong-length-signature",
        115,
        "the signature of hop 0 has 63 bytes",
        item(&|item| {
            let signature = item.items()[3].items()[0].items()[3].as_bytes()[..63].to_vec();
            item.items()[3].items()[0].items()[3] = bytes(signature);
        }),
    );
    case(
        "wrong-length-hint",
        115,
        "the hint of a recipient has 9 bytes",
        control(3, &|body| {
            let protected = map([(1, uint(50)), (4, bytes([0; 9]))]);
            body.items()[1].items()[3].items()[0].items()[0] = bytes(protected.encode());
        }),
    );
    case("integer-2-53", 116, "created is 2^53", header(&|header| header.set(5, uint(1 << 53))));
    case(
        "integer-count",
        116,
        "the count of hop 0 is 2^64 - 1",
        hop(&|hop| hop.set(4, uint(u64::MAX))),
    );
    case(
        "elidable-is-2",
        121,
        "key 5 of a record is 2 where only 1 may stand",
        record(5, &|record| record.set(5, uint(2))),
    );
    case(
        "unsorted-to",
        117,
        "the recipients stand the other way round",
        header(&|header| {
            let mut to = header.get(4).expect("recipients").clone();
            to.items().swap(0, 1);
            header.set(4, to);
        }),
    );
    case(
        "unsorted-next",
        117,
        "the next of hop 0 stand the other way round",
        hop(&|hop| {
            let mut next = hop.get(2).expect("next").clone();
            next.items().swap(0, 1);
            hop.set(2, next);
        }),
    );
    case(
        "unsorted-recipients",
        117,
        "the recipients of an audience stand the other way round",
        control(3, &|body| body.items()[1].items()[3].items().swap(0, 1)),
    );
    case(
        "duplicate-to",
        118,
        "a recipient is there twice",
        header(&|header| {
            let mut to = header.get(4).expect("recipients").clone();
            let first = to.items()[0].clone();
            to.items().insert(0, first);
            header.set(4, to);
        }),
    );
    case(
        "duplicate-reference",
        118,
        "an element refers to another one twice",
        record(5, &|record| {
            let mut references = record.get(4).expect("references").clone();
            let first = references.items()[0].clone();
            references.items().insert(0, first);
            record.set(4, references);
        }),
    );
    case(
        "duplicate-hint",
        118,
        "two recipients of an audience have one hint",
        control(3, &|body| {
            let recipients = body.items()[1].items()[3].items();
            let first = recipients[0].items()[0].clone();
            recipients[1].items()[0] = first;
        }),
    );
    case(
        "wrong-count-envelope",
        119,
        "the envelope has five items",
        item(&|item| item.items().push(Item::Null)),
    );
    case(
        "wrong-count-element",
        119,
        "an element has three items",
        item(&|item| item.items()[2].items()[2].items().push(Item::Null)),
    );
    case(
        "wrong-count-body",
        119,
        "a clear body has no content",
        clear_body(array([bytes([7; 16]), text("text/plain")])),
    );
    case("empty-to", 120, "there is no recipient", header(&|header| header.set(4, array([]))));
    case(
        "empty-labels",
        120,
        "the map of labels is there and empty",
        header(&|header| header.set(10, map([]))),
    );
    case(
        "empty-references",
        120,
        "the set of references is there and empty",
        record(5, &|record| record.set(4, array([]))),
    );
    case("empty-hops", 120, "there is no hop", item(&|item| item.items()[3] = array([])));
    case(
        "empty-recipients",
        120,
        "an audience has no recipients",
        control(3, &|body| body.items()[1].items()[3] = array([])),
    );
    case(
        "wrong-version",
        121,
        "the version is agent-envelope/2",
        item(&|item| item.items()[0] = text("agent-envelope/2")),
    );
    case("wrong-algorithm", 121, "a hop is signed with algorithm -8 (EdDSA) instead of -19", {
        let mut forged = forged.clone();
        let aad = forge::hop_aad(&forged.before(0));
        let payload = forged.hop(0).encode();
        forged.hops[0] = forge::statement(user, &map([(1, int(-8))]), &aad, &payload);
        forged.encode()
    });
    case(
        "unprotected-not-empty",
        111,
        "the unprotected header of a hop has a key",
        item(&|item| {
            item.items()[3].items()[0].items()[1] = map([(4, bytes([0; 8]))]);
        }),
    );
    case(
        "wrong-content-algorithm",
        121,
        "an audience is encrypted with AES-GCM, algorithm 3",
        control(3, &|body| {
            body.items()[1].items()[0] = bytes(map([(1, uint(3))]).encode());
        }),
    );
    case(
        "wrong-recipient-algorithm",
        121,
        "a recipient is of algorithm 35 (HPKE-0)",
        control(3, &|body| {
            let recipient = &mut body.items()[1].items()[3].items()[0];
            let mut protected = Item::read(recipient.items()[0].as_bytes());
            protected.set(1, uint(35));
            recipient.items()[0] = bytes(protected.encode());
        }),
    );
    case(
        "value-label-without-key",
        122,
        "the key of a label is empty",
        header(&|header| {
            header.set(
                10,
                Item::Map(vec![pair("", text("summarise")), pair("tenant", text("acme"))]),
            );
        }),
    );
    case(
        "value-label-65-bytes",
        122,
        "the key of a label has 65 bytes",
        header(&|header| {
            header.set(
                10,
                Item::Map(vec![pair("tenant", text("acme")), pair(&"k".repeat(65), text(""))]),
            );
        }),
    );
    case(
        "value-label-control",
        122,
        "the value of a label has a line feed",
        header(&|header| {
            header.set(
                10,
                Item::Map(vec![pair("skill", text("a\nb")), pair("tenant", text("acme"))]),
            );
        }),
    );
    case(
        "value-content-type-257",
        122,
        "a content type has 257 bytes",
        clear_body(array([bytes([7; 16]), text(&"t".repeat(257)), bytes(b"read this")])),
    );
    case(
        "value-content-type-delete",
        122,
        "a content type has U+007F",
        clear_body(array([bytes([7; 16]), text("text/\u{7f}"), bytes(b"read this")])),
    );
    case(
        "value-content-type-c1",
        122,
        "a content type has U+0085",
        clear_body(array([bytes([7; 16]), text("text/\u{85}"), bytes(b"read this")])),
    );
    case(
        "value-ciphertext-15",
        122,
        "the ciphertext of a sealed body has 15 bytes, less than a tag",
        resigned(&forged, &[user], |forged| {
            let mut body = Item::read(forged.elements[4].body.as_deref().expect("sealed"));
            body.items()[2] = bytes([0; 15]);
            let body = body.encode();
            let digest = forge::hash("sealed", [bytes(&body)]);
            forged.elements[4].record.set(3, array([uint(3), bytes(digest)]));
            forged.replace_body(4, body);
        }),
    );
    case(
        "value-wall-zero",
        122,
        "the wall of declared terms is 0",
        header(&|header| {
            let mut terms = header.get(9).expect("terms").clone();
            terms.set(4, uint(0));
            header.set(9, terms);
        }),
    );
    // Parts that nothing above touches.
    let recipient = |edit: &dyn Fn(&mut Item)| {
        control(3, &|body| edit(&mut body.items()[1].items()[3].items()[0]))
    };
    for (name, code, comment, bytes) in [
        (
            "expires-2-64",
            116,
            "expires is 2^64 - 1",
            header(&|header| header.set(6, uint(u64::MAX))),
        ),
        ("via-empty", 120, "via is there and empty", header(&|header| header.set(11, array([])))),
        (
            "via-of-30-bytes",
            115,
            "a station of via has 30 bytes",
            header(&|header| header.set(11, array([bytes([1; 30])]))),
        ),
        (
            "base-without-head",
            119,
            "base is a count alone",
            header(&|header| header.set(7, array([uint(1)]))),
        ),
        (
            "reply-to-three",
            119,
            "in-reply-to has three items",
            header(&|header| header.set(8, array([7, 8, 9].map(|byte| bytes([byte; 32]))))),
        ),
        (
            "reply-to-nothing",
            119,
            "in-reply-to is empty",
            header(&|header| header.set(8, array([]))),
        ),
        (
            "label-is-a-number",
            110,
            "the value of a label is a number",
            header(&|header| {
                header
                    .set(10, Item::Map(vec![pair("skill", uint(1)), pair("tenant", text("acme"))]));
            }),
        ),
        (
            "terms-with-more",
            111,
            "declared terms have a key 5",
            header(&|header| {
                let mut terms = header.get(9).expect("terms").clone();
                terms.set(5, uint(0));
                header.set(9, terms);
            }),
        ),
        (
            "terms-without-deadline",
            112,
            "declared terms have no deadline",
            header(&|header| {
                let mut terms = header.get(9).expect("terms").clone();
                terms.remove(2);
                header.set(9, terms);
            }),
        ),
        (
            "elidable-is-0",
            121,
            "key 5 of a record is 0",
            record(5, &|record| record.set(5, uint(0))),
        ),
        (
            "kind-negative",
            110,
            "the kind of a record is -1",
            record(2, &|record| record.set(1, int(-1))),
        ),
        (
            "reference-of-31-bytes",
            115,
            "a reference has 31 bytes",
            record(5, &|record| record.set(4, array([bytes([1; 31])]))),
        ),
        (
            "sealed-without-digest",
            119,
            "key 3 of a record is an index alone",
            record(4, &|record| record.set(3, array([uint(3)]))),
        ),
        (
            "salt-of-17-bytes",
            115,
            "the salt of a clear body has 17 bytes",
            clear_body(array([bytes([7; 17]), text("text/plain"), bytes(b"read this")])),
        ),
        (
            "iv-of-11-bytes",
            115,
            "the iv of an audience has 11 bytes",
            control(3, &|body| body.items()[1].items()[1].set(5, bytes([1; 11]))),
        ),
        (
            "secret-of-47-bytes",
            115,
            "the encrypted secret of an audience has 47 bytes",
            control(3, &|body| body.items()[1].items()[2] = bytes([1; 47])),
        ),
        (
            "encapsulated-key-of-31-bytes",
            115,
            "the encapsulated key of a recipient has 31 bytes",
            recipient(&|recipient| recipient.items()[1].set(-4, bytes([1; 31]))),
        ),
        (
            "wrapped-key-of-49-bytes",
            115,
            "the wrapped key of a recipient has 49 bytes",
            recipient(&|recipient| recipient.items()[2] = bytes([1; 49])),
        ),
        (
            "absent-is-negative",
            110,
            "hop 0 lists -1 as absent",
            hop(&|hop| hop.set(6, array([int(-1)]))),
        ),
    ] {
        case(name, code, comment, bytes);
    }
    let small = |key: [u8; 32]| {
        header(&move |header| {
            let mut to: Vec<Vec<u8>> = vec![key.to_vec(), cast.worker.id().as_bytes().to_vec()];
            to.sort();
            header.set(4, array(to.into_iter().map(bytes)));
        })
    };
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut beyond = [0xff; 32];
    (beyond[0], beyond[31]) = (0xee, 0x7f);
    case("agent-small-order", 123, "a recipient is the neutral element", small(neutral));
    case("agent-not-canonical", 123, "a recipient is p + 1", small(beyond));

    family.accept(
        "whole",
        "a chain, a key package, clear and sealed content, references, labels, declared terms",
        [decode(&honest)],
    );
    limits(cast, &mut family, &honest);
    family.finish()
}

/// The same bytes under narrower limits, each just too narrow.
fn limits(cast: &Cast, family: &mut Family, honest: &[u8]) {
    let least = [
        ("bytes", honest.len()),
        ("elements", 6),
        ("agents", 2),
        ("audiences", 1),
        ("readers", 2),
        ("readers_in_all", 2),
        ("chains", 1),
        ("links", 1),
        ("refs", 2),
        ("labels", 2),
        ("signatures", 2),
    ];
    let all: serde_json::Map<_, _> =
        least.iter().map(|(name, least)| ((*name).to_owned(), json!(least))).collect();
    let limits = Value::Object(all);
    family.accept(
        "limits-exact",
        "limits that are exactly what the envelope has",
        [decode_within(honest, limits.clone())],
    );
    for (name, least) in least {
        let mut less = limits.clone();
        less[name] = json!(least - 1);
        family.refuse(
            &format!("limit-{}", name.replace('_', "-")),
            "limits-exact",
            201,
            &format!("the limit {name} is one less"),
            [decode_within(honest, less)],
        );
    }
    let forged = Forgery::of(honest);
    let mut two = forged.clone();
    two.edit_hop(0, |hop| hop.set(2, forge::agents(&[cast.worker.id()])));
    cover_again(&mut two, &[&cast.user]);
    two.add_hop(&cast.worker, cast.worker.id(), &[cast.auditor.id()]);
    let honest = two.encode();
    family.accept("two-hops", "a reader has passed the envelope on", [decode(&honest)]);
    let hop_1 = |edit: &dyn Fn(&mut Item)| {
        let mut forged = two.clone();
        forged.edit_hop(1, edit);
        forged.sign_hop(1, &cast.worker);
        forged.encode()
    };
    let empty = hop_1(&|hop| hop.set(2, array([])));
    family.refuse("empty-next", "two-hops", 120, "hop 1 names nobody as next", [decode(&empty)]);
    let mut short = two.item();
    short.items()[3].items()[1].items().pop();
    let short = short.encode();
    family.refuse(
        "wrong-count-statement",
        "two-hops",
        119,
        "the statement of hop 1 has no signature",
        [decode(&short)],
    );
    let two = honest;
    family.accept(
        "limits-two-hops",
        "two hops, and room for two",
        [decode_within(&two, json!({ "hops": 2, "signatures": 3 }))],
    );
    family.refuse(
        "limit-hops",
        "limits-two-hops",
        201,
        "room for one hop",
        [decode_within(&two, json!({ "hops": 1, "signatures": 3 }))],
    );
    family.refuse(
        "limit-signatures-of-hops",
        "limits-two-hops",
        201,
        "room for two signatures besides hop 0's: those of hop 1, a link and a key package are three",
        [decode_within(&two, json!({ "hops": 2, "signatures": 2 }))],
    );
}
