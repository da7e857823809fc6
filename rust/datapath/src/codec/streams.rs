//! Events and effects of streams, which cross between a node's streams and a worker: tags 8 to 17 of
//! `ei/sdk/streams.py`. No other effect comes on that way, and none of these on any other.

use super::CodecError;
use super::events::EventBatch;
use super::msgpack::Reader;
use super::parse::list;

/// An `EffectBatch` of the streams: for each event of the batch that it answers what the service asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEffects<'a> {
    /// Of the batch it answers; 0 when it comes by itself.
    pub sequence: u64,
    /// One per item of that batch in order, then those of timers and other events.
    pub answers: Vec<Vec<StreamEffect<'a>>>,
}

/// One request of a service. Numbers are within what the Python Struct of the same name allows.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub enum StreamEffect<'a> {
    Open {
        stream: u64,
        to: StreamTarget<'a>,
        deadline_ns: u64,
        ahead: usize,
    },
    Read {
        stream: u64,
        limit: usize,
        idle_ns: u64,
    },
    Write {
        stream: u64,
        data: &'a [u8],
        is_end: bool,
    },
    Close {
        stream: u64,
    },
    Splice {
        a: u64,
        b: u64,
        idle_ns: u64,
        keep_bytes: usize,
        from_byte: Option<u64>,
        meter: Option<SpliceMeter<'a>>,
    },
    StartTls {
        stream: u64,
        site: &'a str,
    },
}

/// `Meter` of `ei/sdk/stages.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct SpliceMeter<'a> {
    pub object: &'a [u8],
    pub rate_bytes_per_s: u64,
    pub burst_bytes: u64,
}

/// Where a stream is opened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub enum StreamTarget<'a> {
    Legacy {
        host: &'a str,
        port: u16,
        is_udp: bool,
    },
    AtNode {
        node: [u8; 16],
        opening: &'a [u8],
    },
    AtHost {
        host: [u8; 16],
        port: u16,
    },
}

/// `MAX_PIECE_BYTES` of `ei/sdk/streams.py`.
pub const MAX_PIECE_BYTES: usize = 64 * 1024;
/// `MAX_OPENING_BYTES` there.
pub const MAX_OPENING_BYTES: usize = 1_024;

/// `MAX_KEEP_BYTES` there.
pub const MAX_KEEP_BYTES: usize = 16 * 1024 * 1024;

/// 253 characters.
const MAX_HOST_BYTES: usize = 4 * 253;
const MAX_AHEAD: usize = 64;
const MAX_OBJECT_BYTES: usize = 64;
const MAX_RATE: usize = 1 << 40;
const MAX_OPEN_S: f64 = 60.0;
const MAX_READ_IDLE_S: f64 = 3_600.0;
const MAX_SPLICE_IDLE_S: f64 = 86_400.0;

impl<'a> StreamEffects<'a> {
    /// Parse a whole message.
    ///
    /// # Errors
    /// Anything but one `EffectBatch` of streams; nothing of it should be applied then.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        reader.array_of(3, "EffectBatch")?;
        let sequence = reader.integer("sequence")?;
        let _epoch_of_decisions = reader.integer("epoch")?;
        let answers = list(&mut reader, "answers", 1, answer)?;
        reader.finish()?;
        Ok(Self { sequence, answers })
    }
}

fn answer<'a>(reader: &mut Reader<'a>) -> Result<Vec<StreamEffect<'a>>, CodecError> {
    reader.array_of(3, "Answer")?;
    let _outcome_of_packets = reader.integer("outcome")?;
    let _reason_of_packets = reader.string("reason")?;
    list(reader, "effects", 2, effect)
}

fn effect<'a>(reader: &mut Reader<'a>) -> Result<StreamEffect<'a>, CodecError> {
    let found = reader.array("Effect")?;
    match (found, reader.integer("Effect tag")?) {
        (5, 12) => Ok(StreamEffect::Open {
            stream: reader.integer("stream")?,
            to: target(reader)?,
            deadline_ns: nanoseconds(reader, "deadline_s", MAX_OPEN_S)?,
            ahead: within(reader, "ahead", 0, MAX_AHEAD)?,
        }),
        (4, 13) => Ok(StreamEffect::Read {
            stream: reader.integer("stream")?,
            limit: within(reader, "limit", 1, MAX_PIECE_BYTES)?,
            idle_ns: nanoseconds(reader, "idle_s", MAX_READ_IDLE_S)?,
        }),
        (4, 14) => Ok(StreamEffect::Write {
            stream: reader.integer("stream")?,
            data: bytes(reader, "data", MAX_PIECE_BYTES)?,
            is_end: reader.boolean("is_end")?,
        }),
        (2, 15) => Ok(StreamEffect::Close {
            stream: reader.integer("stream")?,
        }),
        (7, 16) => Ok(StreamEffect::Splice {
            a: reader.integer("a")?,
            b: reader.integer("b")?,
            idle_ns: nanoseconds(reader, "idle_s", MAX_SPLICE_IDLE_S)?,
            keep_bytes: within(reader, "keep_bytes", 0, MAX_KEEP_BYTES)?,
            from_byte: match reader.nil() {
                true => None,
                false => Some(reader.integer("from_byte")?),
            },
            meter: match reader.nil() {
                true => None,
                false => Some(meter(reader)?),
            },
        }),
        (3, 17) => Ok(StreamEffect::StartTls {
            stream: reader.integer("stream")?,
            site: host(reader, "site")?,
        }),
        (_, 12..=17) => Err(CodecError::WrongLength {
            field: "Effect",
            found,
        }),
        (_, found) => Err(CodecError::UnknownTag {
            field: "Effect",
            found,
        }),
    }
}

fn meter<'a>(reader: &mut Reader<'a>) -> Result<SpliceMeter<'a>, CodecError> {
    let found = reader.array("meter")?;
    match (found, reader.integer("meter tag")?) {
        (4, 0) => {}
        (_, 0) => {
            return Err(CodecError::WrongLength {
                field: "meter",
                found,
            });
        }
        (_, found) => {
            return Err(CodecError::UnknownTag {
                field: "meter",
                found,
            });
        }
    }
    let object = bytes(reader, "object", MAX_OBJECT_BYTES)?;
    if object.is_empty() {
        return Err(CodecError::OutOfRange { field: "object" });
    }
    Ok(SpliceMeter {
        object,
        rate_bytes_per_s: within(reader, "rate_bytes_per_s", 1, MAX_RATE)? as u64,
        burst_bytes: within(reader, "burst_bytes", 1, MAX_RATE)? as u64,
    })
}

fn target<'a>(reader: &mut Reader<'a>) -> Result<StreamTarget<'a>, CodecError> {
    let found = reader.array("StreamTarget")?;
    match (found, reader.integer("StreamTarget tag")?) {
        (4, 0) => Ok(StreamTarget::Legacy {
            host: host(reader, "host")?,
            port: within(reader, "port", 1, 65_535)? as u16,
            is_udp: match reader.string("transport")? {
                "tcp" => false,
                "udp" => true,
                _ => return Err(CodecError::OutOfRange { field: "transport" }),
            },
        }),
        (3, 1) => Ok(StreamTarget::AtNode {
            node: address(reader, "node")?,
            opening: bytes(reader, "opening", MAX_OPENING_BYTES)?,
        }),
        (3, 2) => Ok(StreamTarget::AtHost {
            host: address(reader, "host")?,
            port: within(reader, "port", 0, 65_535)? as u16,
        }),
        (_, 0..=2) => Err(CodecError::WrongLength {
            field: "StreamTarget",
            found,
        }),
        (_, found) => Err(CodecError::UnknownTag {
            field: "StreamTarget",
            found,
        }),
    }
}

fn host<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a str, CodecError> {
    let host = reader.string(field)?;
    match host.len() {
        1..=MAX_HOST_BYTES => Ok(host),
        _ => Err(CodecError::OutOfRange { field }),
    }
}

fn address(reader: &mut Reader<'_>, field: &'static str) -> Result<[u8; 16], CodecError> {
    let bytes = reader.bytes(field)?;
    bytes
        .try_into()
        .map_err(|_| CodecError::OutOfRange { field })
}

fn bytes<'a>(
    reader: &mut Reader<'a>,
    field: &'static str,
    most: usize,
) -> Result<&'a [u8], CodecError> {
    let bytes = reader.bytes(field)?;
    match bytes.len() <= most {
        true => Ok(bytes),
        false => Err(CodecError::OutOfRange { field }),
    }
}

fn within(
    reader: &mut Reader<'_>,
    field: &'static str,
    least: usize,
    most: usize,
) -> Result<usize, CodecError> {
    let found = reader.integer(field)?;
    match usize::try_from(found) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(CodecError::OutOfRange { field }),
    }
}

/// Seconds above 0 and up to `most_s`, as nanoseconds.
fn nanoseconds(
    reader: &mut Reader<'_>,
    field: &'static str,
    most_s: f64,
) -> Result<u64, CodecError> {
    let seconds = reader.float(field)?;
    match seconds > 0.0 && seconds <= most_s {
        true => Ok((seconds * 1e9) as u64),
        false => Err(CodecError::OutOfRange { field }),
    }
}

impl EventBatch {
    /// `StreamOpened`: tag 8.
    pub fn stream_opened(&mut self, stream: u64, peer: &[u8; 16], opening: &[u8], window: u64) {
        let mut writer = self.item(5, 8);
        writer.integer(stream);
        writer.bytes(peer);
        writer.bytes(opening);
        writer.integer(window);
    }

    /// `StreamData`: tag 9.
    pub fn stream_data(&mut self, stream: u64, data: &[u8], is_end: bool) {
        let mut writer = self.item(4, 9);
        writer.integer(stream);
        writer.bytes(data);
        writer.boolean(is_end);
    }

    /// `StreamWritable`: tag 10.
    pub fn stream_writable(&mut self, stream: u64, window: u64) {
        let mut writer = self.item(3, 10);
        writer.integer(stream);
        writer.integer(window);
    }

    /// `StreamClosed`: tag 11.
    pub fn stream_closed(
        &mut self,
        stream: u64,
        reason: &str,
        read_bytes: u64,
        written_bytes: u64,
    ) {
        let mut writer = self.item(5, 11);
        writer.integer(stream);
        writer.string(reason);
        writer.integer(read_bytes);
        writer.integer(written_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|start| u8::from_str_radix(&hex[start..start + 2], 16).unwrap())
            .collect()
    }

    const NODE: [u8; 16] = [0xfd, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    /// `msgspec.msgpack.encode` of the same batch in Python.
    const EFFECTS: &str = "930100919300a099950c039400ab6578616d706c652e6f7267cd01bba3746370cb402400000000000000950c0593\
        01c410fd350000000000000000000000000001c402746fcb3fe000000000000002950c079302c410fd3500000000\
        0000000000000000000150cb402400000000000000940d02ce00010000cb4072c00000000000940e02c403616263\
        c3920f0297100203cb40ac200000000000cd03e8c0c097100403cb40ac20000000000000ce000111709400c4016f\
        cd03e8cd07d0931104ab6578616d706c652e6f7267";

    #[test]
    fn the_effects_of_msgspec_are_understood() {
        let bytes = bytes_of(EFFECTS);

        let batch = StreamEffects::decode(&bytes).unwrap();

        assert_eq!(batch.sequence, 1);
        assert_eq!(
            batch.answers,
            [vec![
                StreamEffect::Open {
                    stream: 3,
                    to: StreamTarget::Legacy {
                        host: "example.org",
                        port: 443,
                        is_udp: false,
                    },
                    deadline_ns: 10_000_000_000,
                    ahead: 0,
                },
                StreamEffect::Open {
                    stream: 5,
                    to: StreamTarget::AtNode {
                        node: NODE,
                        opening: b"to",
                    },
                    deadline_ns: 500_000_000,
                    ahead: 2,
                },
                StreamEffect::Open {
                    stream: 7,
                    to: StreamTarget::AtHost {
                        host: NODE,
                        port: 80,
                    },
                    deadline_ns: 10_000_000_000,
                    ahead: 0,
                },
                StreamEffect::Read {
                    stream: 2,
                    limit: 65_536,
                    idle_ns: 300_000_000_000,
                },
                StreamEffect::Write {
                    stream: 2,
                    data: b"abc",
                    is_end: true,
                },
                StreamEffect::Close { stream: 2 },
                StreamEffect::Splice {
                    a: 2,
                    b: 3,
                    idle_ns: 3_600_000_000_000,
                    keep_bytes: 1_000,
                    from_byte: None,
                    meter: None,
                },
                StreamEffect::Splice {
                    a: 4,
                    b: 3,
                    idle_ns: 3_600_000_000_000,
                    keep_bytes: 0,
                    from_byte: Some(70_000),
                    meter: Some(SpliceMeter {
                        object: b"o",
                        rate_bytes_per_s: 1_000,
                        burst_bytes: 2_000,
                    }),
                },
                StreamEffect::StartTls {
                    stream: 4,
                    site: "example.org",
                },
            ]]
        );
    }

    #[test]
    fn the_events_are_those_of_msgspec() {
        let mut batch = EventBatch::default();
        batch.stream_opened(2, &NODE, b"to", 262_144);
        batch.stream_data(2, b"abc", true);
        batch.stream_writable(2, 65_536);
        batch.stream_closed(2, "ended", 3, 300);
        let mut out = Vec::new();

        batch.write(1, 0, 3.5, 4.5, &mut out);

        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, EVENTS);
    }

    /// `msgspec.msgpack.encode` of the same batch in Python.
    const EVENTS: &str = "950100cb400c000000000000cb401200000000000094950802c410fd350000000000000000000000000001c402\
        746fce00040000940902c403616263c3930a02ce00010000950b02a5656e64656403cd012c";

    #[test]
    fn a_number_out_of_range_is_named() {
        // [1, 0, [[0, "", [[13, 2, 0, 1]]]]]: a limit of 0.
        let bytes = bytes_of("930100919300a091940d020001");

        assert_eq!(
            StreamEffects::decode(&bytes),
            Err(CodecError::OutOfRange { field: "limit" })
        );
    }

    #[test]
    fn a_meter_is_within_what_its_struct_allows() {
        // SpliceStreams(2, 3, 3_600.0, 0, None, Meter(name, rate, 1))
        let read = |meter: &str| {
            let bytes = bytes_of(&format!(
                "930100919300a09197100203cb40ac20000000000000c0{meter}"
            ));
            StreamEffects::decode(&bytes).map(|_| ())
        };

        assert_eq!(read("9400c4016f0101"), Ok(()));
        assert_eq!(
            read("9400c4000101"),
            Err(CodecError::OutOfRange { field: "object" })
        );
        assert_eq!(
            read("9400c4016f0001"),
            Err(CodecError::OutOfRange {
                field: "rate_bytes_per_s"
            })
        );
        assert_eq!(
            read("9201c4016f"),
            Err(CodecError::UnknownTag {
                field: "meter",
                found: 1
            })
        );
    }

    #[test]
    fn a_host_is_as_long_in_characters_as_python_has_it() {
        let mut bytes = bytes_of("930100919300a091950c039400da01fa");
        bytes.extend_from_slice("é".repeat(253).as_bytes());
        bytes.extend_from_slice(&bytes_of("50a3746370cb402400000000000000"));

        let batch = StreamEffects::decode(&bytes).unwrap();

        let [StreamEffect::Open { to, .. }] = &batch.answers[0][..] else {
            panic!("{batch:?}");
        };
        assert!(matches!(to, StreamTarget::Legacy { port: 80, .. }));
    }

    #[test]
    fn an_effect_of_a_datapath_is_none_of_streams() {
        // [1, 0, [[0, "", [[4, b"t"]]]]]: RevokeDecisions.
        let bytes = bytes_of("930100919300a0919204c40174");

        assert_eq!(
            StreamEffects::decode(&bytes),
            Err(CodecError::UnknownTag {
                field: "Effect",
                found: 4
            })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = StreamEffects::decode(&bytes);
        }
    }
}
