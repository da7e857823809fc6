"""Who learns what of a privacy service: the words of the table in its manifest.

    [knows]
    first_node = ["client", "client_place"]
    middle_link = []

A service that hides something says for each party what it learns when all of them keep to the
code; `ei.lab.knowledge` looks whether that is so, in both directions.
"""

from collections.abc import Mapping
from typing import Literal

Party = Literal[
    "first_node",
    "middle_node",
    "last_node",
    "issuer",
    "first_link",
    "middle_link",
    "last_link",
    "target",
]
"""Somebody who sees a part of what happens."""

Fact = Literal["client", "client_place", "target", "target_place", "payload"]
"""Something that is worth hiding."""

Knows = Mapping[Party, tuple[Fact, ...]]
"""What each party learns; of a party that is not in it nothing is said."""

PARTIES: Mapping[Party, str] = {
    "first_node": "the node that the host is attached to",
    "middle_node": "a node between the first and the last",
    "last_node": "the node that goes on to the target",
    "issuer": "who gives the host tokens for access",
    "first_link": "who listens between the host and the first node",
    "middle_link": "who listens between two nodes",
    "last_link": "who listens between the last node and the target",
    "target": "the server of the legacy Internet",
}

FACTS: Mapping[Fact, str] = {
    "client": "which host it is: its name, its address, its keys",
    "client_place": "where the host is on the underlay: its IP address",
    "target": "what is asked for: the name of the target",
    "target_place": "where the target is: its IP address",
    "payload": "what is said to the target, and what it answers",
}
