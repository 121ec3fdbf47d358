"""Config files combine in any order, and a class that gives way to another is told."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.cli import main, run
from experiments.configuration.files import PACKAGED, find_config
from experiments.configuration.merged import dumped, one_config
from experiments.configuration.tree import _Loader, read_files, read_tree

CAVE, TASK, BACKBONE = "data/cave", "tasks/gaussian", "backbones/sert"


def printed(names: tuple[str, ...], capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as stopped:
        run(["fit", *(word for name in names for word in ("--config", name)), *words, "--print_config"])
    assert stopped.value.code == 0
    content: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return content


def test_backbone_data_and_task_combine_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    orders = [(BACKBONE, TASK, CAVE), (TASK, CAVE, BACKBONE), (CAVE, TASK, BACKBONE)]
    first, *others = [printed(order, capsys) for order in orders]
    assert first["data"]["class_path"] == "datamodules.CAVE"
    assert first["data"]["init_args"]["degradation"]["class_path"] == "datamodules.NonIIDGaussian"
    assert first["data"]["init_args"]["batch_size"] == 16  # the backbone's
    assert first["model"]["init_args"]["network"]["init_args"]["dim"] == 96
    for other in others:
        assert other == first


def test_a_recipe_before_its_data_set_and_backbone_is_the_same_recipe() -> None:
    """Neither the role nor the backbone's patches depend on where the data set stands."""
    for backbone, size, batch in (("backbones/gdrrn", 32, 32), ("backbones/promptir", 128, 8)):
        for data in ("data/cave", "data/icvl", "data/harvard", "data/chikusei", "data/combined", "data/sample_scenes"):
            for names in itertools.permutations((backbone, data, "hir_align/adapt")):
                settings = read_tree([word for name in names for word in ("--config", str(find_config(name)))]).settings
                found = settings["data"]["init_args"]
                assert (found["role"], found["patch_size"], found["batch_size"]) == ("target", size, batch), names


def test_a_data_set_says_nothing_of_training_that_its_class_says() -> None:
    """What an overlay of `data/` states, it takes from recipes and backbones that stand before it."""
    defaults = {"role": "source", "patch_size": 64, "patches_per_epoch": 1024, "batch_size": 8}
    after_the_network = ("fusion_pair", "paris_eo1")  # whose own data they replace, as their first lines say
    for path in sorted((PACKAGED / "data").glob("*.yaml")):
        stated = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]["init_args"]
        same = {key for key, value in defaults.items() if stated.get(key) == value}
        assert not same or (path.stem in after_the_network and same == {"batch_size"}), (path, same)


def test_both_ways_of_writing_an_option_before_or_after_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    for words in itertools.product(
        ("--data.root", "--data.init_args.root"), ("--model.tile", "--model.init_args.tile")
    ):
        given = ["fit", words[0], "here", "--config", BACKBONE, words[1], "96", "--data.seed=5", "--config", CAVE]
        with pytest.raises(SystemExit):
            run([*given, "--print_config"])
        content = yaml.safe_load(capsys.readouterr().out)
        assert content["data"]["init_args"]["root"] == "here"
        assert content["data"]["init_args"]["seed"] == 5
        assert content["model"]["init_args"]["tile"] == 96


def test_an_option_names_the_class_that_files_only_set(capsys: pytest.CaptureFixture[str]) -> None:
    """A task, a recipe and a backbone in any order around `--data SampleScenes`, also with a class below a class."""
    groups = [
        ["--config", TASK],
        ["--data", "SampleScenes"],
        ["--data.init_args.crop", "48"],
        ["--config", "hir_align/adapt"],
        ["--synthesis.guides.tint", "0.5"],
        ["--synthesis.guides", "PhotometricGuides"],
        ["--config", "backbones/sert_compact"],
    ]
    draw = random.Random(0)
    for _ in range(4):
        draw.shuffle(groups)
        content = printed((), capsys, *(word for group in groups for word in group))
        data, guides = content["data"], content["synthesis"]["init_args"]["guides"]
        assert (data["class_path"], data["init_args"]["crop"]) == ("datamodules.SampleScenes", 48)
        assert data["init_args"]["degradation"]["class_path"] == "datamodules.NonIIDGaussian"
        assert (guides["class_path"], guides["init_args"]["tint"]) == ("callbacks.PhotometricGuides", 0.5)


def test_an_option_that_exchanges_a_class_takes_none_of_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    content = printed((BACKBONE, CAVE, TASK), capsys, "--model.network.features", "32", "--model.network", "MCNet")
    assert content["model"]["init_args"]["network"]["class_path"] == "lightning_modules.MCNet"


def test_a_setting_of_a_recipe_that_a_backbone_after_it_replaces_is_told() -> None:
    def notices(*names: str) -> list[str]:
        return read_files([word for name in names for word in ("--config", str(find_config(name)))]).notices

    why = "because it comes later."
    assert notices("hir_align/adapt", "backbones/sert_compact", CAVE) == [
        f"{name} is {value} (in backbones/sert_compact) and not {recipe} (in hir_align/adapt), {why}"
        for name, value, recipe in (
            ("model.scheduler.max_lr", 0.002, 0.0006),
            ("model.scheduler.pct_start", 0.05, 0.1),
            ("trainer.max_epochs", 16, 4),
        )
    ]
    for names in itertools.permutations((TASK, "backbones/sert_compact", CAVE)):
        assert notices(*names, "hir_align/adapt") == []
    # A recipe over a recipe is what it is for, so nothing is said.
    assert not [one for one in notices("hir_align/adapt", "hir_align/small_budget") if "max_epochs" in one]


def test_a_class_of_an_earlier_file_that_gives_way_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    configs = ["backbones/sert_compact", "guides/photometric", CAVE, TASK, "hir_align/paper"]
    with pytest.raises(SystemExit):
        run(["fit", *(word for name in configs for word in ("--config", name)), "--print_config"])
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "note: ProxyDiffusionGuides (in hir_align/paper) takes the place of PhotometricGuides (in guides/photometric) "
        "as synthesis.guides and with it the settings illumination, illumination_scale, tint, displacement, "
        "displacement_scale, gamma given for it, because it comes later."
    ]
    content = yaml.safe_load(captured.out)
    assert content["synthesis"]["init_args"]["guides"]["class_path"] == "callbacks.ProxyDiffusionGuides"


def test_settings_of_files_without_a_class_stay_where_another_class_takes_them(folder: Path) -> None:
    (folder / "other.yaml").write_text("data: {class_path: datamodules.KAIST, init_args: {split: all}}\n")
    files = [word for name in (CAVE, TASK) for word in ("--config", f"{name}.yaml")]
    packaged = Path(__file__).parents[3] / "experiments"
    given = [str(packaged / word) if word.endswith(".yaml") else word for word in files]
    tree = read_files([*given, "--config", "other.yaml"])
    settings = tree.settings["data"]["init_args"]
    assert settings["split"] == "all"
    assert settings["degradation"]["class_path"] == "datamodules.NonIIDGaussian"
    assert "root" not in settings  # CAVE's
    assert len(tree.notices) == 1


def test_what_is_merged_reads_as_it_was_written() -> None:
    settings = {"a": "1e-4", "b": 1e-7, "c": "null", "d": None, "e": ["yes", True, 0.5], "f": {"g": "2001-01-01"}}
    assert yaml.load(dumped(settings), Loader=_Loader) == settings  # noqa: S506 - a safe loader
    assert yaml.load("lr: 1e-4\nday: 2001-01-01", Loader=_Loader) == {"lr": 1e-4, "day": "2001-01-01"}  # noqa: S506


def test_one_config_holds_the_sections_asked_for_and_classes_come_first(folder: Path) -> None:
    (folder / "more.yaml").write_text("data: {init_args: {x: 1}}\nmodel: {}\n")
    given = ["--config", "more.yaml", "--data.root", "in", "a", "--data", "CAVE", "--overwrite"]
    with one_config(given, {"data"}, {"data"}) as words:
        assert words[0] == "--config"
        assert yaml.safe_load(Path(words[1]).read_text()) == {"data": {"init_args": {"x": 1}, "class_path": "CAVE"}}
        assert words[2:] == ["--overwrite", "--data.root", "in", "a"]
    assert not Path(words[1]).exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"- 1\n", "The config broken.yaml holds a list instead of sections such as `model:` and `data:`"),
        (b"just words\n", "The config broken.yaml holds a str instead of sections"),
        (b"\xff\xfe\x00", "The config broken.yaml is no text in UTF-8: give a YAML file."),
    ],
)
def test_a_file_that_holds_no_settings_is_named(
    content: bytes, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.yaml").write_bytes(content)
    assert main(["fit", "--config", "broken.yaml"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_null_sets_what_belongs_to_a_class_within_a_class_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["--data.degradation.response", "null"],
        ["--data.init_args.degradation.init_args.response=null"],
        ["--data.degradation.response", "null", "--data.degradation.ratio", "8"],
    ):
        found = printed((CAVE, "tasks/fusion", BACKBONE), capsys, *words)["data"]["init_args"]["degradation"]
        assert found["class_path"].endswith("FusionObservation")
        assert found["init_args"]["response"] is None
    with one_config(["--model.network.width", "null", "--data", "CAVE"]) as words:
        assert words == ["--data", "CAVE", "--model.network.width", "null"]
