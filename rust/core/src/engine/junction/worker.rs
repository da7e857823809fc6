//! A service's worker, as the streams see it: one more socket, on which batches of their own kind go.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use ei_datapath::codec::{EventBatch, StreamEffect, StreamEffects, StreamTarget};
use ei_streams::junction::{Junction, Legacy, Metering, News, Order, Target};

use super::sockets::LegacySockets;
use crate::clock::unix_ns;
use crate::misses::{Received, WorkerSocket};

/// What an item takes beside its data.
const ITEM_BYTES: usize = 64;
/// `StreamOpened` with the longest opening.
const LONGEST_NEWS_BYTES: usize = 1_200;

/// For each item of a batch the stream and the window that it tells, if it does.
type Windows = Vec<Option<(u64, usize)>>;

/// The streams' end of a worker's socket, and what it was told.
#[derive(Debug)]
pub(super) struct StreamWorker {
    service: u32,
    pub(super) socket: WorkerSocket,
    sequence: u64,
    /// Unanswered batches, by their sequence.
    outstanding: VecDeque<(u64, Windows)>,
    events: Vec<u8>,
}

impl StreamWorker {
    /// # Errors
    /// It is no sequenced-packet socket.
    pub(super) fn new(service: u32, socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            service,
            socket: WorkerSocket::new(socket)?,
            sequence: 0,
            outstanding: VecDeque::new(),
            events: Vec::new(),
        })
    }

    /// Send what there is to tell, as far as the worker answers.
    ///
    /// # Errors
    /// The worker is gone.
    pub(super) fn tell(
        &mut self,
        now_ns: u64,
        junction: &mut Junction,
        sockets: &mut LegacySockets,
        batch: &mut EventBatch,
    ) -> io::Result<()> {
        if self.socket.is_full() {
            self.socket.resume()?;
        }
        while self.socket.wants_batch() {
            batch.clear();
            let mut windows = Vec::new();
            while batch.has_room_for(LONGEST_NEWS_BYTES)
                && let Some(news) = junction.next_news(
                    now_ns,
                    sockets,
                    self.service,
                    batch.room_bytes().saturating_sub(ITEM_BYTES),
                )
            {
                windows.push(write(batch, &news));
            }
            if windows.is_empty() {
                return Ok(());
            }
            self.sequence += 1;
            self.outstanding.push_back((self.sequence, windows));
            self.events.clear();
            let unix_s = unix_ns() as f64 / 1e9;
            batch.write(
                self.sequence,
                0,
                now_ns as f64 / 1e9,
                unix_s,
                &mut self.events,
            );
            self.socket.send(now_ns, &self.events)?;
        }
        Ok(())
    }

    /// Take one message, and do what it asks for; whether there was one.
    ///
    /// # Errors
    /// Why the worker is to be given up.
    pub(super) fn listen(
        &mut self,
        now_ns: u64,
        junction: &mut Junction,
        sockets: &mut LegacySockets,
        buffer: &mut [u8],
    ) -> Result<bool, String> {
        let batch = match self.socket.receive(buffer) {
            Received::Nothing => return Ok(false),
            Received::Lost(why) => return Err(why),
            Received::Batch(batch) => batch,
        };
        let effects = StreamEffects::decode(batch).map_err(|error| error.to_string())?;
        let windows = self.windows_of(&effects)?;
        for effect in effects.answers.iter().flatten() {
            junction.order(now_ns, sockets, self.service, order(effect));
        }
        // After all effects: some are of events before the one that told of the window.
        for (stream, window) in windows.into_iter().flatten() {
            junction.window_heard(self.service, stream, window);
        }
        Ok(true)
    }

    /// What the batch told that is answered.
    fn windows_of(&mut self, effects: &StreamEffects<'_>) -> Result<Windows, String> {
        if effects.sequence == 0 {
            return Ok(Vec::new());
        }
        match self.outstanding.pop_front() {
            Some((sequence, windows))
                if sequence == effects.sequence && windows.len() <= effects.answers.len() =>
            {
                Ok(windows)
            }
            oldest => Err(format!(
                "its batch of {} answers is for {}, but {} is the oldest unanswered, of {} events",
                effects.answers.len(),
                effects.sequence,
                oldest.as_ref().map_or(0, |(sequence, _)| *sequence),
                oldest.map_or(0, |(_, windows)| windows.len()),
            )),
        }
    }
}

/// Write one item; the window that it tells, to be heard with its answer.
fn write(batch: &mut EventBatch, news: &News) -> Option<(u64, usize)> {
    match news {
        News::Opened {
            stream,
            peer,
            opening,
            window,
        } => {
            batch.stream_opened(*stream, peer, opening, *window as u64);
            None
        }
        News::Data {
            stream,
            data,
            is_end,
        } => {
            batch.stream_data(*stream, data, *is_end);
            None
        }
        News::Writable { stream, window } => {
            batch.stream_writable(*stream, *window as u64);
            Some((*stream, *window))
        }
        News::Closed {
            stream,
            why,
            read_bytes,
            written_bytes,
        } => {
            batch.stream_closed(*stream, why.word(), *read_bytes, *written_bytes);
            None
        }
    }
}

fn order<'a>(effect: &StreamEffect<'a>) -> Order<'a> {
    match *effect {
        StreamEffect::Open {
            stream,
            to,
            deadline_ns,
            ahead,
        } => Order::Open {
            stream,
            to: target(to),
            deadline_ns,
            ahead,
        },
        StreamEffect::Read {
            stream,
            limit,
            idle_ns,
        } => Order::Read {
            stream,
            limit,
            idle_ns,
        },
        StreamEffect::Write {
            stream,
            data,
            is_end,
        } => Order::Write {
            stream,
            data,
            is_end,
        },
        StreamEffect::StartTls { stream, site } => Order::StartTls { stream, site },
        StreamEffect::Close { stream } => Order::Close { stream },
        StreamEffect::Splice {
            a,
            b,
            idle_ns,
            keep_bytes,
            from_byte,
            meter,
        } => Order::Splice {
            a,
            b,
            idle_ns,
            keep_bytes,
            from_byte,
            meter: meter.map(|meter| Metering {
                object: meter.object,
                rate_bytes_per_s: meter.rate_bytes_per_s,
                burst_bytes: meter.burst_bytes,
            }),
        },
    }
}

fn target(to: StreamTarget<'_>) -> Target {
    match to {
        StreamTarget::Legacy { host, port, is_udp } => Target::Legacy(Legacy {
            host: host.to_owned(),
            port,
            is_udp,
        }),
        StreamTarget::AtNode { node, opening } => Target::AtNode {
            node,
            opening: opening.to_vec(),
        },
        StreamTarget::AtHost { .. } => Target::AtHost,
    }
}
