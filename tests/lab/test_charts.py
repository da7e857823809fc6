"""What the drawings of a report promise: well-formed, complete, safe."""

import xml.etree.ElementTree as ET

from ei.lab.catalogue import find_topology
from ei.lab.charts import Mark, bars, histogram, timeline, topology_map

SVG = "{http://www.w3.org/2000/svg}"


def parse(drawing: str) -> ET.Element:
    return ET.fromstring(drawing)  # noqa: S314 our own text


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in parse(drawing).iter(f"{SVG}text")]


def test_a_map_shows_every_domain_node_host_and_pipe() -> None:
    topology = find_topology("threedomains")
    packets = {("sn1.isp-a", "sn1.isp-b"): 1_000, ("alice.isp-a", "sn1.isp-a"): 10}

    drawing = parse(topology_map(topology, packets))

    titles = [element.text for element in drawing.iter(f"{SVG}title")]
    assert len(drawing.findall(f".//{SVG}circle")) == 5 + 6
    assert len(drawing.findall(f".//{SVG}rect")) == 3
    assert "sn1.isp-a – sn1.isp-b: 1,000 packets" in titles


def test_a_busier_pipe_is_wider() -> None:
    topology = find_topology("threedomains")
    drawing = parse(
        topology_map(
            topology, {("sn1.isp-a", "sn1.isp-b"): 10, ("sn1.isp-a", "sn2.isp-a"): 100_000}
        )
    )

    widths = [float(path.attrib["stroke-width"]) for path in drawing.iter(f"{SVG}path")]

    assert widths[0] < widths[1]


def test_bars_are_as_long_as_their_values() -> None:
    drawing = bars([("one", 50.0), ("two", 100.0)], unit="packets")

    assert [rect.attrib["width"] for rect in parse(drawing).iter(f"{SVG}rect")] == [
        "210.0",
        "420.0",
    ]
    assert texts(drawing) == ["one", "50 packets", "two", "100 packets"]


def test_a_histogram_counts_every_value_once() -> None:
    drawing = histogram([("near", [1.0, 1.0, 2.0]), ("far", [8.0])], unit="ms")

    counted = sum(int(title.text or "0") for title in parse(drawing).iter(f"{SVG}title"))

    assert counted == 4
    assert {"near", "far"} <= set(texts(drawing))


def test_a_timeline_marks_its_moments() -> None:
    drawing = timeline([("echo", [20, 0, 20])], [Mark(0.05, "killed")], bin_s=0.05)

    assert "killed" in texts(drawing)
    assert len(parse(drawing).findall(f".//{SVG}polyline")) == 1


def test_a_long_timeline_is_numbered_without_exponents() -> None:
    drawing = timeline([("echo", [20] * 40)], [], bin_s=30.0)

    assert "1,170 s" in texts(drawing)


def test_nothing_measured_is_said() -> None:
    assert histogram([("none", [])], unit="ms") == "<p>nothing was measured</p>"
    assert timeline([], [], bin_s=1.0) == "<p>nothing was measured</p>"


def test_labels_of_strangers_stay_text() -> None:
    assert texts(bars([("<script>&", 1.0)], unit="x"))[0] == "<script>&"
