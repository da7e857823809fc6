from pathlib import Path

import pytest
from tests.runtime.jail.conftest import alone, need

pytestmark = pytest.mark.slow


def test_nothing_is_left_of_the_system(tmp_path: Path) -> None:
    need("namespaces")

    said = alone(
        f"""
import os, socket
from pathlib import Path
from ei.runtime.jail import namespaces
namespaces.enter(None)
print(os.listdir("/"), [name for _, name in socket.if_nameindex()])
for path in ("/made", {str(tmp_path)!r}):
    try:
        os.mkdir(path)
    except OSError as error:
        print(error.strerror)
"""
    )

    assert said == "[] ['lo']\nRead-only file system\nNo such file or directory\n"


def test_one_folder_may_be_left_and_written(tmp_path: Path) -> None:
    need("namespaces")

    said = alone(
        f"""
from pathlib import Path
from ei.runtime.jail import namespaces
place = Path({str(tmp_path)!r})
namespaces.enter(place)
_ = (place / "new").write_text("kept")
print(list(Path("/").iterdir()) == [Path("/") / place.parts[1]])
"""
    )

    assert said == "True\n"
    assert (tmp_path / "new").read_text() == "kept"


def test_no_capability_is_left() -> None:
    said = alone(
        """
from ei.runtime.jail import namespaces
namespaces.drop_capabilities()
for line in open("/proc/self/status"):
    if line.startswith(("Cap", "NoNewPrivs")):
        print(int(line.split()[1], 16), end=" ")
"""
    )

    inherited, permitted, effective, _, ambient, no_new = map(int, said.split())
    assert (inherited, permitted, effective, ambient, no_new) == (0, 0, 0, 0, 1)
