//! Divides whole units by weight, losing none.

use alloc::vec;
use alloc::vec::Vec;

use crate::Error;

/// Divides `total` by `weights`, exact to the unit, by the method of the largest remainder.
///
/// Each share is its exact quotient rounded down or up; the units left over by rounding down go to the largest
/// remainders, and among equal ones to the first. A weight of zero gets nothing.
///
/// ```
/// use agent_envelope::budget::share;
///
/// assert_eq!(share(100, &[1, 1, 1])?, [34, 33, 33]);
/// assert_eq!(share(7, &[3, 0, 1])?, [5, 0, 2]);
/// # Ok::<(), agent_envelope::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ZeroWeights`] if the weights add up to zero, also if there are none.
pub fn share(total: u64, weights: &[u64]) -> Result<Vec<u64>, Error> {
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    if sum == 0 {
        return Err(Error::ZeroWeights);
    }
    let mut shares = vec![0; weights.len()];
    let mut remainders = Vec::with_capacity(weights.len());
    let mut left = total;
    for (index, weight) in weights.iter().enumerate() {
        // Two u64 make at most a u128.
        let product = u128::from(total) * u128::from(*weight);
        shares[index] = u64::try_from(product / sum).expect("a share is at most the total");
        left -= shares[index];
        remainders.push((product % sum, index));
    }
    remainders.sort_unstable_by(|(a, i), (b, j)| b.cmp(a).then(i.cmp(j)));
    // The remainders add up to `left` whole units and each is less than one, so more than `left` of them are not zero.
    for (_, index) in remainders {
        if left == 0 {
            break;
        }
        shares[index] += 1;
        left -= 1;
    }
    Ok(shares)
}
