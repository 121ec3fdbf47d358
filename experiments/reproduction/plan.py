"""From a cell of a table to a run: its words, what identifies it, and what it lacks on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.configuration.files import resolve_configs, source_checkpoint
from experiments.configuration.names import checked_names
from experiments.configuration.tree import read_tree
from experiments.reproduction.specification import Cell, Source
from hyperalign.errors import UsageError
from hyperalign.files import file_digest, settings_digest

_DIGITS = 16
"""Characters of a digest that name a run."""


@dataclass(frozen=True)
class Places:
    """Where this machine has what tables need.

    Attributes:
        roots: name of a data set (`CAVE`) -> its folder; the name "" stands for every other one.
        files: name of what a table needs beside data (`unclip`) -> its path.
    """

    roots: Mapping[str, str]
    files: Mapping[str, str]

    def root(self, name: str) -> str | None:
        """Return the folder of a data set where one was given."""
        return self.roots.get(name)


@dataclass(frozen=True)
class Run:
    """One run: a command that trains, adapts or tests, whose result does not depend on the table that asks for it.

    Attributes:
        digest: of everything that decides the result, but for the version of the code and the bytes of the data.
        command: `fit`, `adapt` or `test`.
        words: its words, without seed, folders and paths.
        seed: of noise, guides and training.
        source: the run that trains the weights it starts from; None where they are a file, or none are needed.
        checkpoint: the file that it starts from.
        lacks: sentences about what is not there; with any of them it cannot be run.
        paths: words that say where things lie.
    """

    digest: str
    command: str
    words: tuple[str, ...]
    seed: int
    source: Run | None
    checkpoint: str | None
    lacks: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def shared(self) -> str:
        """What runs have in common that are best made by one process: their source and their seed."""
        return f"{self.source.digest if self.source else self.checkpoint} {self.seed}"


def planned(cell: Cell, seed: int, places: Places, extra: Sequence[str] = ()) -> Run:
    """Return the run of a cell.

    Args:
        cell: of a table.
        seed: of the run.
        places: where data and files lie.
        extra: further words of every run, such as `--trainer.accelerator gpu`.

    Raises:
        ConfigNotFoundError: where it names a configuration that does not exist.
    """
    # What a network needs to be built, its source needs as well.
    of_network = {name: option for name, option in cell.needs.items() if option.startswith("--model.network.")}
    source, checkpoint = _started(cell.source, seed, places, extra, of_network)
    lacks, paths = _found(cell.needs, places)
    words = (*cell.run.line(), *extra)
    own_lacks, own_paths = _data(words, places)
    known = {"source": source.digest if source else _weights(checkpoint)}
    return Run(
        _digest(cell.command, words, seed, known),
        cell.command,
        words,
        seed,
        source,
        checkpoint,
        tuple(dict.fromkeys((*own_lacks, *lacks, *(source.lacks if source else ())))),
        (*own_paths, *paths),
    )


def _started(
    given: Source | None, seed: int, places: Places, extra: Sequence[str], needs: Mapping[str, str]
) -> tuple[Run | None, str | None]:
    if given is None:
        return None, None
    if given.checkpoint is not None:
        return None, source_checkpoint(given.checkpoint, None)
    before, checkpoint = _started(given.start, seed, places, extra, needs)
    words = (*given.fit.line(), *extra)
    lacks, paths = _data(words, places)
    digest = _digest("fit", words, seed, {"source": before.digest if before else _weights(checkpoint)})
    own_lacks, own_paths = _found(needs, places)
    lacks = tuple(dict.fromkeys((*lacks, *own_lacks, *(before.lacks if before else ()))))
    return Run(digest, "fit", words, seed, before, checkpoint, lacks, (*paths, *own_paths)), None


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """Return the merged settings of a run's words: the configuration that its digest stands for."""
    return read_tree(resolve_configs(words)).settings


def _digest(command: str, words: Sequence[str], seed: int, more: Mapping[str, Any]) -> str:
    settings = {"command": command, "settings": settings_of(words), "seed": seed, **more}
    return settings_digest(settings)[:_DIGITS]


def _weights(checkpoint: str | None) -> str | None:
    return None if checkpoint is None else file_digest(Path(checkpoint))


def _data(words: Sequence[str], places: Places) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is said of a data set that is not there, and the word that names its folder."""
    data = settings_of(words).get("data") or {}
    name = str(data.get("class_path", "")).rpartition(".")[2]
    default = (data.get("init_args") or {}).get("root")
    # A configuration of a study may leave the folder to the command line.
    root = places.root(name) or default or (f"data/{name}" if name in _DATA else None)
    if root is None:
        return (), ()
    if not Path(root).is_dir():
        return (f"{name} is not at {root} (--root {name}=FOLDER)",), ()
    return (), ("--data.root", str(root))


def _found(needs: Mapping[str, str], places: Places) -> tuple[list[str], list[str]]:
    lacks, paths = list[str](), list[str]()
    for name, option in needs.items():
        given = places.files.get(name)
        if given is None:
            lacks.append(f"{name} is not given (--file {name}=PATH)")
        elif not Path(given).exists():
            lacks.append(f"{name} is not at {given} (--file {name}=PATH)")
        else:
            paths += [option, given]
    return lacks, paths


def places_of(roots: Sequence[str], files: Sequence[str]) -> Places:
    """Return the places that the options `--root NAME=FOLDER` and `--file NAME=PATH` say.

    A `--root` without a name is CAVE's where it holds its scenes, else the folder above data sets by their names.

    Raises:
        UsageError: where a name or a path is empty, or a data set is none of the tables'.
    """
    found: dict[str, str] = {}
    for word in roots:
        name, equals, folder = word.partition("=")
        if equals:
            checked_names("data set", [name], _DATA)
            _given("root", word, folder)
            found[name] = folder
            continue
        below = {one.name: str(one) for one in Path(word).iterdir() if one.is_dir()} if Path(word).is_dir() else {}
        named = {name: path for name, path in below.items() if name in _DATA}
        found |= named or {"CAVE": word}
    pairs = [word.partition("=") for word in files]
    for name, _, path in pairs:
        _given("file", name, path)
    return Places(found, {name: path for name, _, path in pairs})


def _given(option: str, word: str, path: str) -> None:
    if not path:
        raise UsageError(f"The option --{option} {word} names no path: give it as --{option} NAME=PATH.")


_DATA = ("CAVE", "KAIST", "ICVL", "Harvard", "Chikusei", "HSIDwrD")
"""Data sets of the papers, as folders are called after them."""
