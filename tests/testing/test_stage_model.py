"""The reference of the native stages, checked by hand-made numbers."""

from ei.sdk.stages import Keep, Meter, Tally
from ei.testing.stage_model import History, ObjectsModel, run_stages

SECOND_NS = 1_000_000_000


def test_a_meter_lets_its_burst_through_and_then_its_rate() -> None:
    objects = ObjectsModel(service=16, limit=8)
    stages = objects.resolve(0, [Meter(b"m", rate_bytes_per_s=100, burst_bytes=1_000)])
    assert stages is not None

    assert run_stages(stages, 0, 1_000)
    assert not run_stages(stages, 0, 1)
    assert not run_stages(stages, SECOND_NS, 101)
    assert run_stages(stages, SECOND_NS, 100)


def test_stages_after_one_that_drops_do_not_run() -> None:
    objects = ObjectsModel(service=16, limit=8)
    stages = objects.resolve(0, [Meter(b"m", 1, 10), Tally(b"t")])
    assert stages is not None

    _ = run_stages(stages, 0, 10)
    _ = run_stages(stages, 0, 10)

    assert objects.read_tally(b"t") == (1, 10)


def test_a_full_table_forgets_its_oldest_object() -> None:
    objects = ObjectsModel(service=16, limit=1)
    first = objects.resolve(0, [Tally(b"a")])
    second = objects.resolve(0, [Tally(b"b")])

    assert first is not None
    assert second is not None
    assert not objects.holds(first[0])
    assert objects.holds(second[0])
    assert objects.read_tally(b"a") == (0, 0)


def test_a_service_without_objects_resolves_no_stage() -> None:
    objects = ObjectsModel(service=16, limit=0)

    assert objects.resolve(0, [Tally(b"a")]) is None
    assert objects.resolve(0, []) == ()


def test_a_history_keeps_the_newest_within_its_limits() -> None:
    objects = ObjectsModel(16, 8)
    assert objects.resolve(0, [Keep(b"k", 2, 40)]) is not None
    history = objects.kept[Keep, b"k"]
    assert isinstance(history, History)

    for payload in (b"number 1", b"number 2", b"number 2 again", b"number 3", b"short"):
        history.add(payload)
    assert list(history.kept) == [b"number 2", b"number 3"]
    history.add(b"number 4 and more", metadata_bytes=20)

    assert list(history.kept) == [b"number 4"]
