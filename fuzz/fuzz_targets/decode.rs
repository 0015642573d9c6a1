#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent_envelope_fuzz::decode(data));
