"""Any bytes as what hosts, nodes and workers say to one another: read, or refused as their fault.

The first byte chooses who reads. What is read is written as it came, where there is one form only.
"""

from contextlib import suppress

from harness import followed, fuzz

with followed("ei"):
    from ei.attachment import messages as attachment
    from ei.daemons.messages import parse_answer, parse_request
    from ei.directory import messages as directory
    from ei.errors import EiError, LocalError, PeerError
    from ei.host.frames import encode_frame, parse_frame
    from ei.routing.announcements import read_announcement
    from ei.routing.messages import read_message
    from ei.runtime.codec import Codec
    from ei.services.relay import messages as relay
    from ei.services.relay import tokens


codec = Codec(())


def asked(received: bytes) -> None:
    assert directory.encode(directory.decode(received)) == received


def framed(received: bytes) -> None:
    assert encode_frame(parse_frame(received)) == received


def said(line: bytes) -> None:
    """An answer may be any error of ours."""
    with suppress(EiError):
        _ = parse_answer(line)


def happened(batch: bytes) -> None:
    """What comes from the datapath is not a peer's."""
    with suppress(LocalError):
        _ = codec.events(batch)


def relayed(received: bytes) -> None:
    """Openings, statuses and keys of the relay are no good, or what they are written as."""
    with suppress(ValueError):
        opening = relay.read_opening(received)
        assert relay.read_opening(relay.write_opening(opening)) == opening
    with suppress(ValueError):
        status = relay.read_status(received)
        assert relay.read_status(relay.write_status(status)[relay.LENGTH_BYTES :]) == status
    with suppress(ValueError):
        keys = relay.read_keys(received)
        assert relay.read_keys(relay.write_keys(keys)) == keys
    with suppress(tokens.TokenError):
        _ = tokens.read_token(received)


READERS = {
    b"a": attachment.decode,
    b"d": asked,
    b"r": read_message,
    b"n": read_announcement,
    b"f": framed,
    b"q": parse_request,
    b"e": said,
    b"b": happened,
    b"o": relayed,
}


def one(data: bytes) -> None:
    with suppress(PeerError):
        _ = READERS.get(data[:1], framed)(data[1:])


fuzz(one)
