"""Mistakes of a command line are one sentence each, raised and not printed."""

from __future__ import annotations

import pytest

from experiments.configuration.command_parser import CommandParser
from hyperalign.errors import UsageError


@pytest.fixture
def parser() -> CommandParser:
    made = CommandParser("measure", "First paragraph.\n\nSecond paragraph.")
    made.add_argument("--side", type=int, default=8)
    made.add_argument("--seeds", type=int, nargs="+")
    made.add_argument("scene", nargs="?")
    return made


def test_what_is_given_is_parsed(parser: CommandParser) -> None:
    given = parser.parse_args(["--side", "16", "cloth"])
    assert (given.side, given.seeds, given.scene) == (16, None, "cloth")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sid", "8"], "hyperalign measure has no option '--sid': the nearest one is '--side'."),
        (["--seed=3"], "hyperalign measure has no option '--seed': the nearest one is '--seeds'."),
        (
            ["a", "b"],
            "Unrecognized arguments: b: `hyperalign measure --help` shows what can be given.",
        ),
        (
            ["--side", "x"],
            "Argument --side: invalid int value: 'x': `hyperalign measure --help` shows what can be given.",
        ),
        (
            ["--seeds"],
            "Argument --seeds: expected at least one argument: `hyperalign measure --help` shows what can be given.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    parser: CommandParser, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as refusal:
        parser.parse_args(words)
    assert str(refusal.value) == sentence
    assert capsys.readouterr() == ("", "")


def test_help_keeps_its_paragraphs(parser: CommandParser) -> None:
    text = parser.format_help()
    assert text.startswith("usage: hyperalign measure ")
    assert "First paragraph.\n\nSecond paragraph.\n" in text
