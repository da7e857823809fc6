//! Any bytes as what crosses between the node and a worker, whose code is not to be trusted.

#![no_main]

mod bounded;

use bounded::{ONE, within};
use ei_datapath::codec::{EffectBatch, Events, StreamEffects};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| within(ONE, || decode(bytes)));

fn decode(bytes: &[u8]) {
    let effects = EffectBatch::decode(bytes).map(|batch| batch.answers.len());
    assert!(effects.is_err() || effects <= Ok(bytes.len()));
    let _ = StreamEffects::decode(bytes);
    let _ = Events::decode(bytes);
}
