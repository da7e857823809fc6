"""The shape of the tree is a promise too: where tests are, what may import what, what the map says.

See ARCHITECTURE.md ("Layout") and CONTRIBUTING.md.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ei.runtime.imports import is_for_hosts
from ei.sdk.manifest import load_manifest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ei"
SERVICES = PACKAGE / "services"
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager", "base", "data"}
MOST_LINES = 400
MADE_BY_BUILDS = {"build", "dist", "target"}
SERVICE_MAY_IMPORT = {"ei.sdk", "msgspec"}


def sources() -> list[Path]:
    """Return every Python file of the package that is no test, relative to the package."""
    return sorted(
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if not path.name.startswith("test_")
    )


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def test_every_source_file_has_its_test_file() -> None:
    missing: list[str] = []
    for path in sources():
        if path.name == "__init__.py":
            continue
        if path.parts[0] in {"services", "templates"}:
            test = PACKAGE / path.parts[0] / path.parts[1] / "test_service.py"
        else:
            test = ROOT / "tests" / path.parent / f"test_{path.name}"
        if not test.exists():
            missing.append(f"{path} -> {test.relative_to(ROOT)}")

    assert not missing, "\n".join(missing)


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [path for path in sources() if path.stem in FORBIDDEN_NAMES]


def test_no_file_has_grown_past_its_seam() -> None:
    long = {
        str(path): lines
        for path in sources()
        if (lines := len((PACKAGE / path).read_text().splitlines())) > MOST_LINES
    }

    assert not long


@pytest.mark.parametrize(
    "path", [path for path in sources() if path.name == "__init__.py"], ids=str
)
def test_a_package_file_is_docstring_and_names_only(path: Path) -> None:
    module = ast.parse((PACKAGE / path).read_text())
    allowed: tuple[type[ast.stmt], ...] = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    if path == Path("__init__.py"):
        allowed = (*allowed, ast.If, ast.FunctionDef)  # lazy names, PEP 562

    assert ast.get_docstring(module)
    for statement in module.body[1:]:
        assert isinstance(statement, allowed), ast.unparse(statement)


@pytest.mark.parametrize("path", sorted(SERVICES.glob("*/*.py")), ids=lambda path: path.stem)
def test_a_service_knows_the_sdk_and_nothing_else_of_ours(path: Path) -> None:
    if path.name.startswith("test_") or is_for_hosts(path.stem):
        return
    own = f"ei.services.{path.parent.name}"

    for module in imports(path):
        top = module.split(".")[0]
        assert (
            top in sys.stdlib_module_names
            or any(module == one or module.startswith(f"{one}.") for one in SERVICE_MAY_IMPORT)
            or module == own
            or module.startswith(f"{own}.")
            or top in load_manifest(path.parent).libraries
        ), f"{path.relative_to(ROOT)} imports {module}"


def test_importing_ei_pulls_in_nothing_else() -> None:
    script = "import sys, ei; print(*(name for name in sys.modules if name.startswith('ei')))"

    said = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    assert said.stdout.split() == ["ei"]


def test_importing_the_sdk_pulls_in_the_sdk_and_msgspec_only() -> None:
    script = "import sys, ei.sdk; print(*sys.modules)"

    said = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    ours = {name for name in said.stdout.split() if name.startswith("ei.")}
    assert {name.split(".")[1] for name in ours} <= {"sdk", "errors"}
    assert not {"asyncio", "socket", "cryptography", "rich"} & set(said.stdout.split())


def mapped_paths() -> list[str]:
    """Return the paths in the map of ARCHITECTURE.md, folders with a slash at their end."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    block = re.search(r"<!-- map -->\n```\n(.*?)```", text, re.DOTALL)
    assert block, "ARCHITECTURE.md has no map"
    paths: list[str] = []
    folders: list[str] = []
    for line in block[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"  +", line.strip())[0]
        folders = folders[:depth]
        paths.extend("".join(folders) + name for name in names.split())
        if names.endswith("/"):
            folders.append(names)
    return paths


def test_all_that_the_map_names_exists() -> None:
    assert not [path for path in mapped_paths() if not (ROOT / path).exists()]


def test_the_map_names_every_package_and_crate() -> None:
    packages = {
        f"src/ei/{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
    }
    crates = {f"rust/{path.name}/" for path in (ROOT / "rust").iterdir() if path.is_dir()}
    modules = {f"src/ei/{path.name}" for path in PACKAGE.glob("*.py*") if path.stem != "__init__"}
    folders = {
        f"{path.name}/"
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name not in MADE_BY_BUILDS
    }

    assert packages | crates | modules | folders <= set(mapped_paths())
