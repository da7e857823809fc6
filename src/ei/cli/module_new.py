"""`ei module new`: the folder of a module that works, to begin with."""

import argparse
import re
from pathlib import Path
from zlib import crc32

import ei
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.errors import ConflictError

TEMPLATES = Path(str(ei.__file__)).parent / "templates"
DEFAULT = "packet"
NAME = re.compile("[a-z][a-z0-9_]{0,31}")
FIRST_EXPERIMENT = 0xF000_0000
"""From here on numbers are for experiments."""

EXAMPLES = """\
templates:
  packet    answers each packet
  storage   keeps values, on disk before it says so
  stream    reads and writes streams
  wasm      answers each packet, in C, compiled to WebAssembly
example:
  ei module new hello
  cd hello && ei module test
"""


def add_parser(verbs: Verbs) -> None:
    """Add `ei module new`."""
    verb = verbs.add(
        "new",
        summary="make the folder of a module that works: manifest, code, test",
        details="Nothing that exists is overwritten.",
        execute=execute,
    )
    verb.takes(
        "name", type=parse_name, metavar="NAME", help="of the service, and of its folder: hello"
    )
    verb.takes(
        "--template",
        choices=find_templates(),
        default=DEFAULT,
        metavar="TEMPLATE",
        help=f"what it begins as: {', '.join(find_templates())} (default {DEFAULT})",
    )
    verb.ends(EXAMPLES)


def find_templates() -> list[str]:
    """Return the names of the templates."""
    return sorted(path.parent.name for path in TEMPLATES.glob("*/manifest.toml"))


def parse_name(text: str) -> str:
    """Parse the name of a service."""
    if not NAME.fullmatch(text):
        allowed = "1 to 32 of a-z, 0-9 and _, a letter first"
        raise argparse.ArgumentTypeError(f"{text!r} seen; {allowed} are allowed")
    return text


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write the folder, and say what comes next."""
    from ei.runtime.loader import find_services

    name: str = arguments.name
    if name in find_services():
        raise ConflictError(
            f"a service that comes with this program is called {name!r}",
            remedy="Choose another name.",
        )
    number = FIRST_EXPERIMENT | crc32(name.encode()) & 0x0FFF_FFFF
    files = write_module(Path(name), arguments.template, number=number)
    output.fold(f"{name}/  {'  '.join(files)}", indent=" " * (len(name) + 3))
    output.fold(f"number {number:#x}: one of those for experiments, made from the name")
    output.document(
        "ei.module-new/1",
        {
            "name": name,
            "folder": str(Path(name).resolve()),
            "template": arguments.template,
            "number": number,
            "files": files,
        },
    )
    output.next(f"cd {name} && ei module test")
    return Exit.OK


def write_module(folder: Path, template: str, *, number: int) -> list[str]:
    """Write a module as its template has it; return the names of its files.

    Args:
        folder: Does not exist; its name is that of the service.
        template: One of `find_templates()`.
        number: Of the service.

    Raises:
        ConflictError: the folder exists.
    """
    words = {
        "MODULE_NAME": folder.name,
        "ModuleName": "".join(part.capitalize() for part in folder.name.split("_")),
        "MODULE_NUMBER": f"{number:#x}",
    }
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise ConflictError(
            f"{folder.resolve()} exists", remedy="Choose another name, or remove it."
        ) from error
    source = TEMPLATES / template
    files = sorted(path for path in source.rglob("*") if path.is_file() and _is_kept(path))
    for path in files:
        place = folder / path.relative_to(source)
        place.parent.mkdir(exist_ok=True)
        _ = place.write_bytes(_filled(path.read_bytes(), words))
    return [str(path.relative_to(source)) for path in files]


def _is_kept(path: Path) -> bool:
    return "__pycache__" not in path.parts


def _filled(content: bytes, words: dict[str, str]) -> bytes:
    for word, text in words.items():
        content = content.replace(word.encode(), text.encode())
    return content
