//! Reads items of whatever shape, for fuzzing alone: the format itself names each item that it expects.

use super::*;
use crate::cbor::Encoder;

/// How deep arrays and maps may lie in each other here. The format itself knows its depth.
const DEPTH: usize = 64;

/// Reads one item that takes all of `input`, through the functions that the format uses, and writes it again.
pub(crate) fn rewrite(input: &[u8]) -> Result<alloc::vec::Vec<u8>, Error> {
    let (mut decoder, mut out) = (Decoder::new(input), Encoder::new());
    item(&mut decoder, &mut out, DEPTH)?;
    decoder.finish()?;
    Ok(out.finish())
}

fn item(decoder: &mut Decoder<'_>, out: &mut Encoder, depth: usize) -> Result<(), Error> {
    let below = depth.checked_sub(1).ok_or(Error::LimitExceeded {
        what: "levels of items",
        limit: DEPTH,
        found: DEPTH + 1,
    });
    match decoder.clone().head()?.0 {
        UINT => out.uint(decoder.uint_up_to(u64::MAX)?),
        NEGATIVE => out.int(decoder.integer()?),
        BYTES => out.bytes(decoder.bytes()?),
        TEXT => out.text(decoder.text()?),
        ARRAY => {
            let items = decoder.array()?;
            out.array(items);
            let below = below?;
            for _ in 0..items {
                item(decoder, out, below)?;
            }
            out
        }
        MAP => {
            let mut map = decoder.map("map")?;
            out.map(map.left);
            let below = below?;
            while let Some((key, _)) = map.peek()? {
                out.int(key);
                item(map.required(key)?, out, below)?;
            }
            map.end()?;
            out
        }
        _ => {
            assert!(decoder.null(), "of major type 7, only null has a head");
            out.null()
        }
    };
    Ok(())
}
