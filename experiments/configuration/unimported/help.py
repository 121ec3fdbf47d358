"""The help of the commands that run a Trainer, and of the classes that a configuration may name."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable

import yaml

from experiments.configuration.classes import HOUSE
from experiments.configuration.unimported.commands import CALLBACK, CHANGED, DATA, KINDS, MODULE, command, default_of
from experiments.configuration.unimported.hints import hint_of
from experiments.configuration.unimported.modules import UncertainError, find, find_module, member, syntax
from experiments.configuration.unimported.settings import offered
from experiments.configuration.unimported.signatures import (
    Parameter,
    class_of,
    is_kind,
    parameters,
    subclasses,
    summary,
)

WIDTH = 110
SCENES = "datamodules.base.SceneDataModule"
_PACKAGES = {MODULE: "lightning_modules", DATA: "datamodules", CALLBACK: "callbacks"}
_USUAL = {
    "proxy": "ProxyGeneration",
    "synthesis": "DistributionAdaptiveSynthesis",
    "averaging": "SourceAveraging",
    "noise": "NoiseReport",
    "results": "ResultsTable",
    "gain": "GainWithoutTruth",
    "pictures": "Pictures",
    "diagnostics": "GuideDiagnostics",
}
_WHAT = {
    "fit": "Trains; or adapts to a target domain where the config asks for the stages before training.",
    "validate": "Scores the validation scenes.",
    "test": "Scores the test scenes.",
    "predict": "Restores cubes that have no ground truth.",
    "adapt": "Fits, then tests, and predicts with --output, as one run under one logger.",
}
_HEAD = """\
usage: hyperalign {name} [--config NAME ...] [--data CLASS] [--model CLASS] [--KEY VALUE ...]

{what}
Configs are merged in their order; options win over them and may stand in any order.

  -c, --config NAME          a packaged config (`hyperalign --help` lists them) or a file; may be repeated
  --print_config             print the whole configuration, itself a config, and stop
  --SECTION.help CLASS       every key of a class, such as --data.help CAVE or --model.help RestorationModule
"""
_WRITER = """\
  --output FOLDER            write restored cubes there
  --resume                   skip cubes that are finished
"""


def command_help(name: str) -> str:
    """Return what `hyperalign NAME --help` says.

    Raises:
        UncertainError: where the sources do not tell it.
    """
    keys = command(name)
    lines = [_HEAD.format(name=name, what=_WHAT[name]) + (_WRITER if keys.writer else "")]
    lines.append(_entry("--seed_everything", "(type: bool | int, default: 0) seed of every random number"))
    lines += [_row("", one) for one in keys.method]
    for section, kind in KINDS.items():
        lines.append(f"\n--{section} CLASS, --{section}.KEY VALUE:")
        if kind == CALLBACK:
            if section not in _USUAL:
                continue
            found = class_of(offered(_USUAL[section]), section)
            lines.append(_entry(_USUAL[section], summary(found)))
            continue
        lines += [_entry(one, summary(found)) for one, found in subclasses(_PACKAGES[kind], kind)]
    if keys.writer:
        lines.append("\nhow restored cubes are written:")
        lines += [_row("writer.", one) for one in keys.writer if one.name not in ("folder", "resume")]
    lines.append("\nthe Trainer:")
    lines += [_row("trainer.", one) for one in keys.trainer]
    return "\n".join(lines) + "\n"


def data_help(name: str) -> str:
    """Return what `hyperalign prepare --help` and `hyperalign caption --help` say.

    Raises:
        UncertainError: where the sources do not tell it.
    """
    module = find_module(f"experiments.commands.{name}")
    text = find(f"experiments.commands.{name}._DESCRIPTION")
    if module is None or text is None or not isinstance(text.node, ast.Constant):
        raise UncertainError(name)
    usage = f"usage: hyperalign {name} [--config NAME ...] [--data CLASS] [--KEY VALUE ...]"
    lines = [f"{usage}\n\n{ast.literal_eval(text.node)}\n"]
    lines.append(_entry("-c, --config NAME", "config with the data set; may be repeated"))
    for node in ast.walk(syntax(module)):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("parser.add_"):
            continue
        if ast.unparse(node.func) == "parser.add_class_arguments":
            settings = class_of(member(module, ast.unparse(node.args[0])), name)
            lines += [_row("", one) for one in parameters(settings)]
            continue
        words = {one.arg: one.value for one in node.keywords}
        required = "(required) " if ast.unparse(words.get("required", ast.Constant(False))) == "True" else ""
        lines.append(_entry(str(ast.literal_eval(node.args[0])), required + str(ast.literal_eval(words["help"]))))
    lines.append("\n--data CLASS, --data.KEY VALUE (every key: hyperalign fit --data.help CLASS):")
    lines += [_entry(one, summary(found)) for one, found in subclasses(_PACKAGES[DATA], SCENES)]
    return "\n".join(lines) + "\n"


def class_help(section: str, name: str) -> str:
    """Return what `hyperalign COMMAND --SECTION.help NAME` says: every argument of a class.

    Raises:
        UncertainError: where the sources do not tell it, or the class does not fit.
    """
    found = class_of(offered(name), name)
    if not is_kind(found, [KINDS[section]]):
        raise UncertainError(name)
    taken = parameters(found)
    return (
        "\n".join([f"{name}: {summary(found)}\n", *(_row(f"{section}.", one) for one in taken)]) + "\n" + _below(taken)
    )


def _below(taken: Iterable[Parameter]) -> str:
    """Which classes may be named for the arguments that take one, as far as this house has them."""
    lines = []
    for one in taken:
        kinds = [found.name for found in hint_of(one.annotation, one.module).classes]
        offers = [pair for package in HOUSE for pair in subclasses(package, kinds[0])] if kinds else []
        names = [name for name, found in offers if not is_kind(found, [MODULE])]
        if names:
            listing = f"{one.name}: {', '.join(names)}"
            lines.append(textwrap.fill(listing, WIDTH, initial_indent="  ", subsequent_indent="      "))
    return "\nclasses of this house for\n" + "\n".join(lines) + "\n" if lines else ""


def _row(prefix: str, parameter: Parameter) -> str:
    kind = "" if parameter.annotation is None else f"type: {ast.unparse(parameter.annotation)}, "
    default = "required" if parameter.default is None else f"default: {_shown_default(parameter)}"
    return _entry(f"--{prefix}{parameter.name}", f"({kind}{default}) {parameter.description}")


def _shown_default(parameter: Parameter) -> str:
    try:
        value = CHANGED.get(parameter.name, default_of(parameter))
    except UncertainError:
        return ast.unparse(parameter.default) if parameter.default else ""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")


def _entry(name: str, text: str) -> str:
    start = f"  {name:<27}"
    body = textwrap.fill(" ".join(text.split()), WIDTH, initial_indent=" " * 29, subsequent_indent=" " * 29)
    return f"{start.rstrip()}\n{body}".rstrip() if len(name) > 26 else start + body.lstrip()
