//! Datagrams kept in memory, to be handed to a datapath without a socket: what a node costs beside its
//! kernel, for more pipes and decisions than sockets could feed.

use std::hint::black_box;
use std::net::SocketAddr;
use std::ops::Range;

use ei_datapath::forward::Datapath as Pure;
use ei_datapath::trains::Train;
use pyo3::prelude::*;

use crate::arguments;
use crate::clock::thread_cpu_ns;
use crate::datapath::Datapath;
use crate::io::ReceivedTrain;

/// Datagrams handled before what they made is taken, as a thread of a node does.
const TRAIN_SEGMENTS: usize = 64;

/// Datagrams of hosts, each good for one opening.
#[pyclass(module = "ei._core")]
pub(crate) struct Replay {
    bytes: Vec<u8>,
    trains: Vec<KeptTrain>,
}

struct KeptTrain {
    from: SocketAddr,
    place: Range<usize>,
    segment_bytes: usize,
}

#[pymethods]
impl Replay {
    #[new]
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            trains: Vec::new(),
        }
    }

    fn take(&mut self, datapath: &mut Datapath, source: &str) -> PyResult<()> {
        let from = arguments::endpoint(source)?;
        while let Some(train) = datapath.pure().next_train() {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(train.bytes);
            self.trains.push(KeptTrain {
                from,
                place: start..self.bytes.len(),
                segment_bytes: train.segment_bytes.max(1),
            });
        }
        Ok(())
    }

    #[pyo3(signature = (datapath, now_ns, *, order=None))]
    fn run(
        &mut self,
        py: Python<'_>,
        datapath: &mut Datapath,
        now_ns: u64,
        order: Option<Vec<usize>>,
    ) -> (usize, u64) {
        let trains = std::mem::take(&mut self.trains);
        let bytes = std::mem::take(&mut self.bytes);
        let order = order.unwrap_or_else(|| (0..trains.len()).collect());
        let datapath = datapath.pure();
        py.detach(|| {
            let trains = order.iter().filter_map(|place| trains.get(*place));
            hand_over(datapath, now_ns, trains, &bytes)
        })
    }

    fn __len__(&self) -> usize {
        self.trains.len()
    }
}

fn hand_over<'a>(
    datapath: &mut Pure,
    now_ns: u64,
    trains: impl Iterator<Item = &'a KeptTrain>,
    bytes: &[u8],
) -> (usize, u64) {
    let (mut datagrams, mut spent_ns) = (0, 0);
    let (mut batch, mut batched) = (Vec::new(), Vec::<&KeptTrain>::new());
    let mut trains = trains.peekable();
    while trains.peek().is_some() {
        let mut handled = 0;
        batch.clear();
        batched.clear();
        while let Some(train) = trains.next_if(|_| handled < TRAIN_SEGMENTS) {
            handled += train.place.len().div_ceil(train.segment_bytes);
            // Copied outside the clock: a node finds in its caches what the kernel has just written.
            batch.extend_from_slice(bytes.get(train.place.clone()).unwrap_or(&[]));
            batched.push(train);
        }
        let mut rest = batch.as_mut_slice();
        let received = batched.iter().map_while(|kept| {
            let (bytes, others) =
                std::mem::take(&mut rest).split_at_mut_checked(kept.place.len())?;
            rest = others;
            Some(ReceivedTrain {
                from: kept.from,
                bytes,
                segment_bytes: kept.segment_bytes,
            })
        });
        let mut depart = |train: Train<'_>| black_box(train).datagrams();
        let began_ns = thread_cpu_ns();
        if handled == batched.len() {
            let singles = received.map(|train| (train.from, train.bytes));
            datapath.handle_singles(now_ns, singles, Some(&mut depart));
        } else {
            received.for_each(|train| train.handle_by(datapath, now_ns, Some(&mut depart)));
        }
        while let Some(train) = datapath.next_train() {
            black_box(train.bytes);
        }
        spent_ns += thread_cpu_ns() - began_ns;
        datagrams += handled;
    }
    (datagrams, spent_ns)
}
