"""The HTML report in headless Chromium; run with -m browser."""

import numpy as np
import pytest
import soundfile
from browsing import press, start_chromium, wait

from tfdream.reports import html
from tfdream.reports.result import ResultSet

pytestmark = pytest.mark.browser

RATE = 22050
PHONE = (360, 740)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    seconds = np.arange(6 * RATE) / RATE
    sounds = {}
    for name, hz in (("before", 220), ("style", 440), ("after", 880)):
        sounds[name] = folder / f"{name}-with-a-very-long-name-{'x' * 80}.wav"
        soundfile.write(sounds[name], 0.3 * np.sin(2 * np.pi * hz * seconds), RATE)
    result = {"content_chroma_similarity": 0.9, "objective_before": 1.0}
    page = folder / "page.html"
    html.write(
        ResultSet(
            "A dream", sounds, {"after": result}, {"a": 1}, "tfdream " + "x" * 300, [1.0, 2.0]
        ),
        page,
    )
    return page


@pytest.fixture(scope="module")
def chromium():
    started = start_chromium()
    yield started
    started.quit()


@pytest.fixture
def page(chromium, path):
    chromium.set_window_size(1200, 900)
    chromium.get(path.as_uri())
    wait(chromium, "return [...document.querySelectorAll('audio')].every(a => a.readyState > 0)")
    return chromium


def playing(browser):
    """Return for each sound whether it is playing."""
    return browser.execute_script(
        "return [...document.querySelectorAll('audio')].map(a => !a.paused)"
    )


def test_page_loads_without_errors_and_requests(page, path):
    assert page.get_log("browser") == []
    requests = page.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert all(name.startswith("data:") for name in requests)
    assert page.title == "A dream"


def test_players_have_durations_and_the_figure_is_shown(page):
    lengths = page.execute_script(
        "return [...document.querySelectorAll('audio')].map(a => a.duration)"
    )
    assert lengths == pytest.approx([6, 6, 6], abs=0.01)
    sizes = page.execute_script("return [...document.images].map(i => i.naturalWidth)")
    assert len(sizes) == 1
    assert sizes[0] > 500


def test_keys_switch_sounds_at_the_same_position(page):
    press(page, "1")
    wait(page, "return document.querySelectorAll('audio')[0].currentTime > 0.7")
    assert playing(page) == [True, False, False]
    press(page, "3")
    wait(page, "return !document.querySelectorAll('audio')[2].paused")
    assert playing(page) == [False, False, True]
    first, third = page.execute_script(
        "return [0, 2].map(i => document.querySelectorAll('audio')[i].currentTime)"
    )
    assert 0 <= third - first < 1
    pressed = "return [...document.querySelectorAll('.switch')].map(b => b.ariaPressed)"
    assert page.execute_script(pressed) == ["false", "false", "true"]


def test_all_controls_are_usable_with_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    reached = []
    for _ in range(30):  # a player has several places of its own
        press(page, Keys.TAB)
        reached.append(page.execute_script("return document.activeElement.tagName"))
    assert {"BUTTON", "AUDIO", "DIV", "SUMMARY", "PRE"} <= set(reached)
    page.execute_script("document.querySelectorAll('.switch')[1].focus()")
    press(page, Keys.SPACE)
    wait(page, "return !document.querySelectorAll('audio')[1].paused")
    page.execute_script("document.querySelector('summary').focus()")
    press(page, Keys.ENTER)
    assert page.execute_script("return document.querySelector('details').open")


def test_page_fits_the_width_of_a_phone(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 2, "mobile": True},
    )
    wide = page.execute_script("return document.documentElement.scrollWidth")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= PHONE[0]


def test_buttons_are_large_enough_for_touch(page):
    heights = page.execute_script(
        "return [...document.querySelectorAll('.switch')].map(b => b.offsetHeight)"
    )
    assert min(heights) >= 44  # CSS pixels; WCAG 2.1, success criterion 2.5.5
