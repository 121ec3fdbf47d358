"""SDEdit's start (Eq. 8), its timesteps, and the DDIM step against diffusers."""

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from callbacks.guides.sdedit import Diffusion, Prediction, reverse_timesteps, sdedit, start_timestep
from hyperalign.seeding import generator_for


def test_eq_8_mean_and_variance_of_the_noised_start() -> None:
    diffusion = Diffusion()
    seen: list[Tensor] = []

    def denoiser(sample: Tensor, timestep: int) -> Tensor:
        seen.append(sample)
        assert timestep == 349
        return torch.zeros_like(sample)

    start = torch.full((1, 3, 256, 256), 0.4)
    sdedit(
        denoiser,
        start,
        diffusion,
        strength=0.35,
        steps=1,
        temperature=1.0,
        bounds=(-1, 1),
        generators=[generator_for(0)],
    )
    alpha_bar = diffusion.alpha_bar(349)
    # 196608 draws: the standard errors are 0.0012 of the mean and 0.0016 of the deviation
    assert float(seen[0].mean()) == pytest.approx(0.4 * alpha_bar**0.5, abs=0.005)
    assert float(seen[0].std()) == pytest.approx((1 - alpha_bar) ** 0.5, abs=0.005)


def test_alpha_bar_is_the_cosine_schedule() -> None:
    diffusion = Diffusion()
    for timestep in (99, 349, 699):
        fraction = (timestep + 1) / 1000
        expected = torch.cos(torch.tensor((fraction + 0.008) / 1.008 * torch.pi / 2)) ** 2
        expected = expected / torch.cos(torch.tensor(0.008 / 1.008 * torch.pi / 2)) ** 2
        assert diffusion.alpha_bar(timestep) == pytest.approx(float(expected), rel=2e-3)
    assert diffusion.alpha_bar(-1) == 1.0


@pytest.mark.parametrize(("strength", "expected"), [(1.0, 999), (0.5, 499), (0.35, 349), (0.001, 0), (1e-6, 0)])
def test_start_timestep(strength: float, expected: int) -> None:
    assert start_timestep(strength, 1000) == expected


@pytest.mark.parametrize(
    ("start", "steps", "expected"),
    [(499, 5, [499, 399, 299, 199, 99]), (349, 3, [349, 232, 116]), (2, 10, [2, 1, 0]), (0, 4, [0])],
)
def test_reverse_timesteps(start: int, steps: int, expected: list[int]) -> None:
    assert reverse_timesteps(start, steps) == expected


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_clean_estimate_inverts_the_training_target(prediction: Prediction) -> None:
    diffusion = Diffusion(prediction=prediction)
    clean, noise = torch.randn(2, 2, 3, 8, 8, generator=generator_for(1))
    times = torch.tensor([300, 300])
    noised = diffusion.noised(clean, noise, times)
    estimate = diffusion.clean_estimate(diffusion.training_target(clean, noise, times), noised, 300)
    torch.testing.assert_close(estimate, clean, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("timestep", [999, 499, 49])
def test_step_equals_diffusers_ddim(prediction: Prediction, timestep: int) -> None:
    diffusion = Diffusion(1000, "linear", prediction)
    reference = DDIMScheduler(1000, beta_schedule="linear", prediction_type=prediction, clip_sample=False)
    reference.set_timesteps(20)  # a stride of 50
    output, sample = torch.randn(2, 1, 3, 8, 8, generator=generator_for(2), dtype=torch.float64)
    expected = reference.step(output, timestep, sample).prev_sample
    clean = diffusion.clean_estimate(output, sample, timestep)
    # diffusers computes with float32 alpha-bar; at t = 999 its square root is 0.006 and enlarges the rounding
    torch.testing.assert_close(diffusion.step(clean, sample, timestep, timestep - 50), expected, rtol=1e-4, atol=1e-4)


def test_a_perfect_denoiser_gets_the_image_back_and_bounds_hold() -> None:
    image = torch.rand(1, 3, 9, 7, generator=generator_for(3))
    diffusion = Diffusion(prediction="sample")
    for temperature in (1.0, 0.5):
        result = sdedit(
            lambda sample, timestep: image,
            image,
            diffusion,
            strength=0.8,
            steps=7,
            temperature=temperature,
            bounds=(0.0, 1.0),
            generators=[generator_for(4)],
        )
        torch.testing.assert_close(result, image)


def test_temperature_scales_the_kept_noise() -> None:
    diffusion = Diffusion(prediction="sample")
    clean, noise = torch.zeros(1, 3, 8, 8), torch.randn(1, 3, 8, 8, generator=generator_for(5))
    sample = diffusion.noised(clean, noise, torch.tensor([400]))
    for temperature in (1.0, 0.8, 0.0):
        following = diffusion.step(clean, sample, 400, 200, temperature)
        expected = temperature * (1 - diffusion.alpha_bar(200)) ** 0.5 * noise
        torch.testing.assert_close(following, expected, atol=1e-6, rtol=1e-4)


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="noise_schedule is 'quadratic': choose one of linear"):
        Diffusion(noise_schedule="quadratic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="prediction is 'noise': choose one of epsilon"):
        Diffusion(prediction="noise")  # type: ignore[arg-type]
