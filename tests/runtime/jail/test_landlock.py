from pathlib import Path

import pytest
from tests.runtime.jail.conftest import alone, need

from ei.runtime.jail.landlock import version

pytestmark = pytest.mark.slow


def test_files_are_denied_but_for_one_folder(tmp_path: Path) -> None:
    need("landlock")
    _ = (tmp_path / "outside").write_text("secret")
    (tmp_path / "folder").mkdir()

    said = alone(
        f"""
from pathlib import Path
from ei.runtime.jail import landlock, namespaces
namespaces.drop_capabilities()
landlock.restrict(Path({str(tmp_path / "folder")!r}))
place = Path({str(tmp_path)!r})
_ = (place / "folder" / "new").write_text("kept")
print((place / "folder" / "new").replace(place / "folder" / "old").read_text())
for act in ((place / "outside").read_text, (place / "made").touch):
    try:
        act()
    except PermissionError:
        print("denied")
"""
    )

    assert said == "kept\ndenied\ndenied\n"


def test_the_kernel_says_which_version_it_has() -> None:
    need("landlock")

    assert version() >= 1
