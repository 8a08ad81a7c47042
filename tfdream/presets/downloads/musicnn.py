"""The four networks of the package musicnn 0.1.0, which recognize tags of music."""

from pathlib import Path

PRESETS = ("musicnn_msd", "musicnn_mtt", "musicnn_vgg_msd", "musicnn_vgg_mtt")
TITLE = "musicnn: 50 tags of music (genres, moods, instruments)"
URL = (
    "https://files.pythonhosted.org/packages/1b/6f/"
    "38229e7d99c438e11114bbfa39c8c39185458c398011d0b6d7d7c7401617/musicnn-0.1.0-py3-none-any.whl"
)
SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"


def convert(file: Path, folder: Path) -> None:
    """Write the run folders of the four networks; see `tfdream.presets.musicnn.convert`."""
    from tfdream.presets import musicnn

    musicnn.convert(file, folder)
