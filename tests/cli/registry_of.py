"""A registry of three governors and three witnesses, made by commands."""

from pathlib import Path

from tests.cli.conftest import Run, Said

GOVERNORS = ("anne", "bert", "cleo")
WITNESSES = ("w0", "w1", "w2")


def begun(ei: Run) -> None:
    """Make keys, and a registry that two of three governors have signed and all witnesses saw."""
    for name in (*GOVERNORS, *WITNESSES, "author"):
        done(ei("key", "new", f"{name}.key"))
    keys = [identity(ei, name) for name in GOVERNORS]
    shown = [str(witness(ei, name, "--show", "--json").document["key"]) for name in WITNESSES]
    flags = [word for key in shown for word in ("--witness", key)]
    done(ei("registry", "init", *keys, "--threshold", "2", *flags))
    done(approve(ei, "anne", "bert"))
    witnessed(ei)


def identity(ei: Run, name: str) -> str:
    """Return somebody's public key."""
    return str(ei("key", "show", f"{name}.key", "--json").document["identity"])


def approve(ei: Run, *names: str, release: str = "", more: tuple[str, ...] = ()) -> Said:
    """Have governors approve."""
    keys = [word for name in names for word in ("--key", f"{name}.key")]
    return ei("registry", "approve", *([release] if release else []), *keys, *more)


def witness(ei: Run, name: str, *more: str) -> Said:
    """Have a witness do something."""
    words = ("--key", f"{name}.key", "--name", f"{name}.test", "--state", f"{name}.seen")
    return ei("registry", "witness", *words, *more)


def witnessed(ei: Run) -> None:
    """Have all witnesses look."""
    for name in WITNESSES:
        done(witness(ei, name))


def published(ei: Run, name: str = "hello", *, version: str = "0.1.0") -> Said:
    """Make, sign and publish a module."""
    folder = Path(name)
    if not folder.exists():
        done(ei("module", "new", name))
    manifest = folder / "manifest.toml"
    text = manifest.read_text()
    _ = manifest.write_text(text.replace('"0.1.0"', f'"{version}"'))
    done(ei("module", "sign", name, "--key", "author.key", "--registry", "registry"))
    return done(ei("module", "publish", name, "--json"))


def done(said: Said) -> Said:
    """Return what was said if all went well."""
    assert said.code == 0, said.err
    return said
