"""The page is one file that loads nothing, and works in a browser: slider, click, keys, narrow and dark."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.page import build
from experiments.page.build import library, page, write_page
from experiments.reproduction.store import ResultsStore
from hyperalign.errors import MissingFileError, MissingPackageError
from tests.experiments.page.small_store import SIDE, WAVELENGTHS, cube, small_store


def test_the_page_loads_nothing_and_its_data_end_no_element(tmp_path: Path) -> None:
    text = write_page(small_store(tmp_path), tmp_path / "report.html").read_text(encoding="utf-8")
    own = text.replace(library(), "")
    assert len(own) < 200_000
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", own)
    assert "http://" not in own
    assert "https://" not in own
    assert not re.search(r"<!-- \w+ -->", own)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', own, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert data["tables"][0]["rows"][0] == "ours & <b>"
    assert "<" not in found[1]


def test_what_is_missing_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFileError, match="holds no table"):
        write_page(ResultsStore(tmp_path), tmp_path / "report.html")
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install plotly"):
        page({})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    programs = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    driver = shutil.which("chromedriver")
    program = next((one for one in programs if one), None)
    if program is None or driver is None:
        pytest.skip("no Chromium with its chromedriver on this machine: the page is not opened")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,1000"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.set_page_load_timeout(120)
    opened.set_script_timeout(60)
    yield opened
    opened.quit()


def wait_for_the_scene(browser: Any) -> None:  # noqa: ANN401
    browser.execute_async_script(
        "const done = arguments[0];"
        "const wait = () => window.browser?.ready === 0 ? setTimeout(done, 200) : setTimeout(wait, 20); wait();"
    )


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:  # noqa: ANN401 - selenium may be missing
    """The page of the small store, its first scene shown."""
    path = write_page(small_store(tmp_path), tmp_path / "report.html")
    browser.get(path.as_uri())
    wait_for_the_scene(browser)
    return browser


def text(browser: Any, name: str) -> str:  # noqa: ANN401
    return str(browser.execute_script(f"return document.getElementById('{name}').textContent"))


def test_a_clicked_point_and_a_moved_slider_show_the_arrays_numbers(opened: Any) -> None:  # noqa: ANN401
    opened.execute_script(
        "const slider = document.getElementById('band'); slider.value = 4; slider.dispatchEvent(new Event('input'));"
        "const canvas = document.getElementById('scene-canvas'), box = canvas.getBoundingClientRect();"
        f"canvas.dispatchEvent(new MouseEvent('click', {{clientX: box.left + box.width * 7.5 / {SIDE},"
        f" clientY: box.top + box.height * 2.5 / {SIDE}}}));"
    )
    values = [cube(number)[4, 2, 7] / 65535 for number in range(4)]
    names = ("observation", "source-only", "restored", "target")
    numbers = ", ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=True))
    assert text(opened, "scene-value") == f"row 2, column 7, {WAVELENGTHS[4]:g} nm: {numbers}"
    drawn = opened.execute_script("return document.getElementById('spectra').data.map((one) => [one.name, one.y])")
    assert {name: [round(one, 6) for one in values] for name, values in drawn} == {
        name: [round(float(one), 6) for one in cube(number)[:, 2, 7] / 65535] for number, name in enumerate(names)
    }
    # one band is shown now, so that the canvas holds this band's grey
    script = "return Array.from(document.getElementById('scene-canvas').getContext('2d').getImageData(0, 0, 1, 1).data)"
    grey = opened.execute_script(script)
    assert abs(grey[0] - 255 * (cube(0)[4, 0, 0] / 65535) ** (1 / 2.2)) <= 1
    assert not [one for one in opened.get_log("browser") if one["level"] == "SEVERE"]


def test_keys_move_the_point_and_the_band(opened: Any) -> None:  # noqa: ANN401
    press = "document.getElementById('scene-canvas').dispatchEvent(new KeyboardEvent('keydown', {key: '%s'}));"
    before = opened.execute_script("return [...window.browser.point, window.browser.band]")
    opened.execute_script("".join(press % key for key in ("ArrowDown", "ArrowRight", "ArrowRight", "]")))
    after = opened.execute_script("return [...window.browser.point, window.browser.band]")
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 2, 1]


def test_a_wipe_shows_one_side_and_error_maps_the_other(opened: Any) -> None:  # noqa: ANN401
    opened.execute_script(
        "const right = document.getElementById('right-choice'); right.value = 'error restored';"
        "right.dispatchEvent(new Event('change'));"
        "const wipe = document.getElementById('wipe'); wipe.value = 0; wipe.dispatchEvent(new Event('input'));"
    )
    assert "error of restored" in text(opened, "scene-names")
    found = opened.execute_script("return [...errorOf(window.browser.cubes.restored)]")
    wanted = abs(cube(2).astype(float) - cube(3)).mean(0).ravel() / 65535
    assert max(abs(one - other) for one, other in zip(found, wanted, strict=True)) < 1e-6


def test_tables_show_ours_printed_and_the_difference(opened: Any) -> None:  # noqa: ANN401
    shown = text(opened, "table-view")
    for part in ("30.50 ± 0.71", "printed 31.00", "\u22120.50", "KAIST is not there"):
        assert part in shown
    exported = opened.execute_script("return DATA.tables[0].exports.csv")
    assert exported.startswith("row,column,metric,ours")
    assert opened.execute_script("return document.querySelectorAll('#table-view [data-export]').length") == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_telephone_in_either_mode(opened: Any, scheme: str) -> None:  # noqa: ANN401
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    opened.refresh()
    wait_for_the_scene(opened)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= 360
    assert (
        opened.execute_script("return document.querySelector('#spectra .main-svg').getBoundingClientRect().width")
        <= 360
    )
    ground = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    bright = sum(int(one) for one in re.findall(r"\d+", ground)[:3]) / 3
    assert (bright > 128) is (scheme == "light")
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
