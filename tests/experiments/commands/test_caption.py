"""`hyperalign caption`: what it writes, keeps, resumes and refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from datamodules import CAVE
from datamodules.captions import load_captions, write_captions
from experiments.captioning.captioner import Captioner
from experiments.captioning.photographs import Photographer
from experiments.cli import main
from experiments.commands import caption as command
from experiments.commands.caption import CaptionSettings, parsed
from tests.datamodules.fake_cave import fake_values, write_scene
from tests.experiments.tiny_captioners import save_blip

SCENES = ("balloons", "beads", "cloth", "feathers")


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_blip(tmp_path_factory.mktemp("blip")))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Four small scenes and `cave.yaml`, the config of a run on them, in a working directory of its own."""
    for name in SCENES:
        write_scene(tmp_path / "cave" / f"{name}_ms", name, fake_values(name, 16))
    options = {"root": str(tmp_path / "cave"), "cache": str(tmp_path / "cache"), "split": "all"}
    section = {"class_path": "CAVE", "init_args": {**options, "captions": "captions.json"}}
    rest = {"seed_everything": 3, "trainer": {"max_epochs": 2}, "model": {"class_path": "not.imported.Here"}}
    (tmp_path / "cave.yaml").write_text(yaml.safe_dump({**rest, "data": section}))
    monkeypatch.chdir(tmp_path)
    return options


def caption(model: str, *more: str) -> int:
    return main(["caption", "--config", "cave", "--output", "captions.json", "--model", model, "--device=cpu", *more])


def content() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(Path("captions.json").read_text())
    return read


def test_every_scene_gets_the_models_caption_for_a_person_to_review(
    data: dict[str, Any], blip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert caption(blip, "--max_new_tokens", "5") == 0
    scenes, captioner = CAVE(**data), Captioner(blip, max_new_tokens=5)
    expected = {name: captioner(Photographer(scenes.wavelengths)(scenes.read_scene(name).cube)) for name in SCENES}
    assert load_captions("captions.json", "CAVE") == expected
    assert len(set(expected.values())) > 1
    assert content()["unreviewed"] == sorted(SCENES)
    written = capsys.readouterr()
    assert written.out.startswith("captions.json: 4 scenes captioned, 0 kept as they were. Review them and delete")
    assert "captions: 100%" in written.err
    module = CAVE(**data, training=["beads"], validation=["cloth"], captions="captions.json")
    assert next(iter(module.test_dataloader()[0]))["caption"] == [expected["cloth"]]
    assert sorted(path.name for path in Path().iterdir()) == ["cache", "captions.json", "cave", "cave.yaml"]


def test_an_interrupted_command_goes_on_and_keeps_what_a_person_wrote(
    data: dict[str, Any], blip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = Captioner.__call__

    def counted(self: Captioner, picture: Image.Image) -> str:
        calls.append(picture)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, picture)

    monkeypatch.setattr(Captioner, "__call__", counted)
    assert caption(blip) == 130
    first = content()
    assert list(first["captions"]) == first["unreviewed"] == ["balloons", "beads"]
    write_captions(Path("captions.json"), "CAVE", {**first["captions"], "beads": "glossy beads"}, ["balloons"])
    assert caption(blip) == 0
    assert len(calls) == 3 + 2
    second = content()
    assert second["captions"]["balloons"] == first["captions"]["balloons"]
    assert second["captions"]["beads"] == "glossy beads"
    assert second["unreviewed"] == ["balloons", "cloth", "feathers"]


def test_nothing_is_loaded_where_every_scene_has_its_caption(
    data: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    write_captions(Path("captions.json"), "CAVE", dict.fromkeys(SCENES, "reviewed"))
    before = Path("captions.json").read_bytes()
    assert caption("no/model") == 0
    assert Path("captions.json").read_bytes() == before
    assert "0 scenes captioned, 4 kept" in capsys.readouterr().out


def test_only_named_scenes_and_only_when_told_to_are_captioned_anew(data: dict[str, Any], blip: str) -> None:
    write_captions(Path("captions.json"), "CAVE", {"beads": "mine", "cloth": "mine too", "elsewhere": "kept"})
    assert caption(blip, "--scenes", "beads_ms", "balloons") == 0
    assert caption(blip, "--scenes", "[beads_ms, balloons]") == 0  # as lists are given everywhere else
    assert content()["unreviewed"] == ["balloons"]
    assert content()["captions"]["beads"] == "mine"
    assert caption(blip, "--scenes", "beads", "--overwrite") == 0
    assert content()["captions"]["beads"] != "mine"
    assert content()["captions"]["cloth"] == "mine too"
    assert content()["unreviewed"] == ["balloons", "beads"]
    assert caption(blip, "--overwrite") == 0
    assert content()["unreviewed"] == sorted(SCENES)
    assert content()["captions"]["elsewhere"] == "kept"


def test_settings_come_from_a_config_and_the_command_line_wins(
    data: dict[str, Any], blip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {"model": "from/config", "prompt": "a red", "max_new_tokens": 7, "response": "nikon_d700"}
    Path("words.yaml").write_text(yaml.safe_dump({"caption": section}))
    given = parsed(["--config=cave", "--config", "words", "--output", "x.json", "--model", blip])
    assert given.caption == CaptionSettings(blip, None, "a red", 7, "auto", "nikon_d700")
    responses: list[str | None] = []

    def photographer(wavelengths: Sequence[float], response: str | None) -> Photographer:
        responses.append(response)
        return Photographer(wavelengths, response)

    monkeypatch.setattr(command, "Photographer", photographer)
    command.main(["--config=cave", "--config", "words", "--output", "captions.json", "--model", blip])
    assert all(caption.startswith("a red ") for caption in content()["captions"].values())
    assert responses == ["nikon_d700"]


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--scenes", "balloon"], 1, "The caption scenes balloon are not in CAVE (nearest is balloons"),
        (["--modle", "x"], 2, "There is no key 'modle' (on the command line)"),
        (["--data.rot", "x"], 2, "There is no key 'data.rot' (on the command line): the nearest valid key is"),
        (["--config", "wrong"], 2, "There is no key 'caption.modle' (in wrong.yaml): the nearest valid key is"),
        (["--config", "broken"], 2, "YAML cannot be read in broken.yaml, line 2"),
        (["--config", "absent"], 2, "There is no config 'absent'"),
        (["--output", "cave"], 1, "The output cave is a folder; give the name of a JSON file in it."),
        (["--output", "cave.yaml/x.json"], 1, "The captions cannot be written to cave.yaml/x.json ("),
        (["--output", "other.json"], 1, "The caption file {here}/other.json is for Harvard but the data set is CAVE"),
        (["--response", "none"], 1, "There is no spectral response none; choose"),
        (["--model", "nobody/nothing"], 1, "The image-to-text model nobody/nothing cannot be loaded ("),
        (["--max_new_tokens", "0"], 1, "A caption of 0 tokens is not possible"),
    ],
)
def test_mistakes_are_one_sentence(
    data: dict[str, Any],
    blip: str,
    more: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pytest.importorskip("huggingface_hub.constants"), "HF_HUB_OFFLINE", True)
    write_captions(Path("other.json"), "Harvard", {"a": "b"})
    Path("wrong.yaml").write_text("caption: {modle: x}\n")
    Path("broken.yaml").write_text("caption: {\n")
    assert caption(blip, *more) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: " + message.format(here=Path.cwd()))
    assert not Path("captions.json").exists()


@pytest.mark.parametrize("missing", ["data", "output"])
def test_what_is_required_is_said(data: dict[str, Any], missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"data": ["--output", "x.json"], "output": ["--config", "cave"]}
    assert main(["caption", *words[missing]]) == 2
    assert f"No value was given for '{missing}', which is required." in capsys.readouterr().err


def test_bands_that_show_no_colour_are_refused_before_the_model_is_loaded(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CAVE, "wavelengths", tuple(range(900, 931)))
    assert caption("no/model") == 1
    assert "do not cover 660 nm" in capsys.readouterr().err.splitlines()[-1]


def test_a_scene_the_model_says_nothing_about_does_not_stop_the_others(
    data: dict[str, Any], blip: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = iter(["a", "", "b", ""])
    monkeypatch.setattr(Captioner, "__call__", lambda *_: next(words))
    assert caption(blip) == 1
    assert load_captions("captions.json", "CAVE") == {"balloons": "a", "cloth": "b"}
    last = capsys.readouterr().err.splitlines()[-1]
    assert "said nothing about beads, feathers; write these captions into captions.json by hand" in last
