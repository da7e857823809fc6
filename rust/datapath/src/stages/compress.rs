//! `Compress` and `Decompress`: zstd frames in the place of payloads, each made by itself.
//!
//! Nothing of one packet is context of another, and a frame can name only dictionaries of its own object:
//! so the length of a packet depends on that packet and on its tenant's dictionary alone. A frame is a whole
//! one (RFC 8878), so that `zstd -D` reads it too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zstd::zstd_safe::{CCtx, CDict, DCtx, DDict, compress_bound, find_frame_compressed_size};

use super::frame::FrameHeader;
use crate::counters::Reason;

/// Longest dictionary.
pub const MAX_DICTIONARY_BYTES: usize = 32_768;
/// Dictionaries of one object: the one in use, the one before it, and the next.
const MAX_VERSIONS: usize = 3;
/// Speed against ratio; dictionaries of 8 KiB gain little above it.
const LEVEL: i32 = 3;
const DICTIONARY_MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// The smallest window of a frame that has a window descriptor.
const MIN_WINDOW_BYTES: u64 = 1_024;

/// A trained dictionary, digested for both ways.
pub struct Dictionary {
    number: u32,
    bytes: Box<[u8]>,
    packing: CDict<'static>,
    unpacking: DDict<'static>,
}

impl Dictionary {
    /// Digest the bytes of a dictionary as `zstd --train` writes them. `None` when they are none, carry
    /// no number, or are more than 32 KiB.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let number = bytes.strip_prefix(&DICTIONARY_MAGIC)?.first_chunk()?;
        let number = u32::from_le_bytes(*number);
        if number == 0 || bytes.len() > MAX_DICTIONARY_BYTES {
            return None;
        }
        Some(Self {
            number,
            bytes: bytes.into(),
            packing: CDict::try_create(bytes, LEVEL)?,
            unpacking: DDict::try_create(bytes)?,
        })
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Dictionary({})", self.number)
    }
}

/// The dictionaries of one object, by their numbers: the highest is the newest.
#[derive(Clone, Debug, Default)]
pub struct Dictionaries {
    versions: BTreeMap<u32, Arc<Dictionary>>,
}

impl Dictionaries {
    /// Keep one, in the place of that with its number; of four the lowest is forgotten.
    pub fn keep(&mut self, dictionary: Dictionary) {
        self.versions
            .insert(dictionary.number, Arc::new(dictionary));
        if self.versions.len() > MAX_VERSIONS {
            self.versions.pop_first();
        }
    }

    /// Whether exactly these bytes are kept.
    pub fn has(&self, bytes: &[u8]) -> bool {
        self.versions.values().any(|one| *one.bytes == *bytes)
    }

    fn find(&self, number: u32) -> Option<&Dictionary> {
        self.versions.get(&number).map(|one| &**one)
    }
}

/// Working memory, for all objects of a thread, and buffers that payloads were changed in.
#[derive(Default)]
pub struct Zstd {
    packing: Option<CCtx<'static>>,
    unpacking: Option<DCtx<'static>>,
    spare: Vec<Vec<u8>>,
}

impl Zstd {
    /// Compress `payload` with the dictionary `number`. `None` leaves it as it is: the dictionary is not
    /// (or no more) there, the frame would not be smaller, or it would be smaller by more than `ratio`,
    /// which who unpacks it refuses.
    pub fn compress(
        &mut self,
        dictionaries: &Dictionaries,
        number: u32,
        ratio: u32,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let dictionary = dictionaries.find(number)?;
        let mut frame = self.buffer();
        frame.reserve(compress_bound(payload.len()));
        let context = self.packing.take().or_else(CCtx::try_create)?;
        let context = self.packing.insert(context);
        let made = context.compress_using_cdict(&mut frame, payload, &dictionary.packing);
        let is_worth_it = made.is_ok()
            && frame.len() < payload.len()
            && payload.len() as u64 <= frame.len() as u64 * u64::from(ratio);
        if is_worth_it {
            Some(frame)
        } else {
            self.give_back(frame);
            None
        }
    }

    /// Decompress `frame`, which may be up to `limit_bytes` and up to `ratio` times its own length.
    ///
    /// # Errors
    /// `UnknownDictionary`, `ExpandsTooMuch` (nothing was decompressed then), `Undecodable`.
    pub fn decompress(
        &mut self,
        dictionaries: &Dictionaries,
        ratio: u32,
        limit_bytes: usize,
        frame: &[u8],
    ) -> Result<Vec<u8>, Reason> {
        let header = FrameHeader::parse(frame).ok_or(Reason::Undecodable)?;
        let limit = limit_bytes as u64;
        if header.content_bytes > limit.min(frame.len() as u64 * u64::from(ratio))
            || header.window_bytes > limit.max(MIN_WINDOW_BYTES)
        {
            return Err(Reason::ExpandsTooMuch);
        }
        let dictionary = dictionaries
            .find(header.dictionary)
            .ok_or(Reason::UnknownDictionary)?;
        if find_frame_compressed_size(frame) != Ok(frame.len()) {
            return Err(Reason::Undecodable);
        }
        let context = self.unpacking.take().or_else(DCtx::try_create);
        let mut payload = self.buffer();
        payload.resize(header.content_bytes as usize, 0);
        let context = self.unpacking.insert(context.ok_or(Reason::Undecodable)?);
        let made = context.decompress_using_ddict(&mut payload[..], frame, &dictionary.unpacking);
        if made == Ok(payload.len()) {
            Ok(payload)
        } else {
            self.give_back(payload);
            Err(Reason::Undecodable)
        }
    }

    /// A payload that was changed has left.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }
}

/// Most buffers kept: a packet is in one, and one more while it is changed twice.
const MAX_SPARE: usize = 4;

impl Clone for Zstd {
    /// Working memory is nobody's state.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Zstd")
    }
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
