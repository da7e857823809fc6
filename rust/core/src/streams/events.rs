//! Events of streams as tuples, for Python: (word, peer, connection, ...).

use ei_streams::{ConnectionKey, Event};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::joint::Over;

pub(super) fn event_tuple(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    let head = |key: ConnectionKey| (PyBytes::new(py, &key.peer), key.connection);
    match event {
        Event::KeyWanted { key } => {
            let (peer, connection) = head(key);
            ("key_wanted", peer, connection).into_pyobject(py)
        }
        Event::Connected { key } => {
            let (peer, connection) = head(key);
            ("connected", peer, connection).into_pyobject(py)
        }
        Event::ConnectionLost { key, loss } => {
            let (peer, connection) = head(key);
            (
                "lost",
                peer,
                connection,
                loss.kind.word(),
                loss.text,
                loss.code,
            )
                .into_pyobject(py)
        }
        Event::StreamOpened {
            key,
            stream,
            is_bidirectional,
        } => {
            let (peer, connection) = head(key);
            ("stream_opened", peer, connection, stream, is_bidirectional).into_pyobject(py)
        }
        Event::Readable { key, stream } => {
            let (peer, connection) = head(key);
            ("readable", peer, connection, stream).into_pyobject(py)
        }
        Event::Writable { key, stream } => {
            let (peer, connection) = head(key);
            ("writable", peer, connection, stream).into_pyobject(py)
        }
        Event::StreamFinished { key, stream } => {
            let (peer, connection) = head(key);
            ("stream_finished", peer, connection, stream).into_pyobject(py)
        }
        Event::StreamReset { key, stream, code } => {
            let (peer, connection) = head(key);
            ("stream_reset", peer, connection, stream, code).into_pyobject(py)
        }
        Event::StreamStopped { key, stream, code } => {
            let (peer, connection) = head(key);
            ("stream_stopped", peer, connection, stream, code).into_pyobject(py)
        }
        Event::StreamsAvailable {
            key,
            is_bidirectional,
        } => {
            let (peer, connection) = head(key);
            ("streams_available", peer, connection, is_bidirectional).into_pyobject(py)
        }
    }
}

/// How a stream that was joined to a socket ended: a word, and the number that goes with it.
pub(super) fn over_tuple(
    py: Python<'_>,
    key: ConnectionKey,
    stream: u64,
    over: Over,
) -> PyResult<Bound<'_, PyTuple>> {
    let (word, code) = match over {
        Over::Ended => ("joint_ended", 0),
        Over::Socket(errno) => (
            "joint_broke",
            u64::try_from(errno.raw_os_error()).unwrap_or_default(),
        ),
        Over::Reset(code) => ("stream_reset", code),
        Over::Stopped(code) => ("stream_stopped", code),
        Over::Gone => ("joint_broke", 0),
    };
    (
        word,
        PyBytes::new(py, &key.peer),
        key.connection,
        stream,
        code,
    )
        .into_pyobject(py)
}
