"""The reference of what a module and its node say to one another, from the types that they use."""

import enum
import re
import types
import typing
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from ei import sdk
from ei.runtime.wasm import FILE, FUEL_PER_MS, MAX_FILE_BYTES, MEMORY_SHARE
from ei.sdk.tiers import MIB, TIERS

IMPORTS = Path(__file__).parents[1] / "rust" / "wasm" / "src" / "imports.rs"

PROSE = Path(__file__).parent / "module-abi.md"
"""The page, with a word in double braces where something is filled in."""


def abi_page() -> str:
    """Return the page."""
    values = (
        sdk.Packet, sdk.Key, sdk.Decision, *get_args(sdk.Action), sdk.Hop,
        *get_args(sdk.Stage), *get_args(sdk.StreamTarget),
    )  # fmt: skip
    memories = (
        f"{tier.memory_mib // MEMORY_SHARE} MiB in `{name}`" for name, tier in TIERS.items()
    )
    filled = {
        "events": _table(get_args(sdk.Event)),
        "effects": _table(get_args(sdk.Effect)),
        "values": _table(values),
        "queries": _table(get_args(sdk.Query)),
        "records": _table(get_args(sdk.Record)),
        "context": _attributes(sdk.Context),
        "file": FILE,
        "most_mib": str(MAX_FILE_BYTES // MIB),
        "imports": _imports(),
        "fuel": f"{FUEL_PER_MS:_}",
        "share": str(MEMORY_SHARE),
        "memory": ", ".join(memories),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda word: filled[word[1]], PROSE.read_text())


def _imports() -> str:
    found = re.search(r"//! ```text\n(.*?)//! ```", IMPORTS.read_text(), re.DOTALL)
    if found is None:
        raise ValueError(f"{IMPORTS}: no drawing of the imports")
    return re.sub(r"^//! ?", "", found[1], flags=re.MULTILINE).rstrip()


def _table(kinds: tuple[Any, ...]) -> str:
    rows = ["| | kind | fields |", "|---|---|---|"]
    for kind in kinds:
        tag = kind.__struct_config__.tag
        number = "" if tag is None else str(tag)
        summary = _summary(kind)
        fields = "<br>".join(_field(field, kind) for field in msgspec.structs.fields(kind))
        rows.append(f"| {number} | **{kind.__name__}**<br>{summary} | {fields} |")
    return "\n".join(rows)


def _summary(kind: type) -> str:
    text = (kind.__doc__ or "").strip().partition("\n\n")[0]
    return _cell(text)


def _field(field: msgspec.structs.FieldInfo, kind: type) -> str:
    hint = get_type_hints(kind, include_extras=True)[field.name]
    default = "" if field.required else f" = {_default(field.default)}"
    return f"`{field.name}: {_type(hint)}{default}`"


def _default(value: object) -> str:
    return str(int(value)) if isinstance(value, enum.IntEnum) else repr(value)


def _type(hint: object) -> str:
    """Return a type in few words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        inner, *metas = parts
        return _type(inner) + "".join(_bounds(meta) for meta in metas if isinstance(meta, Meta))
    if origin in (types.UnionType, typing.Union):
        return _union(parts)
    if origin is tuple:
        return f"[{_type(parts[0])}, ...]"
    if origin is typing.Literal:
        return " or ".join(repr(each) for each in parts)
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))


def _union(kinds: tuple[object, ...]) -> str:
    """Return a union by its name, if the SDK has one for it."""
    for name in ("Query", "Record", "Action", "Stage", "StreamTarget"):
        known = set(get_args(getattr(sdk, name)))
        if known <= set(kinds):
            return " or ".join([name, *(_type(kind) for kind in kinds if kind not in known)])
    return " or ".join(_type(kind) for kind in kinds)


def _bounds(meta: Meta) -> str:
    said = [
        f"{sign} {value:_}"
        for sign, value in (
            (">", meta.gt), ("≥", meta.ge), ("≤", meta.le), ("≥", meta.min_length),
            ("≤", meta.max_length),
        )
        if value is not None
    ]  # fmt: skip
    return f" ({', '.join(said)})" if said else ""


def _attributes(kind: type) -> str:
    """Return the attributes that a docstring describes as a table."""
    _, _, text = (kind.__doc__ or "").partition("Attributes:\n")
    rows = ["| | |", "|---|---|"]
    pattern = r"^        (\w+): (.*?)(?=^        \w+: |\Z)"
    rows += [
        f"| `{found[1]}` | {_cell(found[2])} |"
        for found in re.finditer(pattern, text, re.DOTALL | re.MULTILINE)
    ]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
