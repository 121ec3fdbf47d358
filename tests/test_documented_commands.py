"""Every command that README, docs and the headers of configurations show is one that the command line takes."""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.cli import COMMANDS, RUNS, main
from experiments.configuration.filled_in import own_cubes

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGS = sorted((ROOT / "experiments").rglob("*.yaml"))
CHECKPOINT = ROOT / "experiments" / "hir_align" / "checkpoints" / "gaussian.ckpt"
_COMMAND = re.compile(r"(?:hyperalign|lightning|python -m experiments) ([a-z][a-z-]*) ?(.*)")
_WEIGHTS = re.compile(r"^(?:X|CKPT|[\w./-]+\.(?:ckpt|pth|pt))$")


def commands(text: str) -> Iterator[list[str]]:
    """The words after `hyperalign` of every command in the code blocks and the code spans of a page."""
    blocks = re.findall(r"^```(?:bash|shell|console)?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    for line in [*lines, *(" ".join(span.split()) for span in spans)]:
        for part in line.split(" && "):
            if found := _COMMAND.match(part.strip()):
                yield [found[1], *shlex.split(found[2], comments=True)]


def header_of(text: str) -> str:
    """The comment that a configuration begins with, its indented commands as a code block."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    shown = [line.removeprefix("# ") for line in lines]
    return "```\n" + "\n".join(line.strip() for line in shown if line.startswith(" ")) + "\n```\n"


def documented() -> list[tuple[str, list[str]]]:
    texts = [(page.name, page.read_text(encoding="utf-8")) for page in PAGES]
    texts += [(path.relative_to(ROOT).as_posix(), header_of(path.read_text(encoding="utf-8"))) for path in CONFIGS]
    found = [(name, words) for name, text in texts for words in commands(text)]
    return [one for number, one in enumerate(found) if one not in found[:number]]


def given(words: list[str]) -> list[str]:
    """The words with something in the place of what the reader is to fill in."""
    kept = [word for word in words if word != "..."]
    return [str(CHECKPOINT) if _WEIGHTS.match(word) else "gaussian" if word == "TASK" else word for word in kept]


@pytest.fixture(autouse=True)
def _own_code_stays_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the examples' own modules afterwards: other tests have some of the same names."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for path in (ROOT / "examples").glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_commands_are_found_in_the_pages() -> None:
    assert len(documented()) > 30
    block = "```\nhyperalign fit --config a \\\n    --data.root X  # why\nmake demo\n```\n"
    text = f"{block}and `hyperalign test --config b`\n"
    assert list(commands(text)) == [["fit", "--config", "a", "--data.root", "X"], ["test", "--config", "b"]]


@pytest.mark.parametrize(("page", "words"), documented(), ids=lambda one: one if isinstance(one, str) else one[0])
def test_a_documented_command_is_taken(
    page: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *rest = given(words)
    assert name in RUNS or name in COMMANDS or name == "help"
    monkeypatch.setattr(own_cubes, "target_folder", lambda *given, **named: None)
    monkeypatch.chdir(ROOT / "examples")
    if name in RUNS:
        if not rest or "..." in words or any(word.endswith(".help") for word in rest):
            return  # the beginning of a command, or the end of one
        with pytest.raises(SystemExit) as stopped:
            pytest.fail(f"{page}: status {main([name, *rest, '--print_config'])}, {capsys.readouterr().err}")
        assert stopped.value.code == 0
        return
    try:
        assert main([name, "--help"]) == 0
    except SystemExit as stopped:
        assert stopped.code == 0
    shown = capsys.readouterr().out
    for word in rest:
        option = word.partition("=")[0]
        if option.startswith("--") and option != "--help" and "." not in option:
            assert re.search(rf"{option}\b", shown), option
