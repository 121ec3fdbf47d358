"""Response, blur and shift from the pair alone: known ones on real scenes of CAVE and of Paris by EO-1."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules import CAVE, FusionObservation, ParisEO1
from datamodules.degradations.point_spread import point_spread
from datamodules.pairs.blur_estimate import Blur
from datamodules.pairs.sensors import SensorEstimate, estimate_sensors
from datamodules.responses import gaussian_response, load_response


def observed(cube: Tensor, response: Tensor, ratio: int, shift: float) -> tuple[Tensor, Tensor]:
    """Both images of a scene, the coarse one by a Gaussian as wide as its pixels that lies `shift` fine pixels off."""
    spread = point_spread("gaussian", ratio, 2 * ratio + 1, ratio / 2.3548, (ratio - 1) / 2 + shift)
    low = spread.reduction(cube.shape[1], cube.shape[2], ratio).apply(cube)
    return low, torch.einsum("kc,chw->khw", response, cube)


def assert_found(found: SensorEstimate, response: Tensor, shift: float) -> None:
    errors = (found.response - response).norm(dim=1) / response.norm(dim=1)
    assert float(errors.max()) < 0.02
    assert max(abs(along - shift) for along in found.shift) < 0.1
    assert found.residual < 1e-3


@pytest.mark.parametrize("shift", [0.0, 1.3])
def test_known_sensors_of_a_real_cave_scene(shared: Path, tmp_path: Path, shift: float) -> None:
    root = shared / "data" / "CAVE" / "complete_ms_data"
    data = CAVE(str(root), degradation=FusionObservation(4), cache=str(tmp_path))
    cube = data.read_scene("flowers").cube[:, 176:336, 176:336].double()
    response = load_response("nikon_d700", None).matrix(data.wavelengths).double()
    found = estimate_sensors(*observed(cube, response, 4, shift), 4)
    assert_found(found, response, shift)
    again = found.spectral_response(data.wavelengths, (1.0, 2.0, 3.0)).matrix(data.wavelengths)
    assert float((again - response).abs().max()) < 0.02


def test_known_sensors_of_paris(shared: Path, tmp_path: Path) -> None:
    data = ParisEO1(str(shared / "data" / "Paris_EO1"), tiles=1, cache=str(tmp_path))
    cube = data.read_scene("paris").cube[:60:2].double()
    centres = data.wavelengths[:60:2]
    sensor = gaussian_response("x", ("b", "g", "r", "n"), (485.0, 565.0, 660.0, 830.0), (70.0, 80.0, 60.0, 90.0))
    response = sensor.matrix(centres).double()
    assert_found(estimate_sensors(*observed(cube, response, 4, 0.7), 4), response, 0.7)


def test_images_that_tell_nothing_are_refused() -> None:
    flat = torch.ones(5, 16, 16)
    with pytest.raises(ValueError, match="A response is estimated from an image without contrast"):
        estimate_sensors(flat, torch.ones(3, 64, 64), 4)
    with pytest.raises(ValueError, match="cannot be estimated from 64 x 60 pixels for 16 x 16 at the ratio 4"):
        estimate_sensors(flat, torch.ones(3, 64, 60), 4)
    with pytest.raises(ValueError, match="cannot be estimated from 4 x 4 hyperspectral pixels: give a larger image"):
        estimate_sensors(torch.rand(5, 4, 4), torch.rand(3, 16, 16), 4)


def test_bands_in_any_order_have_one_response_and_no_shift_has_no_minus() -> None:
    weights = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.0, 0.5]], dtype=torch.float64)
    rising = SensorEstimate(weights, torch.zeros(2), Blur.block_mean(4), (-0.001, 0.004), 0.0)
    falling = SensorEstimate(weights.flip(1), torch.zeros(2), Blur.block_mean(4), (-0.001, 0.004), 0.0)
    one = rising.spectral_response((450.0, 500.0, 650.0), (1.0, 2.0))
    other = falling.spectral_response((650.0, 500.0, 450.0), (1.0, 2.0))
    assert one.wavelengths == other.wavelengths
    assert torch.equal(one.matrix((450.0, 500.0, 650.0)), other.matrix((450.0, 500.0, 650.0)))
    assert rising.described().startswith("shift +0.00 rows and +0.00 columns")
    assert "blur as a Gaussian 2.63 pixels wide at half maximum (ratio 4)" in rising.described()
