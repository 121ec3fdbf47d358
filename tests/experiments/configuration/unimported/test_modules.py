"""Names are followed through imports to where they are defined, and nothing is run on the way."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from experiments.configuration.unimported.modules import UncertainError, find, find_module, member, reference, syntax
from tests.experiments.configuration.unimported.sources import definition, module, package, write


@pytest.fixture(autouse=True)
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(
        tmp_path,
        monkeypatch,
        read_only__deep__things="""
            raise SystemExit("this was run")
            class Thing: ...
            def make(): ...
            LIMIT: int = 3
            OTHER = Thing
        """,
        read_only__names="""
            from read_only.deep.things import Thing as Renamed, make
            from .deep import things
            from .deep.things import *
            import os.path as paths
            import read_only.deep
            if True:
                class Sure: ...
            else:
                class Other: ...
            try:
                from nowhere import Gone
            except ImportError:
                Gone = None
        """,
        read_only__made="def __getattr__(name): return 3\n",
        read_only__starred="from compiled_part import *\n",
    )


def test_a_name_is_followed_to_where_it_is_defined() -> None:
    for name in ("read_only.names.Renamed", "read_only.names.Thing", "read_only.deep.things.Thing"):
        assert definition(name).name == "read_only.deep.things.Thing"
    assert definition("read_only.names.make").name == "read_only.deep.things.make"
    limit = definition("read_only.names.LIMIT").node
    assert isinstance(limit, ast.Constant)
    assert limit.value == 3
    assert definition("read_only.names.Sure").name == "read_only.names.Sure"
    assert definition("read_only.names.things").node is None
    assert "read_only" not in sys.modules


def test_what_is_not_there_is_none_and_what_cannot_be_known_is_uncertain() -> None:
    assert find("read_only.deep.things.Nothing") is None
    assert find_module("read_only.nothing") is None
    assert find_module("math") is None  # not written in Python
    for name in ("nowhere.Thing", "Thing", "read_only.made.Thing", "read_only.starred.Thing"):
        with pytest.raises(UncertainError):
            find(name)


def test_a_circle_of_imports_ends(tmp_path: Path) -> None:
    write(tmp_path, circle__one="from circle.two import Thing\n", circle__two="from circle.one import Thing\n")
    assert find("circle.one.Thing") is None


def test_expressions_of_names_and_points_are_followed() -> None:
    names = module("read_only.names")
    for text in ("things.Thing", "Renamed", "read_only.deep.things.Thing"):
        found = reference(names, ast.parse(text, mode="eval").body)
        assert found is not None
        assert found.name == "read_only.deep.things.Thing"
    assert reference(names, ast.parse("Renamed.inner", mode="eval").body) is None
    assert reference(names, ast.parse("make()", mode="eval").body) is None


def test_a_module_below_a_package_and_its_tree() -> None:
    found = member(module("read_only.deep"), "things")
    assert found is not None
    assert found.name == "read_only.deep.things"
    tree = syntax(module("read_only.deep.things"))
    assert [type(node).__name__ for node in tree.body[1:3]] == ["ClassDef", "FunctionDef"]
    assert syntax(module("read_only.deep.things")) is tree  # read once


def test_a_folder_without_init_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "plain_folder" / "deeper"
    below.mkdir(parents=True)
    (below / "nets.py").write_text("class Net: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert definition("plain_folder.deeper.nets.Net").name == "plain_folder.deeper.nets.Net"
    assert find_module("plain_folder.deeper") is None
    assert "plain_folder" not in sys.modules
