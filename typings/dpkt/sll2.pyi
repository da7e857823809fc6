from dpkt import Packet

class SLL2(Packet):
    data: bytes | Packet
