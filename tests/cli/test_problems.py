import errno
import io
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei import errors
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError
from ei.cli.problems import BY_TYPE, KINDS, problem_of, sentence, show_problem


def every_error() -> list[type[errors.EiError]]:
    found = [errors.EiError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found[1:] if kind.__module__ == "ei.errors"]


def test_codes_are_unique_and_in_order() -> None:
    codes = [kind.code for kind in KINDS]

    assert codes == sorted(set(codes))


def test_every_error_of_ours_has_a_code_and_the_exit_code_it_names() -> None:
    for kind in every_error():
        error = kind("x", kind="reset") if kind is errors.StreamError else kind("x")

        assert problem_of(error).kind.exit == error.exit_code, kind


def test_special_errors_come_before_their_bases() -> None:
    types = list(BY_TYPE)
    for index, kind in enumerate(types):
        assert not any(issubclass(later, kind) for later in types[index + 1 :])


def test_the_remedy_of_an_error_is_the_action() -> None:
    problem = problem_of(errors.ConflictError("lab core is up", remedy="End it: ei lab down core"))

    assert problem.cause == "Lab core is up."
    assert problem.action == "End it: ei lab down core"


def test_the_one_error_of_a_group_is_the_problem() -> None:
    group = ExceptionGroup("tasks", [ExceptionGroup("inner", [errors.DeniedError("no")])])

    assert problem_of(group) == problem_of(errors.DeniedError("no"))


def test_a_refusal_of_the_system_names_the_file() -> None:
    problem = problem_of(OSError(errno.ENOSPC, "No space left on device", "/x/y"))

    assert problem.kind.exit is Exit.LIMIT
    assert problem.cause == "/x/y: No space left on device."


def test_wrong_usage_points_to_the_help_of_its_command() -> None:
    assert "ei lab up --help" in problem_of(UsageError("no", command="ei lab up")).action


def test_what_to_do_in_general_fits_whatever_was_named(ei: Run) -> None:
    said = {
        "a file": ei("demo", "--file", "nowhere"),
        "a scenario": ei("lab", "run", "nothing"),
        "a topology": ei("lab", "up", "nothing"),
        "a capture": ei("decode", __file__),
    }

    for what, answer in said.items():
        assert answer.code != Exit.OK
        for misleading in ("ei status", "ei node check", "ss -lunp", "records"):
            assert misleading not in answer.err, what
    assert "ei lab examples" in said["a scenario"].err
    assert "ei lab examples" in said["a topology"].err


def test_who_holds_a_port_can_be_found_out() -> None:
    assert "ss -lunp" in problem_of(OSError(errno.EADDRINUSE, "Address already in use")).action
    assert "ss -lunp" not in problem_of(errors.ConflictError("the file exists")).action


def test_no_message_is_ever_empty() -> None:
    assert sentence(ValueError()) == "ValueError without a message."
    assert sentence(ValueError("so  it\nis")) == "So it is."


@pytest.mark.parametrize(
    "text", ["domain.key exists.", "t/node.toml: no.", "alice: two nodes.", "`version` is missing."]
)
def test_names_and_paths_keep_their_letters(text: str) -> None:
    assert sentence(ValueError(text)) == text


def test_a_file_of_the_system_is_named_as_people_know_it() -> None:
    problem = problem_of(OSError(errno.ENOENT, "No such file or directory", b"/bin/ei"))

    assert problem.cause == "/bin/ei: No such file or directory."


def test_a_bug_keeps_its_traceback_in_a_file_and_shows_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        _ = {}["missing"]
    except KeyError as error:
        problem = problem_of(error)

    kept = tmp_path / "ei" / "last-bug.txt"
    assert str(kept) in problem.cause
    assert "test_problems.py" in kept.read_text()


def test_what_strangers_wrote_cannot_reach_the_terminal() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    output = Output(stdout=stdout, stderr=stderr, environ={})

    code = show_problem(errors.PeerError("name \x1b[2Jevil\u202e"), output)

    assert code is Exit.INTEGRITY
    assert "\x1b" not in stderr.getvalue()
    assert "\\x1b[2Jevil\\u202e" in stderr.getvalue()
    assert stdout.getvalue() == ""
