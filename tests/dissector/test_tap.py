from pathlib import Path

from ei.dissector.capture import Captured, read_capture
from ei.dissector.tap import CaptureWriter


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "tap.pcapng"

    with CaptureWriter(path) as writer:
        writer.write(
            unix_s=1_700_000_000.25,
            source="127.0.0.1:3535",
            destination="127.1.2.3:40000",
            datagram=b"\x14abc",
            fate="dropped",
            reason="bad_seal",
        )
        writer.write(unix_s=0.0, source="[::1]:1", destination="[fd35::9]:2", datagram=b"")

    assert list(read_capture(path)) == [
        Captured(
            1, 1_700_000_000.25, "127.0.0.1:3535", "127.1.2.3:40000", (3535, 40_000), b"\x14abc",
            "fate=dropped reason=bad_seal",
        ),
        Captured(2, 0.0, "[::1]:1", "[fd35::9]:2", (1, 2), b"", ""),
    ]  # fmt: skip


def test_a_datagram_that_no_packet_can_hold_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "tap.pcapng"

    with CaptureWriter(path) as writer:
        writer.write(
            unix_s=0.0, source="127.0.0.1:1", destination="127.0.0.1:2", datagram=bytes(70_000)
        )

    assert [len(captured.datagram) for captured in read_capture(path)] == [65_507]
