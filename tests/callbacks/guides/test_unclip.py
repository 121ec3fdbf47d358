"""UnCLIPGuides on a tiny pipeline saved to disk: what guides depend on, sizes, precisions, memory, bad input."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor

from callbacks.guides import UnCLIPGuides
from callbacks.guides.unclip import CHECKPOINT
from callbacks.guides.unclip_conditions import clip_pixels
from callbacks.guides.unclip_sizes import Fit
from hyperalign.seeding import generator_for
from tests.callbacks.guides.test_unclip_sizes import blob, centre
from tests.callbacks.guides.tiny_unclip import FACTOR, PLACES, SIDE, LosslessVAE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def made(checkpoint: str, **changes: Any) -> UnCLIPGuides:  # noqa: ANN401
    given: dict[str, Any] = {"prompt": "sharp", "negative_prompt": "blur", "steps": 4, "local_files_only": True}
    return UnCLIPGuides(checkpoint, **(given | changes))


def proxy(height: int = 37, width: int = 45) -> Tensor:
    """A photograph, linear in light."""
    pixels = data.astronaut()[: height * 4 : 4, 100 : 100 + width * 4 : 4].copy()
    return (torch.from_numpy(pixels).permute(2, 0, 1).float() / 255) ** 2.2


def test_guides_have_the_proxys_size_and_differ(checkpoint: str) -> None:
    guides = made(checkpoint)(proxy(), 3, generator_for(1))
    assert guides.shape == (3, 3, 37, 45)
    assert guides.dtype == torch.float32
    assert 0 <= float(guides.min()) < float(guides.max()) <= 1
    assert min(float((guides[a] - guides[b]).abs().mean()) for a, b in ((0, 1), (0, 2), (1, 2))) > 0.005
    assert torch.equal(made(checkpoint)(proxy(), 3, generator_for(1)), guides)


def test_the_original_is_the_pipeline(checkpoint: str) -> None:
    """Pure noise, no prompts, the stock encoder: bits of diffusers' pipeline on a scene of its own size."""
    from diffusers import StableUnCLIPImg2ImgPipeline

    pipeline = StableUnCLIPImg2ImgPipeline.from_pretrained(checkpoint, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(int(torch.randint(1 << 62, (), generator=generator_for(4))))
    expected = pipeline(
        clip_pixels(proxy(SIDE, SIDE)[None], pipeline.feature_extractor),
        num_inference_steps=20,
        generator=generator,
        output_type="pt",
    ).images
    guides = UnCLIPGuides.original(checkpoint, gamma=1.0, local_files_only=True)
    assert torch.equal(guides(proxy(SIDE, SIDE), 1, generator_for(4)), expected)


def test_improved_false_leaves_out_what_contradicts_it_and_says_so(
    checkpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    original = UnCLIPGuides.original(checkpoint)
    assert caplog.records == []
    changed = UnCLIPGuides(checkpoint, image_encoder="robust", improved=False, prompt="a forest", strength=0.3)
    assert [record.getMessage() for record in caplog.records] == [
        "UnCLIPGuides: improved=False is the original unCLIP, which leaves out image_encoder and prompt: set improved "
        "to true to use them."
    ]
    assert changed.settings() == original.settings()
    sampling = original.settings()["sampling"]
    assert (sampling["prompt"], sampling["negative_prompt"], sampling["strength"], sampling["noise_level"]) == (
        ("", "", 1.0, 0)
    )
    assert original.settings() != UnCLIPGuides(checkpoint).settings()


@pytest.mark.parametrize("fit", ["resize", "tiles"])
def test_a_guide_that_hardly_leaves_the_proxy_shows_every_pixel_in_its_place(checkpoint: str, fit: Fit) -> None:
    guides = made(checkpoint, steps=1000, strength=0.001, guidance_scale=1.0, fit=fit, native=32)
    parts = guides._ready(torch.device("cpu"))
    # The noise at timestep 1, 4 % of a standard deviation, is small beside latents of this scale.
    parts.modules["vae"] = LosslessVAE(20.0)
    images = [0.2 + 0.6 * blob((45, 70), 20.3, column) for column in (30.7, 35.7)]
    drawn = [guides(image, 1, generator_for(2))[0] for image in images]
    for image, guide in zip(images, drawn, strict=True):
        assert float((guide - image).abs().max()) < 0.02
    places = [centre((guide - 0.25).clamp(0)) for guide in drawn]
    assert places[0] == pytest.approx((20.3, 30.7), abs=0.05)
    assert places[1] == pytest.approx((20.3, 35.7), abs=0.05)


def test_the_model_sees_a_gamma_encoded_picture(checkpoint: str) -> None:
    guides = made(checkpoint, strength=0.25)
    parts = guides._ready(torch.device("cpu"))
    parts.modules["vae"] = vae = LosslessVAE(0.2)
    guides(proxy(SIDE, SIDE), 1, generator_for(0))
    photograph = proxy(SIDE, SIDE)[None] ** (1 / 2.2)
    assert 0.2 < float(photograph.mean()) < 0.8
    torch.testing.assert_close(vae.encoded, torch.nn.functional.pixel_unshuffle(2 * photograph - 1, FACTOR))


def test_batches_and_their_order_do_not_change_guides(checkpoint: str) -> None:
    guides = made(checkpoint, guides_at_once=3, scheduler="EulerAncestralDiscreteScheduler")
    assert guides.at_once == 3
    scenes = [proxy(), proxy(20, 60), proxy().flip(-1), proxy(20, 60).flip(-1), proxy() * 0.5]
    together = guides.many([(scene, generator_for(number)) for number, scene in enumerate(scenes)])
    one = made(checkpoint, scheduler="EulerAncestralDiscreteScheduler")
    for number in reversed(range(5)):
        assert together[number].shape == scenes[number].shape
        alone = one(scenes[number], 1, generator_for(number))[0]
        torch.testing.assert_close(together[number], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "forest"},
        {"negative_prompt": "dark"},
        {"guidance_scale": 4.0},
        {"steps": 6},
        {"strength": 0.8},
        {"noise_level": 500},
        {"scheduler": "EulerDiscreteScheduler"},
        {"gamma": 1.0},
        {"fit": "tiles"},
        {"native": 48},
        {"improved": False},
    ],
)
def test_what_changes_guides_changes_the_settings(checkpoint: str, change: dict[str, Any]) -> None:
    plain, changed = made(checkpoint), made(checkpoint, **change)
    assert plain.settings() != changed.settings()
    first, second = (source(proxy(), 1, generator_for(1)) for source in (plain, changed))
    assert float((first - second).abs().max()) > 1e-4


@pytest.mark.parametrize(
    "change", [{"attention_slicing": True}, {"vae_slicing": True}, {"offload": True}, {"guides_at_once": 2}]
)
def test_what_saves_memory_leaves_guides_and_settings(checkpoint: str, change: dict[str, Any]) -> None:
    plain, saving = made(checkpoint), made(checkpoint, **change)
    assert plain.settings() == saving.settings()
    first, second = (source(proxy(), 2, generator_for(1)) for source in (plain, saving))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=0)
    parts = saving._ready(torch.device("cpu"))
    processors = {type(one).__name__ for one in parts.modules["unet"].attn_processors.values()}
    assert (processors == {"SlicedAttnProcessor"}) is saving.attention_slicing
    assert (parts.modules["vae"].use_slicing, parts.offload) == (saving.vae_slicing, saving.offload)


def test_tiled_decoding_is_switched_on_and_in_the_settings(checkpoint: str) -> None:
    tiled = made(checkpoint, vae_tiling=True)
    assert tiled._ready(torch.device("cpu")).modules["vae"].use_tiling
    assert tiled.settings() != made(checkpoint).settings()


def test_bfloat16_comes_near_float32_and_leaves_it_where_it_is_wanted(checkpoint: str) -> None:
    exact = made(checkpoint, dtype="float32")(proxy(), 1, generator_for(1))
    rounded = made(checkpoint, dtype="bfloat16")(proxy(), 1, generator_for(1))
    assert rounded.dtype == torch.float32
    assert 0 < float((exact - rounded).abs().mean()) < 0.03


def test_a_scene_that_overflows_is_drawn_again_in_float32_and_its_neighbour_is_not(
    checkpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    requests = [(proxy(), generator_for(0)), (proxy().flip(-1), generator_for(1))]
    sound = made(checkpoint, dtype="bfloat16", guides_at_once=2).many(requests)
    broken = made(checkpoint, dtype="bfloat16", guides_at_once=2)
    unet = broken._ready(torch.device("cpu")).modules["unet"]

    def overflow(_: object, inputs: tuple[Tensor, ...], output: tuple[Tensor]) -> tuple[Tensor] | None:
        if inputs[0].dtype != torch.bfloat16:
            return None
        spoilt = output[0].clone()
        spoilt[0, 0, 0, 0] = float("inf")
        return (spoilt,)

    unet.register_forward_hook(overflow)
    guides = broken.many([(proxy(), generator_for(0)), (proxy().flip(-1), generator_for(1))])
    assert torch.equal(guides[1], sound[1])
    assert bool(torch.isfinite(guides[0]).all())
    assert 0 < float((guides[0] - sound[0]).abs().mean()) < 0.03
    assert next(unet.parameters()).dtype == torch.bfloat16
    assert [record.getMessage() for record in caplog.records if record.name == "callbacks.guides.unclip"] == [
        "A guide came out with NaN or infinite values in bfloat16 and is drawn again in float32: set the guides' dtype "
        "to float32 if this happens often."
    ]


def test_nan_in_float32_ends_the_stage(checkpoint: str) -> None:
    guides = made(checkpoint)
    guides._ready(torch.device("cpu")).modules["unet"].conv_in.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="check its weights, and lower guidance_scale"):
        guides(proxy(), 1, generator_for(0))


def test_a_prompt_over_the_limit_is_cut_and_the_cut_is_shown_once(
    checkpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    room = PLACES - 2
    long, short = "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz"[:room]
    guides = made(checkpoint, prompt=long)
    guides(proxy(), 1, generator_for(0))
    guides(proxy(), 1, generator_for(1))
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("callbacks")]
    assert messages == [f"The guides' prompt is longer than {PLACES} tokens and was cut; left out: {long[room:]!r}."]
    caplog.clear()
    made(checkpoint, prompt=short)(proxy(), 1, generator_for(0))
    assert [record for record in caplog.records if record.name.startswith("callbacks")] == []


def test_copies_and_pickles_leave_the_weights_behind(checkpoint: str) -> None:
    guides = made(checkpoint)
    first = guides(proxy(), 1, generator_for(0))
    assert guides._parts is not None
    assert len(pickle.dumps(guides)) < 5000
    for again in (copy.deepcopy(guides), pickle.loads(pickle.dumps(guides))):  # noqa: S301 - made here
        assert again._parts is None
        assert torch.equal(again(proxy(), 1, generator_for(0)), first)
    guides.release()
    assert vars(guides)["_parts"] is None
    assert torch.equal(guides(proxy(), 1, generator_for(0)), first)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"guidance_scale": -1.0}, "guidance_scale is -1: choose a value at least 0"),
        ({"steps": 0}, "steps is 0: choose a value between 1 and 1000"),
        ({"steps": 1001}, "steps is 1001: choose a value between 1 and 1000"),
        ({"strength": 0.0}, "strength is 0: choose a value between 0.001 and 1"),
        ({"strength": 1.5}, "strength is 1.5: choose a value between 0.001 and 1"),
        ({"noise_level": 1000}, "noise_level is 1000: choose a value between 0 and 999"),
        ({"gamma": 0.0}, "gamma is 0: choose a value between 0.1 and 10"),
        ({"overlap": 0.6}, "overlap is 0.6: choose a value between 0 and 0.5"),
        ({"guides_at_once": 0}, "guides_at_once is 0: choose a value at least 1"),
        ({"native": 0}, "native is 0: choose a value at least 1"),
        ({"fit": "crop"}, "fit is 'crop': choose one of resize, tiles"),
        ({"dtype": "half"}, "dtype is 'half': choose one of auto, float32, float16, bfloat16"),
        ({"scheduler": "DPMSolverSDEScheduler"}, "scheduler is 'DPMSolverSDEScheduler': choose one of DDIMScheduler, "),
    ],
)
def test_arguments_out_of_range_are_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="The guides' argument") as caught:
        UnCLIPGuides(**change)
    assert sentence in str(caught.value)


def test_proxies_of_another_shape_are_refused_before_weights_are_read() -> None:
    guides = UnCLIPGuides("nowhere", local_files_only=True)
    with pytest.raises(ValueError, match="A proxy RGB has shape 3 x H x W"):
        guides(torch.zeros(4, 8, 8), 1, generator_for(0))
    with pytest.raises(ValueError, match="ask for at least 1"):
        guides(torch.zeros(3, 8, 8), 0, generator_for(0))
    assert CHECKPOINT in str(UnCLIPGuides().settings())
