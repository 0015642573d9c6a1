//! Writes deterministic CBOR into a buffer or straight into a hash.

use alloc::vec::Vec;
use core::ops::Deref;

use super::{ARRAY, BYTES, MAP, NEGATIVE, NULL, TEXT, UINT};

/// Where encoded bytes go: a buffer, or a hash that never sees them assembled.
pub(crate) trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A buffer on the stack, for items of which the longest is known.
pub(crate) struct Buffer<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Deref for Buffer<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl<const N: usize> Sink for Buffer<N> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }
}

/// Writes items in the one form that [`Decoder`](super::Decoder) accepts. Order of keys is the caller's duty.
pub(crate) struct Encoder<S = Vec<u8>> {
    sink: S,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self::over(Vec::new())
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self::over(Vec::with_capacity(capacity))
    }
}

impl<const N: usize> Encoder<Buffer<N>> {
    /// Encodes at most `N` bytes, without an allocation.
    pub(crate) const fn on_stack() -> Self {
        Self { sink: Buffer { bytes: [0; N], length: 0 } }
    }
}

impl<S: Sink> Encoder<S> {
    pub(crate) fn over(sink: S) -> Self {
        Self { sink }
    }

    pub(crate) fn finish(self) -> S {
        self.sink
    }

    pub(crate) fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UINT, value)
    }

    /// Writes a count or length; they fit 64 bits on every platform that Rust has.
    pub(crate) fn count(&mut self, value: usize) -> &mut Self {
        self.uint(wide(value))
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 {
            self.head(NEGATIVE, !value.cast_unsigned())
        } else {
            self.head(UINT, value.cast_unsigned())
        }
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.bytes_head(value.len());
        self.raw(value)
    }

    /// Opens a byte string whose `length` bytes follow through [`raw`](Self::raw).
    pub(crate) fn bytes_head(&mut self, length: usize) -> &mut Self {
        self.head(BYTES, wide(length))
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.text_bytes(value.as_bytes())
    }

    /// Writes a text whose bytes are known to be UTF-8.
    pub(crate) fn text_bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(TEXT, wide(value.len()));
        self.raw(value)
    }

    pub(crate) fn array(&mut self, items: usize) -> &mut Self {
        self.head(ARRAY, wide(items))
    }

    pub(crate) fn map(&mut self, pairs: usize) -> &mut Self {
        self.head(MAP, wide(pairs))
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.raw(&[NULL])
    }

    /// Writes bytes that are encoded already.
    pub(crate) fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.sink.put(encoded);
        self
    }

    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let [.., b4, b5, b6, b7] = argument.to_be_bytes();
        let first = major << 5;
        match argument {
            0..=23 => self.raw(&[first + b7]),
            24..=0xff => self.raw(&[first + 24, b7]),
            0x100..=0xffff => self.raw(&[first + 25, b6, b7]),
            0x1_0000..=0xffff_ffff => self.raw(&[first + 26, b4, b5, b6, b7]),
            _ => self.raw(&[first + 27]).raw(&argument.to_be_bytes()),
        }
    }
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).expect("no platform has lengths beyond 64 bits")
}
