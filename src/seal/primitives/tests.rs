//! The primitives against the vectors of their RFCs.

use curve25519_dalek::constants::EIGHT_TORSION;
use sha2::Digest;

use super::*;
use crate::seal::testing::{hex, hex_array};

mod wycheproof;

fn hkdf<const N: usize>(salt: &str, ikm: &str, info: &str) -> [u8; N] {
    let prk = hkdf_extract(&hex(salt), &[&hex(ikm)]);
    *Prk::new(&prk).expand(&[&hex(info)])
}

#[test]
fn hkdf_follows_rfc_5869_a_1() {
    let prk = hkdf_extract(&hex("000102030405060708090a0b0c"), &[&[0x0b; 22]]);
    assert_eq!(*prk, hex_array("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
    assert_eq!(
        *Prk::new(&prk).expand(&[&hex("f0f1f2f3f4f5f6f7f8f9")]),
        hex_array::<42>(
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        ),
    );
}

#[test]
fn hkdf_follows_rfc_5869_a_2() {
    let counting = |from: u8| (from..from + 80).collect::<Vec<u8>>();
    let prk = hkdf_extract(&counting(0x60), &[&counting(0x00)]);
    assert_eq!(*prk, hex_array("06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244"));
    let info: Vec<u8> = (0xb0..=0xff).collect();
    assert_eq!(
        *Prk::new(&prk).expand(&[&info]),
        hex_array::<82>(concat!(
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71",
            "cc30c58179ec3e87c14c01d5c1f3434f1d87",
        )),
    );
}

#[test]
fn hkdf_follows_rfc_5869_a_3() {
    assert_eq!(
        hkdf("", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ""),
        hex_array::<42>(
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        ),
    );
}

#[test]
fn hkdf_reads_its_parts_as_one_string() {
    let prk = hkdf_extract(b"salt", &[b"in", b"", b"put"]);
    assert_eq!(prk, hkdf_extract(b"salt", &[b"input"]));
    let prk = Prk::new(&prk);
    assert_eq!(prk.expand::<44>(&[b"in", b"", b"fo"]), prk.expand::<44>(&[b"info"]));
}

#[test]
fn x25519_follows_rfc_7748_5_2() {
    let cases = [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ];
    for (scalar, u, product) in cases {
        let shared = x25519(&hex_array(scalar), &hex_array(u)).expect("not of low order");
        assert_eq!(*shared, hex_array(product));
    }
}

#[test]
fn x25519_follows_rfc_7748_5_2_iterated() {
    let mut base = [0; 32];
    base[0] = 9;
    let (mut k, mut u) = (base, base);
    let mut step = || {
        (k, u) = (*x25519(&k, &u).expect("not of low order"), k);
        k
    };
    let first = step();
    assert_eq!(
        first,
        hex_array("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
    );
    for _ in 1..1000 {
        step();
    }
    assert_eq!(k, hex_array("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

#[test]
fn x25519_follows_rfc_7748_6_1() {
    let alice = hex_array("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = hex_array("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let (pk_a, pk_b) = (x25519_public(&alice), x25519_public(&bob));
    assert_eq!(pk_a, hex_array("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    assert_eq!(pk_b, hex_array("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    let shared = x25519(&alice, &pk_b).expect("not of low order");
    assert_eq!(
        *shared,
        hex_array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    );
    assert_eq!(x25519(&bob, &pk_a), Some(shared));
}

#[test]
fn x25519_public_is_the_product_with_nine() {
    let mut base = [0; 32];
    base[0] = 9;
    for first in 0..=255 {
        let mut secret = [0x5a; 32];
        secret[0] = first;
        secret[31] = !first;
        let public = x25519(&secret, &base).expect("nine is not of low order");
        assert_eq!(x25519_public(&secret), *public);
    }
}

#[test]
fn x25519_is_the_ladder_on_the_curve_and_on_the_twist() {
    let mut on_the_curve = 0;
    for number in 0..=255_u8 {
        let secret = Sha256::digest([number]).into();
        let mut u = Sha256::digest([number, 0]).into();
        on_the_curve += u32::from(on_curve(&u).is_some());
        assert_eq!(x25519(&secret, &u), Some(ladder(&secret, &u)));
        // Whatever the top bit says, RFC 7748 §5 takes no notice.
        u[31] ^= 0x80;
        assert_eq!(x25519(&secret, &u), Some(ladder(&secret, &u)));
    }
    assert!((100..156).contains(&on_the_curve), "half of all are: {on_the_curve}");
    // Points of low order give zero whichever way they go; u = −1, on the twist, has no Edwards y at all.
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    assert!(on_curve(&minus_one).is_none());
    assert_eq!(x25519(&[7; 32], &minus_one), None);
    for point in EIGHT_TORSION {
        assert_eq!(x25519(&[7; 32], &point.to_montgomery().to_bytes()), None);
    }
}

const RFC_8439_KEY: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
const RFC_8439_NONCE: &str = "070000004041424344454647";
const RFC_8439_AAD: &str = "50515253c0c1c2c3c4c5c6c7";
const RFC_8439_TEXT: &[u8] = b"Ladies and Gentlemen of the class of '99: \
    If I could offer you only one tip for the future, sunscreen would be it.";
const RFC_8439_SEALED: &str = concat!(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6",
    "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36",
    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc",
    "3ff4def08e4b7a9de576d26586cec64b6116",
    "1ae10b594f09e26a7e902ecbd0600691",
);

#[test]
fn aead_follows_rfc_8439_2_8_2() {
    let (key, nonce, aad) = (hex_array(RFC_8439_KEY), hex_array(RFC_8439_NONCE), hex(RFC_8439_AAD));
    let sealed = aead_seal(&key, &nonce, &aad, RFC_8439_TEXT).expect("short");
    assert_eq!(sealed, hex(RFC_8439_SEALED));
    assert_eq!(aead_open(&key, &nonce, &aad, &sealed).as_deref(), Some(RFC_8439_TEXT));
}

#[test]
fn aead_follows_rfc_8439_a_5() {
    let key = hex_array("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    let nonce = hex_array("000000000102030405060708");
    let aad = hex("f33388860000000000004e91");
    let sealed = hex(concat!(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43ee",
        "a09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b9481",
        "14ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0",
        "f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e",
        "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa7699",
        "1955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130",
        "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b",
        "eead9d67890cbb22392336fea1851f38",
    ));
    let text = "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, \
        replaced, or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as \
        reference material or to cite them other than as /\u{201c}work in progress./\u{201d}";
    assert_eq!(aead_open(&key, &nonce, &aad, &sealed).as_deref(), Some(text.as_bytes()));
    assert_eq!(aead_seal(&key, &nonce, &aad, text.as_bytes()), Some(sealed));
}

#[test]
fn aead_allocates_once() {
    let sealed = aead_seal(&[1; 32], &[2; 12], b"", &[3; 1000]).expect("short");
    assert_eq!((sealed.len(), sealed.capacity()), (1016, 1016));
    let opened = aead_open(&[1; 32], &[2; 12], b"", &sealed).expect("ours");
    assert_eq!((opened.len(), opened.capacity()), (1000, 1000));
}

#[test]
fn a_refused_buffer_is_still_ciphertext() {
    let sealed = aead_seal(&[1; 32], &[2; 12], b"", &[3; 100]).expect("short");
    let (body, tag) = sealed.split_last_chunk().expect("a tag");
    let mut buffer = body.to_vec();
    assert_eq!(aead_open_in_place(&[1; 32], &[2; 12], b"other", &mut buffer, tag), None);
    assert_eq!(buffer, body);
}

#[test]
fn a_ciphertext_shorter_than_its_tag_is_refused() {
    for length in 0..TAG_LEN {
        assert_eq!(aead_open(&[1; 32], &[2; 12], b"", &[0; TAG_LEN][..length]), None);
    }
}

#[test]
fn secret_bytes_are_wiped_to_the_last() {
    let mut block = Block(vec![0xaa; 1000]);
    block.zeroize();
    assert_eq!(block.0, [0; 1000]);
}
