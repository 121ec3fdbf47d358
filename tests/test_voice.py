"""Docstrings speak with one voice: functions begin with a verb, things are named, sections and code look alike."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("hyperalign", "lightning_modules", "datamodules", "callbacks", "experiments", "examples")

VERBS = frozenset(
    re.findall(
        r"\w+",
        """
Activate Adapt Add Answer Apply Ask Attend Begin Bin Bind Blend Blur Brighten Bring Build Caption Check Choose Close
Code Collect Compare Complete Compute Continue Convert Convolve Copy Count Cut Damage Decide Decode Define Degrade
Delete
Denoise Descend Describe Double Draw Embed Encode End Enlarge Estimate Export Extend Fill Find Finish Fit Fold
Forget Frame Free Fuse Gather Generate Give Go Group Guide Halve Hand Hash Have Iterate Join Keep Lay Learn Leave
Lend Let Load Log Look Loop Make Map Match Measure Merge Minimise Mix Modulate Move Multiply Name Noise Normalise
Note Number Open Pad Pair Parse Plan Predict Prepare Print Project Put Raise Read Record Redraw Reduce Refine Refuse
Relight Remove Rename Render Repeat Replace Report Resize Restart Restore Return Run Save Say Scan Score Search See
Set Sharpen Show Shrink Solve Split Stack Start Step Sum Synthesise Take Tell Train Transport Turn Validate Visit
Wait Warn Warp Weigh Write Yield
""",
    )
)
"""With which the docstring of a public function begins; a new verb is added here, a noun is not."""

GIVES = {"Return", "Returns", "Get", "Gets", "Give", "Gives", "Tell", "Tells", "This"}
"""With which the docstring of a property or a class does not begin: it names a thing."""

CAPITALS = re.compile(r"(?:[A-Z][a-z]+|A) (?!x )")
NAMES = re.compile(
    r"(?:Adam|Eq|Euclidean|Frechet|Frobenius|Gaussian|Gaussians|Huber|Laplace|Laplacian|Lightning|Poisson|Python|Sinkhorn|Table|True|Trainer|None|False)\b"
)
"""Words that are written with a capital within a sentence."""

SECTION = re.compile(r"(Args|Attributes|Keys|Raises|Returns|Yields):\s*")
ENTRY = re.compile(r"\*{0,2}[\w.]+: (?P<text>.+)", re.DOTALL)
ROLE = re.compile(r":(?:attr|class|func|meth|mod|param|ref|return|type)\b[^`\n]*:")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Rule = Callable[[str, Documented, str], Iterator[str]]


def documented(tree: ast.Module) -> Iterator[tuple[Documented, str, bool]]:
    """Yield what has a docstring, with it, and whether users meet it."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, True)]
    while waiting:
        node, public = waiting.pop()
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node, text, public
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            name = getattr(child, "name", "") if isinstance(child, Documented) else ""
            special = name.startswith("__") and name.endswith("__")
            waiting.append((child, public and not inside and (special or not name.startswith("_"))))


def is_property(node: Documented) -> bool:
    """Tell whether a function is read like an attribute."""
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(one).rpartition(".")[2] in {"property", "cached_property"} for one in decorators)


def other_voice(where: str, node: Documented, text: str) -> Iterator[str]:
    word, following = [one.strip(",.;:") for one in [*text.split(), ""][:2]]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(node):
        if word not in VERBS or following == "of":
            yield f"{where} begins with {text.splitlines()[0][:60]!r} and not with an imperative verb"
    elif not isinstance(node, ast.Module) and word in GIVES:
        yield f"{where} is a thing and begins with {word}"


def unlike_sections(where: str, node: Documented, text: str) -> Iterator[str]:
    for section, entry in entries(text):
        if section in ("Returns", "Yields"):
            continue
        found = ENTRY.fullmatch(entry)
        if found is None:
            yield f"{where}: {section} has {entry[:60]!r}, which is no `name: what it is.`"
            continue
        said = found["text"]
        if not said.endswith((".", "?")):
            yield f"{where}: {section} has {entry[:60]!r} without its stop"
        if CAPITALS.match(said) and not NAMES.match(said):
            yield f"{where}: {section} has {entry[:60]!r} with a capital"


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield every entry of every section, in one line."""
    section, entry = "", ""
    for line in [*text.splitlines(), "end"]:
        inner = line.startswith("    ") and not line.startswith("     ")
        if entry and (inner or (line and not line.startswith(" "))):
            yield section, entry
            entry = ""
        if found := SECTION.fullmatch(line):
            section = found[1]
        elif line and not line.startswith(" "):
            section = ""
        elif section and line.strip():
            entry = f"{entry} {line.strip()}".strip()


def other_marks(where: str, node: Documented, text: str) -> Iterator[str]:
    if "``" in text or text.count("`") % 2 or ROLE.search(text):
        yield f"{where} marks code otherwise than by one backtick on each side"
    if not text.split("\n\n")[0].rstrip().endswith((".", "!", "?", ":")):
        yield f"{where} begins with a sentence that has no stop"


RULES: dict[Rule, str] = {
    other_voice: 'def f():\n    """Returns nothing."""\n',
    unlike_sections: 'def f(x):\n    """Return nothing.\n\n    Args:\n        x (int): A number\n    """\n',
    other_marks: 'def f():\n    """Return ``nothing``."""\n',
}
"""Every rule with a source text that breaks it."""


def broken(rule: Rule, path: str, tree: ast.Module) -> Iterator[str]:
    for node, text, public in documented(tree):
        if public:
            yield from rule(f"{path}:{getattr(node, 'lineno', 1)}", node, text)


@cache
def house() -> tuple[tuple[str, ast.Module], ...]:
    """Read every file once."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple((path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_docstrings_keep_the_rule(rule: Rule) -> None:
    found = [one for path, tree in house() for one in broken(rule, path, tree)]
    assert found == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_finds_what_breaks_it(rule: Rule) -> None:
    assert list(broken(rule, "example.py", ast.parse(RULES[rule])))
    assert not list(
        broken(rule, "example.py", ast.parse('def f(x):\n    """Return `x`.\n\n    Args:\n        x: it.\n    """'))
    )


@pytest.mark.parametrize(
    ("source", "breaks"),
    [
        ('def f():\n    """Number of guides."""', True),
        ('def f():\n    """Number the guides."""', False),
        ('def f():\n    """The guides."""', True),
        ('def _f():\n    """The guides."""', False),
        ('class A:\n    """Guides."""\n    def f(self):\n        """Whether they are."""', True),
        ('class A:\n    """Guides."""\n    @property\n    def f(self):\n        """Whether they are."""', False),
        ('class A:\n    """Guides."""\n    @property\n    def f(self):\n        """Return whether they are."""', True),
        ('class A:\n    """This class guides."""', True),
        ('class _A:\n    """Guides."""\n    def f(self):\n        """Whether they are."""', False),
    ],
)
def test_functions_do_and_things_are(source: str, breaks: bool) -> None:
    assert bool(list(broken(other_voice, "example.py", ast.parse(source)))) == breaks
