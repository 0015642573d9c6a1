//! HPKE against the `hpke` crate: what one seals, the other opens.

use core::convert::Infallible;

use alloc::vec::Vec;

use ::hpke::aead::ChaCha20Poly1305;
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::X25519HkdfSha256;
use ::hpke::rand_core::{TryCryptoRng, TryRng};
use ::hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open,
    single_shot_seal_with_rng,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type TheirSecret = <X25519HkdfSha256 as Kem>::PrivateKey;
type TheirPublic = <X25519HkdfSha256 as Kem>::PublicKey;
type TheirEnc = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Hands the same 32 bytes to whoever asks: `hpke` wants an rng where we want a key.
struct Drawn([u8; 32]);

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("a key is drawn as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("a key is drawn as bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

pub(super) fn they_seal(
    recipient: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    ikm: [u8; 32],
) -> ([u8; 32], Vec<u8>) {
    let (enc, ciphertext) =
        single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &TheirPublic::from_bytes(recipient).expect("32 bytes"),
            info,
            plaintext,
            aad,
            &mut Drawn(ikm),
        )
        .expect("not of low order");
    (enc.to_bytes().into(), ciphertext)
}

pub(super) fn they_open(
    secret: &[u8; 32],
    enc: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Option<Vec<u8>> {
    single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &TheirSecret::from_bytes(secret).expect("32 bytes"),
        &TheirEnc::from_bytes(enc).expect("32 bytes"),
        info,
        ciphertext,
        aad,
    )
    .ok()
}

proptest! {
    #[test]
    fn what_we_wrap_they_open_and_back(
        reader: [u8; 32],
        ikm: [u8; 32],
        key: [u8; 32],
        info in vec(any::<u8>(), 0..200),
        aad in vec(any::<u8>(), 0..200),
    ) {
        let secret = SealingSecret::from_bytes(reader);
        let ours = seal_key(&secret.public(), &info, &aad, &key, derive_key_pair(&ikm))
            .expect("not of low order");
        let opened = they_open(&reader, &ours.0, &info, &aad, &ours.1);
        prop_assert_eq!(opened.as_deref(), Some(&key[..]));

        // From the same ephemeral key the two are equal byte for byte.
        let (enc, ciphertext) = they_seal(&secret.public(), &info, &aad, &key, ikm);
        let theirs = (enc, ciphertext.try_into().expect("48 bytes"));
        prop_assert_eq!(ours, theirs);
        let opened = open_key(&secret, &theirs.0, &info, &aad, &theirs.1);
        prop_assert_eq!(opened.as_deref(), Some(&key));
    }

    #[test]
    fn contexts_agree_at_every_length(
        reader: [u8; 32],
        ikm: [u8; 32],
        info in vec(any::<u8>(), 0..200),
        aad in vec(any::<u8>(), 0..200),
        plaintext in vec(any::<u8>(), 0..300),
    ) {
        let secret = SealingSecret::from_bytes(reader);
        let (enc, context) = setup_base_s(&secret.public(), &info, derive_key_pair(&ikm))
            .expect("not of low order");
        let sealed = aead_seal(&context.key, &context.base_nonce, &aad, &plaintext)
            .expect("short");
        let opened = they_open(&reader, &enc, &info, &aad, &sealed);
        prop_assert_eq!(opened.as_ref(), Some(&plaintext));

        let (enc, sealed) = they_seal(&secret.public(), &info, &aad, &plaintext, ikm);
        let context = setup_base_r(&enc, &secret, &info).expect("not of low order");
        let opened = aead_open(&context.key, &context.base_nonce, &aad, &sealed);
        prop_assert_eq!(opened, Some(plaintext));
    }

    #[test]
    fn both_refuse_what_neither_made(
        reader: [u8; 32],
        enc: [u8; 32],
        wrapped in vec(any::<u8>(), WRAPPED_KEY_LEN),
    ) {
        let wrapped: [u8; WRAPPED_KEY_LEN] = wrapped.try_into().expect("48 bytes");
        let secret = SealingSecret::from_bytes(reader);
        prop_assert_eq!(open_key(&secret, &enc, b"", b"", &wrapped), None);
        prop_assert_eq!(they_open(&reader, &enc, b"", b"", &wrapped), None);
    }
}
