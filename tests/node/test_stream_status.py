from ei.host.stream_codes import NODE_CODES
from ei.node.stream_status import STREAM_REASONS, NotAllowed, ServiceStreams, stream_status
from ei.sdk import StreamClosed
from ei.testing.toys import toy_manifest

RULES = ("0.0.0.0/0:443",)


def test_services_have_their_names_and_what_was_refused_the_line_that_would_allow_it() -> None:
    streams = toy_manifest(id=32, name="joins", capabilities=("streams",))
    idle = toy_manifest(id=34, name="idle", capabilities=("streams",))
    statistics = {
        "open": 1,
        "opened": 3,
        "closed": {"reset": 2},
        "services": {32: {"open": 1, "opened": 3}},
        "not_allowed": [("ssh.example.org", "192.0.2.1", 22, 2)],
    }

    status = stream_status(statistics, manifests=[streams, idle, toy_manifest()], allow=RULES)

    assert (status.open, status.opened, status.closed) == (1, 3, {"reset": 2})
    assert status.services == {"joins": ServiceStreams(1, 3), "idle": ServiceStreams()}
    assert status.not_allowed == (
        NotAllowed(
            "ssh.example.org",
            "192.0.2.1",
            22,
            2,
            '[internet] allow = ["0.0.0.0/0:443", "192.0.2.1:22"]',
        ),
    )


def test_every_word_for_the_end_of_a_stream_is_explained() -> None:
    assert {"ended", *(word for word, _ in NODE_CODES)} == set(STREAM_REASONS)
    assert all(f"`{word}`" in (StreamClosed.__doc__ or "") for word in STREAM_REASONS)
