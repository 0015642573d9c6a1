//! What a cheat signs by hand: a report that returns twice what was granted. The library would not sign it.

use agent_envelope::budget::Ledger;
use ed25519_dalek::{Signer, SigningKey};

/// Writes the head of a CBOR item.
fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let [.., b6, b7] = value.to_be_bytes();
    let major = major << 5;
    match value {
        0..=23 => out.push(major | b7),
        24..=0xff => out.extend([major | 24, b7]),
        0x100..=0xffff => out.extend([major | 25, b6, b7]),
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend(&value.to_be_bytes()[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend(value.to_be_bytes());
        }
    }
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, 2, u64::try_from(value.len()).unwrap_or(u64::MAX));
    out.extend(value);
}

fn text(out: &mut Vec<u8>, value: &str) {
    head(out, 3, u64::try_from(value.len()).unwrap_or(u64::MAX));
    out.extend(value.as_bytes());
}

/// Signs a ledger history of one entry: `{holder, allotment, prev: null, seq: 0, own, out, back, last report}`.
pub(crate) fn report_twice_the_grant(ledger: &Ledger, seed: &[u8; 32]) -> Vec<u8> {
    let mut claims = Vec::new();
    head(&mut claims, 5, 8);
    claims.push(1);
    bytes(&mut claims, ledger.holder().as_bytes());
    claims.push(2);
    bytes(&mut claims, ledger.id().as_bytes());
    claims.extend([3, 0xf6, 4, 0]);
    claims.extend([5, 0x80, 6, 0x80, 7, 0x80, 8]);
    head(&mut claims, 4, 6);
    claims.push(2);
    let granted: Vec<_> = ledger.terms().amounts().iter().collect();
    head(&mut claims, 4, u64::try_from(granted.len()).unwrap_or(u64::MAX));
    for amount in granted {
        head(&mut claims, 4, if amount.unit().is_some() { 3 } else { 2 });
        head(&mut claims, 0, amount.dimension().id());
        head(&mut claims, 0, amount.value().saturating_mul(2));
        if let Some(unit) = amount.unit() {
            text(&mut claims, unit);
        }
    }
    // The last report; declared; done; no overrun.
    claims.extend([1, 0x81, 0, 0, 0x80]);

    let mut aad = vec![0x81];
    text(&mut aad, "agent-envelope/1/entry");
    let protected = [0xa1, 0x01, 0x32];
    let mut signed = vec![0x84];
    text(&mut signed, "Signature1");
    bytes(&mut signed, &protected);
    bytes(&mut signed, &aad);
    bytes(&mut signed, &claims);
    let signature = SigningKey::from_bytes(seed).sign(&signed).to_bytes();

    let mut history = vec![0x81, 0x84];
    bytes(&mut history, &protected);
    history.push(0xa0);
    bytes(&mut history, &claims);
    bytes(&mut history, &signature);
    history
}
