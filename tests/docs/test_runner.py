import os
from pathlib import Path

import pytest
from tests.docs.runner import PageError, Step, fits, run_page, steps_of


def test_blocks_become_steps_in_order() -> None:
    page = """\
Text.

<!-- file: hello/a.toml -->
```toml
x = 1
```

```console
$ echo one
one
$ false
[exit 1]
```

<!-- not run: it takes an hour -->
```sh
make world
```

```text
for the eye
```
"""

    assert steps_of(page) == [
        Step(3 + 1, "write", "x = 1\n", path="hello/a.toml"),
        Step(8, "run", "echo one", expected="one"),
        Step(8, "run", "false", exit_code=1),
    ]


def test_a_block_that_nobody_runs_must_say_why() -> None:
    with pytest.raises(PageError, match="needs '<!-- file: PATH -->'"):
        steps_of("```toml\nx = 1\n```\n")


def test_the_shell_keeps_its_folder_and_variables(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()

    run_page(
        "```sh\nmkdir deep && cd deep\nname=ei\n```\n```console\n$ echo $name in ${PWD##*/}\n"
        "ei in deep\n```\n",
        tmp_path / "work",
    )


@pytest.mark.parametrize(
    "body",
    ["$ echo two\none", "$ false", "$ true\n[exit 1]", "$ exit 0", "$ sleep 60"],
)
def test_a_page_that_says_something_else_than_happens_fails(tmp_path: Path, body: str) -> None:
    (tmp_path / "work").mkdir()

    with pytest.raises(PageError):
        run_page(f"```console\n{body}\n```\n", tmp_path / "work", limit_s=0.2)


def test_a_page_that_fails_leaves_nothing_in_the_background(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()

    with pytest.raises(PageError):
        run_page("```sh\nsleep 60 & echo $! > pid\n```\n```sh\nfalse\n```\n", tmp_path / "work")

    status = Path("/proc", (tmp_path / "work" / "pid").read_text().strip(), "cmdline")
    while status.exists() and status.read_bytes():
        os.sched_yield()


def test_output_may_be_left_out_but_not_changed() -> None:
    assert fits("rtt 1.93 ms\nend\n", "rtt … ms\nend")
    assert fits("a\nb\nc\n", "a\n…\nc")
    assert fits("a\nc\n", "a\n…\nc")
    assert not fits("a\nb\n", "a")
    assert not fits("rtt 1.93 s\n", "rtt … ms")
