"""What may be given for an argument: plain values that its annotation allows, and classes."""

from __future__ import annotations

import ast
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal, Union

from experiments.configuration.unimported.modules import Definition, Module, UncertainError, member

_BUILT_IN: dict[str, object] = {
    "str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict, "tuple": tuple, "set": set,
    "None": None, "object": Any,
}  # fmt: skip
_GENERIC: dict[str, Any] = {
    "list": list, "List": list, "dict": dict, "Dict": dict, "tuple": tuple, "Tuple": tuple, "set": set, "Set": set,
    "Sequence": Sequence, "Iterable": Iterable, "Mapping": Mapping,
}  # fmt: skip
_TYPING = {"typing", "typing_extensions", "collections.abc"}


@dataclass
class Hint:
    """What an annotation allows.

    Attributes:
        plain: the types of plain values.
        classes: classes of objects, which a mapping with `class_path` asks for.
        skipped: how many arguments such a class is given by the code, where a callable that makes one is asked for.
        certain: whether everything it allows was understood.
    """

    plain: list[Any] = field(default_factory=list)
    classes: list[Definition] = field(default_factory=list)
    skipped: int = 0
    certain: bool = True

    def __add__(self, other: Hint) -> Hint:
        """Return what either of both allows."""
        return Hint(
            self.plain + other.plain,
            self.classes + other.classes,
            max(self.skipped, other.skipped),
            self.certain and other.certain,
        )

    @property
    def type(self) -> Any:  # noqa: ANN401 - a type for the parser
        """The plain types as one.

        Raises:
            UncertainError: where there is none.
        """
        if not self.plain:
            raise UncertainError("no plain value")
        return Union[tuple(self.plain)]  # noqa: UP007 - made of a list


def hint_of(annotation: ast.expr | None, module: Module, depth: int = 0) -> Hint:
    """Return what an annotation written in a module allows."""
    if annotation is None:
        return Hint([Any])
    if depth > 20:
        return Hint(certain=False)
    if isinstance(annotation, ast.Constant):
        if annotation.value is None:
            return Hint([type(None)])
        if isinstance(annotation.value, str):
            return hint_of(ast.parse(annotation.value, mode="eval").body, module, depth + 1)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return hint_of(annotation.left, module, depth + 1) + hint_of(annotation.right, module, depth + 1)
    if isinstance(annotation, ast.Subscript):
        return _subscript(annotation, module, depth)
    if isinstance(annotation, ast.Name | ast.Attribute):
        return _named(annotation, module, depth)
    return Hint(certain=False)


def _subscript(annotation: ast.Subscript, module: Module, depth: int) -> Hint:
    name = ast.unparse(annotation.value).rpartition(".")[2]
    inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    if name == "Literal":
        return Hint([Literal[tuple(ast.literal_eval(one) for one in inner)]])
    if name == "Annotated":
        return hint_of(inner[0], module, depth + 1)
    if name in {"Union", "Optional"}:
        parts = [hint_of(one, module, depth + 1) for one in inner]
        return reduce(operator.add, parts, Hint([type(None)] if name == "Optional" else []))
    if name == "Callable" and len(inner) == 2 and isinstance(inner[0], ast.List):
        made = hint_of(inner[1], module, depth + 1)
        return Hint([], made.classes, len(inner[0].elts), made.certain)
    if name in _GENERIC:
        items = [one for one in inner if not (isinstance(one, ast.Constant) and one.value is ...)]
        parts = [hint_of(one, module, depth + 1) for one in items]
        if all(one.certain and one.plain and not one.classes for one in parts):
            types = tuple(one.type for one in parts)
            return Hint([_GENERIC[name][(*types, ...) if len(items) < len(inner) else types]])
        classes = [one for part in parts for one in part.classes] if name not in {"dict", "Dict", "Mapping"} else []
        return Hint([], classes, 0, certain=all(one.certain and not one.plain for one in parts))
    return Hint(certain=False)


def _named(annotation: ast.Name | ast.Attribute, module: Module, depth: int) -> Hint:
    name = ast.unparse(annotation)
    try:
        found = _definition(annotation, module)
    except UncertainError:
        return Hint(certain=False)
    if found is None:
        return Hint([_BUILT_IN[name]]) if name in _BUILT_IN else Hint(certain=False)
    last = name.rpartition(".")[2]
    if found.module.name in _TYPING or found.module.name == "_collections_abc":
        return Hint([Any]) if last == "Any" else Hint(certain=False)
    if isinstance(found.node, ast.ClassDef):
        return Hint([], [found])
    if isinstance(found.node, ast.expr):
        return hint_of(found.node, found.module, depth + 1)
    return Hint(certain=False)


def _definition(annotation: ast.expr, module: Module) -> Definition | None:
    if isinstance(annotation, ast.Attribute):
        owner = _definition(annotation.value, module)
        return member(owner.module, annotation.attr) if owner is not None and owner.node is None else None
    return member(module, ast.unparse(annotation))
