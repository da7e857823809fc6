"""Where servers are: beside the nodes where there are no namespaces."""

from ei.scenarios.termination.ground import WEB, Ground


def test_without_namespaces_a_server_is_on_the_loopback() -> None:
    ground = Ground("127.0.0.1", {})

    with ground.listener() as listener, ground.socket_of(WEB) as client:
        address, port = listener.getsockname()
        assert address == "127.0.0.1"
        assert port != ground.unused_port()
        assert client.gettimeout() == 0
