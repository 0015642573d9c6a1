//! The requests that a program under valgrind may make of memcheck, for x86-64 on Linux.
//!
//! Memcheck follows for every bit whether it was ever defined, and reports branches and addresses that depend on one that was
//! not. Secrets that are marked as undefined turn it into a checker of constant time (Adam Langley's ctgrind).

use core::arch::asm;

/// `memcheck.h`: the numbers of a tool's requests begin with its two letters.
const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;

/// Makes a request. The rotations add up to nothing and `xchg rbx, rbx` does nothing, but valgrind knows the sequence
/// (`valgrind.h`, `__SPECIAL_INSTRUCTION_PREAMBLE`); on a bare processor, the answer is `otherwise`.
fn request(otherwise: usize, number: usize, arguments: [usize; 3]) -> usize {
    let [first, second, third] = arguments;
    let block = [number, first, second, third, 0, 0];
    let mut answer = otherwise;
    // SAFETY: the registers have after it what they had before it, but for the answer. Memcheck reads `block` and touches
    // nothing of this program but its own record of which bits are defined, and in `vbits` the buffer that it is given.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") block.as_ptr(),
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

pub(crate) fn is_running() -> bool {
    request(0, 0x1001, [0; 3]) != 0
}

/// Returns how many errors there were so far, but for those that are suppressed.
pub(crate) fn errors() -> usize {
    request(0, 0x1201, [0; 3])
}

fn span<T: ?Sized>(value: &T) -> (usize, usize) {
    (core::ptr::from_ref(value).cast::<u8>() as usize, size_of_val(value))
}

/// Marks a value as secret: no branch and no address may depend on it from now on.
pub(crate) fn secret<T: ?Sized>(value: &T) {
    let (at, size) = span(value);
    request(0, MEMCHECK + 1, [at, size, 0]);
}

/// Marks a value as public.
pub(crate) fn public<T: ?Sized>(value: &T) {
    let (at, size) = span(value);
    request(0, MEMCHECK + 2, [at, size, 0]);
}

/// Tells whether any bit of these bytes depends on a secret, without counting as an error.
pub(crate) fn depends_on_a_secret(bytes: &[u8]) -> bool {
    let mut vbits = vec![0_u8; bytes.len()];
    let answer = request(
        0,
        MEMCHECK + 8,
        [bytes.as_ptr() as usize, vbits.as_mut_ptr() as usize, bytes.len()],
    );
    assert_eq!(answer, 1, "memcheck knows these bytes");
    vbits.iter().any(|bits| *bits != 0)
}
