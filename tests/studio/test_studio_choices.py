"""Choices beside the settings in headless Chromium: stems, curves, videos; run with -m browser."""

import time

import pytest
from browsing import press, wait
from studio_page import (
    choose,
    choose_task,
    click,
    command_contains,
    enter,
    find,
    load,
    open_section,
    run,
    upload,
)

pytestmark = pytest.mark.browser


def test_broken_uploads_are_rejected_with_one_line(page, songs):
    upload(page, "#first", songs / "broken.wav")
    text = wait(page, "return document.querySelector('#refused')?.innerText")
    assert text.startswith("Error: 'broken.wav'")
    assert "\n" not in text.strip()
    load(page, songs / "first.wav")
    wait(page, "return !document.querySelector('#refused')?.offsetHeight")


def test_stems_are_loaded_named_and_removed(page, songs):
    load(page, songs / "first.wav")
    open_section(page, "#section-output")
    upload(page, "#stems", songs / "second.wav")
    command_contains(page, "--part second --stems second=")
    enter(page, "#stem-names", "drums")
    press(page, "\t")
    command_contains(page, "--part drums --stems drums=")
    click(page, "#stems [aria-label=Clear], #stems [aria-label=Remove]")
    wait(page, "return !/--stems|--part/.test(document.querySelector('#command textarea').value)")


def test_curves_are_added_and_removed(page, songs):
    load(page, songs / "first.wav")
    open_section(page, "#section-curve")
    choose(page, "#curve-unit", "beats at")
    click(page, "#curve-repeat input")
    enter(page, "#curve-points", "0:0, 2:x")
    click(page, "#add-curve")
    wait(
        page,
        "return /Error: .*is not TIME:VALUE/.test(document.querySelector('#invalid')?.innerText)",
    )
    enter(page, "#curve-points", "0:0, 2:1")
    click(page, "#add-curve")
    command_contains(page, '"tempo": 120.0')
    wait(page, "return /mix: 0:0, 2:1/.test(document.querySelector('#curves-present')?.innerText)")
    upload(page, "#follow", songs / "second.wav")
    wait(page, "return document.querySelector('#follow audio, #follow [aria-label=Play]')")
    choose(page, "#curve-setting", "mask.strength")
    time.sleep(1)  # the kept copy is not shown
    click(page, "#add-curve")
    command_contains(page, "second.wav")
    wait(page, "return /mask.strength: follows/.test(document.querySelector('#curves-present')"
         ".innerText)")  # fmt: skip
    click(page, "#remove-curves")
    command_contains(page, "curves={}")


def test_video_figure_snapshots_and_several_recordings(page, songs, trained):
    load(page, songs / "first.wav")
    choose(page, "#network", str(trained[0]))
    enter(page, "#setting-optimizer-steps", 2)
    command_contains(page, "optimizer.steps=2")
    open_section(page, "#section-more")
    upload(page, "#more", songs / "second.wav")
    wait(page, "return document.querySelector('#more').innerText.includes('second')")
    open_section(page, "#section-output")
    for number in (1, 2):
        click(page, f"#presentations label:nth-of-type({number}) input")
    command_contains(page, "--video")
    enter(page, "#save-every", 2)
    command_contains(page, "--save-every 2")
    enter(page, "#name", "{stem}-{config}")
    command_contains(page, "first-recommended.mp4")
    run(page)
    wait(page, "return document.querySelectorAll('#players video').length === 2")
    wait(page, "return [...document.querySelectorAll('#players video')].every(v => v.videoWidth)")
    wait(page, "return [...document.querySelectorAll('#players img')].every(i => i.naturalWidth)")
    assert "first-recommended-2" in find(page, "#players").text
    for name in ("#get-video", "#get-figure"):
        wait(page, f"return document.querySelector('{name}:not([disabled])')?.offsetHeight")


def test_the_choices_of_the_output_change_the_command(page, songs, trained):
    load(page, songs / "first.wav")
    open_section(page, "#section-output")
    for selector, value, shown in (
        ("#start", 1, "--start 1"),
        ("#seconds", 2, "--seconds 2"),
    ):
        enter(page, selector, value)
        command_contains(page, shown)
    for selector, value, shown in (
        ("#part", "percussive", "--part percussive"),
        ("#format", "wav", "first-dream.wav"),
        ("#bits", "16", "--bits 16"),
        ("#judge", str(trained[0]), "--judge"),
    ):
        choose(page, selector, value)
        command_contains(page, shown)
    for selector, shown in (("#loop", "--loop"), ("#keep-falling", "--keep-falling")):
        click(page, f"{selector} input")
        command_contains(page, shown)
    choose_task(page, "predict")
    wait(page, "return !document.querySelector('#loop')?.offsetHeight")
    enter(page, "#unknown-below", 0.5)
    command_contains(page, "--unknown-below 0.5")
    choose_task(page, "compare")
    load(page, songs / "second.wav", "#second")
    load(page, songs / "first.wav", "#style")
    command_contains(page, "--style")
