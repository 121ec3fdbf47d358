"""The merged tree behind an error's sentence."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import yaml

from experiments.configuration.tree import parsed, read_settings, read_tree


def test_files_and_options_are_merged_in_their_order(folder: Path) -> None:
    (folder / "over.yaml").write_text("trainer: {max_epochs: 7, callbacks: [TinyStage]}\n")
    tree = read_tree(
        ["--config", "tiny.yaml", "--config=over.yaml", "--trainer.callbacks.ratio=2", "--model.network.bands", "9"]
    )
    assert tree.settings["trainer"]["max_epochs"] == 7
    assert tree.settings["trainer"]["accelerator"] == "cpu"
    assert tree.settings["trainer"]["callbacks"] == [{"class_path": "TinyStage", "init_args": {"ratio": 2}}]
    network = tree.settings["model"]["init_args"]["network"]
    assert network["init_args"] == {"width": 5, "bands": 9}
    assert tree.origins["trainer.max_epochs"] == "in over.yaml"
    assert tree.origins["trainer.accelerator"] == "in tiny.yaml"
    assert tree.origins["model.init_args.network.init_args.bands"] == "on the command line"


def test_append_adds_to_a_list_on_the_command_line_and_in_yaml(folder: Path) -> None:
    (folder / "more.yaml").write_text("trainer:\n  callbacks+: [B]\n")
    (folder / "first.yaml").write_text("trainer:\n  callbacks: [A]\n")
    tree = read_tree(["--config", "first.yaml", "--config", "more.yaml", "--trainer.callbacks+=C"])
    assert tree.settings["trainer"]["callbacks"] == ["A", "B", "C"]


def test_the_same_class_named_again_keeps_its_settings_and_another_class_does_not(folder: Path) -> None:
    def network(name: str) -> object:
        tree = read_tree(["--config", "tiny.yaml", "--model.network", name, "--model.network.depth", "2"])
        return tree.settings["model"]["init_args"]["network"]

    assert network("TinyNetwork") == {"class_path": "TinyNetwork", "init_args": {"width": 5, "depth": 2}}
    assert network("Other") == {"class_path": "Other", "init_args": {"depth": 2}}


def test_lists_without_end_are_no_yaml_and_name_their_file(tmp_path: Path) -> None:
    deep = tmp_path / "deep.yaml"
    deep.write_text("a: " + "[" * 20_000)
    with pytest.raises(yaml.YAMLError, match="nested without end") as caught:
        read_settings(deep)
    mark = cast("yaml.MarkedYAMLError", caught.value).problem_mark
    assert mark is not None
    assert mark.name == str(deep)
    assert parsed("[" * 20_000) == "[" * 20_000
