"""Each key of a configuration, its value and where that comes from."""

import tomllib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ei.daemons.settings import defaults_of, settings_of, toml_value

TEXT = """\
# A comment with threads = 9.
version = 1
name = "sn1.isp-a"

binds = [
    "0.0.0.0:3535",   # name = "x"
]

[trust]
isp-a = "ab"
"isp.b" = "cd"

[config.delivery]
decision_s = 10.5

[[links]]
loss = 0.5

[empty]
"""


class Config(msgspec.Struct, frozen=True):
    """A configuration."""

    version: int
    threads: int = 1
    governance: str | None = None
    trust: dict[str, str] = {}
    chains: dict[str, tuple[str, ...]] = {}


def lines_of(text: str, others: dict[str, dict[str, object]]) -> dict[str, str]:
    return {str(setting): setting.origin for setting in settings_of(text, others)}


def test_each_key_of_the_file_has_its_line() -> None:
    assert lines_of(TEXT, {}) == {
        "version = 1": "line 2",
        'name = "sn1.isp-a"': "line 3",
        'binds = ["0.0.0.0:3535"]': "line 5",
        'trust.isp-a = "ab"': "line 10",
        'trust."isp.b" = "cd"': "line 11",
        "config.delivery.decision_s = 10.5": "line 14",
        "links = [{ loss = 0.5 }]": "line 16",
        "empty = {}": "line 19",
    }


def test_what_the_file_leaves_out_comes_from_the_others_in_their_order() -> None:
    manifest = {"config": {"delivery": {"decision_s": 1.0, "hosts": 5}}}

    found = lines_of(TEXT, {"manifest": manifest, "default": {"name": "x", "config": {}}})

    assert found["config.delivery.decision_s = 10.5"] == "line 14"
    assert found["config.delivery.hosts = 5"] == "manifest"
    assert "default" not in found.values()


def test_defaults_are_those_of_the_type() -> None:
    found = lines_of(TEXT, {"default": defaults_of(Config)})

    assert {line for line, origin in found.items() if origin == "default"} == {
        "threads = 1",
        "# governance is not set",
        "chains = {}",
    }


def test_an_empty_table_of_the_file_is_filled_and_not_said_twice() -> None:
    found = lines_of("[config.delivery]", {"manifest": {"config": {"delivery": {"hosts": 5}}}})

    assert found == {"config.delivery.hosts = 5": "manifest"}


def test_a_value_of_the_file_stands_for_all_below_it() -> None:
    assert lines_of("config = 5", {"default": {"config": {"x": 1}}}) == {"config = 5": "line 1"}


values = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_a_value_shown_is_read_as_itself(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


@given(st.dictionaries(st.text(max_size=6), values, max_size=4))
def test_all_that_is_shown_makes_the_same_file(tables: dict[str, object]) -> None:
    text = "".join(f"{setting}\n" for setting in settings_of("", {"file": tables}))

    assert tomllib.loads(text) == tables
