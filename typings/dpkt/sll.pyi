from dpkt import Packet

class SLL(Packet):
    data: bytes | Packet
