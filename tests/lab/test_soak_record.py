"""What a soak saw is written for who wants to know what grew."""

import msgspec

from ei.lab.promises import promise
from ei.lab.soak_record import Sample, SoakRecord, files_of, page
from ei.lab.use import Use

SAMPLES = tuple(
    Sample(
        10.0 * number, number, {"sn1.isp-a": Use(50_000 + number, 20, 4, 2, {7: 50_000 + number})}
    )
    for number in range(3)
)
RECORD = SoakRecord(
    topology="threedomains", seconds=30.0, seed=1, rounds=3, lost=0, faults=0, samples=SAMPLES,
    promises=(promise("growth of memory, at most (sn1.isp-a)", 2, "<=", 8_192, unit="KiB"),),
)  # fmt: skip


def test_the_file_says_what_each_process_had_at_each_sample() -> None:
    files = files_of(RECORD)

    assert list(files) == ["soak.json", "soak.html"]
    read = msgspec.json.decode(files["soak.json"])
    assert read["schema"] == "ei.soak/1"
    last = read["samples"][-1]["uses"]["sn1.isp-a"]
    assert (last["memory_kib"], last["memory_of"]) == (50_002, {"7": 50_002})
    assert msgspec.json.decode(files["soak.json"], type=SoakRecord) == RECORD


def test_the_page_draws_each_memory_above_its_least() -> None:
    drawn = page(RECORD)

    assert "sn1.isp-a: KiB above 50,000, at most 2" in drawn
    assert drawn.count("<svg") == 1
    assert "ok       growth of memory, at most (sn1.isp-a): 2 &lt;= 8192 KiB" in drawn


def test_a_soak_without_samples_has_a_page() -> None:
    assert "<svg" not in page(msgspec.structs.replace(RECORD, samples=()))
