"""The house stays as it was planned: sizes, directions of imports, docstrings, types, nothing left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("hyperalign", "lightning_modules", "datamodules", "callbacks", "experiments")
FORBIDDEN = {
    "hyperalign": {"lightning_modules", "datamodules", "callbacks", "experiments"},
    "datamodules": {"lightning_modules", "callbacks", "experiments"},
    "lightning_modules": {"callbacks", "experiments"},
    "lightning_modules/networks": {"lightning", "pytorch_lightning", "datamodules", "callbacks", "experiments"},
    "lightning_modules/solvers": {"lightning", "pytorch_lightning", "datamodules", "callbacks", "experiments"},
    "callbacks": {"experiments"},
    "callbacks/transfer": {"lightning", "pytorch_lightning", "datamodules", "lightning_modules", "experiments"},
}
"""What the files of a folder may not import, so that imports run one way."""

LATE = {"hyperalign/adaptation.py", "hyperalign/command/__init__.py", "hyperalign/door.py"}
"""Files of the ground floor that lead upstairs, by imports inside functions only."""

SLOW = {
    "diffusers",
    "faiss",
    "geomloss",
    "mamba_ssm",
    "matplotlib",
    "open_clip",
    "sklearn",
    "transformers",
    "triton",
    "wandb",
}
"""Packages that take seconds to import: only inside the functions that use them."""

DECORATED = {"lightning_modules/networks/layers/selective_scan/triton_kernels.py"}
"""Files that need such a package in every definition, and are themselves only imported inside functions."""

ONE_FILE_A_NAME = {
    # the equations of one section each, one step a file
    "callbacks/guides",
    "callbacks/transfer",
    "datamodules/degradations",
    "datamodules/scenes/readers",
    "lightning_modules/networks/fusion/co2if",
    "datamodules",
    "lightning_modules/networks/fusion",
    "lightning_modules/networks/layers",
    "lightning_modules/networks/restoration",
    "lightning_modules/solvers",
}
"""Folders with one file a data set, a network, a method or a format."""

TESTED = ("callbacks", "datamodules", "experiments", "hyperalign", "lightning_modules")
"""Folders in which every module has a test of its name."""

WAYS = {"callbacks": 14, "datamodules": 64, "experiments": 17, "lightning_modules": 29}
"""At most so many pairs of rooms of a folder import each other; its `__init__.py`, the face, is no room."""

BUILT_IN_ERRORS = {
    "FileNotFoundError",
    "FloatingPointError",
    "ImportError",
    "ModuleNotFoundError",
    "OSError",
    "RuntimeError",
    "TypeError",
    "ValueError",
}
"""What has a twin in `hyperalign.errors`."""

LEFT_OVER = re.compile(r"\b(TODO|FIXME|XXX)\b|\bNotImplementedError\b")
ONE_MACHINE = re.compile(r"(?<![\w.])/(?:home|root|work|Users|mnt)/[\w./-]*")


def imported(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Top-level names of the absolute imports among `nodes`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: not those inside functions or `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        waiting.extend(ast.iter_child_nodes(node))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def long_files(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    if len(text.splitlines()) > 400:
        yield f"{path} has more than 400 lines"


def long_functions(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    for node in functions(tree):
        if (node.end_lineno or 0) - node.lineno + 1 > 60:
            yield f"{path}:{node.lineno} {node.name} has more than 60 lines"


def imports_against_the_one_way(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    for folder, names in FORBIDDEN.items():
        if path.startswith(folder + "/"):
            nodes = at_import(tree) if path in LATE else ast.walk(tree)
            for name in sorted(set(imported(nodes)) & names):
                yield f"{path} imports {name}"


def slow_imports(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    if path in DECORATED:
        return
    for name in sorted(set(imported(at_import(tree))) & SLOW):
        yield f"{path} imports {name} outside a function"


def missing_docstrings(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield f"{path} has no docstring"
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            waiting.extend(node.body)
        if not ast.get_docstring(node) and not overrides(node):
            yield f"{path}:{node.lineno} {node.name} has no docstring"


def overrides(node: ast.AST) -> bool:
    """Whether a method says that it overrides one, which has the docstring, or overloads a documented function."""
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(decorator).split(".")[-1] in {"override", "overload"} for decorator in decorators)


def missing_types(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    for node in functions(tree):
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        untyped = [argument.arg for argument in given if not argument.annotation]
        if node.returns is None or set(untyped) - {"self", "cls"}:
            yield f"{path}:{node.lineno} {node.name} is not typed"


def prints(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{path}:{node.lineno} prints"


def left_overs(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern in (LEFT_OVER, ONE_MACHINE):
            match = pattern.search(line)
            if match:
                yield f"{path}:{number} holds {match.group(0)}"


def built_in_errors(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func)
            if name in BUILT_IN_ERRORS:
                yield f"{path}:{node.lineno} raises {name}, which the command line does not take for a sentence"


def renames(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    if path == "hyperalign/files.py":
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or len(node.args) > 2:
            continue
        of_os = ast.unparse(node.func.value) == "os"
        # a text's replace takes two arguments, a dataclass's none but keywords
        if node.func.attr == "rename" or (node.func.attr == "replace" and len(node.args) == (2 if of_os else 1)):
            yield f"{path}:{node.lineno} renames a file outside of hyperalign/files.py"


Rule = Callable[[str, str, ast.Module], Iterator[str]]
RULES: dict[Rule, str] = {
    long_files: "x = 1\n" * 401,
    long_functions: "def f():\n" + "    x = 1\n" * 60,
    imports_against_the_one_way: "def f():\n    from experiments import cli\n",
    slow_imports: "class A:\n    import matplotlib.pyplot\n",
    missing_docstrings: '"""A module."""\nclass A:\n    """A class."""\n    def method(self): ...\n',
    missing_types: "def f(self, x) -> None: ...\n",
    prints: "def f():\n    print(1)\n",
    built_in_errors: "def f():\n    raise ValueError('no')\n",
    renames: "def f(path, other):\n    path.replace(other)\n",
    left_overs: "# TO" + "DO: later\n",
}
"""Every rule with a source text that breaks it."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    found: list[str] = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            found += rule(path.relative_to(ROOT).as_posix(), text, ast.parse(text))
    assert found == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_finds_what_breaks_it(rule: Rule) -> None:
    text = RULES[rule]
    assert list(rule("callbacks/transfer/example.py", text, ast.parse(text)))
    assert not list(rule("callbacks/example.py", '"""Nothing."""\n', ast.parse('"""Nothing."""\n')))


def test_a_folder_is_read_at_a_glance() -> None:
    for folder in FOLDERS:
        for place in [ROOT / folder, *(path for path in (ROOT / folder).rglob("*") if path.is_dir())]:
            if place.relative_to(ROOT).as_posix() in ONE_FILE_A_NAME:
                continue
            modules = [path.name for path in place.glob("*.py") if path.name != "__init__.py"]
            assert len(modules) <= 12, (place, modules)


def rooms_that_import(folder: str) -> dict[tuple[str, str], str]:
    """Which room of a folder, a module or a folder below it, imports which other one, with a file that does."""
    found = dict[tuple[str, str], str]()
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT / folder).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                top, *below = name.split(".")
                if top == folder and below and below[0] != parts[0] and parts[0] != "__init__":
                    found.setdefault((parts[0], below[0]), path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_rooms_import_each_other_one_way(folder: str) -> None:
    found = rooms_that_import(folder)
    assert 5 < len(found) <= WAYS.get(folder, len(found)), "put what always goes together into one room"
    above = {room: {other for one, other in found if one == room} for room, _ in found}
    for _ in above:  # what is reached over one room more each time
        above = {room: below.union(*(above.get(one, set()) for one in below)) for room, below in above.items()}
    assert not [room for room, below in above.items() if room in below]


def test_a_test_stands_where_its_module_stands() -> None:
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        place = path.relative_to(ROOT / "tests").parent
        if place.parts and place.parts[0] in FOLDERS and not (ROOT / place).is_dir():
            found.append(path.relative_to(ROOT).as_posix())
    assert found == []


def test_every_module_of_these_folders_has_its_test() -> None:
    missing = set()
    for folder in TESTED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT)
            if path.stem.startswith("__") or (ROOT / "tests" / name.parent / f"test_{path.name}").is_file():
                continue
            missing.add(name.as_posix())
    assert not missing


def test_every_top_level_package_begins_with_the_torchvision_repair() -> None:
    for folder in FOLDERS:
        tree = ast.parse((ROOT / folder / "__init__.py").read_text(encoding="utf-8"))
        first = next(imported(node for node in tree.body if not _is_future(node)))
        assert first == "hyperalign", folder


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def test_configs_name_no_machine() -> None:
    for path in [*ROOT.glob("*.toml"), *ROOT.glob("*.md"), ROOT / "Makefile", *(ROOT / "experiments").rglob("*.yaml")]:
        assert not ONE_MACHINE.search(path.read_text(encoding="utf-8")), path
