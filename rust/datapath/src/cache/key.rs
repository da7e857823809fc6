//! Under which 128 bits a decision is kept.
//!
//! The key of a decision is (service, ingress pipe, source, connection, metadata), and for a receiver's
//! guard the guarded hop; no wildcards. It is held as SipHash-1-3-128 under a secret of this boot: who
//! does not know the secret can neither aim at another's entry nor pile entries up in one place.

use siphasher::sip128::SipHasher13;

use crate::wire::Address;

/// What a packet asks of the cache, before `match_metadata` cuts its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Number that the source named.
    pub service: u32,
    /// Peer whose pipe delivered the packet.
    pub ingress: Address,
    /// Whom it speaks for.
    pub source: Address,
    /// Within (source, service).
    pub connection: u64,
    /// The service's own bytes, at most 255.
    pub metadata: &'a [u8],
    /// For a receiver's guards: the hop that they guard.
    pub egress: Option<Address>,
}

/// Whose answer a key finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The whole chain's, in this version of its configuration.
    Chain {
        /// Changes with the chain, so that what was joined before is never found again.
        generation: u32,
    },
    /// The part of one service of the chain.
    Part {
        /// Its number.
        service: u32,
    },
}

/// Level, service, lengths, connection, ingress, source.
const FIXED_BYTES: usize = 8 + 8 + 8 + 16 + 16;
/// Where metadata starts behind an egress.
const TAIL_START: usize = FIXED_BYTES + 16;
const MAX_METADATA_BYTES: usize = 255;
const SHORT_METADATA_BYTES: usize = 48;

/// Hashes questions under the secret of this boot.
#[derive(Clone)]
pub struct KeyHasher {
    hasher: SipHasher13,
}

impl KeyHasher {
    /// A hasher with its secret.
    pub fn new(secret: [u8; 16]) -> Self {
        Self {
            hasher: SipHasher13::new_with_key(&secret),
        }
    }

    /// The key of `question` at `level`, its metadata cut to `match_bytes`.
    #[inline]
    pub fn key(&self, level: Level, question: &Question<'_>, match_bytes: u8) -> u128 {
        let metadata = cut(question.metadata, match_bytes);
        // Zeroing a buffer for the longest metadata would cost as much as hashing the usual one.
        if metadata.len() <= SHORT_METADATA_BYTES {
            self.key_in(
                [0; TAIL_START + SHORT_METADATA_BYTES],
                level,
                question,
                metadata,
            )
        } else {
            self.key_in(
                [0; TAIL_START + MAX_METADATA_BYTES],
                level,
                question,
                metadata,
            )
        }
    }

    #[inline]
    fn key_in<const N: usize>(
        &self,
        mut fields: [u8; N],
        level: Level,
        question: &Question<'_>,
        metadata: &[u8],
    ) -> u128 {
        let (kind, number) = match level {
            Level::Chain { generation } => (0, generation),
            Level::Part { service } => (1, service),
        };
        let has_egress = u32::from(question.egress.is_some());
        let lengths = metadata.len() as u32 | has_egress << 16;
        let head = u64::from(number) << 8 | kind;
        let named = u64::from(lengths) << 32 | u64::from(question.service);
        let mut put = |start: usize, field: &[u8]| {
            if let Some(place) = fields.get_mut(start..start + field.len()) {
                place.copy_from_slice(field);
            }
        };
        put(0, &head.to_le_bytes());
        put(8, &named.to_le_bytes());
        put(16, &question.connection.to_le_bytes());
        put(24, &question.ingress.0);
        put(40, &question.source.0);
        let metadata_start = match &question.egress {
            Some(egress) => {
                put(FIXED_BYTES, &egress.0);
                TAIL_START
            }
            None => FIXED_BYTES,
        };
        put(metadata_start, metadata);
        let end = metadata_start + metadata.len();
        self.hasher
            .hash(fields.get(..end).unwrap_or(&fields))
            .as_u128()
    }

    /// A keyed hash of a tag or name, for tables of fixed size.
    pub fn slot(&self, name: &[u8]) -> u64 {
        self.hasher.hash(name).h1
    }
}

impl std::fmt::Debug for KeyHasher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyHasher")
    }
}

/// The first `match_bytes` of `metadata`, or all of it when it is shorter.
pub fn cut(metadata: &[u8], match_bytes: u8) -> &[u8] {
    metadata.get(..usize::from(match_bytes)).unwrap_or(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question<'static> {
        Question {
            service: 16,
            ingress: Address([1; 16]),
            source: Address([2; 16]),
            connection: 7,
            metadata: b"abc",
            egress: None,
        }
    }

    const CHAIN: Level = Level::Chain { generation: 0 };

    #[test]
    fn every_field_counts() {
        let hasher = KeyHasher::new([9; 16]);
        let base = question();
        let others = [
            Question {
                service: 17,
                ..base
            },
            Question {
                ingress: Address([3; 16]),
                ..base
            },
            Question {
                source: Address([3; 16]),
                ..base
            },
            Question {
                connection: 8,
                ..base
            },
            Question {
                metadata: b"abd",
                ..base
            },
            Question {
                metadata: b"ab",
                ..base
            },
            Question {
                egress: Some(Address([0; 16])),
                ..base
            },
        ];

        let mut keys: Vec<_> = others
            .iter()
            .map(|other| hasher.key(CHAIN, other, 255))
            .collect();
        keys.push(hasher.key(CHAIN, &base, 255));
        keys.push(hasher.key(Level::Chain { generation: 1 }, &base, 255));
        keys.push(hasher.key(Level::Part { service: 0 }, &base, 255));
        keys.push(KeyHasher::new([8; 16]).key(CHAIN, &base, 255));

        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), others.len() + 4);
    }

    #[test]
    fn what_is_cut_off_does_not_count() {
        let hasher = KeyHasher::new([9; 16]);
        let longer = Question {
            metadata: b"abd",
            ..question()
        };

        assert_eq!(
            hasher.key(CHAIN, &question(), 2),
            hasher.key(CHAIN, &longer, 2)
        );
        assert_ne!(
            hasher.key(CHAIN, &question(), 3),
            hasher.key(CHAIN, &longer, 3)
        );
    }

    #[test]
    fn an_egress_is_never_taken_for_metadata() {
        let hasher = KeyHasher::new([9; 16]);
        let metadata = [5; 16];
        let with_metadata = Question {
            metadata: &metadata,
            ..question()
        };
        let with_egress = Question {
            metadata: b"",
            egress: Some(Address(metadata)),
            ..question()
        };

        assert_ne!(
            hasher.key(CHAIN, &with_metadata, 255),
            hasher.key(CHAIN, &with_egress, 255)
        );
    }
}
