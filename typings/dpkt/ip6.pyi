from dpkt import Packet

class IP6(Packet):
    src: bytes
    dst: bytes
    data: bytes | Packet
