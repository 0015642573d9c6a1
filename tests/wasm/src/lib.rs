//! The runner of the test vectors as a WebAssembly module: a file of vectors in, what came of each step out.
//!
//! It is the code that `cargo test` runs, on a machine of 32 bits and without any operating system. `run.mjs` compares.

// An inline module with a path: so the runner finds its own submodules where they are.
#[path = "../../vectors"]
mod vectors {
    #[allow(dead_code, reason = "what only the generator of the vectors calls")]
    pub(crate) mod run;
}

use std::alloc::{Layout, alloc, dealloc};

use serde_json::Value;

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Tells why the module is about to trap.
    fn panicked(text: *const u8, length: usize);
}

fn layout(length: usize) -> Layout {
    Layout::array::<u8>(length.max(1)).expect("less than the address space")
}

/// Gives room for `length` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    // SAFETY: the layout is not empty.
    unsafe { alloc(layout(length)) }
}

/// Takes back what `reserve` or `run` gave.
///
/// # Safety
///
/// `at` came from one of them, for this `length`, and is given back once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn release(at: *mut u8, length: usize) {
    // SAFETY: as the caller promises.
    unsafe { dealloc(at, layout(length)) }
}

/// Replays every case of a file; returns, for each, what came of its steps, as JSON: where it lies in the upper half,
/// its length in the lower.
///
/// # Safety
///
/// `length` bytes at `at` were written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn run(at: *const u8, length: usize) -> u64 {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        // SAFETY: the host reads `text` while it is borrowed.
        unsafe { panicked(text.as_ptr(), text.len()) }
    }));
    // SAFETY: as the caller promises.
    let text = unsafe { core::slice::from_raw_parts(at, length) };
    let file: Value = serde_json::from_slice(text).expect("a file of vectors is JSON");
    let cases = file["cases"].as_array().expect("a file of vectors has cases");
    let all: Value = cases.iter().map(|case| vectors::run::outcomes(&file, case)).collect();
    let text = all.to_string().into_bytes().into_boxed_slice();
    let length = text.len();
    let at = Box::into_raw(text).cast::<u8>();
    ((at as u64) << 32) | length as u64
}
