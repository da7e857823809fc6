from dpkt import Packet

class Loopback(Packet):
    data: bytes | Packet
