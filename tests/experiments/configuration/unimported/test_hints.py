"""What annotations allow: plain values, classes, what a callable is given, and whether all of it was understood."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from experiments.configuration.unimported.hints import Hint, hint_of
from experiments.configuration.unimported.modules import UncertainError
from tests.experiments.configuration.unimported.sources import module, package


@pytest.fixture(autouse=True)
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(
        tmp_path,
        monkeypatch,
        hinted__module="""
            from collections.abc import Callable, Iterable, Mapping, Sequence
            from typing import Annotated, Any, Literal, Optional, Union, TypeVar
            class Guide: ...
            class Light: ...
            Rule = Literal["keep", "refuse"]
            Size = int | tuple[int, int]
        """,
    )


def hint(text: str) -> Hint:
    return hint_of(ast.parse(text, mode="eval").body, module("hinted.module"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", [int]),
        ("int | None", [int, type(None)]),
        ("'float | str'", [float, str]),
        ("Optional[bool]", [type(None), bool]),
        ("Union[int, str]", [int, str]),
        ("Rule", [Literal["keep", "refuse"]]),
        ("Size", [int, tuple[int, int]]),
        ("Annotated[int, 'a note']", [int]),
        ("Sequence[float]", [Sequence[float]]),
        ("tuple[int, ...]", [tuple[int, ...]]),
        ("dict[str, list[int | None]]", [dict[str, list[int | None]]]),
        ("Any", [Any]),
    ],
)
def test_plain_types(text: str, expected: list[Any]) -> None:
    found = hint(text)
    assert (found.plain, found.classes, found.certain) == (expected, [], True)


@pytest.mark.parametrize(
    ("text", "names", "skipped"),
    [
        ("Guide", ["Guide"], 0),
        ("Guide | Light | None", ["Guide", "Light"], 0),
        ("list[Guide]", ["Guide"], 0),
        ("Callable[[int, str], Guide]", ["Guide"], 2),
        ("Guide | Callable[[int], Light]", ["Guide", "Light"], 1),
    ],
)
def test_classes_and_what_the_code_gives_them(text: str, names: list[str], skipped: int) -> None:
    found = hint(text)
    assert [one.name.rpartition(".")[2] for one in found.classes] == names
    assert (found.skipped, found.certain) == (skipped, True)


@pytest.mark.parametrize(
    "text", ["Unknown", "TypeVar", "type[Guide]", "Callable[..., int]", "Guide()", "int | Unknown"]
)
def test_what_is_not_understood_is_said_to_be_uncertain(text: str) -> None:
    assert not hint(text).certain


def test_no_annotation_allows_anything_and_no_plain_type_is_none() -> None:
    assert hint_of(None, module("hinted.module")).plain == [Any]
    assert hint("int | None").type == int | None
    with pytest.raises(UncertainError):
        _ = hint("Guide").type
