"""A module that would not start on its node is found before the node runs."""

from pathlib import Path

import pytest
from tests.node.test_prepare import MANIFEST, SERVICE
from tests.runtime.jail.conftest import need

from ei.errors import ServiceError
from ei.node.prepare import PreparedNode, prepare_node
from ei.node.trying import try_modules
from ei.runtime.jail import LAYERS

pytestmark = pytest.mark.slow


def with_module(node_file: Path, code: str) -> PreparedNode:
    need(*LAYERS)
    folder = node_file.parent / "plain"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(code)
    text = node_file.read_text().replace(
        "\nservices = [", '\nservice_folders = ["plain"]\nservices = ["plain", '
    )
    _ = node_file.write_text(text)
    return prepare_node(node_file)


def test_a_module_that_starts_is_none_the_worse_and_leaves_nothing(node_file: Path) -> None:
    prepared = with_module(node_file, SERVICE)
    before = sorted(node_file.parent.rglob("*"))

    try_modules(prepared)

    assert sorted(node_file.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('broken on purpose')\n", "broken on purpose"),
        ("NOTHING = 1\n", "SERVICE"),
        ("while True:\n    pass\n", "plain: its worker does not start"),
    ],
)
def test_a_module_that_does_not_start_is_named_with_its_reason(
    node_file: Path, code: str, said: str
) -> None:
    prepared = with_module(node_file, code)

    with pytest.raises(ServiceError, match=said):
        try_modules(prepared)


@pytest.mark.slow
def test_a_module_that_waits_for_ever_is_ended(node_file: Path) -> None:
    prepared = with_module(
        node_file, "import contextlib\ncontextlib.sys.modules['select'].poll().poll()\n"
    )

    with pytest.raises(ServiceError, match=r"did not come to the end of its start in [0-9.]+ s"):
        try_modules(prepared, patience_s=0.5)
