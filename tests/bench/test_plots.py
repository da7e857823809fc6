"""Curves are drawn of figures that differ by a number alone."""

from ei.bench.figures import Report, figure
from ei.bench.plots import drawings, files_of, page

FIGURES = (
    figure("hit with 1,000 pipes in use", [300.0], unit="ns"),
    figure("hit with 10 pipes in use", [200.0], unit="ns"),
    figure("hit with 100 pipes in use", [], unit="ns", invalid="nothing came"),
    figure("hit V 512 B", [400.0], unit="ns", limit=350.0),
    figure("hit on 1 threads", [300.0], unit="ns"),
)
REPORT = Report(machine={"cores": 2}, repeat="ei bench", figures=FIGURES)


def test_what_is_valid_is_drawn_in_the_order_of_its_number() -> None:
    (name,) = drawings(FIGURES)
    drawn = drawings(FIGURES)[name]

    assert name == "pipes"
    assert drawn.index(">10<") < drawn.index(">1,000<")
    assert ">100<" not in drawn


def test_the_page_has_curves_and_every_figure() -> None:
    html = page(REPORT)

    assert html.count("<svg") == 1
    assert all(figure.name in html for figure in FIGURES)
    assert 'class="missed"' in html
    assert "nothing came" in html


def test_drawings_stand_by_themselves() -> None:
    files = files_of(REPORT)

    assert list(files) == ["report.html", "report.json", "pipes.svg"]
    drawn = files["pipes.svg"]
    assert drawn.startswith("<svg")
    assert "<style>" in drawn
