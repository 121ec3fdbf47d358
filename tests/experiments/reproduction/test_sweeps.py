"""Sweeps are expanded as the agent does, and every command of theirs is one that the command line takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from experiments.configuration.errors import ConfigError
from experiments.configuration.files import PACKAGED, resolve_configs
from experiments.configuration.tree import read_tree
from experiments.configuration.unimported.commands import command
from experiments.configuration.unimported.settings import findings
from experiments.reproduction.sweeps import SWEEPS, read_sweep, sweep_names
from hyperalign.errors import UsageError

LOGGED = {"adapt": "test/unobserved/psnr", "fit": "val/psnr"}
"""What a sweep may optimise: what its command logs."""


def test_every_kind_of_sweep_is_there() -> None:
    assert sweep_names() == ["adaptation", "adaptation_small", "backbones_tasks", "co2if_lambda_gamma"]
    adaptation = read_sweep("adaptation_small").parameters
    assert {key.rpartition(".")[2] for key in adaptation} == {"max_lr", "max_epochs", "ratio", "training"}
    assert len(read_sweep("adaptation_small").combinations()) == 24


@pytest.mark.parametrize("name", sweep_names())
def test_every_command_of_a_sweep_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PACKAGED.parent)
    sweep = read_sweep(name)
    assert LOGGED[sweep.command[1]] == sweep.metric
    for values in (sweep.combinations()[0], sweep.combinations()[-1]):
        line = sweep.line(values)
        assert line[0] == "hyperalign"
        settings = read_tree(resolve_configs(line[2:])).settings
        assert settings["trainer"]["logger"]["class_path"].endswith("WandbLogger")
        assert next(findings(command(line[1]), settings), None) is None
    optimised = yaml.safe_load((SWEEPS / f"{name}.yaml").read_text(encoding="utf-8"))
    assert optimised["metric"]["goal"] == "maximize"
    assert optimised["program"] == "hyperalign"


def test_a_combination_stands_where_the_agent_puts_it() -> None:
    sweep = read_sweep("backbones_tasks")
    line = sweep.line({"config": "backbones/sert", "data.degradation": "datamodules.RandomMask"})
    assert line[:4] == [
        "hyperalign",
        "fit",
        "--config=backbones/sert",
        "--data.degradation=datamodules.RandomMask",
    ]
    assert "${args}" not in line


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^There is no sweep 'adaption': the nearest one is 'adaptation'\.$"):
        read_sweep("adaption")
    path = tmp_path / "mine.yaml"
    path.write_text("metric: {name: a}\ncommand: [hyperalign, fit]\n")
    with pytest.raises(ConfigError, match=r"^The sweep mine has no parameters"):
        read_sweep(str(path))
    path.write_text("metric: {name: a}\ncommand: [hyperalign, fit]\nparameters: {x: {distribution: normal}}\n")
    with pytest.raises(ConfigError, match=r"^The parameter x of the sweep mine has neither values"):
        read_sweep(str(path))
    for text, sentence in (
        ("a: [", r"^The sweep .*mine\.yaml is no YAML: while parsing"),
        ("- a", r"mine\.yaml is no mapping: it needs command, parameters and metric\.$"),
        ("metric: a\ncommand: [x]\nparameters: {x: {value: 3}}", "needs a metric with a name and a command that"),
        ("metric: {name: a}\ncommand: x y\nparameters: {x: {value: 3}}", "needs a metric with a name and a command"),
        ("metric: {name: a}\ncommand: [x]\nparameters: {x: 3}", "^The parameters of the sweep mine are no mapping"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=sentence):
            read_sweep(str(path))
    path.write_text("metric: {name: a}\ncommand: [x]\nparameters: {x: {min: 1, max: 2}, y: {value: 3}}\n")
    assert read_sweep(str(path)).combinations() == [{"x": 1, "y": 3}, {"x": 2, "y": 3}]
