//! Public vectors, for both variants: Wycheproof (`tests/vectors/README.md` says whose) and NIST's.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use ei_aead::{Key, Nonce};

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&text[start..start + 2], 16).unwrap())
        .collect()
}

fn keys(key: &str) -> [Key; 2] {
    let key = bytes(key).try_into().unwrap();
    [Key::new(&key), Key::portable(&key)]
}

fn nonce(text: &str) -> Nonce {
    Nonce::from_bytes(bytes(text).try_into().unwrap())
}

#[test]
fn the_wycheproof_vectors_of_aes_256_gcm_pass() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/wycheproof_aes_gcm_test.json"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut count = 0;
    for group in vectors["testGroups"].as_array().unwrap() {
        if group["keySize"] != 256 || group["ivSize"] != 96 || group["tagSize"] != 128 {
            continue;
        }
        for test in group["tests"].as_array().unwrap() {
            let field = |name: &str| test[name].as_str().unwrap();
            let nonce = nonce(field("iv"));
            let (associated, plain) = (bytes(field("aad")), bytes(field("msg")));
            let sealed = bytes(&[field("ct"), field("tag")].concat());
            let is_valid = test["result"] == "valid";
            for key in keys(field("key")) {
                let mut buffer = plain.clone();
                let tag = key.seal(nonce, &associated, &mut buffer).unwrap();
                buffer.extend_from_slice(&tag);
                assert_eq!(buffer == sealed, is_valid, "{}", test["tcId"]);

                buffer.copy_from_slice(&sealed);
                let opened = key.open(nonce, &associated, &mut buffer);
                let is_plain = opened.is_ok_and(|opened| opened == plain);
                assert_eq!(is_plain, is_valid, "{}", test["tcId"]);
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

/// "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega, as submitted to NIST, appendix B: test
/// cases 13 to 16, those of 256-bit keys and 96-bit nonces.
#[test]
fn the_test_cases_of_those_who_made_gcm_pass() {
    const KEY: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    const NONCE: &str = "cafebabefacedbaddecaf888";
    const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                         1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    const SEALED: &str = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                          8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    let zeros = "0".repeat(64);
    let cases = [
        (
            &*zeros,
            &zeros[..24],
            "",
            "",
            "",
            "530f8afbc74536b9a963b4f1c4cb738b",
        ),
        (
            &zeros,
            &zeros[..24],
            "",
            &zeros[..32],
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (
            KEY,
            NONCE,
            "",
            PLAIN,
            SEALED,
            "b094dac5d93471bdec1a502270e3cc6c",
        ),
        (
            KEY,
            NONCE,
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            &PLAIN[..120],
            &SEALED[..120],
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ];

    for (key, number, associated, plain, sealed, tag) in cases {
        for key in keys(key) {
            let mut buffer = bytes(plain);
            let sealed_tag = key.seal(nonce(number), &bytes(associated), &mut buffer);
            assert_eq!(buffer, bytes(sealed));
            assert_eq!(sealed_tag.unwrap().to_vec(), bytes(tag));
        }
    }
}
