"""Small faults put into a module's source: comparisons, operators, signs, numbers, switches and names of functions."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutant", "mutants_of"]

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMBINED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Add,
}
_CALLED = {"min": "max", "max": "min", "ceil": "floor", "floor": "ceil", "cos": "sin", "sin": "cos", "sum": "mean"}


@dataclass(frozen=True)
class Mutant:
    """One fault in one module.

    Attributes:
        path: the module.
        line: where the change begins.
        end: its last line.
        what: the change, for the list.
        tree: the changed source.
    """

    path: Path
    line: int
    end: int
    what: str
    tree: ast.Module


def changed(node: ast.AST) -> str:
    """Put a fault into a node, in place, and return what was changed; an empty text if there is none for it."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        before, node.ops[0] = type(node.ops[0]), _COMPARED[type(node.ops[0])]()
        return f"{before.__name__} -> {type(node.ops[0]).__name__}"
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _COMBINED:
        operator, node.op = type(node.op), _COMBINED[type(node.op)]()
        return f"{operator.__name__} -> {type(node.op).__name__}"
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return "and <-> or"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node.op = ast.UAdd()
        return "sign dropped"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        node.value = not node.value
        return f"-> {node.value}"
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        before_value, node.value = node.value, node.value + 1
        return f"{before_value} -> {node.value}"
    name = node.func if isinstance(node, ast.Call) else None
    if isinstance(name, ast.Attribute) and name.attr in _CALLED:
        before_name, name.attr = name.attr, _CALLED[name.attr]
        return f".{before_name} -> .{name.attr}"
    if isinstance(name, ast.Name) and name.id in _CALLED:
        before_name, name.id = name.id, _CALLED[name.id]
        return f"{before_name} -> {name.id}"
    return ""


def places(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk over what runs: no annotations, no texts of errors, no names that are exported."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list") or isinstance(tree, ast.Raise | ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from places(child)


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for number in range(len(list(places(tree)))):
        other = copy.deepcopy(tree)
        node = list(places(other))[number]
        if what := changed(node):
            line = getattr(node, "lineno", 0)
            found.append(Mutant(path, line, getattr(node, "end_lineno", line), what, ast.fix_missing_locations(other)))
    return found
