//! Names of the legacy Internet, asked of the system by threads of their own, since that may wait.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use ei_streams::junction::Legacy;

use crate::clock::monotonic_ns;
use crate::lock::lock;
use crate::threads;

/// Names asked for at a time: of dead servers one may take half a minute, and a thread only sleeps.
const THREADS: usize = 16;

/// Names that wait for one of them; more are told to be unreachable.
const MAX_WAITING: usize = 1_024;

/// A name that is asked for, and what to do with the answer.
struct Question {
    host: String,
    port: u16,
    /// Nobody waits for the answer any more.
    until_ns: u64,
    then: Then,
}

/// Told the addresses of a name.
pub(super) type Then = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>) + Send>;

/// Threads that ask. They end when it is dropped and their last question is answered.
#[derive(Debug)]
pub(super) struct Resolver(SyncSender<Question>);

impl Resolver {
    /// # Errors
    /// The system has no thread left.
    pub(super) fn new() -> io::Result<Self> {
        let (ask, asked) = sync_channel(MAX_WAITING);
        let asked = Arc::new(Mutex::new(asked));
        for number in 0..THREADS {
            let asked = Arc::clone(&asked);
            threads::spawn(&format!("ei-resolver-{number}"), None, move || {
                while let Some(question) = next(&asked) {
                    if question.until_ns > monotonic_ns() {
                        let Question {
                            host, port, then, ..
                        } = question;
                        then(
                            (host.as_str(), port)
                                .to_socket_addrs()
                                .map(Iterator::collect),
                        );
                    }
                }
                Ok(())
            })?;
        }
        Ok(Self(ask))
    }

    /// Ask for the addresses of `to`, until `until_ns`; false when too many wait, and `then` is never called.
    pub(super) fn ask(&self, to: &Legacy, until_ns: u64, then: Then) -> bool {
        let question = Question {
            host: to.host.clone(),
            port: to.port,
            until_ns,
            then,
        };
        match self.0.try_send(question) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

fn next(asked: &Mutex<Receiver<Question>>) -> Option<Question> {
    // One waits for a question, the others for the lock.
    let asked = lock(asked);
    asked.recv().ok()
}
