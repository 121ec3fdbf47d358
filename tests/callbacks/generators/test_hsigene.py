"""HSIGene as a cube source: from files to 31-band cubes, its conditions, its traps, and what it says to bad input."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from callbacks.generators import CubeGenerator, CubeRequest, HSIGene
from callbacks.generators.clip_conditions import EncoderError, ImageEncoder, TextEncoder
from datamodules.scenes import generator_for
from lightning_modules.checkpoints import CheckpointError
from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork
from tests.callbacks.generators.small_clip import write_small_clip, write_small_hsigene
from tests.lightning_modules.networks.generation.hsigene_official import SMALL_ARGUMENTS

TARGET = tuple(float(band) for band in range(400, 701, 10))
SIX = (400.0, 480.0, 550.0, 620.0, 660.0, 700.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_hsigene(tmp_path_factory.mktemp("weights") / "last.ckpt")


class Given:
    """Makes small sources of one checkpoint and one CLIP model."""

    def __init__(self, checkpoint: str, clip: str) -> None:
        self.clip = clip
        self.encode_text = TextEncoder(clip)
        self.network: HSIGeneNetwork | None = None
        self.arguments: dict[str, Any] = {
            "checkpoint": checkpoint,
            "text_encoder": clip,
            "steps": 2,
            "size": 32,
            "wavelengths": SIX,
            "architecture": SMALL_ARGUMENTS,
        }

    def source(self, **changes: Any) -> HSIGene:  # noqa: ANN401
        source = HSIGene(**{**self.arguments, **changes})
        if "text_encoder" not in changes:
            source.encode_text = self.encode_text  # loaded once for all tests
        if "checkpoint" not in changes:
            self.network = self.network or source._loaded()
            source._network = self.network
        return source


@pytest.fixture(scope="module")
def given(checkpoint: str, clip: str) -> Given:
    return Given(checkpoint, clip)


def request(number: int = 0, seed: int = 0, wavelengths: tuple[float, ...] = TARGET) -> CubeRequest:
    proxy = torch.rand(len(wavelengths), 20, 24, generator=torch.Generator().manual_seed(seed))
    return CubeRequest(proxy, wavelengths, "", number, 3, generator_for("cube", number))


def test_files_become_a_cube_at_the_targets_bands(given: Given) -> None:
    source, before = HSIGene(**given.arguments), torch.get_rng_state()
    assert isinstance(source, CubeGenerator)
    cube = source(request())
    assert torch.equal(torch.get_rng_state(), before)
    assert cube.shape == (31, 32, 32)
    assert cube.dtype == torch.float32
    assert float(cube.min()) >= 0
    assert float(cube.max()) <= 1
    assert float(cube.std()) > 0.01
    own = source.generate(None, 0, generator_for("cube", 0), torch.device("cpu"))
    # 480 nm is a band of the generator's; 440 nm lies halfway between two of them
    torch.testing.assert_close(cube[8], own[1])
    torch.testing.assert_close(cube[4], (own[0] + own[1]) / 2)


def test_cubes_depend_on_their_generator_alone(given: Given) -> None:
    source = given.source()
    first, second, again = source(request(0)), source(request(1)), HSIGene(**given.arguments)(request(0))
    assert torch.equal(first, again)
    assert float((first - second).abs().max()) > 1e-3
    # without an image encoder nothing of the proxy enters
    assert torch.equal(source(request(0, seed=9)), first)


def test_the_published_defaults_are_the_unconditional_scripts(given: Given) -> None:
    source = given.source()
    network = source._loaded()
    start = torch.randn(1, 4, 8, 8, generator=generator_for("cube", 0))
    text = given.encode_text("")
    expected = network.generate(start, network.conditions(text, side=32), 2)[0]
    assert torch.equal(source.generate(None, 0, generator_for("cube", 0), torch.device("cpu")), expected)
    published = HSIGene("last.ckpt")
    assert (published.steps, published.guidance, published.size, published.prompts) == (50, 1.0, 256, ("",))
    assert [round(published.wavelengths[band]) for band in (20, 12, 4)] == [655, 553, 451]


def test_the_proxys_rgb_is_the_content(given: Given) -> None:
    source = given.source(image_encoder=given.clip)
    first, other = source(request(0, seed=1)), source(request(0, seed=2))
    assert float((first - other).abs().max()) > 1e-4
    correct = given.source(image_encoder=given.clip, correct_content=True)(request(0, seed=1))
    assert float((first - correct).abs().max()) > 1e-5
    assert torch.equal(
        given.source(image_encoder=given.clip, strength=0.0)(request(0, seed=1)),
        given.source(image_encoder=given.clip, strength=0.0)(request(0, seed=2)),
    )


def test_prompts_are_taken_in_turn_and_a_long_one_is_cut_with_a_warning(
    given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    source = given.source(prompts=("Farmland", "Wasteland"))

    def drawn(number: int) -> Tensor:
        return source.generate(None, number, generator_for("one"), torch.device("cpu"))

    assert torch.equal(drawn(0), drawn(2))
    assert float((drawn(0) - drawn(1)).abs().max()) > 1e-4
    with caplog.at_level(logging.WARNING):
        assert given.encode_text("a " * 75 + "b c").shape == (1, 77, 16)
    assert "longer than 77 tokens; its end is cut off: b c" in caplog.text


def test_guidance_and_metadata_change_the_cube(given: Given) -> None:
    plain = given.source(prompts=("Farmland",))(request())
    guided = given.source(prompts=("Farmland",), guidance=5.0)(request())
    numbered = given.source(prompts=("Farmland",), metadata=[0.1] * 7)(request())
    assert float((plain - guided).abs().max()) > 1e-4
    assert float((plain - numbered).abs().max()) > 1e-4


def test_a_subclass_gives_condition_images(given: Given) -> None:
    class Sketched(HSIGene):
        def local_conditions(self, request: CubeRequest) -> Mapping[str, Tensor]:
            return {"sketch": torch.ones(1, 3, 16, 16)}

    sketched = Sketched(**given.arguments)(request())
    assert float((sketched - given.source()(request())).abs().max()) > 1e-4


def test_cubes_are_cropped_resized_and_cut_to_eight_bits(given: Given) -> None:
    whole = given.source()(request())
    assert torch.equal(given.source(output_size=20)(request()), whole[:, 6:26, 6:26])
    resized = given.source(output_size=16, fit="resize")(request())
    assert resized.shape == (31, 16, 16)
    assert float((resized - torch.nn.functional.avg_pool2d(whole, 2)).abs().mean()) < 0.05
    assert given.source(size=16, output_size=24, fit="resize")(request()).shape == (31, 24, 24)
    levels = given.source(quantise=True)(request(wavelengths=SIX)) * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4
    assert float((levels / 255 - given.source()(request(wavelengths=SIX))).max()) <= 1e-6


def test_bands_are_interpolated_selected_or_held(given: Given) -> None:
    interpolated = given.source().band_weights((480.0, 515.0))
    torch.testing.assert_close(interpolated, torch.tensor([[0, 1, 0, 0, 0, 0], [0, 0.5, 0.5, 0, 0, 0]]))
    selected = given.source(bands="select").band_weights((470.0, 630.0))
    assert selected.argmax(dim=1).tolist() == [1, 3]
    held = given.source(hold=True).band_weights((380.0, 550.0, 720.0, 740.0, 760.0))
    assert held.argmax(dim=1).tolist() == [0, 2, 5, 5, 5]
    with pytest.raises(ValueError, match=r"400 to 700 nm, but 2 of the target's 3 bands lie outside, the first at 380"):
        given.source().band_weights((380.0, 550.0, 720.0))
    with pytest.raises(ValueError, match="too far from some of the target's 31 bands to be selected: set bands to int"):
        given.source(bands="select").band_weights(TARGET)
    # the published 48 bands cover CAVE's
    assert HSIGene("last.ckpt").band_weights(TARGET).shape == (31, 48)


def test_settings_tell_weights_and_arguments_apart(given: Given, tmp_path: Path) -> None:
    settings = given.source().settings()
    assert json.loads(json.dumps(settings)) == settings | {"architecture": json.loads(json.dumps(SMALL_ARGUMENTS))}
    assert settings == given.source().settings()
    assert settings["class"] == "HSIGene"
    other = torch.load(given.arguments["checkpoint"], weights_only=True)
    other["state_dict"]["local_adapter.time_embed.0.bias"][0] += 1
    torch.save(other, tmp_path / "other.ckpt")
    assert given.source(checkpoint=str(tmp_path / "other.ckpt")).settings()["checkpoint"] != settings["checkpoint"]
    changes: list[dict[str, Any]] = [
        {"image_encoder": given.clip},
        {"prompts": ("Farmland",)},
        {"steps": 3},
        {"guidance": 2.0},
        {"strength": 0.5},
        {"metadata": [0.0] * 7},
        {"correct_content": True},
        {"size": 16},
        {"output_size": 8},
        {"fit": "resize"},
        {"quantise": True},
        {"wavelengths": (*SIX[:5], 701.0)},
        {"bands": "select"},
        {"hold": True},
    ]
    assert all(given.source(**change).settings() != settings for change in changes)


def test_a_checkpoint_that_cannot_be_used_is_named(given: Given, tmp_path: Path) -> None:
    missing = given.source(checkpoint=str(tmp_path / "none.ckpt"))
    for ask in (lambda: missing(request()), missing.settings):
        with pytest.raises(
            FileNotFoundError, match=r"checkpoint .*none.ckpt does not exist: download last.ckpt by the"
        ):
            ask()
    whole = Path(given.arguments["checkpoint"]).read_bytes()
    (tmp_path / "half.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"half.ckpt is truncated \(\d+ bytes\); copy or download it again"):
        given.source(checkpoint=str(tmp_path / "half.ckpt"))(request())
    torch.save({"state_dict": {"conv.weight": torch.zeros(3)}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="do not fit HSIGeneNetwork: 740 of its 740 entries are missing"):
        given.source(checkpoint=str(tmp_path / "other.ckpt"))(request())
    wider = HSIGeneNetwork(**{**SMALL_ARGUMENTS, "base": 32}).state_dict()
    torch.save(wider, tmp_path / "wider.ckpt")
    with pytest.raises(CheckpointError, match=r"is \[.*\] there and \[.*\] here; build the network with the settings"):
        given.source(checkpoint=str(tmp_path / "wider.ckpt"))(request())


def test_weights_that_hold_nan_are_refused_before_anything_is_made(given: Given, tmp_path: Path) -> None:
    state = torch.load(given.arguments["checkpoint"], weights_only=True)["state_dict"]
    state["first_stage_model.decoder.conv_out.bias"][2] = float("nan")
    torch.save(state, tmp_path / "nan.ckpt")
    with pytest.raises(CheckpointError, match=r"conv_out.bias in .*nan.ckpt holds NaN or infinite values"):
        given.source(checkpoint=str(tmp_path / "nan.ckpt"))(request(4))


def test_an_encoder_that_cannot_be_used_is_named(given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match=r"cannot be loaded .*; without a network give text_encoder the folder of a"):
        given.source(text_encoder=str(tmp_path / "empty"))(request())
    with pytest.raises(EncoderError, match=r"cannot be loaded .*; without a network give image_encoder the folder"):
        given.source(image_encoder=str(tmp_path / "empty"))(request())

    def offline(*_: object, **__: object) -> None:
        raise OSError("We couldn't connect.\nCheck your connection.")

    monkeypatch.setattr("transformers.CLIPTextModel.from_pretrained", offline)
    with pytest.raises(EncoderError, match=r"encoder some/model cannot be loaded \(We couldn't connect\); without"):
        TextEncoder("some/model")("")
    monkeypatch.undo()
    from safetensors.torch import load_file, save_file

    lame = Path(write_small_clip(tmp_path / "lame"))
    weights = load_file(lame / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, lame / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks 1 weights of the encoder \(first: visual_projection.weight\)"):
        ImageEncoder(str(lame))(torch.rand(3, 8, 8))
    with pytest.raises(ValueError, match="text embedding is 24 wide and the network's context 16"):
        given.source(text_encoder=write_small_clip(tmp_path / "wide", 24))(request())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps is 0: choose 1 to 500"),
        ({"prompts": ()}, "prompts is empty: give at least one"),
        ({"size": 20}, "size is 20: choose a multiple of 8"),
        ({"output_size": 40}, "output_size is 40 and cannot be cropped from cubes of size 32"),
        ({"wavelengths": "400:1000:48"}, "wavelengths gives 48 centres for 6 bands"),
        ({"metadata": [0.0]}, "metadata has 1 numbers: give 7"),
    ],
)
def test_bad_arguments_are_refused_at_once(given: Given, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        given.source(**change)
