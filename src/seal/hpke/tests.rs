//! HPKE against RFC 9180 A.2.1, and what must never open.

use alloc::format;

use super::*;
use crate::seal::primitives::{aead_open, aead_seal};
use crate::seal::testing::{hex, hex_array};

mod cose_hpke_vectors;
mod differential;

// RFC 9180 A.2.1: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.
const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
const IKM_R: &str = "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df";
const IKM_E: &str = "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b";
const SK_R: &str = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
const SK_E: &str = "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600";
const PK_R: &str = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
const ENC: &str = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
const SHARED_SECRET: &str = "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7";
const KEY_SCHEDULE_CONTEXT: &str = concat!(
    "00431df6cd95e11ff49d7013563baf7f11588c75a6611ee2a4404a49306ae4cfc5",
    "b69c5718a60cc5876c358d3f7fc31ddb598503f67be58ea1e798c0bb19eb9796",
);
const SECRET: &str = "5b9cd775e64b437a2335cf499361b2e0d5e444d5cb41a8a53336d8fe402282c6";
const KEY: &str = "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91";
const BASE_NONCE: &str = "5c4d98150661b848853b547f";

/// The sequence number, which `aad` spells out as "Count-n", and the ciphertext.
const ENCRYPTIONS: [(u8, &str); 10] = [
    (
        0,
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
    ),
    (
        1,
        "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c",
    ),
    (
        2,
        "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02b4f10ecac6f48c32f878fae86b",
    ),
    (
        3,
        "5b23a1bb4a46eb6534d7929b88055d6a73fe36fa2209b7c851391a8b73aba3f8034e2cc588317ad35804fa4f0c",
    ),
    (
        4,
        "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122bb153495ff0b02e9e54a50dbe16",
    ),
    (
        5,
        "13e916caf926e56e911b1f114f4d3b91da26a5761bc475bb874e91fc625e2f15d6789a8bcb69907d03d618406b",
    ),
    (
        6,
        "1ae4fc091fddf17c3c18c8b7bb60063668e6eb7fdcd0abef5aaa8922eb73b4317cbe38301689a9bd876487e86d",
    ),
    (
        7,
        "3034f34153aa2227884561ea011af79eaf74fc9f4540c7ef71bb49e80c0a38834ecd2a2582c0c6c7412b76fbdb",
    ),
    (
        8,
        "d9f753851465e7153c1c0ec83c5d9804f52b2a984e6d8bbeafd92865a736ce1dffec4cb28f3adbde0d16acac77",
    ),
    (
        9,
        "f3af37da4888aa0b0f1ded625e06a277429df8e8d89782b6d10e58e94bf50136abdb2b5daee5101213b0f49f5f",
    ),
];

/// DeriveKeyPair(ikm) for X25519. RFC 9180 §7.1.3.
fn derive_key_pair(ikm: &[u8]) -> SealingSecret {
    let dkp_prk = labeled_extract(b"", KEM_SUITE_ID, b"dkp_prk", ikm);
    let sk = labeled_expand(&Prk::new(&dkp_prk), KEM_SUITE_ID, b"sk", [b"", b""]);
    SealingSecret::from_bytes(*sk)
}

fn secret(byte: u8) -> SealingSecret {
    SealingSecret::from_bytes([byte; 32])
}

#[test]
fn key_pairs_derive_as_in_rfc_9180() {
    let (reader, ephemeral) = (derive_key_pair(&hex(IKM_R)), derive_key_pair(&hex(IKM_E)));
    assert_eq!(**reader.secret, hex_array(SK_R));
    assert_eq!(reader.public(), hex_array(PK_R));
    assert_eq!(**ephemeral.secret, hex_array(SK_E));
    assert_eq!(ephemeral.public(), hex_array(ENC));
}

#[test]
fn encap_and_decap_agree_with_rfc_9180() {
    let (reader, ephemeral) = (derive_key_pair(&hex(IKM_R)), derive_key_pair(&hex(IKM_E)));
    let (shared_secret, enc) = encap(&reader.public(), &ephemeral).expect("not of low order");
    assert_eq!(enc, hex_array(ENC));
    assert_eq!(*shared_secret, hex_array(SHARED_SECRET));
    assert_eq!(decap(&enc, &reader), Some(shared_secret));
}

#[test]
fn the_key_schedule_agrees_with_rfc_9180() {
    let shared_secret = hex_array(SHARED_SECRET);
    let info_hash = labeled_extract(b"", HPKE_SUITE_ID, b"info_hash", &hex(INFO));
    assert_eq!([&BASE_MODE_CONTEXT[..], &info_hash[..]].concat(), hex(KEY_SCHEDULE_CONTEXT));
    let secret = labeled_extract(&shared_secret, HPKE_SUITE_ID, b"secret", b"");
    assert_eq!(*secret, hex_array(SECRET));
    let context = key_schedule(&shared_secret, &hex(INFO));
    assert_eq!(*context.key, hex_array(KEY));
    assert_eq!(*context.base_nonce, hex_array(BASE_NONCE));
}

#[test]
fn the_base_mode_context_is_the_mode_and_the_hash_of_no_psk_id() {
    let psk_id_hash = labeled_extract(b"", HPKE_SUITE_ID, b"psk_id_hash", b"");
    assert_eq!(BASE_MODE_CONTEXT[0], 0x00);
    assert_eq!(BASE_MODE_CONTEXT[1..], *psk_id_hash);
}

#[test]
fn every_encryption_of_rfc_9180_agrees() {
    let reader = SealingSecret::from_bytes(hex_array(SK_R));
    let ephemeral = SealingSecret::from_bytes(hex_array(SK_E));
    let (enc, sender) = setup_base_s(&reader.public(), &hex(INFO), ephemeral).expect("good points");
    let receiver = setup_base_r(&enc, &reader, &hex(INFO)).expect("a good point");
    let plaintext = b"Beauty is truth, truth beauty";
    for (sequence, ciphertext) in ENCRYPTIONS {
        // §5.2, ComputeNonce: the sequence number as a big-endian number, xored in.
        let mut nonce = *sender.base_nonce;
        nonce[11] ^= sequence;
        let aad = format!("Count-{sequence}");
        let sealed = aead_seal(&sender.key, &nonce, aad.as_bytes(), plaintext).expect("short");
        assert_eq!(sealed, hex(ciphertext), "sequence number {sequence}");
        let opened = aead_open(&receiver.key, &nonce, aad.as_bytes(), &sealed);
        assert_eq!(opened.as_deref(), Some(&plaintext[..]), "sequence number {sequence}");
    }
}

#[test]
fn a_wrapped_key_opens_for_its_reader_alone() {
    let (reader, other) = (secret(1), secret(2));
    let (enc, wrapped) =
        seal_key(&reader.public(), b"info", b"aad", &[7; 32], secret(3)).expect("a good point");
    let opened = open_key(&reader, &enc, b"info", b"aad", &wrapped);
    assert_eq!(opened.as_deref(), Some(&[7; 32]));
    assert_eq!(open_key(&other, &enc, b"info", b"aad", &wrapped), None);
}

#[test]
fn flipping_any_bit_refuses() {
    let reader = secret(1);
    let (info, aad) = (*b"twenty bytes of info", *b"nine byte");
    let (enc, wrapped) =
        seal_key(&reader.public(), &info, &aad, &[7; 32], secret(3)).expect("a good point");
    // Bit 255 of enc changes no point (RFC 7748 §5 masks it), but it is hashed.
    for enc in flips(enc) {
        assert_eq!(open_key(&reader, &enc, &info, &aad, &wrapped), None);
    }
    for info in flips(info) {
        assert_eq!(open_key(&reader, &enc, &info, &aad, &wrapped), None);
    }
    for aad in flips(aad) {
        assert_eq!(open_key(&reader, &enc, &info, &aad, &wrapped), None);
    }
    for wrapped in flips(wrapped) {
        assert_eq!(open_key(&reader, &enc, &info, &aad, &wrapped), None);
    }
    assert!(open_key(&reader, &enc, &info, &aad, &wrapped).is_some());
}

/// Each array that differs from `bytes` in one bit.
fn flips<const N: usize>(bytes: [u8; N]) -> impl Iterator<Item = [u8; N]> {
    (0..N * 8).map(move |bit| {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn info_and_aad_do_not_run_into_each_other() {
    let reader = secret(1);
    let (enc, wrapped) =
        seal_key(&reader.public(), b"ab", b"c", &[7; 32], secret(3)).expect("a good point");
    assert_eq!(open_key(&reader, &enc, b"a", b"bc", &wrapped), None);
    assert_eq!(open_key(&reader, &enc, b"c", b"ab", &wrapped), None);
}

// The points of order 1, 2, 4 and 8 on the curve and its twist, and their non-canonical spellings.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn a_point_of_low_order_is_refused_on_both_sides() {
    for point in LOW_ORDER {
        for top_bit in [0x00, 0x80] {
            let mut point: [u8; 32] = hex_array(point);
            point[31] |= top_bit;
            assert_eq!(seal_key(&point, b"", b"", &[7; 32], secret(3)), None);
            assert_eq!(open_key(&secret(1), &point, b"", b"", &[0; WRAPPED_KEY_LEN]), None);
        }
    }
}

#[test]
fn a_low_order_enc_is_refused_even_when_the_rest_was_made_for_it() {
    // What a sender obtains who knows the shared secret will be all zero.
    let (reader, enc) = (secret(1), [0; 32]);
    let shared_secret = extract_and_expand(&[0; 32], [&enc, &reader.public()]);
    let context = key_schedule(&shared_secret, b"");
    let sealed = aead_seal(&context.key, &context.base_nonce, b"", &[7; 32]).expect("short");
    let wrapped = sealed.try_into().expect("48 bytes");
    assert_eq!(open_key(&reader, &enc, b"", b"", &wrapped), None);
}

#[test]
fn debug_of_a_secret_prints_no_bytes() {
    assert_eq!(format!("{:?}", secret(0xab)), "SealingSecret(..)");
    assert_eq!(format!("{:#?}", secret(0xab)), "SealingSecret(..)");
}
