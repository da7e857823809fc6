//! Any bytes as what crosses between the node and a worker, whose code is not to be trusted.

#![no_main]

mod bounded;

use bounded::{ONE, within};
use ei_datapath::codec::{EffectBatch, Events, StreamEffects};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| within(ONE, || decode(bytes)));

fn decode(bytes: &[u8]) {
    if let Ok(batch) = EffectBatch::decode(bytes) {
        assert!(batch.answers.len() <= bytes.len());
    }
    let _ = StreamEffects::decode(bytes);
    let _ = Events::decode(bytes);
}
