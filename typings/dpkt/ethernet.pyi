from dpkt import Packet

class Ethernet(Packet):
    data: bytes | Packet
