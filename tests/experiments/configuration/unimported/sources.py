"""A package of a test that is read and never run."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from experiments.configuration.unimported.modules import Definition, Module, find, find_module


def write(folder: Path, **modules: str) -> None:
    """Write modules; two underscores in a name stand for a folder."""
    for name, text in modules.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for above in path.relative_to(folder).parents[:-1]:
            (folder / above / "__init__.py").touch()
        path.write_text(textwrap.dedent(text), encoding="utf-8")


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Write modules where they are found."""
    write(folder, **modules)
    monkeypatch.syspath_prepend(folder)


def module(name: str) -> Module:
    """The module of a name, which is there."""
    found = find_module(name)
    assert found is not None
    return found


def definition(name: str) -> Definition:
    """What a name stands for, which is there."""
    found = find(name)
    assert found is not None
    return found
