//! Under which 128 bits a decision is kept.
//!
//! The key of a decision is (service, ingress pipe, source, connection, metadata), and for a receiver's
//! guard the guarded hop; no wildcards. It is held as 128 bits of a keyed hash under a secret of this boot: who
//! does not know the secret can neither aim at another's entry nor pile entries up in one place. Where the
//! processor multiplies polynomials it is `ei_aead::TableHash`, which says how likely collisions are (decision
//! record 279), elsewhere SipHash-1-3-128.

use ei_aead::TableHash;
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

/// Level, service, lengths, connection.
const NUMBERS: usize = 2;
const BLOCK_BYTES: usize = 16;
/// Numbers, ingress, source.
const FIXED_BYTES: usize = (NUMBERS + 2) * BLOCK_BYTES;
const MAX_METADATA_BYTES: usize = 255;
/// An egress, and then metadata.
const MAX_REST_BYTES: usize = BLOCK_BYTES + MAX_METADATA_BYTES;

/// Hashes questions under the secret of this boot.
#[derive(Clone)]
pub struct KeyHasher {
    hasher: SipHasher13,
    table_hash: Option<TableHash>,
}

impl KeyHasher {
    /// A hasher with its secret.
    pub fn new(secret: [u8; 16]) -> Self {
        // Apart from what `slot` makes of the same secret.
        let source = SipHasher13::new_with_key(&secret.map(|byte| byte ^ 0x36));
        let derived = |number: u8| source.hash(&[number]).as_u128();
        Self {
            table_hash: TableHash::new(derived(0), [derived(1), derived(2)]),
            ..Self::portable(secret)
        }
    }

    /// The same as on a processor that cannot do better.
    fn portable(secret: [u8; 16]) -> Self {
        Self {
            hasher: SipHasher13::new_with_key(&secret),
            table_hash: None,
        }
    }

    /// The key of `question` at `level`, its metadata cut to `match_bytes`.
    #[inline]
    pub fn key(&self, level: Level, question: &Question<'_>, match_bytes: u8) -> u128 {
        let metadata = cut(question.metadata, match_bytes);
        let (kind, number) = match level {
            Level::Chain { generation } => (0, generation),
            Level::Part { service } => (1, service),
        };
        let head = u128::from(number) << 8 | kind;
        let named = u128::from(metadata.len() as u64) << 32 | u128::from(question.service);
        let first = named << 64 | head;
        let second = u128::from(question.connection);
        match &question.egress {
            None => self.hash([first, second], question, metadata),
            Some(egress) => {
                let mut rest = [0; MAX_REST_BYTES];
                let bytes = put(&mut rest, [&egress.0, metadata]);
                let has_egress = 1 << (64 + 48);
                self.hash([first | has_egress, second], question, bytes)
            }
        }
    }

    #[inline]
    fn hash(&self, numbers: [u128; NUMBERS], question: &Question<'_>, rest: &[u8]) -> u128 {
        let blocks = [&question.ingress.0, &question.source.0];
        match &self.table_hash {
            Some(table_hash) => table_hash.hash(numbers, blocks, rest),
            None => {
                let [first, second] = numbers.map(u128::to_le_bytes);
                let [third, fourth] = blocks;
                let mut all = [0; FIXED_BYTES + MAX_REST_BYTES];
                let bytes = put(&mut all, [&first, &second, third, fourth, rest]);
                self.hasher.hash(bytes).as_u128()
            }
        }
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

/// Write `parts` one behind the other; returns what was written.
fn put<'a, const N: usize>(place: &'a mut [u8], parts: [&[u8]; N]) -> &'a [u8] {
    let mut end = 0;
    for part in parts {
        if let Some(place) = place.get_mut(end..end + part.len()) {
            place.copy_from_slice(part);
            end += part.len();
        }
    }
    place.get(..end).unwrap_or(&[])
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

    /// This processor's, and what others have.
    fn hashers(secret: u8) -> [KeyHasher; 2] {
        [
            KeyHasher::new([secret; 16]),
            KeyHasher::portable([secret; 16]),
        ]
    }

    #[test]
    fn every_field_counts() {
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

        for (hasher, other_secret) in hashers(9).iter().zip(hashers(8)) {
            let mut keys: Vec<_> = others
                .iter()
                .map(|other| hasher.key(CHAIN, other, 255))
                .collect();
            keys.push(hasher.key(CHAIN, &base, 255));
            keys.push(hasher.key(Level::Chain { generation: 1 }, &base, 255));
            keys.push(hasher.key(Level::Part { service: 0 }, &base, 255));
            keys.push(other_secret.key(CHAIN, &base, 255));

            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), others.len() + 4);
        }
    }

    #[test]
    fn what_is_cut_off_does_not_count() {
        let longer = Question {
            metadata: b"abd",
            ..question()
        };

        for hasher in hashers(9) {
            let key =
                |question: &Question<'_>, match_bytes| hasher.key(CHAIN, question, match_bytes);
            assert_eq!(key(&question(), 2), key(&longer, 2));
            assert_ne!(key(&question(), 3), key(&longer, 3));
        }
    }

    #[test]
    fn an_egress_is_never_taken_for_metadata() {
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

        for hasher in hashers(9) {
            assert_ne!(
                hasher.key(CHAIN, &with_metadata, 255),
                hasher.key(CHAIN, &with_egress, 255)
            );
        }
    }

    #[test]
    fn zeros_at_the_end_of_metadata_count() {
        let zeros = [0; 255];
        let of_length = |length: usize| Question {
            metadata: &zeros[..length],
            ..question()
        };

        for hasher in hashers(9) {
            let mut keys: Vec<_> = (0..=255)
                .map(|length| hasher.key(CHAIN, &of_length(length), 255))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 256);
        }
    }
}
