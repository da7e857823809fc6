"""The only package of this project that a service module imports."""

from ei.errors import ServiceError
from ei.sdk.answers import forward, hand_on, refuse
from ei.sdk.decisions import Action, Decision, Discard, Forward, Hop, Key, Pass, key_of
from ei.sdk.effects import (
    CancelTimer,
    Count,
    DropPacket,
    Effect,
    HoldPacket,
    InstallDecision,
    PassPacket,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendPacket,
    SetTimer,
)
from ei.sdk.events import (
    ControlArrived,
    Event,
    PacketArrived,
    PeerChanged,
    Resolved,
    Started,
    TallyRead,
    TimerFired,
)
from ei.sdk.manifest import Capability, Manifest, load_manifest
from ei.sdk.packets import NOWHERE, Address, Connection, Packet, Protection
from ei.sdk.records import Attachment, AttachmentOf, Group, GroupOf, Query, Record
from ei.sdk.service import Context, Service
from ei.sdk.stages import Meter, Stage, Tally
from ei.sdk.storage import Store, Table

__all__ = [
    "NOWHERE",
    "Action",
    "Address",
    "Attachment",
    "AttachmentOf",
    "CancelTimer",
    "Capability",
    "Connection",
    "Context",
    "ControlArrived",
    "Count",
    "Decision",
    "Discard",
    "DropPacket",
    "Effect",
    "Event",
    "Forward",
    "Group",
    "GroupOf",
    "HoldPacket",
    "Hop",
    "InstallDecision",
    "Key",
    "Manifest",
    "Meter",
    "Packet",
    "PacketArrived",
    "Pass",
    "PassPacket",
    "PeerChanged",
    "Protection",
    "Query",
    "ReadTally",
    "Record",
    "Resolve",
    "Resolved",
    "RevokeDecisions",
    "SendControl",
    "SendPacket",
    "Service",
    "ServiceError",
    "SetTimer",
    "Stage",
    "Started",
    "Store",
    "Table",
    "Tally",
    "TallyRead",
    "TimerFired",
    "forward",
    "hand_on",
    "key_of",
    "load_manifest",
    "refuse",
]
