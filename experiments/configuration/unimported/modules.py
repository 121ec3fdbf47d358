"""Finds what a dotted name stands for by reading sources, importing nothing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

Node = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.expr


class UncertainError(Exception):
    """Something that the sources alone do not tell; never shown, because the parser answers instead."""


@dataclass(frozen=True)
class Module:
    """A module that was read and not run.

    Attributes:
        name: dotted name.
        path: its file.
        package: whether other modules lie below it.
    """

    name: str
    path: Path
    package: bool


@dataclass(frozen=True)
class Definition:
    """What a name stands for: a class, a function, the value of an assignment, or a module (then `node` is None)."""

    module: Module
    node: Node | None

    @property
    def name(self) -> str:
        """The dotted name of the place where it is defined."""
        own = getattr(self.node, "name", None)
        return f"{self.module.name}.{own}" if own else self.module.name


@cache
def find_module(name: str) -> Module | None:
    """Return the module of a dotted name, None where there is none that is written in Python."""
    places = list(sys.path)
    spec = None
    parts = name.split(".")
    for part in parts:
        # By its last part alone: a folder without `__init__.py` asks for its parent's module, which is not imported.
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Module(name, Path(spec.origin), spec.submodule_search_locations is not None)


@cache
def syntax(module: Module) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(module.path.read_text(encoding="utf-8"))


def find(name: str) -> Definition | None:
    """Return what a dotted name such as `datamodules.CAVE` stands for.

    Raises:
        UncertainError: where its module is not written in Python, or makes its names while it runs.
    """
    module, _, last = name.rpartition(".")
    found = find_module(module) if module else None
    if found is None:
        raise UncertainError(name)
    return member(found, last)


def member(module: Module, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Definition | None:
    """Return what a module calls `name`, followed to where it is defined.

    Raises:
        UncertainError: where the module makes its names while it runs.
    """
    if (module.name, name) in seen:
        return None
    seen |= {(module.name, name)}
    below = find_module(f"{module.name}.{name}") if module.package and name.islower() else None
    if below is not None:
        return Definition(below, None)
    names, stars = _names(module)
    if name in names:
        return _followed(module, names[name], seen)
    for star in stars:
        found = find_module(star)
        if found is None:
            raise UncertainError(f"{module.name}.{name}")
        if (definition := member(found, name, seen)) is not None:
            return definition
    if "__getattr__" in names:
        raise UncertainError(f"{module.name}.{name}")
    return None


def reference(module: Module, expression: ast.expr) -> Definition | None:
    """Return what an expression of names and points, as in a base or an annotation, stands for in a module."""
    if isinstance(expression, ast.Name):
        return member(module, expression.id)
    if isinstance(expression, ast.Attribute):
        owner = reference(module, expression.value)
        return member(owner.module, expression.attr) if owner is not None and owner.node is None else None
    return None


def _followed(module: Module, entry: Node | tuple[str, str], seen: frozenset[tuple[str, str]]) -> Definition | None:
    if not isinstance(entry, tuple):
        return Definition(module, entry)
    source, name = entry
    found = find_module(source)
    if found is None:
        raise UncertainError(source)
    return member(found, name, seen) if name else Definition(found, None)


@cache
def _names(module: Module) -> tuple[dict[str, Node | tuple[str, str]], tuple[str, ...]]:
    """The names of a module, each with its definition or what is imported by it; and the modules of star imports."""
    names: dict[str, Node | tuple[str, str]] = {}
    stars: list[str] = []
    for node in _statements(syntax(module).body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names[node.name] = node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            names[node.target.id] = node.value
        elif isinstance(node, ast.Import):
            for one in node.names:
                names[one.asname or one.name.split(".")[0]] = (one.name if one.asname else one.name.split(".")[0], "")
        elif isinstance(node, ast.ImportFrom):
            source = _source(module, node)
            stars += [source for one in node.names if one.name == "*"]
            names.update({one.asname or one.name: (source, one.name) for one in node.names if one.name != "*"})
    return names, tuple(stars)


def _source(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    above = parts[: len(parts) - node.level + (1 if module.package else 0)]
    return ".".join([*above, *([node.module] if node.module else [])])


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those below `if` and `try` as well."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _statements(node.orelse)
            yield from _statements(node.body)
        elif isinstance(node, ast.Try):
            yield from _statements([*(one for handler in node.handlers for one in handler.body), *node.body])
