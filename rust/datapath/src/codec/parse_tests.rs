use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const A: [u8; 16] = [0xfd, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const B: [u8; 16] = [0xfd, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// `msgspec.msgpack.encode` of the same batch in Python, where `ttl_s` was written as the int 10.
const GOLDEN: &str = "930102919301a09894009c10c410fd350000000000000000000000000001c410fd3500000000\
    0000000000000000000207c4026d6dc403706179013f01c3c2c400c410fd3500000000000000000000000000019192\
    01c4017492039596c410fd350000000000000000000000000001c410fd35000000000000000000000000000207c402\
    6d6dc4001092009294c410fd350000000000000000000000000001c0c0c094c410fd35000000000000000000000000\
    0002c4017809c410fd3500000000000000000000000000010ac403746167929400c4016fcd03e8cd07d09201c40174\
    9204c40374616793059c10c410fd350000000000000000000000000001c410fd350000000000000000000000000002\
    07c4026d6dc403706179013f01c3c2c400909306c4016dc410fd3500000000000000000000000000019209c4017193\
    0aa16302920bc4016f";

fn golden_bytes() -> Vec<u8> {
    (0..GOLDEN.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&GOLDEN[start..start + 2], 16).unwrap())
        .collect()
}

fn packet_of_golden() -> Packet<'static> {
    Packet {
        service: 16,
        ingress: &A,
        source: &B,
        connection: 7,
        metadata: b"mm",
        payload: b"pay",
        traffic_class: 1,
        hop_limit: 63,
        protection: 1,
        is_covered: true,
        is_traced: false,
        egress: b"",
    }
}

#[test]
fn the_bytes_of_msgspec_are_understood() {
    let bytes = golden_bytes();

    let batch = EffectBatch::decode(&bytes).unwrap();

    assert_eq!((batch.sequence, batch.epoch), (1, 2));
    let [
        Answer {
            outcome: Outcome::Answered,
            reason: "",
            effects,
        },
    ] = &batch.answers[..]
    else {
        panic!("{batch:?}");
    };
    let key = Key {
        ingress: &A,
        source: &B,
        connection: 7,
        metadata: b"mm",
        egress: b"",
        service: 16,
    };
    let [
        Effect::Send { packet, to, stages },
        Effect::Install(decision),
        Effect::Revoke { tag: b"tag" },
        Effect::Pass { .. },
        Effect::SendControl { message: b"m", .. },
        Effect::Resolve { query: b"q" },
        Effect::Count {
            name: "c",
            amount: 2,
        },
        Effect::ReadTally { object: b"o" },
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*packet, packet_of_golden());
    assert_eq!(*to, A);
    assert_eq!(stages.stages, [Stage::Tally { object: b"t" }]);
    assert_eq!((decision.key, decision.ttl_s), (key, 10.0));
    assert_eq!(
        decision.action,
        Action::Forward(vec![
            Hop {
                to: &A,
                metadata: None,
                connection: None,
                source: None
            },
            Hop {
                to: &B,
                metadata: Some(b"x"),
                connection: Some(9),
                source: Some(&A)
            },
        ])
    );
    assert_eq!(
        decision.stages.stages,
        [
            Stage::Meter {
                object: b"o",
                rate_bytes_per_s: 1000,
                burst_bytes: 2000
            },
            Stage::Tally { object: b"t" },
        ]
    );
}

#[test]
fn every_cut_of_a_batch_is_an_error() {
    let bytes = golden_bytes();

    for length in 0..bytes.len() {
        assert!(
            EffectBatch::decode(&bytes[..length]).is_err(),
            "cut to {length}"
        );
    }
}

#[test]
fn a_length_that_lies_allocates_nothing_for_it() {
    let claims_four_billion = [0x93, 1, 0, 0xdd, 0xff, 0xff, 0xff, 0xff];

    assert_eq!(
        EffectBatch::decode(&claims_four_billion),
        Err(CodecError::Truncated { field: "Answer" })
    );
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(
        EffectBatch::decode(&[0x93, 1, 0, 0x90, 0]),
        Err(CodecError::TrailingBytes)
    );
    assert_eq!(
        EffectBatch::decode(&[0x93, 1, 0, 0x91, 0x93, 9]),
        Err(CodecError::UnknownTag {
            field: "outcome",
            found: 9
        })
    );
    assert_eq!(
        EffectBatch::decode(&[0x93, 1, 0, 0x91, 0x93, 1, 0xa0, 0x91, 0x91, 7]),
        Err(CodecError::UnknownTag {
            field: "Effect",
            found: 7
        })
    );
    assert_eq!(
        EffectBatch::decode(&[0x92]),
        Err(CodecError::WrongLength {
            field: "EffectBatch",
            found: 2
        })
    );
}

prop_compose! {
    fn any_packet()(
        service: u64, ingress in vec(any::<u8>(), 0..18), connection: u64,
        metadata in vec(any::<u8>(), 0..300), traffic_class: u64, hop_limit: u64,
        protection: u64, is_covered: bool, is_traced: bool,
    ) -> Packet<'static> {
        let metadata: &'static [u8] = metadata.leak();
        let ingress: &'static [u8] = ingress.leak();
        Packet {
            service, ingress, source: ingress, connection, metadata, payload: metadata,
            traffic_class, hop_limit, protection, is_covered, is_traced, egress: ingress,
        }
    }
}

fn any_stages() -> impl Strategy<Value = StageList<'static>> {
    let stage = prop_oneof![
        (any::<u64>(), any::<u64>()).prop_map(|(rate_bytes_per_s, burst_bytes)| Stage::Meter {
            object: b"bucket",
            rate_bytes_per_s,
            burst_bytes
        }),
        Just(Stage::Tally { object: b"t" }),
        (any::<u32>(), any::<u32>()).prop_map(|(dictionary, ratio)| Stage::Compress {
            object: b"d",
            dictionary,
            ratio
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(ratio, limit_bytes)| Stage::Decompress {
            object: b"d",
            ratio,
            limit_bytes
        }),
        (any::<u64>(), any::<u64>()).prop_map(|(packets, bytes)| Stage::Keep {
            object: b"k",
            packets,
            bytes
        }),
    ];
    vec(stage, 0..3).prop_map(|stages| StageList::new(stages, Box::leak(Box::default())))
}

fn any_action() -> impl Strategy<Value = Action<'static>> {
    let hop = (any::<bool>(), any::<Option<u64>>()).prop_map(|(keeps, connection)| Hop {
        to: &A,
        metadata: (!keeps).then_some(b"new".as_slice()),
        connection,
        source: keeps.then_some(B.as_slice()),
    });
    prop_oneof![
        vec(hop, 0..40).prop_map(Action::Forward),
        Just(Action::Pass),
        Just(Action::Discard("late")),
    ]
}

fn any_effect() -> impl Strategy<Value = Effect<'static>> {
    let key = Key {
        ingress: &A,
        source: &B,
        connection: u64::MAX,
        metadata: b"k",
        egress: b"",
        service: 16,
    };
    prop_oneof![
        (any_packet(), any_stages()).prop_map(|(packet, stages)| Effect::Send {
            packet,
            to: &B,
            stages
        }),
        (any_packet(), any_stages()).prop_map(|(packet, stages)| Effect::Pass { packet, stages }),
        (any_action(), any::<u32>(), any_stages()).prop_map(move |(action, ttl, stages)| {
            let ttl_s = f64::from(ttl) / 7.0;
            Effect::Install(Decision {
                key,
                action,
                ttl_s,
                tag: b"tag",
                stages,
            })
        }),
        Just(Effect::Revoke { tag: b"tag" }),
        Just(Effect::SendControl {
            message: b"hello",
            to: &A
        }),
        Just(Effect::Resolve { query: b"q" }),
        any::<u64>().prop_map(|amount| Effect::Count {
            name: "seen",
            amount
        }),
        Just(Effect::ReadTally { object: b"t" }),
        Just(Effect::KeepDictionary {
            object: b"d",
            dictionary: b"bytes"
        }),
        Just(Effect::SendKept {
            object: b"k",
            names: vec![b"number 1", b"short"],
            to: &A,
            metadata: b"m"
        }),
    ]
}

fn any_batch() -> impl Strategy<Value = EffectBatch<'static>> {
    let outcome = prop_oneof![
        Just(Outcome::None),
        Just(Outcome::Answered),
        Just(Outcome::Passed),
        Just(Outcome::Held),
        Just(Outcome::Dropped),
    ];
    let answer = (outcome, vec(any_effect(), 0..6)).prop_map(|(outcome, effects)| Answer {
        outcome,
        reason: if outcome == Outcome::Dropped {
            "service_error"
        } else {
            ""
        },
        effects,
    });
    (any::<u64>(), any::<u64>(), vec(answer, 0..20)).prop_map(|(sequence, epoch, answers)| {
        EffectBatch {
            sequence,
            epoch,
            answers,
        }
    })
}

proptest! {
    #[test]
    fn decode_gives_back_what_was_encoded(batch in any_batch()) {
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);

        prop_assert_eq!(EffectBatch::decode(&bytes), Ok(batch));
    }

    #[test]
    fn any_bytes_are_a_batch_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(batch) = EffectBatch::decode(&bytes) {
            prop_assert!(batch.answers.len() <= bytes.len());
        }
    }

    #[test]
    fn a_changed_byte_never_panics(batch in any_batch(), at: prop::sample::Index, value: u8) {
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = value;

        drop(EffectBatch::decode(&bytes));
    }
}
