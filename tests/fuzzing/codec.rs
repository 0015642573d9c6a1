//! The codec by itself: it accepts one encoding of each value, and refuses with the truth.

use super::lenient;
use agent_envelope::Error;

/// Compares what the codec says with what another decoder says.
pub(crate) fn check(data: &[u8], rewrite: fn(&[u8]) -> Result<Vec<u8>, Error>) {
    let lenient = lenient::read(data);
    match rewrite(data) {
        Ok(again) => {
            assert_eq!(again, data, "what was read is written as it was");
            let value = lenient.expect("another decoder reads it too");
            assert_eq!(lenient::canonical(&value).as_deref(), Some(data));
        }
        Err(error) => {
            lenient::assert_true(&error, data);
            let deterministic = lenient.and_then(|value| lenient::canonical(&value));
            if deterministic.as_deref() == Some(data) {
                // Of what is deterministic, it leaves out integers beyond 64 bits with sign, keys that are no
                // integers, and what lies deep.
                let left_out = matches!(
                    error,
                    Error::IntegerTooLarge { .. }
                        | Error::WrongType { .. }
                        | Error::LimitExceeded { .. }
                );
                assert!(left_out, "{error}: refused, though deterministic");
            }
        }
    }
}
