from dpkt import Packet

PCAPNG_BT_IDB: int
PCAPNG_BT_EPB: int
PCAPNG_BT_SHB: int
PCAPNG_OPT_COMMENT: int
PCAPNG_OPT_ENDOFOPT: int
PCAPNG_OPT_IF_TSRESOL: int

class PcapngOption(Packet):
    code: int
    data: bytes

class PcapngOptionLE(PcapngOption): ...
class SectionHeaderBlock(Packet): ...
class SectionHeaderBlockLE(SectionHeaderBlock): ...

class InterfaceDescriptionBlock(Packet):
    linktype: int
    opts: list[PcapngOption]

class InterfaceDescriptionBlockLE(InterfaceDescriptionBlock): ...

class EnhancedPacketBlock(Packet):
    iface_id: int
    ts_high: int
    ts_low: int
    caplen: int
    pkt_len: int
    pkt_data: bytes
    opts: list[PcapngOption]

class EnhancedPacketBlockLE(EnhancedPacketBlock): ...
