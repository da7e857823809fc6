"""What a datapath is told of the services that run, and of another version of one."""

import pytest

from ei.bundles import Bundle, Part, Rows
from ei.errors import ConfigError, ConflictError
from ei.node.config import NodeConfig
from ei.node.remembering import RememberingControl
from ei.node.running_services import RunningServices
from ei.sdk import Manifest

ECHO = Manifest(id=17, name="echo", version="1.0.0", summary="x")
REACH = Manifest(id=20, name="reach", version="1.0.0", summary="x")


def config(*services: str) -> NodeConfig:
    return NodeConfig(
        version=1,
        name="sn1.isp-a",
        domain_number=1,
        binds=("127.0.0.1:1",),
        services=services,
        chains={"echo": ("reach", "echo")},
    )


def names(control: RememberingControl) -> list[tuple[object, ...]]:
    return [command[:2] for command in control.commands]


def test_the_datapath_hears_of_services_and_then_of_chains() -> None:
    control = RememberingControl()
    services = RunningServices(config("echo", "reach"), [ECHO, REACH], control)

    services.start({"echo": ("reach", "echo")})

    expected = [("add_service", 17), ("add_service", 20), ("set_fallback", 20), ("set_chain", 17)]
    assert names(control) == expected
    assert services.numbers(("reach", "echo")) == (20, 17)
    assert (services.name_of(17), services.name_of(5)) == ("echo", "5")


def test_a_service_without_manifest_or_number_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="no manifest of reach"):
        _ = RunningServices(config("echo", "reach"), [ECHO], RememberingControl())
    twin = Manifest(id=17, name="reach", version="1.0.0", summary="x")
    with pytest.raises(ConfigError, match="echo and reach both have number 17"):
        _ = RunningServices(config("echo", "reach"), [ECHO, twin], RememberingControl())


def test_another_version_takes_the_place_of_the_one_before() -> None:
    control = RememberingControl()
    services = RunningServices(config("echo"), [ECHO], control)
    seen = services.by_number

    services.renew(Manifest(id=17, name="echo", version="1.1.0", summary="x", max_hops=3))

    assert names(control) == [("add_service", 17)]
    assert seen[17].version == "1.1.0"
    assert [(offer.service, offer.minor) for offer in services.offers] == [(17, 1)]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Manifest(id=18, name="echo", version="1.1.0", summary="x"), "id = 18 seen"),
        (
            Manifest(id=17, name="echo", version="1.1.0", summary="x", state="durable"),
            "state = 'durable' seen",
        ),
        (Manifest(id=30, name="dns", version="1.1.0", summary="x"), "dns does not run here"),
    ],
)
def test_what_is_no_version_of_a_service_that_runs_changes_nothing(
    other: Manifest, said: str
) -> None:
    control = RememberingControl()
    services = RunningServices(config("echo"), [ECHO], control)

    with pytest.raises(ConflictError, match=said):
        services.renew(other)

    assert control.commands == []
    assert [each.version for each in services] == ["1.0.0"]


def bundled(*, number: int = 112, name: str = "loud") -> Rows:
    part = Part(name="echo", version=">=1.0, <1.2")
    bundle = Bundle(id=number, name=name, version="2.1.0", summary="x", services=(part,))
    row = (17,)
    return Rows(
        bundle, row, row, (), (),
        visited=frozenset(row), behind=frozenset(), parts=((bundle, part),),
    )  # fmt: skip


def test_bundles_are_told_last_and_offered_like_services() -> None:
    control = RememberingControl()
    services = RunningServices(config("echo"), [ECHO], control, bundles=[bundled()])

    services.start({})

    assert control.commands[-1] == ("set_bundle", 112, (17,), (17,), (), ())
    assert [(offer.service, offer.minor) for offer in services.offers] == [(17, 0), (112, 1)]


def test_a_bundle_has_a_number_of_its_own() -> None:
    with pytest.raises(ConfigError, match="echo and loud both have number 17"):
        _ = RunningServices(
            config("echo"), [ECHO], RememberingControl(), bundles=[bundled(number=17)]
        )


def test_a_version_that_a_bundle_does_not_take_changes_nothing() -> None:
    control = RememberingControl()
    services = RunningServices(config("echo"), [ECHO], control, bundles=[bundled()])

    services.renew(Manifest(id=17, name="echo", version="1.1.0", summary="x"))
    with pytest.raises(ConflictError, match=r"the bundle loud@2\.1\.0 takes >=1\.0, <1\.2"):
        services.renew(Manifest(id=17, name="echo", version="1.2.0", summary="x"))

    assert services.by_number[17].version == "1.1.0"


def test_a_version_that_a_bundle_within_a_bundle_does_not_take_changes_nothing() -> None:
    inner, part = bundled().parts[0]
    outer = Bundle(
        id=113, name="all", version="1.0.0", summary="x", services=(Part(name=inner.name),)
    )
    within = Rows(
        outer, (17,), (17,), (), (),
        visited=frozenset((17,)), behind=frozenset(),
        parts=((outer, outer.services[0]), (inner, part)),
    )  # fmt: skip
    services = RunningServices(config("echo"), [ECHO], RememberingControl(), bundles=[within])

    with pytest.raises(ConflictError, match=r"loud@2\.1\.0 in all@1\.0\.0 takes >=1\.0, <1\.2"):
        services.renew(Manifest(id=17, name="echo", version="1.2.0", summary="x"))

    assert services.by_number[17].version == "1.0.0"


def test_a_bundle_comes_and_goes_while_the_node_runs() -> None:
    control = RememberingControl()
    services = RunningServices(config("echo"), [ECHO], control)
    seen = services.bundles

    services.set_bundle(bundled())
    assert (list(seen), [offer.service for offer in services.offers]) == ([112], [17, 112])
    services.remove_bundle(112)
    services.remove_bundle(112)

    assert (dict(seen), [offer.service for offer in services.offers]) == ({}, [17])
    assert control.commands == [
        ("set_bundle", 112, (17,), (17,), (), ()),
        ("set_bundle", 112, (), (), (), ()),
    ]


@pytest.mark.parametrize(("number", "other"), [(17, "echo"), (112, "loud")])
def test_a_bundle_takes_the_number_of_nobody_else(number: int, other: str) -> None:
    control = RememberingControl()
    services = RunningServices(config("echo"), [ECHO], control, bundles=[bundled()])

    with pytest.raises(ConflictError, match=f"number {number}, which is that of {other}"):
        services.set_bundle(bundled(number=number, name="quiet"))

    assert control.commands == []
