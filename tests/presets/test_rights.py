"""The rights page lists the training data and licenses of every preset."""

from pathlib import Path

from tfdream.presets import ModelCard
from tfdream.presets.downloads import musicnn
from tfdream.runs.named import PACKAGED

PAGE = (Path(__file__).parents[2] / "docs" / "rights.md").read_text(encoding="utf-8")


def test_packaged_presets_are_listed_with_their_licenses():
    for folder in PACKAGED.iterdir():
        card = ModelCard.read(folder)
        section = PAGE.partition(f"### `{folder.name}`")[2].partition("\n### ")[0]
        for data in card.training_data:
            assert f"| {data.name} | {data.license} |" in section


def test_downloads_are_listed():
    assert all(name.split("_")[-1] in PAGE for name in musicnn.PRESETS)
    assert "MagnaTagATune" in PAGE
    assert "Million Song Dataset" in PAGE
