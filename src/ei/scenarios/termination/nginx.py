"""nginx as a server of the legacy Internet, where the other one is."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ei.errors import NotFoundError
from ei.lab.borrowed import find_program
from ei.lab.certificates import Certificate
from ei.lab.foreign import running
from ei.scenarios.termination.ground import WEB, Ground
from ei.scenarios.termination.servers import content

MUCH = 5_000_000
LITTLE = 1_000
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
    {tls}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """Where it serves `/much` and `/little`.

    Attributes:
        port: By HTTP/1.1.
        http2_port: By HTTP/2 without TLS.
        tls_port: By HTTP/1.1 inside of TLS; 0 where it has no certificate.
    """

    port: int
    http2_port: int
    tls_port: int = 0


TLS = """\
server {{
        listen {address}:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        root {folder}/pages;
    }}"""


def write_site(folder: Path, *, address: str, nginx: Nginx, tls: Certificate | None = None) -> Path:
    """Write its pages and its configuration; return the latter."""
    pages = folder / "pages"
    pages.mkdir()
    _ = (pages / "much").write_bytes(content(MUCH))
    _ = (pages / "little").write_bytes(content(LITTLE))
    config = folder / "nginx.conf"
    secure = ""
    if tls is not None:
        certificate, key = tls.write(folder)
        secure = TLS.format(
            folder=folder, address=address, port=nginx.tls_port, certificate=certificate, key=key
        )
    _ = config.write_text(
        CONFIG.format(
            folder=folder,
            address=address,
            port=nginx.port,
            http2_port=nginx.http2_port,
            tls=secure,
        )
    )
    return config


@asynccontextmanager
async def serving_by_nginx(
    ground: Ground, *, environ: Mapping[str, str], tls: Certificate | None = None
) -> AsyncGenerator[Nginx]:
    """Run nginx while the context lasts.

    Args:
        tls: With which it serves by TLS, too.

    Raises:
        NotFoundError: it is not installed.
        LocalError: it did not start; with what it said.
    """
    program = find_program("nginx")
    if program is None:
        raise NotFoundError("nginx is not installed", remedy="apt-get install nginx")
    secure_port = 0 if tls is None else ground.unused_port()
    nginx = Nginx(ground.unused_port(), ground.unused_port(), secure_port)
    with TemporaryDirectory(prefix="ei-nginx-") as name:
        folder = Path(name)
        config = write_site(folder, address=ground.web, nginx=nginx, tls=tls)
        async with running(
            *(program, "-e", "stderr", "-p", name, "-c", str(config)),
            at=nginx.http2_port,
            folder=folder,
            environ=environ,
            namespace=ground.namespaces.get(WEB),
        ):
            yield nginx
