"""nginx, Varnish and Squid of Debian, configured as `http-cache-tests` does it for its results."""

import getpass
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

from ei.lab.borrowed import find_program
from ei.lab.foreign import running, unused_port
from ei.scenarios.caching.origin import HERE

NGINX = Template("""
daemon off;
worker_processes 1;
user $user;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 2048; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path passing;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    proxy_cache_path kept levels=1:2 keys_zone=kept:8m max_size=1000m inactive=600m;
    server {
        listen $here:$port;
        location / {
            proxy_pass http://$here:$origin;
            proxy_cache kept;
            proxy_cache_revalidate on;
        }
    }
}
""")
SQUID = Template("""
http_port $here:$port accel defaultsite=localhost no-vhost
cache_peer $here parent $origin 0 no-query no-digest originserver default name=origin
acl all_sites dstdomain localhost
cache_peer_access origin allow all
http_access allow all
shutdown_lifetime 1 second
connect_retries 3
visible_hostname localhost
pid_filename none
access_log none
cache_log /dev/null
netdb_filename none
pinger_enable off
coredump_dir none
""")


@dataclass(frozen=True, slots=True)
class Other:
    """A cache that is not ours.

    Attributes:
        name: As people call it.
        package: Of Debian.
        program: That runs.
        words: Its arguments, after it has written its configuration into a folder.
    """

    name: str
    package: str
    program: str
    words: Callable[[Path, int, int], tuple[str, ...]]


def nginx(folder: Path, port: int, origin: int) -> tuple[str, ...]:
    """Write the configuration of nginx; return its arguments."""
    file = folder / "nginx.conf"
    places = {"here": HERE, "port": port, "origin": origin, "user": getpass.getuser()}
    _ = file.write_text(NGINX.substitute(places))
    return ("-e", "stderr", "-p", str(folder), "-c", str(file))


def varnish(folder: Path, port: int, origin: int) -> tuple[str, ...]:
    """Return the arguments of Varnish, which needs no file."""
    places = ("-F", "-a", f"{HERE}:{port}", "-b", f"{HERE}:{origin}", "-n", f"{folder}/varnish")
    times = ("-p", "default_ttl=0", "-p", "default_grace=0", "-p", "default_keep=3600")
    return (*places, "-j", "none", "-T", "none", *times, "-s", "malloc,64M")


def squid(folder: Path, port: int, origin: int) -> tuple[str, ...]:
    """Write the configuration of Squid; return its arguments."""
    folder.chmod(0o755)  # it gives up its rights before it reads
    file = folder / "squid.conf"
    _ = file.write_text(SQUID.substitute({"here": HERE, "port": port, "origin": origin}))
    return ("-N", "-f", str(file))


VARNISH = Other("Varnish", "varnish", "varnishd", varnish)
OTHERS = (Other("nginx", "nginx", "nginx", nginx), VARNISH, Other("Squid", "squid", "squid", squid))


def missing(*others: Other) -> str:
    """Return the command that installs those that are missing; empty if none is."""
    packages = [other.package for other in others if find_program(other.program) is None]
    return f"apt-get install {' '.join(packages)}" if packages else ""


@asynccontextmanager
async def serving_as(
    other: Other, origin: int, environ: Mapping[str, str]
) -> AsyncGenerator[tuple[int, int]]:
    """Run a cache in front of an origin while the context lasts; yield its port and process id."""
    port = unused_port()
    with TemporaryDirectory(prefix="ei-") as name:
        folder = Path(name)
        words = (find_program(other.program) or other.program, *other.words(folder, port, origin))
        async with running(*words, at=port, folder=folder, environ=environ) as pid:
            yield port, pid
