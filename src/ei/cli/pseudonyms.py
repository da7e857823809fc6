"""Words in the place of whoever uses a network, in what is shown to somebody else. Pure.

Nodes and domains are public and stay. Every other name of a domain, address, key and IP address is
replaced by a word, the same one for the same thing throughout, so that a report can still be read.
What looks like one of these is replaced, known or not.
"""

import re
from collections.abc import Collection

from ei.errors import LocalError

ADDRESS = re.compile(
    r"(?<![0-9a-fA-F:])fd35:[0-9a-fA-F:]+|(?<![0-9a-f])fd35[0-9a-f]{28}(?![0-9a-f])"
)
KEY = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")
IP = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|\[[0-9a-fA-F:.]+\](?=:\d)")
LABEL = r"(?<![\w.-])[a-z0-9][a-z0-9-]{0,31}"
OF_EVERYBODY = ("127.0.0.1", "0.0.0.0", "[::]", "[::1]")  # noqa: S104 not bound, but left as it is


class Pseudonyms:
    """Replaces, and remembers by what.

    Args:
        kept: Names, addresses, keys and IP addresses that stay: those of nodes, as text.
        domains: Names of domains; what ends with one of them is the name of somebody.
    """

    def __init__(self, kept: Collection[str], domains: Collection[str]) -> None:
        self._kept = {*kept, *OF_EVERYBODY}
        self._words: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        longest_first = sorted(domains, key=len, reverse=True)
        among = "|".join(map(re.escape, longest_first))
        self._name = re.compile(rf"{LABEL}\.(?:{among})(?![\w-])") if among else None

    def __repr__(self) -> str:
        return f"<Pseudonyms {self._counts}>"

    def hide(self, text: str) -> str:
        """Return the text with words in the place of names and addresses."""
        text = ADDRESS.sub(
            lambda found: self._word("address", _canonical(found[0]), found[0]), text
        )
        text = KEY.sub(lambda found: self._word("key", found[0].lower(), found[0]), text)
        text = IP.sub(lambda found: self._word("ip", found[0], found[0]), text)
        if self._name is not None:
            text = self._name.sub(lambda found: self._word("name", found[0], found[0]), text)
        return text

    def _word(self, kind: str, thing: str, text: str) -> str:
        if thing in self._kept:
            return text
        if thing not in self._words:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._words[thing] = f"{kind}-{self._counts[kind]}"
        return self._words[thing]


def _canonical(text: str) -> str:
    """Return the IPv6 form of an address in either form; itself when it is none."""
    from ei.records.addresses import format_address, parse_address

    try:
        return format_address(parse_address(text))
    except LocalError:
        return text
