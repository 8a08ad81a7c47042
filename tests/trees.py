"""Small collections on disk, one for each layout of a source."""

import csv

import pytest

from tfdream.errors import DatasetError


def dataset_error(call, *arguments, **settings):
    """Return the text of the DatasetError that a call raises, which is one line."""
    with pytest.raises(DatasetError) as caught:
        call(*arguments, **settings)
    text = str(caught.value)
    assert text.splitlines() == [text]
    return text


def touch(folder, *names):
    """Create empty files; layouts list files without opening them."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def manifest(folder, *lines, name="manifest.csv"):
    """Write a CSV file; its tracks need not exist to be listed."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# GTZAN

EXCERPTS = [f"{genre}/{genre}.{number:05d}" for genre in ("blues", "jazz") for number in range(4)]


def gtzan(folder, place="genres_original", extension=".wav", write=touch):
    """Write some excerpts of GTZAN."""
    for excerpt in EXCERPTS:
        write(folder / place, f"{excerpt}{extension}")
    return folder


def split_lists(folder, test=EXCERPTS[:2], valid=EXCERPTS[2:4], train=EXCERPTS[4:]):
    """Write the three lists of GTZAN's filtered split."""
    folder.mkdir(exist_ok=True)
    for name, excerpts in {"test": test, "valid": valid, "train": train}.items():
        lines = "".join(f"{excerpt}.wav\n" for excerpt in excerpts)
        (folder / f"{name}_filtered.txt").write_text(lines)
    return folder


# FMA

COLUMNS = {
    "album": "comments date_created date_released engineer favorites id information listens "
    "producer tags title tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created "
    "favorites id latitude location longitude members name related_projects tags website "
    "wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top "
    "genres genres_all information interest language_code license listens lyricist number "
    "publisher tags title",
}
HEADER = [(part, name) for part, names in COLUMNS.items() for name in names.split()]
assert len(HEADER) == 52  # FMA's number of columns

PROSE = {
    ("album", "information"): '<p>Live, "loud",\nand long.</p>\n\n2,training,small',
    ("album", "id"): "77",
    ("artist", "bio"): 'Born, "raised"\r\nand so on',
    ("artist", "name"): "A Way, Of Life",
    ("track", "genres"): "[21, 10]",
    ("track", "title"): 'Food, or "Food"',
}
"""Cells that require quotes, and some that resemble other cells."""


def row(number, genre="Rock", artist=1, split="training", subset="small", **cells):
    """Return the cells of a track, by column."""
    return {
        "number": number,
        ("track", "genre_top"): genre,
        ("artist", "id"): artist,
        ("set", "split"): split,
        ("set", "subset"): subset,
        **{tuple(name.split("_", 1)): cell for name, cell in cells.items()},
    }


def table(folder, rows, header=HEADER, name="fma_metadata/tracks.csv", third="track_id"):
    """Write FMA's table of tracks, with its three header rows."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["", *(part for part, _ in header)])
        writer.writerow(["", *(name for _, name in header)])
        writer.writerow([third, *("" for _ in header)])
        for cells in rows:
            complete = PROSE | cells
            writer.writerow([cells["number"], *(complete.get(pair, "") for pair in header)])
    return path


def mp3(number):
    """Return the path of a track in its folder of FMA."""
    return f"{number // 1000:03d}/{number:06d}.mp3"


# Random collections: a function of a folder and a generator of random numbers, which returns the
# artist of each file name, and whether the collection specifies folds. Artists come from the tree,
# not from the layout, so that the layout's groups are tested too.


def folder_tree(folder, rng):
    names = [f"label{rng.integers(3)}/{number}.wav" for number in range(20)]
    touch(folder, *names)
    return {name.split("/")[1]: name for name in names}, False


def csv_tree(folder, rng):
    artists = {f"{number}.wav": f"artist {rng.integers(8)}" for number in range(20)}
    with_folds = bool(rng.integers(2))
    lines = ["path,label,group" + ",fold" * with_folds]
    fold_of = rng.integers(3, size=8)
    for name, artist in artists.items():
        fold = rng.integers(3) if rng.random() < 0.02 else fold_of[int(artist.split()[1])]
        lines.append(f"{name},label{rng.integers(3)},{artist}" + f",{fold}" * with_folds)
    manifest(folder, *lines)
    return artists, with_folds


def gtzan_tree(folder, rng):
    """Some excerpts in both encodings."""
    names = [f"{one}{end}" for one in EXCERPTS for end in (".wav", ".au") if rng.random() < 0.8]
    touch(folder / "genres", *names)
    return {name.split("/")[1]: name.rsplit(".", 1)[0] for name in names}, False


def fma_tree(folder, rng):
    splits = ("training", "validation", "test")
    split_of = rng.integers(3, size=8)
    rows = []
    for number in range(20):
        artist = int(rng.integers(8))
        split = splits[rng.integers(3) if rng.random() < 0.02 else split_of[artist]]
        rows.append(row(number, f"label{rng.integers(3)}", artist, split))
    table(folder, rows)
    touch(folder / "fma_small", *(mp3(cells["number"]) for cells in rows))
    return {f"{cells['number']:06d}.mp3": cells["artist", "id"] for cells in rows}, True


TREES = {"folder": folder_tree, "csv": csv_tree, "gtzan": gtzan_tree, "fma": fma_tree}
