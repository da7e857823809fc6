//! `SendKept`: packets of a history, sent again to a peer that lacks them.

use super::Datapath;
use super::check::{self, Kept, Refused};
use super::lanes::LaneMessage;
use crate::cache::ServiceIndex;
use crate::packet::{Changes, Packet};
use crate::queue::News;
use crate::stages::Name;

impl Datapath {
    /// Send what is kept; tell the service and the other threads of the node what is not.
    pub(super) fn send_kept(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        asked: &Kept<'_>,
    ) -> Result<(), Refused> {
        let missing = self.send_those_kept(now_ns, index, asked)?;
        if missing.is_empty() {
            return Ok(());
        }
        let service = self
            .service(index)
            .map_or(0, |service| service.config.number);
        self.tell_lanes(|| LaneMessage::SendKept {
            service,
            object: asked.object.to_vec(),
            names: missing.clone(),
            to: asked.to,
            metadata: asked.metadata.to_vec(),
        });
        let news = News::NotKept {
            object: asked.object.to_vec(),
            names: missing,
            to: asked.to,
        };
        let is_told = self
            .service(index)
            .is_some_and(|service| service.queue.push_news(news));
        if is_told { Ok(()) } else { Err(Refused) }
    }

    /// Send what is kept; returns the names of what is not.
    pub(super) fn send_those_kept(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        asked: &Kept<'_>,
    ) -> Result<Vec<Name>, Refused> {
        let peer = check::peer(&asked.to.0, &self.departures.pipes)?;
        let mut missing = Vec::new();
        for name in &asked.names {
            let objects = self.decisions.objects(index).ok_or(Refused)?;
            // Guards may change the table: the packet leaves with bytes of its own.
            let Some(kept) = objects.kept(asked.object, name).cloned() else {
                missing.push(*name);
                continue;
            };
            let changes = Changes {
                metadata: Some(asked.metadata),
                ..Changes::default()
            };
            let mut packet = Packet {
                egress: None,
                ..kept.view().changed(&changes)
            };
            packet.header.is_traced = false;
            self.leave_for(now_ns, index, packet, peer, asked.to);
        }
        Ok(missing)
    }
}
