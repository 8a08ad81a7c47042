"""Selecting and merging the labels of a source."""

from collections import Counter

import pytest
from calling import answer, refusal
from pydantic import ValidationError
from trees import dataset_error, mp3, row, table, touch

from tfdream.config import PrepareConfig, parse_labels
from tfdream.datasets import manifest
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare
from tfdream.datasets.sources.find import read_source
from tfdream.datasets.sources.labels import select_labels
from tfdream.errors import ConfigError

GENRES = ["Rock", "Electronic", "Classical", "Hip-Hop", "Pop", "Folk"]
PUBLISHED = "Rock,Electronic,Classical,Hip-Hop=Hip-Hop+Pop"


def test_the_genres_of_dreaming_in_music_are_selected_from_fma(tmp_path):
    rows = [row(number, GENRES[number % 6], artist=number) for number in range(1, 31)]
    table(tmp_path, rows)
    touch(tmp_path / "fma_small", *(mp3(cells["number"]) for cells in rows))
    tracks, _ = read_source(tmp_path)
    kept, left_out = select_labels(tracks, parse_labels(PUBLISHED))
    counts = Counter(track.label for track in kept)
    assert counts == {"Rock": 5, "Electronic": 5, "Classical": 5, "Hip-Hop": 10}
    assert left_out == {"Folk": 5}
    unchanged = {track.name: track._replace(label="") for track in tracks}
    assert all(track._replace(label="") == unchanged[track.name] for track in kept)


def test_labels_are_read_from_text():
    assert parse_labels("Rock") == {"Rock": ("Rock",)}
    assert parse_labels(" a b , c = d + e ") == {"a b": ("a b",), "c": ("d", "e")}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "labels='' has an empty label"),
        ("a,,b", "labels='a,,b' has an empty label"),
        ("a=b+", "has an empty label"),
        ("=b", "has an empty label"),
        ("a,a", "'a' is given twice"),
    ],
)
def test_invalid_texts_are_refused(text, named):
    with pytest.raises(ConfigError, match=named):
        parse_labels(text)


def test_a_label_belongs_to_one_new_label():
    with pytest.raises(ValidationError, match=r"label 'Pop' is given twice"):
        PrepareConfig(labels={"Rock": ["Rock", "Pop"], "Hip-Hop": ["Pop"]})


def test_unknown_labels_are_one_error_with_suggestions(source):
    tracks, _ = read_source(source)
    text = dataset_error(select_labels, tracks, parse_labels("nois,tones,jazz"))
    assert text == (
        "labels: the source has no label 'nois' (did you mean 'noise'?), 'jazz'; "
        "it has noise, tones"
    )


def test_a_dataset_has_the_merged_labels(source, tmp_path):
    config = PrepareConfig(sample_rate=8000, clip_seconds=1.0, folds=3)
    merged = config.model_copy(update={"labels": {"sound": ("tones", "noise")}})
    result = prepare(source, tmp_path / "merged", merged, PrepareOptions(workers=1))
    assert result["clips_per_label"] == {"sound": 37}
    assert manifest.load(tmp_path / "merged").labels == ["sound"]


def test_prepare_takes_labels_as_an_option(source, tmp_path, experiment_path):
    arguments = ("prepare", source, tmp_path / "new", "--config", experiment_path)
    shown = answer(*arguments, "--labels", "hiss=noise")
    assert shown["clips_per_label"] == {"hiss": 19}
    assert shown["left_out"] == {"tones": 6}
    assert "'nois' (did you mean 'noise'?)" in refusal(*arguments, "--labels", "nois")
