//! AES-256-GCM of four libraries, as the datapath uses it: key schedule kept, 16 bytes of associated
//! data, in place, no allocation. Prints the table of `docs/decisions/` on the AEAD.
//!
//! `cargo run --release` in this folder. Each figure is the fastest of 101 runs of 5,000 operations, the
//! libraries taking turns: what the library costs where nothing disturbs it.

use std::hint::black_box;
use std::time::Instant;

const RUNS: usize = 101;
const OPERATIONS: u64 = 5_000;
const TAG_BYTES: usize = 16;
const KEY: [u8; 32] = [7; 32];
const ASSOCIATED: [u8; 16] = [3; 16];

/// One library: seal in place (tag at the end of the buffer), open in place, expand a key.
trait Library {
    fn name(&self) -> &'static str;
    fn seal(&self, counter: u64, buffer: &mut [u8]);
    fn open(&self, counter: u64, buffer: &mut [u8]);
    fn expand(&self, key: &[u8; 32]);
    fn key_bytes(&self) -> usize;
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    bytes
}

macro_rules! ring_like {
    ($type:ident, $name:literal, $library:ident) => {
        struct $type($library::aead::LessSafeKey);

        impl $type {
            fn new(key: &[u8; 32]) -> Self {
                use $library::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
                Self(LessSafeKey::new(
                    UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"),
                ))
            }
        }

        impl Library for $type {
            fn name(&self) -> &'static str {
                $name
            }
            fn seal(&self, counter: u64, buffer: &mut [u8]) {
                use $library::aead::{Aad, Nonce};
                let (plain, place) = buffer.split_at_mut(buffer.len() - TAG_BYTES);
                let nonce = Nonce::assume_unique_for_key(nonce(counter));
                let tag = self
                    .0
                    .seal_in_place_separate_tag(nonce, Aad::from(&ASSOCIATED), plain);
                place.copy_from_slice(tag.expect("short enough").as_ref());
            }
            fn open(&self, counter: u64, buffer: &mut [u8]) {
                use $library::aead::{Aad, Nonce};
                let nonce = Nonce::assume_unique_for_key(nonce(counter));
                let opened = self.0.open_in_place(nonce, Aad::from(&ASSOCIATED), buffer);
                black_box(opened.expect("sealed before"));
            }
            fn expand(&self, key: &[u8; 32]) {
                black_box(Self::new(key));
            }
            fn key_bytes(&self) -> usize {
                size_of::<Self>()
            }
        }
    };
}

ring_like!(Ring, "ring 0.17", ring);
ring_like!(AwsLc, "aws-lc-rs 1", aws_lc_rs);

struct RustCrypto(aes_gcm::Aes256Gcm);

impl Library for RustCrypto {
    fn name(&self) -> &'static str {
        "RustCrypto aes-gcm 0.11"
    }
    fn seal(&self, counter: u64, buffer: &mut [u8]) {
        use aes_gcm::AeadInOut;
        let (plain, place) = buffer.split_at_mut(buffer.len() - TAG_BYTES);
        let tag = self
            .0
            .encrypt_inout_detached(&nonce(counter).into(), &ASSOCIATED, plain.into());
        place.copy_from_slice(&tag.expect("short enough"));
    }
    fn open(&self, counter: u64, buffer: &mut [u8]) {
        use aes_gcm::AeadInOut;
        let (sealed, tag) = buffer.split_at_mut(buffer.len() - TAG_BYTES);
        let tag: [u8; TAG_BYTES] = (&*tag).try_into().expect("16 bytes");
        self.0
            .decrypt_inout_detached(
                &nonce(counter).into(),
                &ASSOCIATED,
                sealed.into(),
                &tag.into(),
            )
            .expect("sealed before");
    }
    fn expand(&self, key: &[u8; 32]) {
        use aes_gcm::KeyInit;
        black_box(aes_gcm::Aes256Gcm::new(key.into()));
    }
    fn key_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

struct Graviola(graviola::aead::AesGcm);

impl Library for Graviola {
    fn name(&self) -> &'static str {
        "graviola 0.4"
    }
    fn seal(&self, counter: u64, buffer: &mut [u8]) {
        let (plain, place) = buffer.split_at_mut(buffer.len() - TAG_BYTES);
        let tag: &mut [u8; TAG_BYTES] = place.try_into().expect("16 bytes");
        self.0.encrypt(&nonce(counter), &ASSOCIATED, plain, tag);
    }
    fn open(&self, counter: u64, buffer: &mut [u8]) {
        let (sealed, tag) = buffer.split_at_mut(buffer.len() - TAG_BYTES);
        self.0
            .decrypt(&nonce(counter), &ASSOCIATED, sealed, tag)
            .expect("sealed before");
    }
    fn expand(&self, key: &[u8; 32]) {
        black_box(graviola::aead::AesGcm::new(key));
    }
    fn key_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

fn main() {
    let libraries: [Box<dyn Library>; 4] = [
        Box::new(Ring::new(&KEY)),
        Box::new(AwsLc::new(&KEY)),
        Box::new(RustCrypto(aes_gcm::KeyInit::new((&KEY).into()))),
        Box::new(Graviola(graviola::aead::AesGcm::new(&KEY))),
    ];
    println!("ns, seal / open{:24}", "");
    print!("| bytes |");
    for library in &libraries {
        print!(" {} |", library.name());
    }
    println!();
    for bytes in [48, 52, 64, 68, 80, 100, 512, 1_400] {
        let figures = measure(&libraries, |library| {
            let mut buffer = vec![1; bytes + TAG_BYTES];
            let seal_ns = time(|counter| library.seal(counter, &mut buffer));
            library.seal(1, &mut buffer);
            let sealed = buffer.clone();
            let open_ns = time(|_| {
                buffer.copy_from_slice(&sealed);
                library.open(1, &mut buffer);
            });
            [seal_ns, open_ns]
        });
        print!("| {bytes} |");
        for [seal_ns, open_ns] in figures {
            print!(" {seal_ns:.0} / {open_ns:.0} |");
        }
        println!();
    }
    let figures = measure(&libraries, |library| {
        let expand_ns = time(|counter| {
            let mut key = KEY;
            key[0] = counter as u8;
            library.expand(&key);
        });
        [expand_ns, library.key_bytes() as f64]
    });
    print!("| new key, its bytes |");
    for [expand_ns, key_bytes] in figures {
        print!(" {expand_ns:.0}, {key_bytes:.0} |");
    }
    println!();
}

/// Two figures per library: the smallest over interleaved runs.
fn measure(
    libraries: &[Box<dyn Library>],
    run: impl Fn(&dyn Library) -> [f64; 2],
) -> Vec<[f64; 2]> {
    let mut figures = vec![[Vec::new(), Vec::new()]; libraries.len()];
    for _ in 0..RUNS {
        for (library, [first, second]) in libraries.iter().zip(&mut figures) {
            let [a, b] = run(library.as_ref());
            first.push(a);
            second.push(b);
        }
    }
    figures.into_iter().map(|pair| pair.map(smallest)).collect()
}

fn time(mut operation: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    for counter in 0..OPERATIONS {
        operation(counter);
    }
    began.elapsed().as_nanos() as f64 / OPERATIONS as f64
}

fn smallest(figures: Vec<f64>) -> f64 {
    figures.into_iter().fold(f64::INFINITY, f64::min)
}
