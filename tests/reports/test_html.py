"""The HTML report: complete, self-contained and safe for any file name."""

import base64
import io
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from tfdream.errors import AudioError, ConfigError
from tfdream.reports import html
from tfdream.reports.result import ResultSet

RATE = 8000
NASTY = "<script>alert('x')</script> & $a$.wav"


def tone(seconds=0.5, channels=1, hz=440.0, rate=RATE):
    phase = 2 * np.pi * hz * np.arange(round(seconds * rate)) / rate
    return np.tile(0.5 * np.sin(phase)[:, np.newaxis], (1, channels))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Two recordings of other rates and channels, one with markup in its name."""
    folder = tmp_path_factory.mktemp("sounds")
    paths = {"before": folder / NASTY.replace("/", "_"), "after": folder / "after.flac"}
    soundfile.write(paths["before"], tone(channels=2), RATE)
    soundfile.write(paths["after"], tone(hz=880, rate=22050), 22050)
    return paths


def result_set(sounds, **changes):
    result = {"content_chroma_similarity": 0.5, "nested": {"rock": 0.25}, "missing": None}
    result["notes"] = ["silent <b>"]
    given = {
        "title": f"A dream of {NASTY}",
        "sounds": sounds,
        "results": {"after": result},
        "settings": {"config": {"name": "</code><b>"}},
        "command": f"tfdream dream '{NASTY}'",
        "steps": {"after": [1.0, 2.0]},
        **changes,
    }
    return ResultSet(**given)


class Page(HTMLParser):
    """Tags with their attributes, and the text in each kind of tag."""

    def __init__(self, path):
        super().__init__()
        self.tags = []
        self.open = []
        self.texts = {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, tag):
        return "".join(self.texts[tag])


@pytest.fixture(scope="module")
def page_path(sounds, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    html.write(result_set(sounds), path)
    return path


@pytest.fixture(scope="module")
def page(page_path):
    return Page(page_path)


def decoded(uri):
    kind, data = re.fullmatch(r"data:([a-z/]+);base64,(.*)", uri).groups()
    return kind, base64.b64decode(data)


def test_sounds_are_embedded_with_16_bits(page, sounds):
    players = page.of("audio")
    assert len(players) == 2
    for player, path in zip(players, sounds.values(), strict=True):
        kind, data = decoded(player["src"])
        samples, rate = soundfile.read(io.BytesIO(data))
        expected, expected_rate = soundfile.read(path)
        assert (kind, rate, samples.shape) == ("audio/flac", expected_rate, expected.shape)
        np.testing.assert_allclose(samples, expected, atol=2**-15)
        assert "controls" in player
        assert path.name in player["aria-label"]


def test_long_sounds_are_shortened_and_described_as_such(sounds, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "_MAX_FLAC_SECONDS", 0.9)
    monkeypatch.setattr(html, "_MAX_SOUND_SECONDS", 0.25)
    html.write(result_set(sounds), tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    kind, data = decoded(page.of("audio")[0]["src"])
    samples, rate = soundfile.read(io.BytesIO(data))
    assert (kind, rate, len(samples)) == ("audio/ogg", RATE, RATE // 4)
    assert page.text("span").count("encoded as Ogg Vorbis, limited to the first") == 2


def test_reduced_peaks_are_described(tmp_path):
    soundfile.write(tmp_path / "loud.wav", tone() / np.abs(tone()).max() * 2, RATE, "FLOAT")
    html.write(result_set({"after": tmp_path / "loud.wav"}), tmp_path / "page.html")
    assert "peaks reduced by 6.0 dB" in Page(tmp_path / "page.html").text("span")


def test_more_than_two_channels_are_reduced_to_one(tmp_path):
    soundfile.write(tmp_path / "many.wav", tone(channels=6), RATE)
    html.write(result_set({"after": tmp_path / "many.wav"}), tmp_path / "page.html")
    _, data = decoded(Page(tmp_path / "page.html").of("audio")[0]["src"])
    assert soundfile.read(io.BytesIO(data))[0].ndim == 1


@pytest.mark.parametrize("limit", [180.0, 0.1], ids=["flac", "ogg"])
def test_high_sample_rates_are_reduced(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(html, "_MAX_FLAC_SECONDS", limit)
    rate = 220_501  # neither FLAC nor Vorbis supports it
    soundfile.write(tmp_path / "high.wav", tone(rate=rate), rate, "PCM_16")
    html.write(result_set({"high": tmp_path / "high.wav"}), tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert f"{rate} Hz, resampled to 48000 Hz" in page.text("span")
    samples, embedded_rate = soundfile.read(io.BytesIO(decoded(page.of("audio")[0]["src"])[1]))
    assert embedded_rate == 48_000
    assert len(samples) == pytest.approx(24_000, abs=1)


def test_figure_is_embedded_with_alternative_text(page):
    (figure,) = page.of("img")
    kind, data = decoded(figure["src"])
    assert kind == "image/png"
    assert data.startswith(b"\x89PNG")
    assert "before, after" in figure["alt"]
    assert "objective at each step" in figure["alt"]


def test_measures_are_listed_as_sentences_and_values(page):
    assert "0.50 of 1" in page.text("li")
    assert "content_chroma_similarity" in page.text("th")
    assert "nested.rock" in page.text("th")
    assert page.texts["td"] == ["0.5", "0.25", "—"]
    assert "Note: silent <b>" in page.text("li")


def test_each_of_several_results_has_a_heading(sounds, tmp_path):
    results = {"after: conv1": {"steps": 1}, "after: conv2": {"steps": 2}}
    html.write(result_set(sounds, results=results), tmp_path / "page.html")
    assert Page(tmp_path / "page.html").texts["h3"] == list(results)


def test_a_part_has_the_name_of_its_file(sounds, tmp_path):
    html.write(result_set(sounds, files={next(iter(sounds)): "song.m4a"}), tmp_path / "page.html")
    assert "song.m4a" in (tmp_path / "page.html").read_text()


def test_names_are_escaped(page):
    assert page.text("h1") == f"A dream of {NASTY}"
    assert page.texts["title"] == [f"A dream of {NASTY}"]
    assert f"tfdream dream '{NASTY}'" in page.text("code")
    assert '"name": "</code><b>"' in page.text("code")
    assert len(page.of("script")) == 1
    assert not page.of("b")


def test_page_needs_no_network_and_its_policy_forbids_access(page, page_path):
    for _, attributes in page.tags:
        for name in ("src", "href", "action", "poster", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    text = page_path.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", text)
    (policy,) = [meta["content"] for meta in page.of("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_policy_permits_the_script_and_the_style_of_the_page(page):
    (policy,) = [meta["content"] for meta in page.of("meta") if "http-equiv" in meta]
    for tag in ("script", "style"):
        assert html._hash(unescape(page.text(tag))) in policy


def test_equal_results_give_equal_pages(sounds, page_path, tmp_path):
    html.write(result_set(sounds), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == page_path.read_bytes()


def test_other_extensions_are_rejected(sounds, tmp_path):
    with pytest.raises(ConfigError, match=r"page\.pdf.*\.html"):
        html.write(result_set(sounds), tmp_path / "page.pdf")


def test_unwritable_output_is_rejected(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        html.check_writable(tmp_path / "page.html")


def test_an_unreadable_sound_leaves_no_page(sounds, tmp_path):
    with pytest.raises(AudioError, match="gone"):
        html.write(result_set({**sounds, "gone": tmp_path / "gone.wav"}), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
