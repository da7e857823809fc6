use super::*;
use proptest::prelude::*;

const RATIO: u32 = 100;
const LIMIT: usize = 65_000;

/// Readings of a thermometer, as like one another as those of one tenant are.
fn reading(number: u32) -> Vec<u8> {
    let (celsius, volts) = (number * 7919 % 400, number * 104_729 % 900);
    format!(
        r#"{{"device":"meter-{:05}","unix_s":{},"temperature":{}.{},"battery_v":3.{volts:03},"ok":true}}"#,
        number * 31 % 100_000,
        1_800_000_000 + number,
        celsius / 10,
        celsius % 10,
    )
    .into_bytes()
}

/// A dictionary of readings from `first` on, with that number.
fn trained(first: u32, number: u32) -> Vec<u8> {
    let readings: Vec<_> = (first..first + 1_000).map(reading).collect();
    let sizes: Vec<_> = readings.iter().map(Vec::len).collect();
    let mut bytes = vec![0; 4_096];
    let length =
        zstd::zstd_safe::train_from_buffer(&mut bytes[..], &readings.concat(), &sizes).unwrap();
    bytes.truncate(length);
    bytes[4..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

thread_local! {
    static TRAINED: Vec<u8> = trained(0, 0x8001);
}

fn kept(dictionaries: &[&[u8]]) -> Dictionaries {
    let mut kept = Dictionaries::default();
    for bytes in dictionaries {
        kept.keep(Dictionary::new(bytes).unwrap());
    }
    kept
}

#[test]
fn an_unseen_reading_is_a_third_and_comes_back() {
    let (kept, mut zstd) = (kept(&[&trained(0, 0x8001)]), Zstd::default());
    let payload = reading(5_000);

    let frame = zstd.compress(&kept, 0x8001, RATIO, &payload).unwrap();

    assert!(
        frame.len() * 5 < payload.len() * 2,
        "{} of {}",
        frame.len(),
        payload.len()
    );
    assert_eq!(zstd.decompress(&kept, RATIO, LIMIT, &frame), Ok(payload));
}

#[test]
fn what_would_not_be_smaller_is_left() {
    let (kept, mut zstd) = (kept(&[&trained(0, 0x8001)]), Zstd::default());
    let noise: Vec<u8> = (0..200u32)
        .map(|at| ((at * at * 40_503) >> 7) as u8)
        .collect();

    assert_eq!(zstd.compress(&kept, 0x8001, RATIO, &noise), None);
    assert_eq!(zstd.compress(&kept, 0x8001, RATIO, b""), None);
    assert_eq!(zstd.compress(&kept, 0x8002, RATIO, &reading(1)), None);
}

#[test]
fn what_would_be_refused_is_not_made() {
    let (kept, mut zstd) = (kept(&[&trained(0, 0x8001)]), Zstd::default());
    let zeros = vec![0; 60_000];

    assert_eq!(zstd.compress(&kept, 0x8001, RATIO, &zeros), None);

    let bomb = zstd.compress(&kept, 0x8001, 1_000_000, &zeros).unwrap();
    assert!(bomb.len() * 1_000 < zeros.len());
    let refused = Err(Reason::ExpandsTooMuch);
    assert_eq!(zstd.decompress(&kept, RATIO, LIMIT, &bomb), refused);
    assert_eq!(zstd.decompress(&kept, 1_000_000, 1_400, &bomb), refused);
}

#[test]
fn a_window_beyond_the_cap_is_refused() {
    let (kept, mut zstd) = (kept(&[&trained(0, 0x8001)]), Zstd::default());
    // 300 bytes in a window of 128 MiB, which the frame says it needs.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x43, 0x88, 0x01, 0x80, 0, 0, 44, 0];
    frame.extend([0u8; 64]);

    let refused = zstd.decompress(&kept, RATIO, LIMIT, &frame);

    assert_eq!(refused, Err(Reason::ExpandsTooMuch));
}

#[test]
fn a_dictionary_of_another_object_is_unknown() {
    let (ours, theirs) = (kept(&[&trained(0, 0x8001)]), kept(&[&trained(0, 0x8002)]));
    let mut zstd = Zstd::default();
    let frame = zstd.compress(&theirs, 0x8002, RATIO, &reading(9)).unwrap();

    let refused = zstd.decompress(&ours, RATIO, LIMIT, &frame);

    assert_eq!(refused, Err(Reason::UnknownDictionary));
}

#[test]
fn frames_of_the_dictionary_before_are_still_read() {
    let dictionaries = [1, 2, 3, 4].map(|number| trained(number * 100, number));
    let mut kept = kept(&[&dictionaries[0], &dictionaries[1], &dictionaries[2]]);
    let mut zstd = Zstd::default();
    let frames = [1, 2, 3].map(|number| zstd.compress(&kept, number, RATIO, &reading(9)).unwrap());

    for frame in &frames {
        assert_eq!(zstd.decompress(&kept, RATIO, LIMIT, frame), Ok(reading(9)));
    }
    kept.keep(Dictionary::new(&dictionaries[3]).unwrap());

    let forgotten = zstd.decompress(&kept, RATIO, LIMIT, &frames[0]);
    assert_eq!(forgotten, Err(Reason::UnknownDictionary));
    assert_eq!(
        zstd.decompress(&kept, RATIO, LIMIT, &frames[1]),
        Ok(reading(9))
    );
}

#[test]
fn what_is_no_dictionary_is_refused() {
    let good = trained(0, 0x8001);
    let mut numberless = good.clone();
    numberless[4..8].fill(0);
    let mut too_long = good.clone();
    too_long.resize(MAX_DICTIONARY_BYTES + 1, 0);

    for bytes in [&b""[..], b"not one", &good[..40], &numberless, &too_long] {
        assert!(Dictionary::new(bytes).is_none(), "{} bytes", bytes.len());
    }
}

#[test]
fn a_frame_has_to_end_where_the_payload_ends() {
    let (kept, mut zstd) = (kept(&[&trained(0, 0x8001)]), Zstd::default());
    let frame = zstd.compress(&kept, 0x8001, RATIO, &reading(9)).unwrap();
    let longer = [&frame[..], &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat();
    let shorter = &frame[..frame.len() - 1];

    for bytes in [&longer[..], shorter, b"", b"plain"] {
        let refused = zstd.decompress(&kept, RATIO, LIMIT, bytes);
        assert_eq!(refused, Err(Reason::Undecodable));
    }
}

proptest! {
    /// A tenant may sign whatever it likes: its dictionary is refused, or what it compresses comes back.
    #[test]
    fn a_strange_dictionary_is_refused_or_works(
        number in 0u32..1_000,
        changes in proptest::collection::vec((8usize..600, any::<u8>()), 1..8),
    ) {
        let mut bytes = TRAINED.with(Vec::clone);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        let Some(dictionary) = Dictionary::new(&bytes) else {
            return Ok(());
        };
        let (mut kept, mut zstd) = (Dictionaries::default(), Zstd::default());
        kept.keep(dictionary);
        let payload = reading(number);
        if let Some(frame) = zstd.compress(&kept, 0x8001, RATIO, &payload) {
            prop_assert_eq!(zstd.decompress(&kept, RATIO, LIMIT, &frame), Ok(payload));
        }
    }

    #[test]
    fn changed_frames_never_exceed_the_cap(
        number in 0u32..10_000,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (kept, mut zstd) = (TRAINED.with(|trained| kept(&[trained])), Zstd::default());
        let mut frame = zstd.compress(&kept, 0x8001, RATIO, &reading(number)).unwrap();
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if let Ok(payload) = zstd.decompress(&kept, 10, 1_400, &frame) {
            prop_assert!(payload.len() <= 1_400.min(frame.len() * 10));
        }
    }
}
