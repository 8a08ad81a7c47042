"""Train the network in tfdream/presets/packaged: six genres of openly licensed music.

    python tools/presets/genres.py FOLDER

The recordings are downloaded from Debian packages (bookworm; needs apt-get, dpkg and 710 MB),
arranged with one folder per genre, prepared, and used for training and evaluation by tfdream's own
commands. FOLDER/genres becomes the run with its model card; steps whose results exist are not
repeated. --install copies the run into the package.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import click
import soundfile
import yaml

from tfdream import audio
from tfdream.presets import ModelCard, TrainingData
from tfdream.presets.archives import FILES
from tfdream.runs.named import PACKAGED

NAME = "genres"
CONFIG = Path(__file__).with_name("genres.yaml")
TFDREAM = (sys.executable, "-m", "tfdream")


@dataclass(frozen=True)
class Collection:
    """Recordings of one genre in a Debian package.

    Attributes:
      genre: label of the recordings.
      package: name of the package.
      version: its version.
      pattern: pattern of the files in the package, or in `archive`.
      artist: authors of the recordings.
      license: SPDX identifier, from the package's copyright file or the license beside the files.
      archive: zip archive in the package that contains the files.
      excluded: name of a file that is not music.
      stems: whether each folder has the stems of one song, which are added.
    """

    genre: str
    package: str
    version: str
    pattern: str
    artist: str
    license: str
    archive: str = ""
    excluded: str = ""
    stems: bool = False


COLLECTIONS = (
    Collection(
        "ambient",
        "singularity-music",
        "007-2",
        "usr/share/games/singularity/music/**/*.ogg",
        "Max McCracken",
        "CC-BY-SA-3.0",
    ),
    Collection(
        "ambient",
        "hyperrogue-music",
        "12.0q-1",
        "usr/share/hyperrogue/music/hr3-*.ogg",
        "Shawn Parrotte",
        "CC-BY-SA-3.0",
    ),
    Collection(
        "breakbeat",
        "nexuiz-music",
        "2.5.2-12",
        "sound/cdtracks/*.ogg",
        "the authors of Nexuiz, Alientrap",
        "GPL-2.0-or-later",
        archive="usr/share/games/nexuiz/data/music.pk3",
        excluded="thunder.ogg",
    ),
    Collection(
        "electronic",
        "warzone2100-music",
        "4.3.3-3",
        "usr/share/games/warzone2100/music/albums/aftermath_soundtrack/track[12]*.opus",
        "LupusMechanicus",
        "CC-BY-SA-3.0",
    ),
    Collection(
        "industrial",
        "ufoai-music",
        "2.5-2",
        "music/Marine*.ogg",
        '"Marine" Baklund',
        "CC-BY-SA-3.0",
        archive="usr/share/games/ufoai/base/0music.pk3",
    ),
    Collection(
        "metal",
        "fretsonfire-songs-muldjord",
        "2.dfsg-2.1",
        "usr/share/games/fretsonfire/data/songs/muldjord/*/*.ogg",
        "Muldjord",
        "CC-BY-SA-3.0",
        stems=True,
    ),
    Collection(
        "metal",
        "fretsonfire-songs-sectoid",
        "1.dfsg-3.1",
        "usr/share/games/fretsonfire/data/songs/sectoid/*/*.ogg",
        "Carlos Viola Iborra",
        "MIT",
        stems=True,
    ),
    Collection(
        "orchestral",
        "wesnoth-1.16-music",
        "1:1.16.9-1",
        "usr/share/games/wesnoth/1.16/data/core/music/*.ogg",
        "the composers of The Battle for Wesnoth",
        "GPL-2.0-or-later",
    ),
    Collection(
        "orchestral",
        "hyperrogue-music",
        "12.0q-1",
        "usr/share/hyperrogue/music/hr-savino-*.ogg",
        "Will Savino",
        "CC-BY-SA-3.0",
    ),
)


def download(collection: Collection, packages: Path) -> Path:
    """Download a package and return the file."""
    version = collection.version.replace(":", "%3a")
    path = packages / f"{collection.package}_{version}_all.deb"
    if not path.exists():
        package = f"{collection.package}={collection.version}"
        subprocess.run(["apt-get", "download", package], cwd=packages, check=True)
    return path


def unpack(collection: Collection, packages: Path) -> Path:
    """Unpack a package, and the archive in it, and return the folder of the files."""
    folder = packages / collection.package
    if not folder.exists():
        subprocess.run(["dpkg", "-x", download(collection, packages), folder], check=True)
    if not collection.archive:
        return folder
    archive = folder / collection.archive
    unpacked = archive.with_suffix("")
    if not unpacked.exists():
        with zipfile.ZipFile(archive) as content:
            content.extractall(unpacked)
    return unpacked


def arrange(collection: Collection, packages: Path, tracks: Path) -> list[Path]:
    """Link the recordings of a collection into the folder of its genre and return the links."""
    root = unpack(collection, packages)
    found = sorted(
        path for path in root.glob(collection.pattern) if path.name != collection.excluded
    )
    genre = tracks / collection.genre
    genre.mkdir(parents=True, exist_ok=True)
    if collection.stems:
        songs = sorted({path.parent for path in found})
        return [mix(song, genre / f"{collection.package}_{song.name}.flac") for song in songs]
    links = []
    for path in found:
        link = genre / f"{collection.package}_{path.name}"
        if not link.exists():
            os.link(path, link)
        links.append(link)
    return links


def mix(song: Path, output: Path) -> Path:
    """Write the sum of the stems in a folder, which have the same rate and channels."""
    if not output.exists():
        stems = [soundfile.read(path, always_2d=True) for path in sorted(song.glob("*.ogg"))]
        samples = min(len(stem) for stem, _ in stems)
        total = sum(stem[:samples] for stem, _ in stems)
        soundfile.write(output, total / max(1.0, abs(total).max()), stems[0][1])
    return output


def run_json(*command: str | Path) -> dict[str, object]:
    """Run a tfdream command with --json and return its result."""
    print("tfdream", *command, flush=True)
    done = subprocess.run(
        [*TFDREAM, *map(str, command), "--json"], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def card(hours: dict[Collection, float], result: dict[str, object]) -> ModelCard:
    """Return the card of the network, given the hours of each collection and the evaluation."""
    accuracy = (
        f"{result['track_accuracy']:.1%} of the {result['tracks']} held-out tracks (fold 0 of 5), "
        f"{result['clip_accuracy']:.1%} of their {result['clips']} clips of 5 s. Most genres have "
        "one or two artists, who are in the training data as well: the accuracy for other artists "
        "is lower."
    )
    return ModelCard(
        title="Six genres of openly licensed music",
        summary="Small convolutional network on mel bands that classifies six genres, trained on "
        "the first two minutes of each track. It is made for dreams and as a source of features, "
        "and has too few artists for a general genre classifier.",
        source="python tools/presets/genres.py FOLDER, in the repository of tfdream",
        license="Apache-2.0 for the weights, which contain no recordings. Whether the licenses of "
        "training data extend to weights is not settled; they are listed here.",
        training_data=tuple(
            TrainingData(
                name=f"{each.genre}: {each.artist} (Debian package {each.package} {each.version})",
                license=each.license,
                source=f"https://packages.debian.org/bookworm/{each.package}",
                hours=round(hours[each], 2),
            )
            for each in hours
        ),
        accuracy=accuracy,
        dream_layers=("conv2", "conv3", "conv4", "conv5"),
    )


def finish(run: Path, model_card: ModelCard) -> None:
    """Write the card, and replace the path of the dataset in the run by its name."""
    model_card.write(run)
    path = run / "run.json"
    info = json.loads(path.read_text())
    info["dataset"] = NAME
    path.write_text(json.dumps(info, indent=2) + "\n")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--install", is_flag=True, help="Copy the run into the package.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of train. Repeatable.")
def main(folder: Path, install: bool, settings: tuple[str, ...]) -> None:
    """Download the recordings into FOLDER, train, evaluate and describe the network."""
    packages, tracks, dataset = folder / "packages", folder / "tracks", folder / "dataset"
    packages.mkdir(parents=True, exist_ok=True)
    hours = {
        each: sum(map(audio.seconds, arrange(each, packages, tracks))) / 3600
        for each in COLLECTIONS
    }
    run = folder / NAME
    if not (dataset / "dataset.json").exists():
        run_json("prepare", tracks, dataset, "--config", CONFIG)
    overrides = [part for setting in settings for part in ("--set", setting)]
    run_json("train", CONFIG, dataset, run, *overrides)
    result = run_json("evaluate", run, dataset)
    finish(run, card(hours, result))
    print(yaml.safe_dump({"evaluation": result}, sort_keys=False))
    if install:
        packaged = PACKAGED / NAME
        packaged.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(run / name, packaged / name)


if __name__ == "__main__":
    main()
