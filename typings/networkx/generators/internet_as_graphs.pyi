from typing import Literal, Protocol, TypedDict

class Edge(TypedDict):
    type: Literal["transit", "peer"]
    customer: str

class Edges(Protocol):
    def __call__(self, *, data: Literal[True]) -> list[tuple[int, int, Edge]]: ...

class Graph:
    edges: Edges

def random_internet_as_graph(n: int, seed: int) -> Graph: ...
