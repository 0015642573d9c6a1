//! Writes CBOR by hand, well-formed or not.

pub(crate) fn head(major: u8, argument: u64) -> Vec<u8> {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => vec![major | bytes[7]],
        24..=0xff => vec![major | 24, bytes[7]],
        0x100..=0xffff => [&[major | 25][..], &bytes[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26][..], &bytes[4..]].concat(),
        _ => [&[major | 27][..], &bytes].concat(),
    }
}

fn counted(major: u8, count: usize) -> Vec<u8> {
    head(major, u64::try_from(count).expect("no platform has lengths beyond 64 bits"))
}

pub(crate) fn uint(value: u64) -> Vec<u8> {
    head(0, value)
}

pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    [&counted(2, value.len())[..], value].concat()
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    [&counted(3, value.len())[..], value.as_bytes()].concat()
}

/// Writes an array of items that are encoded already.
pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [counted(4, items.len()), items.concat()].concat()
}

/// Writes a map of keys and values that are encoded already.
pub(crate) fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = counted(5, pairs.len());
    for (key, value) in pairs {
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    out
}
