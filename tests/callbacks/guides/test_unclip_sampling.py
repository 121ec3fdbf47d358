"""unCLIP's reverse diffusion against diffusers' own pipeline, and its start at the noised proxy (Eq. 8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from callbacks.guides.unclip_conditions import clip_pixels
from callbacks.guides.unclip_parts import UnCLIPParts, Weights, load_parts
from callbacks.guides.unclip_sampling import Sampling, Scheduler, fresh_scheduler, redraw, start_at
from callbacks.guides.unclip_sizes import canvas_for
from hyperalign.seeding import generator_for
from tests.callbacks.guides.tiny_unclip import FACTOR, LATENTS, SIDE, LosslessVAE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SAMPLING: dict[str, Any] = {
    "prompt": "sharp",
    "negative_prompt": "blur",
    "guidance_scale": 3.0,
    "steps": 5,
    "strength": 1.0,
    "noise_level": 100,
    "scheduler": None,
    "at_once": 4,
}
CANVAS = canvas_for((SIDE, SIDE), "resize", SIDE, 4, FACTOR, 0.25)
STARTS: list[Scheduler] = ["DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"]


@pytest.fixture(scope="module")
def pipeline(checkpoint: str) -> Any:  # noqa: ANN401 - diffusers is not typed
    from diffusers import StableUnCLIPImg2ImgPipeline

    loaded = StableUnCLIPImg2ImgPipeline.from_pretrained(checkpoint, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def picture() -> Tensor:
    """A photograph, 1 x 3 x SIDE x SIDE."""
    pixels = data.astronaut()[: SIDE * 6 : 6, 100 : 100 + SIDE * 6 : 6].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize(
    ("scheduler", "scale"), [("DDIMScheduler", 1.0), *((scheduler, 3.0) for scheduler in get_args(Scheduler))]
)
def test_from_pure_noise_the_pipelines_bits_come_out(
    parts: UnCLIPParts,
    pipeline: Any,  # noqa: ANN401
    scheduler: Scheduler,
    scale: float,
) -> None:
    import diffusers

    sampling = Sampling(**SAMPLING | {"scheduler": scheduler, "guidance_scale": scale})
    pipeline.scheduler = getattr(diffusers, scheduler).from_config(parts.scheduler.config)
    expected = pipeline(
        clip_pixels(picture(), parts.feature_extractor),
        prompt="sharp",
        negative_prompt="blur",
        num_inference_steps=5,
        guidance_scale=scale,
        noise_level=100,
        generator=generator_for("unclip"),
        output_type="pt",
    ).images
    drawn = redraw(parts, picture(), CANVAS, [generator_for("unclip")], sampling)
    assert torch.equal(drawn.clamp(0, 1), expected)
    # Not all of it is clamped away.
    assert float(((expected > 0) & (expected < 1)).float().mean()) > 0.5


@pytest.mark.parametrize("scheduler", STARTS)
def test_eq_8_start_at_the_noised_latent(parts: UnCLIPParts, scheduler: Scheduler) -> None:
    parts.modules["vae"] = LosslessVAE(0.2)
    unet, seen = parts.modules["unet"], list[tuple[Tensor, float]]()

    def watch(_: object, arguments: tuple[Tensor, Tensor]) -> None:
        seen.append((arguments[0][:1].clone(), float(arguments[1])))

    unet.register_forward_pre_hook(watch)
    sampling = Sampling(**SAMPLING | {"scheduler": scheduler, "steps": 10, "strength": 0.4})
    redraw(parts, picture(), CANVAS, [generator_for(2)], sampling)
    assert len(seen) == 4
    noised, timestep = seen[0]
    assert 300 <= timestep <= 410
    generator = generator_for(2)
    torch.randn(16, generator=generator)  # the embedding's
    noise = torch.randn(1, LATENTS, SIDE // FACTOR, SIDE // FACTOR, generator=generator)
    clean = 0.2 * torch.nn.functional.pixel_unshuffle(2 * picture() - 1, FACTOR)
    alphas = fresh_scheduler(parts.scheduler, Sampling(**SAMPLING)).alphas_cumprod
    alpha_bar = float(np.interp(timestep, np.arange(1000), alphas.numpy()))
    torch.testing.assert_close(noised, alpha_bar**0.5 * clean + (1 - alpha_bar) ** 0.5 * noise, atol=2e-4, rtol=0)


@pytest.mark.parametrize("scheduler", get_args(Scheduler))
def test_every_scheduler_ends_at_the_image_that_a_perfect_model_sees(parts: UnCLIPParts, scheduler: Scheduler) -> None:
    """A model that knows the image brings every start back to it: timesteps and noise levels fit together."""
    target = 0.3 * torch.randn(1, LATENTS, 8, 8, generator=generator_for(1))
    sampling = Sampling(**SAMPLING | {"scheduler": scheduler, "steps": 30, "strength": 0.5})
    made = fresh_scheduler(parts.scheduler, sampling)
    timesteps = start_at(made, sampling, torch.device("cpu"))
    assert len(timesteps) in {15, 16, 29, 30}
    assert float(timesteps[0]) == pytest.approx(480, abs=20)
    noise = torch.randn(target.shape, generator=generator_for(3))
    alphas = parts.scheduler.alphas_cumprod.double().numpy()
    latents = made.add_noise(target, noise, timesteps[:1])
    for timestep in timesteps:
        sample = made.scale_model_input(latents, timestep)
        alpha_bar = float(np.interp(float(timestep), np.arange(1000), alphas))
        signal, spread = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
        # v = signal * noise - spread * x0, with the noise that the sample holds if x0 is the target.
        velocity = signal * (sample - signal * target) / spread - spread * target
        more = {"generator": generator_for(5)} if scheduler.startswith(("DDPM", "EulerA", "KDPM2A")) else {}
        latents = made.step(velocity, timestep, latents, **more, return_dict=False)[0]
    # PNDM, DDIM and DDPM end at timestep 1, whose noise is 3 % of a standard deviation.
    assert float((latents - target).square().mean().sqrt()) < 0.05


def test_pndm_does_not_start_with_its_runge_kutta_steps(parts: UnCLIPParts) -> None:
    parts.scheduler.register_to_config(skip_prk_steps=False)
    sampling = Sampling(**SAMPLING | {"scheduler": "PNDMScheduler", "steps": 10, "strength": 0.3})
    made = fresh_scheduler(parts.scheduler, sampling)
    assert start_at(made, sampling, torch.device("cpu")).tolist() == [201, 101, 101, 1]


def test_guides_of_a_batch_are_those_made_alone(parts: UnCLIPParts) -> None:
    images = torch.cat([picture(), picture().flip(-1), 0.5 * picture()])
    sampling = Sampling(**SAMPLING | {"scheduler": "EulerAncestralDiscreteScheduler", "strength": 0.6, "at_once": 2})
    together = redraw(parts, images, CANVAS, [generator_for(number) for number in range(3)], sampling)
    for number in range(3):
        alone = redraw(parts, images[number : number + 1], CANVAS, [generator_for(number)], sampling)
        torch.testing.assert_close(together[number], alone[0], atol=1e-5, rtol=0)
    assert float((together[0] - together[1]).abs().mean()) > 0.01


def test_tiles_are_evaluated_together_as_they_are_alone_and_the_canvas_has_no_seams(parts: UnCLIPParts) -> None:
    image = torch.cat([picture(), picture().flip(-1)], dim=-1)
    sampling = Sampling(**SAMPLING | {"strength": 0.5})
    canvas = canvas_for((SIDE, 2 * SIDE), "tiles", SIDE, 4, FACTOR, 0.25)
    assert canvas.corners == ((0, 0), (0, 16), (0, 32))
    drawn = redraw(parts, image, canvas, [generator_for(1)], sampling)
    one_by_one = redraw(
        parts, image, canvas, [generator_for(1)], Sampling(**SAMPLING | {"strength": 0.5, "at_once": 1})
    )
    torch.testing.assert_close(drawn, one_by_one, atol=1e-5, rtol=0)
    assert drawn.shape == image.shape
    whole = redraw(parts, image, canvas_for((SIDE, 2 * SIDE), "tiles", 64, 4, FACTOR, 0), [generator_for(1)], sampling)
    assert float((drawn - whole).abs().mean()) > 1e-4
    # Steps between neighbouring columns are no larger where a tile begins or ends than elsewhere.
    steps = (drawn - image).diff(dim=-1).abs().mean(dim=(0, 1, 2))
    borders = steps[[15, 31, 47]]
    assert float(borders.max()) < 2 * float(steps.median())


def test_the_global_random_state_stays(checkpoint: str) -> None:
    before = torch.get_rng_state()
    loaded = load_parts(Weights(checkpoint, local_files_only=True), torch.float32)
    redraw(loaded, picture(), CANVAS, [generator_for(1)], Sampling(**SAMPLING))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_saved_pipeline_is_read_as_it_was(parts: UnCLIPParts, pipeline: Any, checkpoint: str) -> None:  # noqa: ANN401
    assert (parts.factor, parts.multiple, parts.native) == (FACTOR, 4, SIDE)
    assert {path.name for path in Path(checkpoint).iterdir()} >= set(parts.modules)
    for name, module in parts.modules.items():
        assert not module.training
        for key, value in getattr(pipeline, name).state_dict().items():
            assert torch.equal(module.state_dict()[key], value)
