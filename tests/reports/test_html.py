"""The page of a result: whole, self-contained, and safe whatever files are named."""

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


@pytest.fixture
def sounds(tmp_path):
    """Two recordings of other rates and channels, one with a name that wants to be markup."""
    paths = {"before": tmp_path / NASTY.replace("/", "_"), "after": tmp_path / "after.flac"}
    soundfile.write(paths["before"], tone(channels=2), RATE)
    soundfile.write(paths["after"], tone(hz=880, rate=22050), 22050)
    return paths


def exhibit(sounds, **changes):
    result = {"content_chroma_similarity": 0.5, "nested": {"rock": 0.25}, "missing": None}
    given = {
        "title": f"A dream of {NASTY}",
        "sounds": sounds,
        "results": {"after": result},
        "settings": {"config": {"name": "</code><b>"}},
        "command": f"tfdream dream '{NASTY}'",
        "steps": [1.0, 2.0],
        **changes,
    }
    return ResultSet(**given)


class Page(HTMLParser):
    """Tags with their attributes, and the text of each."""

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


@pytest.fixture
def page(sounds, tmp_path):
    path = tmp_path / "page.html"
    html.write(exhibit(sounds), path)
    return Page(path)


def decoded(uri):
    kind, data = re.fullmatch(r"data:([a-z/]+);base64,(.*)", uri).groups()
    return kind, base64.b64decode(data)


def test_every_sound_is_there_sample_for_sample(page, sounds):
    players = page.of("audio")
    assert len(players) == 2
    for player, path in zip(players, sounds.values(), strict=True):
        kind, data = decoded(player["src"])
        found, rate = soundfile.read(io.BytesIO(data))
        wanted, wanted_rate = soundfile.read(path)
        assert (kind, rate, found.shape) == ("audio/flac", wanted_rate, wanted.shape)
        np.testing.assert_allclose(found, wanted, atol=2**-15)
        assert "controls" in player
        assert path.name in player["aria-label"]


def test_long_recordings_are_shorter_files_and_say_so(sounds, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "_LOSSLESS_SECONDS", 0.9)
    monkeypatch.setattr(html, "_HEARD_SECONDS", 0.25)
    html.write(exhibit(sounds), tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    kind, data = decoded(page.of("audio")[0]["src"])
    found, rate = soundfile.read(io.BytesIO(data))
    assert (kind, rate, len(found)) == ("audio/ogg", RATE, RATE // 4)
    assert page.text("span").count("here as Ogg Vorbis, here the first") == 2


def test_more_channels_than_a_browser_has_are_one(tmp_path):
    soundfile.write(tmp_path / "many.wav", tone(channels=6), RATE)
    html.write(exhibit({"after": tmp_path / "many.wav"}), tmp_path / "page.html")
    _, data = decoded(Page(tmp_path / "page.html").of("audio")[0]["src"])
    assert soundfile.read(io.BytesIO(data))[0].ndim == 1


def test_the_picture_is_there_and_told(page):
    (picture,) = page.of("img")
    kind, data = decoded(picture["src"])
    assert kind == "image/png"
    assert data.startswith(b"\x89PNG")
    assert "before, after" in picture["alt"]
    assert "objective at each step" in picture["alt"]


def test_measures_are_sentences_and_figures(page):
    assert "0.50 of 1" in page.text("li")
    assert "content_chroma_similarity" in page.text("th")
    assert "nested.rock" in page.text("th")
    assert page.texts["td"] == ["0.5", "0.25", "—"]


def test_several_results_have_a_heading_each(sounds, tmp_path):
    results = {"after: conv1": {"steps": 1}, "after: conv2": {"steps": 2}}
    html.write(exhibit(sounds, results=results), tmp_path / "page.html")
    assert Page(tmp_path / "page.html").texts["h3"] == list(results)


def test_names_are_text_and_never_markup(page):
    assert page.text("h1") == f"A dream of {NASTY}"
    assert page.texts["title"] == [f"A dream of {NASTY}"]
    assert f"tfdream dream '{NASTY}'" in page.text("code")
    assert '"name": "</code><b>"' in page.text("code")
    assert len(page.of("script")) == 1
    assert not page.of("b")


def test_the_page_asks_the_network_for_nothing_and_may_not(page, tmp_path):
    for _, attributes in page.tags:
        for name in ("src", "href", "action", "poster", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", text)
    (policy,) = [meta["content"] for meta in page.of("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_policy_lets_the_script_and_the_style_of_the_page_run(page):
    (policy,) = [meta["content"] for meta in page.of("meta") if "http-equiv" in meta]
    for tag in ("script", "style"):
        assert html._hash(unescape(page.text(tag))) in policy


def test_the_same_exhibit_is_the_same_page(sounds, tmp_path):
    for name in ("one.html", "two.html"):
        html.write(exhibit(sounds), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_another_extension_is_refused_before_anything_is_done(sounds, tmp_path):
    with pytest.raises(ConfigError, match=r"page\.pdf.*\.html"):
        html.write(exhibit(sounds), tmp_path / "page.pdf")


def test_a_page_that_can_never_be_written_is_refused(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        html.check_writable(tmp_path / "page.html")


def test_a_sound_that_cannot_be_read_leaves_no_page(sounds, tmp_path):
    with pytest.raises(AudioError, match="gone"):
        html.write(exhibit({**sounds, "gone": tmp_path / "gone.wav"}), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
