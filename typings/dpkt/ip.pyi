from dpkt import Packet

class IP(Packet):
    src: bytes
    dst: bytes
    data: bytes | Packet
