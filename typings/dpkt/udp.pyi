from dpkt import Packet

class UDP(Packet):
    sport: int
    dport: int
    ulen: int
    sum: int
    data: bytes
