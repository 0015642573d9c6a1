//! ChaCha20-Poly1305 from its two halves. RFC 8439 §2.8.
//!
//! The crate that joins them feeds Poly1305 the padded additional data, then the text. Poly1305 has vector code for four
//! blocks at once, which it uses as long as it is fed in fours; after any other length it goes on one by one, at half the
//! speed, to the end of the text. Here the last blocks of the additional data and the first of the text go in as one four.

use chacha20::ChaCha20;
use cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};
use zeroize::Zeroizing;

use super::TAG_LEN;

const BLOCK: usize = 16;
const FOUR_BLOCKS: usize = 4 * BLOCK;
/// Bytes of key stream that the 32-bit counter gives, less the first 64, which key Poly1305.
const LONGEST: u64 = 64 * 0xffff_ffff;

/// Encrypts `buffer` where it lies and returns the tag; `None` past [`LONGEST`].
pub(super) fn seal(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    let (mut cipher, mac) = keyed(key, nonce, buffer.len())?;
    cipher.apply_keystream(buffer);
    Some(fed(mac, aad, buffer).finalize().into())
}

/// Decrypts `buffer` where it lies; `None`, and still ciphertext, unless the tag holds, which is compared in constant time.
pub(super) fn open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Option<()> {
    let (mut cipher, mac) = keyed(key, nonce, buffer.len())?;
    fed(mac, aad, buffer).verify(tag.into()).ok()?;
    cipher.apply_keystream(buffer);
    Some(())
}

/// Keys Poly1305 with the beginning of block 0, RFC 8439 §2.6, and leaves the cipher at block 1.
fn keyed(key: &[u8; 32], nonce: &[u8; 12], length: usize) -> Option<(ChaCha20, Poly1305)> {
    if u64::try_from(length).ok()? > LONGEST {
        return None;
    }
    let mut cipher = ChaCha20::new(key.into(), nonce.into());
    let mut one_time_key = Zeroizing::new([0; 32]);
    cipher.apply_keystream(one_time_key.as_mut_slice());
    cipher.seek(64_u64);
    Some((cipher, Poly1305::new((&*one_time_key).into())))
}

/// Feeds `pad16(aad) ‖ pad16(ciphertext) ‖ length of aad ‖ length of ciphertext`.
fn fed(mut mac: Poly1305, aad: &[u8], ciphertext: &[u8]) -> Poly1305 {
    let (whole, rest) = aad.split_at(aad.len() - aad.len() % FOUR_BLOCKS);
    mac.update_padded(whole);

    let begin = rest.len().next_multiple_of(BLOCK);
    let joined = if begin == 0 { 0 } else { ciphertext.len().min(FOUR_BLOCKS - begin) };
    let (first, others) = ciphertext.split_at(joined);
    let mut seam = [0; FOUR_BLOCKS];
    seam[..rest.len()].copy_from_slice(rest);
    seam[begin..begin + joined].copy_from_slice(first);
    mac.update_padded(&seam[..begin + joined]);
    mac.update_padded(others);

    let mut lengths = [0; BLOCK];
    lengths[..8].copy_from_slice(&length(aad));
    lengths[8..].copy_from_slice(&length(ciphertext));
    mac.update_padded(&lengths);
    mac
}

fn length(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).expect("no platform has lengths beyond 64 bits").to_le_bytes()
}
