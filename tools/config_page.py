"""The reference of configuration files, from the Structs that parse them."""

import inspect
import re
import textwrap

import msgspec

from ei.bundles import Bundle, Part, bundle
from ei.daemons import governance_file
from ei.daemons.governance_file import GovernanceConfig
from ei.host import init as host_init
from ei.host.config import HostConfig
from ei.lab import topology_file
from ei.lab.topology import Impairment
from ei.node import init as node_init
from ei.node.config import NodeConfig
from ei.sdk.composition import KINDS
from ei.sdk.manifest import Manifest
from ei.sdk.tiers import TIERS, Tier

INTRO = """\
All are TOML. An unknown key is refused, with the one that was probably meant; so is a value out of
range, with what is allowed. `ei config check` reads a file and all that it names; `ei config show
--effective --origin` shows every key that counts, and whether it is from the file or a default.
"""


def config_page() -> str:
    """Return the page."""
    parts = [
        textwrap.fill(" ".join(INTRO.split()), 98),
        "## node.toml",
        "`ei node init` writes it, with its comments:",
        _example(node_init.TEMPLATE),
        _keys(NodeConfig),
        "## host.toml",
        "`ei host init` writes it, with its comments:",
        _example(host_init.TEMPLATE),
        _keys(HostConfig),
        "## governance.toml",
        "`ei governance init` writes it; `node.toml` and `host.toml` name it:",
        _example(governance_file.TEMPLATE),
        _keys(GovernanceConfig),
        "## topology.toml",
        "What `ei lab up` starts and scenarios run in:",
        _example(_docstring_example(topology_file.__doc__ or "")),
        "Properties of links, in `link_defaults` and `links`:",
        _keys(Impairment),
        "## manifest.toml",
        "In the folder of each service; read before any of its code runs.",
        _keys(Manifest),
        "Kinds of payloads, in `takes` and `gives`: "
        + "; ".join(f"`{kind}`, {meaning}" for kind, meaning in KINDS.items())
        + ".",
        "### Tiers",
        "What `tier` bounds, in the worker; `ei.sdk.tiers` says what each bound is of.",
        _tiers(),
        "## bundle.toml",
        "In the folder of each bundle; `ei bundle check` says whether its services fit.",
        _example(_docstring_example(bundle.__doc__ or "")),
        _keys(Bundle),
        "Of each of its `services`:",
        _keys(Part),
    ]
    return "\n\n".join(parts) + "\n"


def _tiers() -> str:
    """Return a table of the bounds of all tiers."""
    rows = [f"| | {' | '.join(f'`{name}`' for name in TIERS)} |", "|---" * (len(TIERS) + 1) + "|"]
    for field in msgspec.structs.fields(Tier):
        bounds = (getattr(tier, field.name) for tier in TIERS.values())
        shown = (
            str(bound).lower() if isinstance(bound, bool) else f"{bound:_}" for bound in bounds
        )
        rows.append(f"| `{field.name}` | {' | '.join(shown)} |")
    return "\n".join(rows)


def _example(template: str) -> str:
    """Return a template as a reader sees it: what is filled in is shown as `...`."""
    filled = re.sub(r"\{(\w+)\}", r"...", template)
    return f"```text\n{filled.strip()}\n```"


def _docstring_example(text: str) -> str:
    found = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    return found[1] if found else ""


def _keys(kind: type[msgspec.Struct]) -> str:
    """Return a table of all keys: what the Struct's docstring says, and the default."""
    said = attributes_of(kind)
    rows = ["| key | default | what it is |", "|---|---|---|"]
    for field in msgspec.structs.fields(kind):
        default = "needed" if field.required else f"`{_shown(field)}`"
        rows.append(f"| `{field.encode_name}` | {default} | {said.get(field.name, '')} |")
    return "\n".join(rows)


def _shown(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    match value:
        case None:
            return "none"
        case "":
            return '""'
        case bool():
            return str(value).lower()
        case tuple():
            return "[" + ", ".join(f'"{item}"' for item in value) + "]"
        case int() if value >= 100_000:
            return f"{value:_}"
        case _:
            # A table whose keys all have defaults: an empty one says the same.
            return "{}" if isinstance(value, msgspec.Struct) else str(value)


def attributes_of(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what a docstring's section `Attributes` says, by name; `a, b: text` is for both."""
    lines = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    said: dict[str, str] = {}
    for parent in kind.__bases__:
        if parent is not msgspec.Struct:
            said |= attributes_of(parent)
    names: list[str] = []
    for line in textwrap.dedent(lines).splitlines():
        start = re.match(r"([a-z_, ]+): (.*)", line)
        if start and not line.startswith(" "):
            names = [name.strip() for name in start[1].split(",")]
            said |= dict.fromkeys(names, start[2])
        else:
            said |= {name: f"{said[name]} {line.strip()}".strip() for name in names}
    return {name: text.replace("|", "\\|") for name, text in said.items()}
