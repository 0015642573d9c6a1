//! HPKE as COSE uses it: the eight HPKE-4-KE messages of draft-ietf-cose-hpke.
//!
//! The draft's published vectors for key encryption with X25519, HKDF-SHA256 and
//! ChaCha20-Poly1305. They fix the bytes of Recipient_structure.

use alloc::vec::Vec;

use ciborium::Value;

use super::*;

/// `d` (label -4) of the COSE_Key "bob-hpke_4_ke".
const READER: &str = "00f28ee18a4ddcdd4f318dd88ba71efe0bb68002015e9c4879e99edf4e9c4b60";

struct Vector {
    /// `external_aad` of the content layer.
    aad: &'static str,
    /// `recipient_extra_info`.
    info: &'static str,
    /// The `aad` of HPKE itself.
    hpke_aad: &'static str,
    message: &'static str,
}

const VECTORS: [Vector; 8] = [
    Vector {
        aad: "",
        info: "",
        hpke_aad: "",
        message: concat!(
            "d8608444a1011818a1054c06361aad32854c99401d9613582107f6ed7364a443fab2dc1710de081e",
            "8e535d621ab98d45e92cd15ecfac213dff6d818353a2011832044d626f622d68706b655f345f6b65",
            "a1235820ba1cbbf9ccacde066147b54ea4c28806c41add5495c37295d520d5332d247102583022d9",
            "d848d1e3603de56c4a3a0ece5ca75e6a51b929d28142a53067f6169001da5320bbe23facb5c4f6f4",
            "28f35c4af1cb",
        ),
    },
    Vector {
        aad: "",
        info: "",
        hpke_aad: "external-hpke-aad",
        message: concat!(
            "d8608444a1011818a1054c9c4cbe7dc327ce468d50bd9e58216f145b2851c502d5b0c3ce4bcd99e9",
            "6299e2aba606e2af70338c91b31c68a7613b818353a2011832044d626f622d68706b655f345f6b65",
            "a1235820e1e167e1917be9aa3090108e145a03d0fd204242800da4cab096573fb5f4f16458307139",
            "7ad12d2a974dd23eaa363f40d3c59c6e706b6b4c8d2a4ec4a6de92e860c30552336591bec0a8e51f",
            "e293bca83740",
        ),
    },
    Vector {
        aad: "external-aad",
        info: "",
        hpke_aad: "",
        message: concat!(
            "d8608444a1011818a1054c3d211831f229feb2b70db089582105a0acb03ea75dd18d53bf05e64826",
            "0c91c890355985a11d527eb8c4189590b08d818353a2011832044d626f622d68706b655f345f6b65",
            "a1235820c18fb4814d1f116b82836aeb213bd3528ae6a2417da08cc5abb6b15575217b345830ec40",
            "8b0789d9097e9be5101e9e84a307608955570547964d2d840aecef45909361477ce85b012d4ad0d3",
            "bd9b2fad9101",
        ),
    },
    Vector {
        aad: "external-aad",
        info: "",
        hpke_aad: "external-hpke-aad",
        message: concat!(
            "d8608444a1011818a1054ca3a0a911408279f90ca90b0858214cbe2773a824c0e526c75dfd20285b",
            "2cef1d39605ff9b64e4f3e16ba943e237263818353a2011832044d626f622d68706b655f345f6b65",
            "a1235820e2d8f154d1a40c518058770f0f345b9d448b418397ccc42d2af887ae9c13721058301693",
            "2c4f4a574d2ab03dc02729dbaf404330a21df11e1ebc2e52c462e48fed0a0cd3219bff3e9eef5fdc",
            "19d92aad161c",
        ),
    },
    Vector {
        aad: "",
        info: "external-info",
        hpke_aad: "",
        message: concat!(
            "d8608444a1011818a1054cd7ab613f6cc110a022aaba5958210a1b3f842a6c339bc939bea0ec5a0f",
            "265777f67d8bb4b826252b6252ba4cdfc6db818353a2011832044d626f622d68706b655f345f6b65",
            "a1235820f8fec4f5ada1c6f6a6b1ee9b89092200c8a481daccfb51fd47b4fa99709427465830cd5b",
            "8342f3727d7afa5b981c7be6edeaada728833f801ec658cc77763d6de36af71122a250c5edf7df85",
            "3c54dc486fe9",
        ),
    },
    Vector {
        aad: "",
        info: "external-info",
        hpke_aad: "external-hpke-aad",
        message: concat!(
            "d8608444a1011818a1054cff6ec38f45005c1d36229a2858212291e110fe7cca10f0258abfa31dbb",
            "9c8d019f88dc297f7a1641474650db40ec82818353a2011832044d626f622d68706b655f345f6b65",
            "a1235820e6fec434687bc3b5cd0597c4a56d76c325fb8c21d4dfe8e7aaa47b4572c58f4a58301677",
            "20e484a884f32f961544bc2fa865cbbee622c73bc98424871e7dcc9e7dbeb8b50edc8f6bd499a0e0",
            "8b9bdb916841",
        ),
    },
    Vector {
        aad: "external-aad",
        info: "external-info",
        hpke_aad: "",
        message: concat!(
            "d8608444a1011818a1054cbde082e4f5995e02d5ecfa6d582116efe45e6ac45104adf41a3d46a627",
            "ad743f8178a0a326ddc1431d030172bcd35e818353a2011832044d626f622d68706b655f345f6b65",
            "a1235820a7252d0db32722de877846fefc59ceadd29e698db423ebe3577cd6c0af195f675830520b",
            "088ea067725bfeb093abd31bb75164233a499171855f3d68cd93cad466d56fc29119c475b10e29a6",
            "9951163383a1",
        ),
    },
    Vector {
        aad: "external-aad",
        info: "external-info",
        hpke_aad: "external-hpke-aad",
        message: concat!(
            "d8608444a1011818a1054c2bf44cdd95f7de613426342c58210fee2d9d95bf69355ff885451849a0",
            "dad422dcb3cac652e11413bb87a16da8c333818353a2011832044d626f622d68706b655f345f6b65",
            "a123582063915e953e2d4a681251ae4e19fb61d4d0591cb6cba32d989ec97d0d9c65841a5830c8fc",
            "0abec5ee853241c63be826b682119856d9dcc511a0aa4ae5121555afe61980716cd793312fa52ca1",
            "30649e8b69f9",
        ),
    },
];

/// Opens a message as its reader would: the key from the recipient, the content with the key.
fn open(vector: &Vector) -> Option<Vec<u8>> {
    let message: Value = ciborium::from_reader(&hex(vector.message)[..]).expect("CBOR");
    // COSE_Encrypt, tag 96: [protected, {5: iv}, ciphertext, [recipient]]
    let Value::Tag(96, content) = message else { panic!("not a COSE_Encrypt") };
    let content = content.into_array().expect("COSE_Encrypt");
    let [protected, unprotected, ciphertext, recipients] = &content[..] else { panic!("4 parts") };
    let recipients = recipients.as_array().expect("recipients");
    let [recipient] = &recipients[..] else { panic!("one recipient") };
    // COSE_recipient: [protected, {-4: ek}, ciphertext]
    let recipient = recipient.as_array().expect("COSE_recipient");
    let [recipient_protected, ek, wrapped] = &recipient[..] else { panic!("3 parts") };
    // {1: 24} and {1: 50, 4: "bob-hpke_4_ke"}
    assert_eq!(bytes(protected), hex("a1011818"));
    assert_eq!(bytes(recipient_protected), [&hex("a2011832044d")[..], b"bob-hpke_4_ke"].concat());

    let reader = SealingSecret::from_bytes(hex_array(READER));
    let key = open_key(
        &reader,
        &array(only_entry(ek, -4)),
        &recipient_structure(bytes(recipient_protected), vector.info.as_bytes()),
        vector.hpke_aad.as_bytes(),
        &array(wrapped),
    )?;
    aead_open(
        &key,
        &array(only_entry(unprotected, 5)),
        &enc_structure(bytes(protected), vector.aad.as_bytes()),
        bytes(ciphertext),
    )
}

/// Recipient_structure, the `info` of HPKE, by draft-ietf-cose-hpke, "Recipient_structure".
fn recipient_structure(protected: &[u8], extra_info: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    encoded.push(0x84); // array(4)
    encoded.push(0x6e); //    text(14)
    encoded.extend(b"HPKE Recipient");
    encoded.extend([0x18, 0x18]); //    24, next_layer_alg: ChaCha20/Poly1305
    encoded.push(0x40 | short(protected)); //    bytes, the header as it arrived
    encoded.extend(protected);
    encoded.push(0x40 | short(extra_info)); //    bytes
    encoded.extend(extra_info);
    encoded
}

/// Enc_structure, the `aad` of the content. RFC 9052 §5.3.
fn enc_structure(protected: &[u8], external_aad: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    encoded.push(0x83); // array(3)
    encoded.push(0x67); //    text(7)
    encoded.extend(b"Encrypt");
    encoded.push(0x40 | short(protected));
    encoded.extend(protected);
    encoded.push(0x40 | short(external_aad));
    encoded.extend(external_aad);
    encoded
}

/// A length that fits CBOR's initial byte.
fn short(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).ok().filter(|length| *length < 24).expect("under 24 bytes")
}

fn bytes(value: &Value) -> &[u8] {
    value.as_bytes().expect("a byte string")
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("a byte string of this length")
}

fn only_entry(map: &Value, label: i64) -> &Value {
    let [(found, value)] = &map.as_map().expect("a map")[..] else { panic!("one entry") };
    assert_eq!(*found, Value::from(label));
    value
}

#[test]
fn all_eight_messages_open() {
    for (at, vector) in VECTORS.iter().enumerate() {
        assert_eq!(open(vector).as_deref(), Some(&b"hpke test payload"[..]), "message {at}");
    }
}

#[test]
fn no_message_opens_with_the_inputs_of_another() {
    for (at, vector) in VECTORS.iter().enumerate() {
        for (other_at, other) in VECTORS.iter().enumerate().filter(|(other, _)| *other != at) {
            let mixed = Vector { message: vector.message, ..*other };
            assert_eq!(open(&mixed), None, "message {at}, inputs of {other_at}");
        }
    }
}
