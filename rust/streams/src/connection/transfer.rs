//! Streams of one connection. QUIC panics on a stream that goes the other way: here it is refused.

use bytes::Bytes;
use quinn_proto::{Dir, FinishError, ReadError, Side, StreamId, WriteError};

use super::{Connection, varint};
use crate::{Reading, StreamsError};

impl Connection {
    pub(crate) fn open(&mut self, is_bidirectional: bool) -> Result<Option<u64>, StreamsError> {
        self.check_up()?;
        let dir = if is_bidirectional { Dir::Bi } else { Dir::Uni };
        let id = self.quic.streams().open(dir);
        if let Some(wants) = self.wants_streams.get_mut(dir as usize) {
            *wants = id.is_none();
        }
        Ok(id.map(u64::from))
    }

    pub(crate) fn write(&mut self, stream: u64, bytes: &[u8]) -> Result<usize, StreamsError> {
        self.check_up()?;
        let id = self.sending(stream)?;
        let mut accepted = 0;
        // Until it is all taken or QUIC says blocked: only then does it announce when there is room again.
        while let Some(rest) = bytes.get(accepted..).filter(|rest| !rest.is_empty()) {
            match self.quic.send_stream(id).write(rest) {
                Ok(count) => accepted += count,
                Err(WriteError::Blocked) => break,
                Err(WriteError::Stopped(code)) => {
                    return Err(StreamsError::Stopped {
                        stream,
                        code: code.into_inner(),
                    });
                }
                Err(WriteError::ClosedStream) => return Err(StreamsError::ClosedStream(stream)),
            }
        }
        Ok(accepted)
    }

    pub(crate) fn finish(&mut self, stream: u64) -> Result<(), StreamsError> {
        self.check_up()?;
        let id = self.sending(stream)?;
        self.quic
            .send_stream(id)
            .finish()
            .map_err(|error| match error {
                FinishError::Stopped(code) => StreamsError::Stopped {
                    stream,
                    code: code.into_inner(),
                },
                FinishError::ClosedStream => StreamsError::ClosedStream(stream),
            })
    }

    pub(crate) fn reset(&mut self, stream: u64, code: u64) -> Result<(), StreamsError> {
        self.check_up()?;
        let (id, code) = (self.sending(stream)?, varint(code)?);
        self.quic
            .send_stream(id)
            .reset(code)
            .map_err(|_| StreamsError::ClosedStream(stream))
    }

    pub(crate) fn stop(&mut self, stream: u64, code: u64) -> Result<(), StreamsError> {
        self.check_open()?;
        let (id, code) = (self.receiving(stream)?, varint(code)?);
        self.quic
            .recv_stream(id)
            .stop(code)
            .map_err(|_| StreamsError::ClosedStream(stream))
    }

    /// What was read, and whether there is now something to send.
    pub(crate) fn read(
        &mut self,
        stream: u64,
        max_bytes: usize,
        pieces: &mut Vec<Bytes>,
    ) -> Result<(Reading, bool), StreamsError> {
        self.check_open()?;
        let id = self.receiving(stream)?;
        let mut receiving = self.quic.recv_stream(id);
        let mut chunks = receiving
            .read(true)
            .map_err(|_| StreamsError::ClosedStream(stream))?;
        let mut left = max_bytes;
        let reading = loop {
            if left == 0 {
                break Reading::Open;
            }
            match chunks.next(left) {
                Ok(Some(chunk)) => {
                    left -= chunk.bytes.len();
                    pieces.push(chunk.bytes);
                }
                Ok(None) => break Reading::Finished,
                Err(ReadError::Blocked) => break Reading::Open,
                Err(ReadError::Reset(code)) => {
                    break Reading::Reset {
                        code: code.into_inner(),
                    };
                }
            }
        };
        // Credit for what was read may have to go to the peer.
        let has_credit_to_send = chunks.finalize().should_transmit();
        Ok((reading, has_credit_to_send))
    }

    fn check_open(&self) -> Result<(), StreamsError> {
        if self.is_closed {
            Err(StreamsError::NotConnected(self.key))
        } else {
            Ok(())
        }
    }

    fn check_up(&self) -> Result<(), StreamsError> {
        if self.is_lost {
            Err(StreamsError::NotConnected(self.key))
        } else {
            self.check_open()
        }
    }

    fn sending(&self, stream: u64) -> Result<StreamId, StreamsError> {
        let id = StreamId::from(varint(stream)?);
        if id.dir() == Dir::Bi || id.initiator() == self.side() {
            Ok(id)
        } else {
            Err(StreamsError::WrongDirection(stream))
        }
    }

    pub(super) fn receiving(&self, stream: u64) -> Result<StreamId, StreamsError> {
        let id = StreamId::from(varint(stream)?);
        if id.dir() == Dir::Bi || id.initiator() != self.side() {
            Ok(id)
        } else {
            Err(StreamsError::WrongDirection(stream))
        }
    }

    fn side(&self) -> Side {
        self.quic.side()
    }
}
