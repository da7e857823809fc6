"""The pages that are made from the code, so that they cannot say something else than it does.

`python -m tools.pages` writes them again (`make fix` does); `tests/docs/test_pages.py` compares.
"""

import os
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ei.cli.main import build_parser
from ei.cli.parser import Parser
from ei.daemons.exposition import Metric
from ei.runtime.loader import find_services

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Made from the code by `make fix`; edit there. -->\n"
DISSECTOR = "src/ei/dissector/ei.lua"
WIDTH = "96"
"""Columns of help texts, wherever the page is made."""


VARIABLES = {
    "EI_CONFIG": "configuration file of `ei node`, `ei host` and `ei.connect()`",
    "EI_LAB": "the lab that commands speak of, in the place of `default`",
    "EI_SOCKET": "admin socket of one daemon, in the place of a lab",
    "EI_LOG": "what daemons log: `debug`, `info` (the default), `warn` or `error`",
    "EI_LOG_FORMAT": "`json` or `text`; by default text on a terminal and in systemd's journal, "
    "and JSON lines elsewhere",
    "XDG_STATE_HOME": "where labs, reports and the details of bugs are kept: its folder `ei`",
    "COLUMNS": "how wide lines are; by default as the terminal, elsewhere 80",
    "NO_COLOR": "no colours",
}


def cli() -> str:
    """Return the reference of all commands."""
    lines = _intro(
        "# The command `ei`",
        "Data goes to stdout, everything else to stderr. `--json` prints one JSON object "
        "whose `schema` says what it is; fields are only ever added within a number. Exit "
        "codes and error codes: [errors.md](errors.md).",
    )
    lines += ["", "| variable | |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items()]
    for parser in _all(build_parser()):
        if not parser.children:
            help_text = parser.format_help().rstrip()
            lines += ["", f"## {parser.prog}", "", "```text", help_text, "```"]
    return "\n".join(lines) + "\n"


def manual() -> str:
    """Return the manual page `ei(1)`."""
    from argparse_manpage.manpage import Manpage

    data = {
        "project_name": "extensible-internet",
        "description": "a service layer between the Internet and its users",
        "manual_title": "Extensible Internet",
        "date": "2026",
    }
    return str(Manpage(build_parser(), _data=data, format="single-commands-section"))


def errors() -> str:
    """Return the reference of exit codes and error codes."""
    from ei.cli.exits import Exit
    from ei.cli.problems import KINDS

    lines = _intro(
        "# Exit codes and errors",
        "Every refusal is one sentence of cause and one of action, with a code that never "
        "changes its meaning; `ei help EI-1005` explains one. With `--json` it is also an "
        "object of schema `ei.error/1` on stdout.",
    )
    lines += ["", "## Exit codes", "", "| code | name |", "|---|---|"]
    lines += [f"| {code.value} | {code.name.lower()} |" for code in Exit]
    for kind in KINDS:
        lines += ["", f"## {kind.name}", "", kind.title, "", f"**What to do.** {kind.action}", ""]
        lines += [f"Exit code {kind.exit.value}."]
    return "\n".join(lines) + "\n"


OVERFLOWS = """\
What finds a buffer full never comes as far as the datapath, and has no fate. `ei status NAME` and
the statistics of a node count it apart:

- `socket_overflows`: datagrams that found the kernel's buffer of the socket full, or that of a
  device from which AF_XDP takes them.
- `thread_overflows`: datagrams that one thread received for another, while 1,024 waited for it.
- `notice_overflows`: notices to the node's own process, while 65,536 waited to be taken."""


def drop_reasons() -> str:
    """Return the reference of drop reasons: of the datapath, of hosts and of services."""
    from ei import _core
    from ei.host.reasons import HOST_REASONS, RECEIPT_REASONS
    from ei.node.reasons import NODE_REASONS
    from ei.node.stream_status import STREAM_REASONS
    from ei.runtime.loader import CLUSTER_REASONS, find_services
    from ei.sdk.manifest import load_manifest

    lines = _intro(
        "# Why packets are dropped",
        "Every packet that goes no further is counted under exactly one of these words: in "
        "`ei status`, in traces, and in captures (`ei.drop_reason`). `ei help WORD` "
        "explains one.",
    )
    lines += ["", "## The datapath", "", "| word | what happened |", "|---|---|"]
    lines += [f"| `{word}` | {_one_line(text)} |" for word, text in _core.reasons()]
    lines += ["", "## Lost before it was a packet", "", OVERFLOWS]
    lines += ["", "## Hosts", "", "What the stack of a host drops after its datapath.", ""]
    lines += ["| word | what happened |", "|---|---|"]
    lines += [
        f"| `{word}` | {text} |" for word, text in {**HOST_REASONS, **RECEIPT_REASONS}.items()
    ]
    lines += ["", "## Nodes", "", "Messages for a node itself that come to nothing.", ""]
    lines += ["| word | what happened |", "|---|---|"]
    lines += [f"| `{word}` | {text} |" for word, text in NODE_REASONS.items()]
    lines += [
        "",
        "## Services",
        "",
        "Services whose state has copies in a cluster share these.",
        "",
    ]
    lines += ["| word | what happened |", "|---|---|"]
    lines += [f"| `{word}` | {text} |" for word, text in CLUSTER_REASONS.items()]
    lines += ["", "Each service has words of its own, in its manifest.", ""]
    lines += ["| service | what it does | its words |", "|---|---|---|"]
    for name, folder in sorted(find_services().items()):
        manifest = load_manifest(folder)
        words = ", ".join(f"`{word}`" for word in manifest.drop_reasons) or "none"
        lines += [f"| {name} ({manifest.id}) | {_one_line(manifest.summary)} | {words} |"]
    lines += ["", "## Streams", "", "Why streams of services end; no packet is dropped by it.", ""]
    lines += ["| word | what happened |", "|---|---|"]
    lines += [f"| `{word}` | {text} |" for word, text in STREAM_REASONS.items()]
    return "\n".join(lines) + "\n"


def doctor() -> str:
    """Return the reference of what `ei doctor` looks at."""
    from ei.cli.checks import CHECKS

    lines = _intro(
        "# What `ei doctor` looks at",
        "`✓` all is well; `!` something is off or missing, and the line says what still "
        "works; `✗` nothing works before that is put right.",
    )
    for check in CHECKS:
        lines += ["", f"## {check.name}", "", f"{_one_line(check.look.__doc__ or '')}", ""]
        lines += [f"Matters for: {check.why}"]
    return "\n".join(lines) + "\n"


def fields() -> str:
    """Return the reference of the names of fields in captures."""
    from ei.dissector.fields import FIELDS

    lines = _intro(
        "# Names of fields in captures",
        "For `ei decode --where NAME=VALUE` and for display filters of Wireshark, with the "
        "dissector that `ei decode --dissector` names. Layouts: [wire.md](wire.md). What is "
        "sealed stays bytes, except in captures of a lab's own tap (`ei.flags.opened`).",
    )
    lines += ["", "| name | kind | what it is |", "|---|---|---|"]
    lines += [f"| `{name}` | {kind.value} | {title} |" for name, (kind, title) in FIELDS.items()]
    return "\n".join(lines) + "\n"


def metrics() -> str:
    """Return the reference of what a node tells Prometheus."""
    from ei.host.metrics import HOST_METRICS
    from ei.node.metrics import METRICS

    lines = _intro(
        "# Metrics of a node",
        "With `metrics_bind` in [node.toml](config.md), a node serves `/metrics` for Prometheus, "
        "`/healthz` (its process answers) and `/readyz` (its datapath answers, too, and each "
        "service has a worker; else status 503 and what is missing). Whoever reaches the endpoint "
        "may read them, so it belongs on the loopback: `127.0.0.1:9464`.",
    )
    parts = {
        "Core": "Name, labels and meaning stay within a major version; the list only grows.",
        "Unstable": "These may change with any version.",
    }
    for title, text in parts.items():
        lines += ["", f"## {title}", "", text, ""]
        lines += _metric_rows(each for each in METRICS if each.is_core == (title == "Core"))
    lines += ["", "## Of a host", "", "`ei host run --metrics 127.0.0.1:9465` serves these."]
    lines += ["", *_metric_rows(HOST_METRICS)]
    return "\n".join(lines) + "\n"


def _metric_rows(metrics: Iterable[Metric[Any]]) -> list[str]:
    rows = ["| metric | kind | labels | what it is |", "|---|---|---|---|"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        meaning = _one_line(metric.meaning)
        rows += [f"| `{metric.name}` | {metric.kind} | {labels} | {meaning} |"]
    return rows


def decisions() -> str:
    """Return the index of decision records."""
    lines = _intro(
        "# Decisions",
        "One record per law, per dependency and per change to the design: status, context, "
        "decision, consequences. A record is not rewritten; a later one supersedes it.",
    )
    lines += ["", "| | decision | status |", "|---|---|---|"]
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        text = path.read_text()
        title = re.search(r"^# (\d+)\. (.+)$", text, re.MULTILINE)
        status = re.search(r"^Status: (.+)$", text, re.MULTILINE)
        if title is None or status is None:
            raise ValueError(f"{path.name}: needs '# <number>. <title>' and 'Status: <status>'")
        lines += [f"| {int(title[1])} | [{title[2]}]({path.name}) | {status[1]} |"]
    return "\n".join(lines) + "\n"


def config() -> str:
    """Return the reference of configuration files."""
    from tools.config_page import config_page

    return f"# Configuration files\n{NOTE}\n{config_page()}"


def module_abi() -> str:
    """Return the reference of what a module sees."""
    from tools.abi_page import abi_page

    title, _, rest = abi_page().partition("\n")
    return f"{title}\n{NOTE}{rest}"


def conformance() -> str:
    """Return the matrix of modules and environments."""
    from tools.conformance_page import conformance_page

    return f"# Which module keeps the laws where\n{NOTE}\n{conformance_page()}"


def service(name: str) -> str:
    """Return the reference of a service."""
    from tools.service_page import service_page

    return f"# The service `{name}`\n{NOTE}\n{service_page(name)}"


def service_numbers() -> str:
    """Return the reference of the numbers of services."""
    from ei.registry.numbers import numbers

    given = numbers()
    first, last = given.experimental.first, given.experimental.last
    lines = _intro(
        "# The numbers of services",
        "Each is given once, by a change of `src/ei/registry/numbers.toml`; a registry refuses a "
        f"release whose number belongs to another name. From {first:#x} to {last:#x} they are "
        "experimental, and for everybody.",
    )
    lines += ["", "| number | service | |", "|---|---|---|"]
    lines += [f"| {each.number} | `{each.name}` | {each.summary} |" for each in given.service]
    return "\n".join(lines) + "\n"


REGISTRY = """\
## Files

Below the public folder of a registry, or its address:

| file | what it is |
|---|---|
| `metadata/timestamp.json`, `N.root.json` | metadata of TUF 1.0, with consistent snapshots |
| `metadata/N.snapshot.json`, `N.targets.json`, `N.rollout.json` | the same |
| `metadata/N.author-NAME.json` | the role of the author of NAME |
| `targets/NAME/DIGEST.VERSION.eim` | a package; SHA-256 in hexadecimal |
| `certificates/DIGEST.json` | a certificate of conformance |
| `log/checkpoint`, `log/tile/...` | a log by C2SP tlog-tiles, cosigned by witnesses |
| `log/pending` | the newest checkpoint, for witnesses |
| `submissions/`, `drafts/` | for governors: what was submitted, and what they are asked to sign |

A release is the target `NAME/VERSION.eim`. What `custom` says beside its length and hash:

| role | fields |
|---|---|
| `targets` | `number`; `entry`, its place in the log; `kind`; `certificate`; `revoked`, why |
| `rollout` | `share_ppm`, of the nodes, in millionths |
| `author-NAME` | `number`; `kind`, `module` or `bundle`; `certificate`, its digest |

`root` has `ei-log`: `key`, `witnesses` and `needed`. An author's role has `ei-author`, his key. An
entry of the log is a line of JSON without spaces: `digest`, `kind`, `name`, `number`, `version`.

## Why it is refused

Who follows a registry refuses all that it shows, or one release, with one of these words.
`ei help WORD` explains one.
"""


def registry() -> str:
    """Return the reference of what a registry shows, and why it is refused."""
    from ei.registry.releases import REASONS

    intro = "What nodes may run, as [ei registry](../how-to/run-a-registry.md) keeps it."
    lines = [*_intro("# The registry", intro), "", REGISTRY]
    lines += ["| word | what happened |", "|---|---|"]
    lines += [f"| `{word}` | {text} |" for word, text in REASONS.items()]
    return "\n".join(lines) + "\n"


def dissector() -> str:
    """Return the Wireshark dissector with the names of all services."""
    from ei.registry.numbers import numbers

    script = (ROOT / DISSECTOR).read_text()
    names = "\n".join(f'    [{each.number}] = "{each.name}",' for each in numbers().service)
    table = f"local SERVICES = {{\n{names}\n}}"
    return re.sub(r"local SERVICES = \{.*?\n\}", table, script, count=1, flags=re.DOTALL)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/numbers.md": service_numbers,
    "docs/reference/registry.md": registry,
    DISSECTOR: dissector,
    "docs/reference/cli.md": cli,
    "docs/reference/errors.md": errors,
    "docs/reference/drop-reasons.md": drop_reasons,
    "docs/reference/config.md": config,
    "docs/reference/module-abi.md": module_abi,
    "docs/reference/conformance.md": conformance,
    "docs/reference/doctor.md": doctor,
    "docs/reference/fields.md": fields,
    "docs/reference/metrics.md": metrics,
    **{
        f"docs/reference/services/{name}.md": partial(service, name)
        for name in sorted(find_services())
    },
    "docs/decisions/README.md": decisions,
    "packaging/data/share/man/man1/ei.1": manual,
}
"""Every page that is made, by its path."""


def make(path: str) -> str:
    """Return what the page at `path` must say."""
    os.environ["COLUMNS"] = WIDTH
    return PAGES[path]()


def main() -> None:
    """Write all pages."""
    for path in PAGES:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(make(path))


def _all(parser: Parser) -> Iterator[Parser]:
    yield parser
    for child in parser.children.values():
        yield from _all(child)


def _intro(title: str, text: str) -> list[str]:
    return [title, NOTE, textwrap.fill(text, 98)]


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
