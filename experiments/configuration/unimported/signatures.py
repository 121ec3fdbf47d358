"""What a class takes, read from its source."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.configuration.unimported.modules import Definition, Module, UncertainError, find, member, reference

TYPING = ("typing", "typing_extensions")
_HARMLESS = {"final", "runtime_checkable", "override"}


@dataclass(frozen=True)
class Parameter:
    """One argument of a constructor.

    Attributes:
        name: its name.
        annotation: its type as written; None where none is.
        default: its default as written; None where it must be given.
        module: where both are written.
        description: what the docstring says about it.
    """

    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    module: Module
    description: str = ""


def class_of(found: Definition | None, name: str) -> Definition:
    """Return a definition that is known to be a class.

    Raises:
        UncertainError: where it is none, or one that is changed by a decorator.
    """
    if found is not None and isinstance(found.node, ast.Name | ast.Attribute):
        return class_of(reference(found.module, found.node), name)
    if found is None or not isinstance(found.node, ast.ClassDef):
        raise UncertainError(name)
    return found


def ancestry(found: Definition) -> list[Definition]:
    """Return a class and everything it is derived from, the nearest first.

    Raises:
        UncertainError: where a base is not written as a name.
    """
    if not isinstance(found.node, ast.ClassDef):
        raise UncertainError(found.name)
    line = [found]
    for base in found.node.bases:
        expression = base.value if isinstance(base, ast.Subscript) else base
        above = reference(found.module, expression)
        if above is not None and isinstance(above.node, ast.ClassDef):
            line += [one for one in ancestry(above) if one not in line]
        elif above is not None and above.module.name in TYPING:
            continue
        elif not (isinstance(expression, ast.Name) and hasattr(builtins, expression.id)):
            raise UncertainError(f"{found.name}: {ast.unparse(base)}")
    return line


def parameters(found: Definition) -> list[Parameter]:
    """Return what the constructor of a class takes, as the parser finds it.

    Raises:
        UncertainError: where that is not plainly written.
    """
    for place, one in enumerate(ancestry(found)):
        node = class_of(one, one.name).node
        assert isinstance(node, ast.ClassDef)  # noqa: S101 - for the type checker
        decorators = {ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in node.decorator_list}
        if "dataclass" in decorators:
            return _fields(one, place)
        if decorators - _HARMLESS:
            raise UncertainError(one.name)
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                return _taken(found, one, part)
    return []


def method_parameters(found: Definition, name: str) -> list[Parameter]:
    """Return what a method of a class takes.

    Raises:
        UncertainError: where there is no such method.
    """
    for one in ancestry(found):
        for part in getattr(one.node, "body", ()):
            if isinstance(part, ast.FunctionDef) and part.name == name:
                return list(_own(part, one.module, ast.get_docstring(part) or ""))
    raise UncertainError(f"{found.name}.{name}")


def summary(found: Definition) -> str:
    """Return the first sentence of a docstring."""
    text = ast.get_docstring(found.node) if isinstance(found.node, ast.ClassDef) else None
    return " ".join((text or "").partition("\n\n")[0].split())


def subclasses(package: str, base: str) -> list[tuple[str, Definition]]:
    """Return the classes that a package offers by name, derive from `base` and can be built, in alphabetical order."""
    face = find(f"{package}.__all__")
    if face is None or not isinstance(face.node, ast.List):
        raise UncertainError(package)
    found = []
    for item in face.node.elts:
        name = str(ast.literal_eval(item))
        one = member(face.module, name)
        if one is not None and isinstance(one.node, ast.ClassDef) and is_kind(one, [base]) and not _abstract(one):
            found.append((name, one))
    return sorted(found, key=lambda pair: pair[0].lower())


def _abstract(found: Definition) -> bool:
    """Whether a class leaves a method or a property to those that derive from it."""
    defined: set[str] = set()
    for one in ancestry(found):
        for part in getattr(one.node, "body", ()):
            name = getattr(part, "name", None) or ast.unparse(getattr(part, "target", None) or ast.Constant(""))
            decorators = [ast.unparse(each) for each in getattr(part, "decorator_list", ())]
            if name not in defined and any(each.endswith("abstractmethod") for each in decorators):
                return True
            defined |= {name, *(ast.unparse(target) for target in getattr(part, "targets", ()))}
    return False


def is_kind(found: Definition, bases: Sequence[str]) -> bool:
    """Tell whether a class is one of the classes `bases`, dotted names of where they are defined, or derived from one.

    Raises:
        UncertainError: where it is not, as far as its source tells, and a base of it could not be read.
    """
    return any(one.name in bases for one in ancestry(found))


def _taken(found: Definition, owner: Definition, constructor: ast.FunctionDef) -> list[Parameter]:
    texts = [ast.get_docstring(owner.node) if isinstance(owner.node, ast.ClassDef) else None]
    text = "\n\n".join(one for one in [*texts, ast.get_docstring(constructor)] if one)
    own = list(_own(constructor, owner.module, text))
    arguments = constructor.args
    if arguments.vararg is None and arguments.kwarg is None:
        return own
    calls = [
        node
        for node in ast.walk(constructor)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__"
    ]
    rest = arguments.kwarg.arg if arguments.kwarg else ""
    uses = [node for node in ast.walk(constructor) if isinstance(node, ast.Name) and node.id == rest]
    line = ancestry(found)
    above = line[line.index(owner) + 1 :]
    if len(calls) != 1 or len(uses) != 1 or not above:
        raise UncertainError(owner.name)
    given = {keyword.arg for keyword in calls[0].keywords}
    inherited = parameters(above[0])
    if not (arguments.vararg and any(isinstance(one, ast.Starred) for one in calls[0].args)):
        inherited = inherited[len(calls[0].args) :]
    names = {one.name for one in own}
    return [*own, *(one for one in inherited if one.name not in given | names)]


def _own(function: ast.FunctionDef, module: Module, text: str) -> Iterator[Parameter]:
    said = described(text)
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = [*zip(positional, [*defaults, *arguments.defaults], strict=True)][1:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for one, default in pairs:
        yield Parameter(one.arg, one.annotation, default, module, said.get(one.arg, ""))


def _fields(found: Definition, place: int) -> list[Parameter]:
    node = found.node
    if place or not isinstance(node, ast.ClassDef) or len(ancestry(found)) > 1:
        raise UncertainError(found.name)
    said = described(ast.get_docstring(node) or "")
    fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    if any(isinstance(one.value, ast.Call) or "ClassVar" in ast.unparse(one.annotation) for one in fields):
        raise UncertainError(found.name)
    named = [(one.target.id, one) for one in fields if isinstance(one.target, ast.Name)]
    return [Parameter(name, one.annotation, one.value, found.module, said.get(name, "")) for name, one in named]


def described(text: str) -> dict[str, str]:
    """Return what a docstring says about each argument."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for block in re.split(r"^(?=\w[\w ]*:\s*$)", text, flags=re.MULTILINE):
        head, _, body = block.partition("\n")
        if head.strip().rstrip(":") not in {"Args", "Arguments", "Attributes"}:
            continue
        for line in textwrap.dedent(body).splitlines():
            match = re.match(r"(\w+)(?: \([^)]*\))?:\s*(.*)", line)
            if match:
                current = found.setdefault(match[1], [])
                current.append(match[2])
            elif line[:1].isspace() and current is not None:
                current.append(line.strip())
    return {name: " ".join(" ".join(lines).split()) for name, lines in found.items()}
