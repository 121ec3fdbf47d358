"""Mutation testing of the numerical core: small faults put into its source, and the tests that must notice each.

Run by `make mutants`. Every mutant is a fork that imports one changed module and runs the tests of its name; a mutant
that no test kills is a survivor, listed at the end with its place. Which mutants are tried is drawn by a seed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[2]
TARGETS: dict[str, tuple[str, str]] = {
    "metrics": ("lightning_modules/metrics", "tests/lightning_modules/metrics"),
    "transfer": ("callbacks/transfer", "tests/callbacks/transfer"),
    "degradations": ("datamodules/degradations", "tests/datamodules/degradations"),
    "grid": ("lightning_modules/networks/upsampled.py", "tests/lightning_modules/networks/test_upsampled.py"),
}
"""Folder or module, and its tests, by the name of the part."""

SECONDS = 240
"""Time after which a mutant counts as killed: what never ends is noticed."""

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
        line: where.
        what: the change, for the list.
        tree: the changed source.
    """

    path: Path
    line: int
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
            found.append(Mutant(path, getattr(node, "lineno", 0), what, ast.fix_missing_locations(other)))
    return found


class Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from a changed tree."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.name = mutant.path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.mutant.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.mutant.tree, str(self.mutant.path), "exec")

    def get_source(self, fullname: str) -> str:
        return ast.unparse(self.mutant.tree)


def survives(mutant: Mutant | None, tests: Sequence[str]) -> bool:
    """Run the tests against a mutant, or the source as it is, in a fork, and tell whether all of them pass."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            os.setsid()
            if mutant is not None:
                sys.meta_path.insert(0, Changed(mutant))
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                import pytest

                code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))
        finally:
            os._exit(code)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.05)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return False


def tests_of(path: Path, tests: str) -> list[str]:
    """Return the tests that bear a module's name, or all of its part."""
    folder = ROOT / tests
    own = folder / f"test_{path.stem}.py"
    return [str(own if folder.is_dir() and own.is_file() else folder)]


def main() -> int:
    """Try mutants for as long as they are given time, and list the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(TARGETS), help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=20.0, help="time for all parts together")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    __import__("torch").set_num_threads(1)
    for package in ("hyperalign", "lightning.pytorch", "torchmetrics", "scipy.io", "h5py", "skimage.metrics", "pytest"):
        __import__(package)
    survivors: list[str] = []
    for part in given.parts:
        source, tests = TARGETS[part]
        where = ROOT / source
        paths = sorted(where.glob("*.py")) if where.is_dir() else [where]
        found = [mutant for path in paths if path.name != "__init__.py" for mutant in mutants_of(path)]
        random.Random(given.seed).shuffle(found)
        if not survives(None, [str(ROOT / tests)]):
            raise SystemExit(f"The tests in {tests} fail without any fault: mend them first.")
        until, tried, killed = time.monotonic() + 60 * given.minutes / len(given.parts), 0, 0
        for mutant in found:
            if time.monotonic() > until:
                break
            tried += 1
            if survives(mutant, tests_of(mutant.path, tests)):
                place = f"{mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.what}"
                survivors.append(place)
                sys.stdout.write(f"survived: {place}\n")
            else:
                killed += 1
            sys.stdout.flush()
        share = killed / max(1, tried)
        sys.stdout.write(f"{part}: {killed} of {tried} tried mutants killed ({share:.0%}), of {len(found)} in all\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
