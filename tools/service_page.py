"""The reference of a service: from its manifest, docstrings, configuration and messages."""

import importlib
import inspect
import re
import textwrap
from types import ModuleType

import msgspec
from tools.config_page import attributes_of

from ei.daemons.config_file import toml_value
from ei.runtime.loader import load_service
from ei.sdk.knowledge import FACTS, PARTIES
from ei.sdk.manifest import Manifest

GRANTS = (
    "capabilities", "stable_bytes", "ephemeral_bytes", "handler_ms", "max_hops", "state", "copies",
    "fail",
)  # fmt: skip


def service_page(name: str) -> str:
    """Return the page of a service, without its title."""
    loaded = load_service(name)
    manifest, package = loaded.manifest, f"ei.services.{name}"
    parts = [
        f"Service {manifest.id}. {manifest.summary}",
        prose(importlib.import_module(f"{package}.service").__doc__ or ""),
        "## Configuration",
        _configuration(manifest, loaded.config_type),
        "## What it may use",
        "From its `manifest.toml`; the environment holds it to that.",
        _grants(manifest),
        *_knowledge(manifest),
        "## What it counts",
        f"Counters: {_words(manifest.counters)}.",
        f"[Reasons for drops](../drop-reasons.md): {_words(manifest.drop_reasons)}.",
    ]
    if (loaded.folder / "messages.py").is_file():
        module = importlib.import_module(f"{package}.messages")
        parts += ["## What is said to it", prose(module.__doc__ or "")]
        parts += [_message(kind) for kind in _structs(module)]
    return "\n\n".join(parts) + "\n"


def prose(docstring: str) -> str:
    """Return a docstring as Markdown: what is indented in it is drawn, and stays as it is."""
    blocks: list[str] = []
    for block in re.split(r"\n\n+", inspect.cleandoc(docstring)):
        if block.startswith("    "):
            drawn = textwrap.dedent(block)
            blocks.append(f"```text\n{drawn}\n```")
        else:
            blocks.append(textwrap.fill(" ".join(block.split()), 98))
    return "\n\n".join(blocks)


def _configuration(manifest: Manifest, kind: type[msgspec.Struct] | None) -> str:
    if kind is None or not manifest.config:
        return "Nothing."
    said = attributes_of(kind)
    rows = [f"`[config.{manifest.name}]` in `node.toml`.", "", "| key | default | what it is |"]
    rows += ["|---|---|---|"]
    for key, value in manifest.config.items():
        rows.append(f"| `{key}` | `{_shown(value)}` | {said.get(key, '')} |")
    return "\n".join(rows)


def _grants(manifest: Manifest) -> str:
    said = attributes_of(Manifest)
    rows = ["| key | value | what it is |", "|---|---|---|"]
    keys = [key for key in GRANTS if key != "copies" or manifest.state == "replicated"]
    rows += [f"| `{key}` | `{_shown(getattr(manifest, key))}` | {said[key]} |" for key in keys]
    return "\n".join(rows)


def _knowledge(manifest: Manifest) -> list[str]:
    """Return who learns what, of a service that says so."""
    if not manifest.knows:
        return []
    rows = ["| party | learns |", "|---|---|"]
    for party, facts in manifest.knows.items():
        learned = "; ".join(f"`{fact}`: {FACTS[fact]}" for fact in facts)
        rows.append(f"| `{party}`: {PARTIES[party]} | {learned or 'nothing'} |")
    words = (
        "From its `manifest.toml`: what each party learns while all keep to the code. Parties that"
        " work together know what each of them knows. How it is shown:"
        " [who knows what](../../how-to/show-who-knows-what.md)."
    )
    return ["## Who knows what", words, "\n".join(rows)]


def _shown(value: object) -> str:
    is_long = isinstance(value, int) and value >= 100_000
    return f"{value:_}" if is_long else toml_value(value)


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "none"


def _structs(module: ModuleType) -> list[type[msgspec.Struct]]:
    return [
        kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _message(kind: type[msgspec.Struct]) -> str:
    """Return what a message is, field by field, in the order of its array."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[0]
    tag, said = kind.__struct_config__.tag, attributes_of(kind)
    rows = [f"### {kind.__name__}" + ("" if tag is None else f" ({tag})"), "", prose(text)]
    fields = msgspec.structs.fields(kind)
    if fields:
        rows += ["", "| field | what it is |", "|---|---|"]
        rows += [f"| `{field.name}` | {said.get(field.name, '')} |" for field in fields]
    return "\n".join(rows)
