"""The resolver of an operator: BIND, as it is, with a zone that it signs itself."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from ei.lab.borrowed import find_program
from ei.lab.foreign import running, unused_port

ADDRESS = "127.0.0.1"
ZONE = "signed.example"
PROGRAMS = ("named", "dig", "delv", "dnsperf")
NAMES = 200
SIGNED_LIMIT_S = 15.0
EVERY_S = 0.1
LONG = "long"
"""A name whose answer takes TCP."""

_CONFIG = """
options {{
    directory "{folder}"; pid-file none; session-keyfile none; managed-keys-directory "{folder}";
    key-directory "{folder}"; lock-file none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no; minimal-responses yes; querylog no;
    rrset-order {{ order none; }};
}};
controls {{ }};
zone "{zone}" {{ type primary; file "zone"; dnssec-policy default; inline-signing yes; }};
"""
_HEAD = """\
$ORIGIN {zone}.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
"""


@dataclass(frozen=True, slots=True)
class Resolver:
    """BIND while it runs.

    Attributes:
        port: On the loopback, UDP and TCP.
        hidden, secret: A name of the zone that was drawn, and the text that it has.
        anchors: File with the key of its zone, as `delv -a` takes it.
        pid: Of its process.
    """

    port: int
    hidden: str
    secret: str
    anchors: Path
    pid: int

    @property
    def endpoint(self) -> str:
        """Address and port: BIND takes no other address of the loopback than its first."""
        return f"{ADDRESS}:{self.port}"


def missing(environ: Mapping[str, str] = os.environ) -> str:
    """Return a program that is needed and not here; empty if all are."""
    return next((each for each in PROGRAMS if find_program(each, environ) is None), "")


@asynccontextmanager
async def resolving(folder: Path, environ: Mapping[str, str]) -> AsyncGenerator[Resolver]:
    """Run it in a folder until the block ends; the zone is signed when it begins."""
    named = find_program("named", environ)
    assert named is not None, "missing() was asked first"  # noqa: S101
    port = unused_port()
    hidden, secret = f"hidden-{token_hex(12)}", token_hex(16)
    await asyncio.to_thread(_write, folder, port, hidden, secret)
    words = (named, "-g", "-n", "1", "-c", str(folder / "named.conf"))
    async with running(*words, at=port, folder=folder, environ=environ) as pid:
        anchors = folder / "anchors"
        key = await _key(port, environ)
        text = f"trust-anchors {{ {ZONE}. static-key {key}; }};\n"
        _ = await asyncio.to_thread(anchors.write_text, text)
        yield Resolver(port, f"{hidden}.{ZONE}", secret, anchors, pid)


def _write(folder: Path, port: int, hidden: str, secret: str) -> None:
    folder.mkdir()
    lines = [f"www{number} IN A 192.0.2.{number % 250}" for number in range(NAMES)]
    lines += [f'{LONG} IN TXT "{number:03} {"x" * 200}"' for number in range(30)]
    lines += ["alias IN CNAME www1", f'{hidden} IN TXT "{secret}"']
    zone = _HEAD.format(zone=ZONE) + "\n".join(lines) + "\n"
    config = _CONFIG.format(folder=folder, port=port, zone=ZONE)
    _ = (folder / "zone").write_text(zone)
    _ = (folder / "named.conf").write_text(config)


async def _key(port: int, environ: Mapping[str, str]) -> str:
    """Return the key of the zone once all of it is signed, in the words of a trust anchor."""
    asked = ("dig", f"@{ADDRESS}", "-p", str(port), "+dnssec")
    async with asyncio.timeout(SIGNED_LIMIT_S):
        while True:
            key = read_key(await said(*asked, "+short", ZONE, "DNSKEY", environ=environ))
            none = await said(*asked, f"nothing.{ZONE}", "A", environ=environ)
            if key and "NSEC" in none and "RRSIG" in none:
                return key
            await asyncio.sleep(EVERY_S)


def read_key(printed: str) -> str:
    """Return a key that `dig +short` printed, in the words of a trust anchor; empty for none."""
    words = printed.partition("\n")[0].split()
    return f'{" ".join(words[:3])} "{"".join(words[3:])}"' if words else ""


async def said(*words: str, environ: Mapping[str, str]) -> str:
    """Run a program; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**environ, "LC_ALL": "C"},
    )
    printed, _ = await process.communicate()
    return printed.decode(errors="replace")
