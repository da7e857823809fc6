"""nginx as a server of the legacy Internet, where the other one is."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ei.errors import LocalError, NotFoundError
from ei.lab.borrowed import find_program
from ei.lab.lab import Lab
from ei.lab.load import until
from ei.lab.namespaces import inside
from ei.scenarios.termination.ground import WEB, Ground
from ei.scenarios.termination.servers import content

MUCH = 5_000_000
LITTLE = 1_000
START_LIMIT_S = 10.0
END_LIMIT_S = 5.0
COMPLAINTS = "stderr"
CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address}:{port};
        listen {address}:{http2_port} http2;
        root {folder}/pages;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """Where it serves `/much` and `/little`.

    Attributes:
        port: By HTTP/1.1.
        http2_port: By HTTP/2 without TLS.
    """

    port: int
    http2_port: int


def write_site(folder: Path, *, address: str, nginx: Nginx) -> Path:
    """Write its pages and its configuration; return the latter."""
    pages = folder / "pages"
    pages.mkdir()
    _ = (pages / "much").write_bytes(content(MUCH))
    _ = (pages / "little").write_bytes(content(LITTLE))
    config = folder / "nginx.conf"
    _ = config.write_text(
        CONFIG.format(folder=folder, address=address, port=nginx.port, http2_port=nginx.http2_port)
    )
    return config


@asynccontextmanager
async def serving_by_nginx(
    lab: Lab, ground: Ground, *, environ: Mapping[str, str]
) -> AsyncGenerator[Nginx]:
    """Run nginx while the context lasts.

    Raises:
        NotFoundError: it is not installed.
        LocalError: it did not start; with what it said.
    """
    program = find_program("nginx")
    if program is None:
        raise NotFoundError("nginx is not installed", remedy="apt-get install nginx")
    nginx = Nginx(ground.unused_port(), ground.unused_port())
    with TemporaryDirectory(prefix="ei-nginx-") as name:
        config = write_site(Path(name), address=ground.web, nginx=nginx)
        process = start_nginx(
            program, config, namespace=ground.namespaces.get(WEB), environ=environ
        )
        try:

            async def is_settled() -> bool:
                return process.poll() is not None or await is_listening(ground, nginx.http2_port)

            if await until(lab, is_settled, limit_s=START_LIMIT_S) is None or process.returncode:
                raise LocalError(f"nginx did not start: {complaint_of(config)}")
            yield nginx
        finally:
            await asyncio.to_thread(end, process)


def start_nginx(
    program: str, config: Path, *, namespace: str | None, environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start it, in a namespace if one is named; what it says is kept beside its configuration."""
    folder = config.parent
    with (
        (folder / COMPLAINTS).open("wb") as errors,
        nullcontext() if namespace is None else inside(namespace),
    ):
        return subprocess.Popen(
            (program, "-e", "stderr", "-p", str(folder), "-c", str(config)),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            env=environ,
        )


def complaint_of(config: Path) -> str:
    """Return the end of what it said."""
    return (config.parent / COMPLAINTS).read_text(errors="replace").strip()[-400:]


def end(process: subprocess.Popen[bytes]) -> None:
    """End it, by force in the end. Blocks."""
    process.terminate()
    try:
        _ = process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _ = process.wait()


async def is_listening(ground: Ground, port: int) -> bool:
    """Return whether somebody takes connections where the server is."""
    with ground.socket_of(WEB) as probe, suppress(ConnectionError):
        await asyncio.get_running_loop().sock_connect(probe, (ground.web, port))
        return True
    return False
