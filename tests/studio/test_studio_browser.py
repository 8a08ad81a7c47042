"""The page of `tfdream studio` in headless Chromium; run with -m browser."""

import time

import pytest
from browsing import press, wait
from calling import names
from studio_page import (
    JOB_SECONDS,
    choose,
    choose_task,
    click,
    command_contains,
    enter,
    find,
    find_all,
    load,
    open_section,
    run,
    status,
    upload,
)

pytestmark = pytest.mark.browser

PHONE = (390, 844)
TOUCH_PIXELS = 44  # WCAG 2.1, success criterion 2.5.5


def test_the_page_loads_nothing_from_other_hosts(page, server):
    requests = page.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert requests
    assert all(name.startswith((server[0], "data:", "blob:")) for name in requests)
    errors = [each["message"] for each in page.get_log("browser") if each["level"] == "SEVERE"]
    assert errors == []


def test_first_result_in_five_actions(page, songs):
    upload(page, "#first", songs / "first.wav")  # 1: load a recording
    command_contains(page, "first.wav")
    started = time.monotonic()
    run(page)  # 2: press Run, with the recommended recipe and the packaged network
    wait(page, "return document.querySelectorAll('#players audio').length === 2")
    click(page, "#players .player:nth-of-type(2) .switch")  # 3: play
    wait(page, "return !document.querySelectorAll('#players audio')[1].paused")
    assert time.monotonic() - started < JOB_SECONDS


def test_preview_stop_and_keep(page, songs, trained):
    load(page, songs / "first.wav")
    choose(page, "#network", str(trained[0]))
    command_contains(page, str(trained[0]))
    enter(page, "#setting-optimizer-steps", 4000)
    command_contains(page, "optimizer.steps=4000")
    enter(page, "#every", 20)
    click(page, "#run")
    wait(page, "return document.querySelector('#preview-picture img')?.naturalWidth > 100", 120)
    assert "objective" in status(page)
    wait(page, "return document.querySelector('#preview-sound')?.innerText.includes('step')")
    click(page, "#stop")
    wait(page, "return /^Finished/.test(document.querySelector('#status p').innerText)", 120)
    wait(page, "return document.querySelector('#players').innerText.includes('(stopped)')")


def test_a_second_run_joins_the_queue(page, songs, server):
    load(page, songs / "first.wav")
    enter(page, "#setting-optimizer-steps", 4000)
    command_contains(page, "optimizer.steps=4000")
    click(page, "#run")
    wait(page, "return /^Step/.test(document.querySelector('#status p').innerText)", 120)
    enter(page, "#setting-optimizer-steps", 2)
    wait(page, "return /steps=2$/.test(document.querySelector('#command textarea').value)")
    for waiting in (1, 2, 3, 4):
        click(page, "#run")
        wait(
            page, f"return /; {waiting} waiting/.test(document.querySelector('#status').innerText)"
        )
    click(page, "#cancel")
    wait(page, "return /^Ready/.test(document.querySelector('#status p').innerText)", 60)
    page.get(server[0].replace("127.0.0.1", "localhost"))
    wait(page, "return document.querySelector('#setting-optimizer-steps input')")
    load(page, songs / "first.wav")
    enter(page, "#setting-optimizer-steps", 2)
    command_contains(page, "optimizer.steps=2")
    run(page)
    assert not [each for each in page.get_log("browser") if "403" in each["message"]]


def test_settings_of_a_prediction_are_used_without_a_warning(page, songs, trained):
    load(page, songs / "first.wav")
    choose_task(page, "predict")
    choose(page, "#network", str(trained[0]))
    command_contains(page, str(trained[0]))
    run(page)
    page.refresh()
    wait(page, "return document.querySelector('#findings')?.innerText.length > 20")
    click(page, "#use")
    command_contains(page, "tfdream predict")
    time.sleep(1)  # a message would appear
    assert not find_all(page, ".toast-body")
    choose_task(page, "dream")
    command_contains(page, "--config dream/recommended")


def test_cancel_leaves_nothing(page, songs, server):
    before = names(server[1])
    load(page, songs / "first.wav")
    enter(page, "#setting-optimizer-steps", 4000)
    command_contains(page, "optimizer.steps=4000")
    click(page, "#run")
    wait(page, "return /^Step/.test(document.querySelector('#status p').innerText)", 120)
    click(page, "#cancel")
    wait(page, "return /^Ready/.test(document.querySelector('#status p').innerText)", 60)
    assert names(server[1]) == before


def test_sounds_switch_at_the_same_position(page, songs, trained):
    load(page, songs / "first.wav")
    choose(page, "#network", str(trained[0]))
    enter(page, "#setting-optimizer-steps", 2)
    command_contains(page, "optimizer.steps=2")
    run(page)
    wait(
        page, "return [...document.querySelectorAll('#players audio')].every(a => a.readyState > 0)"
    )
    click(page, "#players .player:nth-of-type(1) .switch")
    wait(page, "return document.querySelectorAll('#players audio')[0].currentTime > 0.7")
    page.execute_script("document.querySelectorAll('#players .switch')[0].focus()")
    press(page, "2")
    wait(page, "return !document.querySelectorAll('#players audio')[1].paused")
    paused, first, second = page.execute_script(
        "const [a, b] = document.querySelectorAll('#players audio');"
        "return [a.paused, a.currentTime, b.currentTime]"
    )
    assert paused
    assert -0.05 < second - first < 1  # browsers round positions when they seek


def test_seeds_repetition_downloads_and_settings(page, songs, trained):
    load(page, songs / "first.wav")
    choose(page, "#network", str(trained[0]))
    enter(page, "#setting-optimizer-steps", 2)
    command_contains(page, "optimizer.steps=2")
    enter(page, "#seeds", 2)
    run(page)
    wait(page, "return document.querySelectorAll('#players audio').length === 3")
    assert "seed 1" in find(page, "#players").text
    enter(page, "#seeds", 1)
    run(page, "#again")
    wait(page, "return document.querySelectorAll('#players audio').length === 2")
    click(page, "#use")
    command_contains(page, "seed=1")
    command_contains(page, "optimizer.steps=2")
    click(page, "#make-report")
    wait(page, "return document.querySelector('#get-report:not([disabled])')", 120)
    for button in ("#get-audio", "#get-settings", "#get-report"):
        click(page, button)
    deadline = time.monotonic() + 30
    while len(list(page.downloads.glob("*.[fyh]*[clm]"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert names(page.downloads) == ["first-dream.flac", "first-dream.html", "settings.yaml"]


@pytest.mark.parametrize("task", ["transfer", "translate", "generate", "predict", "compare"])
def test_every_task_runs(task, page, songs, trained, translation, generation):
    load(page, songs / "first.wav")
    choose_task(page, task)
    if task in ("transfer", "compare"):
        load(page, songs / "second.wav", "#second")
    if task == "transfer":
        choose(page, "#recipe", "transfer/timbre_regression")
        command_contains(page, "transfer/timbre_regression")
    if task == "translate":
        wait(page, "return document.querySelector('#to input')?.value === 'tones'")
        choose(page, "#to", "noise")
        command_contains(page, "--to noise")
    if task == "generate":
        command_contains(page, "tfdream generate")
        open_section(page, "#section-output")
        enter(page, "#seconds", 2)
        command_contains(page, "--seconds 2")
    if task == "predict":
        choose(page, "#network", str(trained[0]))
        command_contains(page, str(trained[0]))
    run(page)
    wait(page, "return document.querySelector('#findings').innerText.length > 20")


def test_large_uploads_are_rejected_with_one_line(page, songs):
    upload(page, "#first", songs / "large.wav")
    text = wait(
        page,
        "return [...document.querySelectorAll('.toast-body, .toast-wrap')].map(e => e.innerText)"
        ".find(t => /size/.test(t))",
    )
    assert "exceeds" in text or "maximum" in text
    assert "AUDIO" in find(page, "#command textarea").get_attribute("value")


def test_texts_are_neither_code_nor_markup(page, songs, trained):
    """Names and errors are shown as they are, whatever they mean in JavaScript or HTML."""
    load(page, songs / "first.wav")
    choose(page, "#network", str(trained[0]))
    label = "${document.title='changed'} {{a}} `b` <i>"
    enter(page, "#setting-objective", f'class_logit("{label}")')
    command_contains(page, "{{a}}")
    run(page, ending="Error")
    assert f'class_logit("{label}")' in status(page)
    open_section(page, "#section-filter")
    enter(page, "#setting-filter-low_hz", "[__a__ ~~b~~ $$c$$")
    wait(page, "return document.querySelector('#invalid')?.innerText.includes('__a__ ~~b~~ $$c$$')")
    enter(page, "#setting-filter-low_hz", "null")
    enter(page, "#setting-objective", "layer_norm()")
    enter(page, "#setting-optimizer-steps", 2)
    open_section(page, "#section-output")
    enter(page, "#name", "a`${{document.title='changed'}}")
    command_contains(page, "optimizer.steps=2")
    command_contains(page, "${document")
    run(page)
    wait(page, "return document.querySelectorAll('#players audio')[1]?.readyState")
    assert "a`${document.title='changed'}" in find(page, "#players .player:nth-of-type(2)").text
    assert page.title == "tfdream studio"


def test_every_setting_can_be_operated(page):
    """Each control of the recommended dream changes the command or reports why it cannot."""
    for section in find_all(page, "[id^=section-]"):
        open_section(page, f"#{section.get_attribute('id')}")
    identifiers = page.execute_script(
        "return [...document.querySelectorAll('[id^=setting-]')].map(e => e.id)"
    )
    assert len(identifiers) > 30
    for identifier in identifiers:
        wait(page, f"return document.getElementById('{identifier}').offsetHeight")
        assert page.execute_script(
            "const field = document.querySelector(`#${arguments[0]} input, #${arguments[0]} "
            "textarea`); field.focus(); return document.activeElement === field",
            identifier,
        ), identifier
    enter(page, "#setting-filter-low_hz", 80)
    command_contains(page, "filter.low_hz=80")
    choose(page, "#setting-canvas", "waveform")
    command_contains(page, "waveform")
    wait(page, "return !document.querySelector('#setting-canvas-bound_db')")
    assert find(page, "#setting-canvas").is_displayed()  # its section remains open
    open_section(page, "#section-general")
    choose(page, "#setting-init", "noise")
    command_contains(page, 'init="noise"')
    open_section(page, "#section-mask")
    enter(page, "#setting-mask-frequency_hz", "[500, 100]")
    wait(page, "return /Error: .*leaves nothing/.test(document.body.innerText)")


def test_all_controls_are_reached_with_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.execute_script("document.body.focus()")
    reached = set()
    for _ in range(80):
        press(page, Keys.TAB)
        reached.add(
            page.execute_script(
                "const e = document.activeElement.closest('[id]'); return e ? e.id : ''"
            )
        )
    for name in ("run", "stop", "cancel", "again", "use", "make-report"):
        assert name in reached, reached


def test_the_page_fits_a_phone(page, songs):
    """The player of a loaded recording is the widest element."""
    load(page, songs / "first.wav")
    width, height = PHONE
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True},
    )
    time.sleep(0.5)
    wide = page.execute_script("return document.documentElement.scrollWidth")
    heights = page.execute_script(
        "return ['run', 'stop', 'cancel', 'again', 'get-audio']"
        ".map(i => document.getElementById(i).offsetHeight)"
    )
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= width
    assert min(heights) >= TOUCH_PIXELS
