//! What fuzz targets reach and users do not: the codec by itself.

use alloc::vec::Vec;

use crate::Error;

/// Reads one item of whatever shape and writes it again.
///
/// # Errors
///
/// The encoding errors, and [`Error::LimitExceeded`] for items more than 64 deep.
pub fn rewrite(input: &[u8]) -> Result<Vec<u8>, Error> {
    crate::cbor::rewrite(input)
}

#[cfg(test)]
#[path = "../tests/fuzzing/codec.rs"]
mod codec;
#[cfg(test)]
#[path = "../tests/fuzzing/lenient.rs"]
mod lenient;

#[cfg(test)]
mod tests {
    use super::*;

    /// The codec is private, so its seeds are replayed here and those of the other targets in `tests/fuzz_seeds.rs`.
    #[test]
    fn seeds_of_the_codec_are_replayed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/codec");
        let Ok(seeds) = std::fs::read_dir(folder) else {
            // Packages for the registry come without.
            assert!(!std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz")).exists());
            return;
        };
        let mut accepted = 0;
        for seed in seeds {
            let seed = std::fs::read(seed.expect("a seed").path()).expect("a seed");
            codec::check(&seed, rewrite);
            accepted += usize::from(rewrite(&seed).is_ok());
        }
        assert!(accepted > 10, "only {accepted} seeds are an item");
    }
}
