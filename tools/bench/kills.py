"""Kill commands at random moments: no partial output remains, and the next call completes.

    python tools/bench/kills.py --minutes 10

Each round starts one command on the composed corpus, sends SIGKILL, SIGTERM or SIGINT after a
random part of its usual duration, checks the folder of outputs, and calls the command again. Prints
the number of rounds for each command and signal, and every fault.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TIMEOUT_SECONDS = 600
STEPS = ("--set", "optimizer.steps=10")


class Command(NamedTuple):
    """A command, its output, and a check whether the output is complete."""

    name: str
    arguments: tuple[object, ...]
    output: Path
    is_complete: Callable[[Path], bool]


def is_audio(path: Path) -> bool:
    """Return whether all samples that the header declares can be read, and the sidecar too."""
    with soundfile.SoundFile(path) as file:
        complete = len(file.read()) == file.frames > 0
    sidecar = path.with_name(path.name + ".json")
    return complete and (not sidecar.exists() or "result" in json.loads(sidecar.read_text()))


def is_dataset(folder: Path) -> bool:
    """Return whether an unfinished dataset has no manifest, and a finished one valid shards."""
    return not (folder / "dataset.json").exists() or _call("check", folder).returncode == 0


def is_run(folder: Path) -> bool:
    """Return whether the weights of a run can be loaded, if there are any."""
    has_weights = (folder / "model.weights.h5").exists()
    return not has_weights or _call("layers", folder).returncode == 0


def is_model(folder: Path) -> bool:
    """Return whether a SavedModel has its graph and its variables."""
    return {"saved_model.pb", "variables"} <= {path.name for path in folder.iterdir()}


def is_npz(path: Path) -> bool:
    """Return whether a spectrogram has a directory, which is written last."""
    return path.read_bytes()[-22:-18] == b"PK\x05\x06"


def is_picture(path: Path) -> bool:
    """Return whether a PNG ends with its last chunk."""
    return path.read_bytes()[-8:-4] == b"IEND"


def commands(folder: Path) -> list[Command]:
    """Prepare the inputs, and return the commands to kill."""
    songs, dataset, network = folder / "songs", folder / "dataset", folder / "run"
    _finish("corpus", songs, "--tracks", 2, "--seconds", 10)
    _finish("prepare", songs, dataset, "--config", "recommended", "--set", "prepare.folds=2")
    train = (
        "recommended",
        dataset,
        "--set",
        "prepare.folds=2",
        "--set",
        "training.warmup_epochs=0",
    )
    _finish("train", *train, network, "--epochs", 1)
    song, other = sorted(songs.rglob("*.flac"))[:2]
    spectrogram = folder / "song.npz"
    _finish("analyse", song, spectrogram, "--config", "recommended")
    out = folder / "out"
    return [
        Command("corpus", ("corpus", out / "corpus", "--tracks", 1), out / "corpus", has_audio),
        Command(
            "prepare",
            ("prepare", songs, out / "data", "--config", "recommended", "--workers", 2),
            *(out / "data", is_dataset),
        ),
        Command("train", ("train", *train, out / "run", "--epochs", 3), out / "run", is_run),
        Command(
            "dream",
            ("dream", song, out / "dream.flac", "--model", network, *STEPS),
            *(out / "dream.flac", is_audio),
        ),
        Command(
            "dream folder",
            ("dream", songs / "strings", out / "dreams", "--model", network, *STEPS),
            *(out / "dreams", has_audio),
        ),
        Command(
            "transfer",
            (
                "transfer",
                song,
                other,
                out / "transfer.wav",
                "--config",
                "transfer/texture",
                *STEPS,
            ),
            *(out / "transfer.wav", is_audio),
        ),
        Command(
            "analyse",
            ("analyse", song, out / "a.npz", "--config", "recommended"),
            *(out / "a.npz", is_npz),
        ),
        Command("invert", ("invert", spectrogram, out / "i.flac"), *(out / "i.flac", is_audio)),
        Command("export", ("export", network, out / "model"), *(out / "model", is_model)),
        Command("plot", ("plot", "history", network, out / "h.png"), *(out / "h.png", is_picture)),
    ]


def has_audio(folder: Path) -> bool:
    """Return whether all audio files of a folder are complete."""
    return all(is_audio(path) for path in folder.rglob("[!.]*.flac"))


def faults_of(command: Command, seconds: float, number: signal.Signals) -> Iterator[str]:
    """Kill a command after some time, call it again, and yield the faults."""
    process = subprocess.Popen(
        _line(*command.arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        try:
            _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            yield "does not end"
            return
    if "Traceback" in errors:
        yield f"prints a traceback: {errors[-300:]}"
    folder = command.output.parent
    hidden = list(folder.glob(".partial-*"))
    if hidden and process.returncode != -signal.SIGKILL:
        yield f"leaves {hidden[0].name}"
    if command.output.exists() and not command.is_complete(command.output):
        yield "leaves a partial output"
    yield from _faults_of_second_call(command, folder)


def _faults_of_second_call(command: Command, folder: Path) -> Iterator[str]:
    replaces = command.name != "plot"  # which needs no --force
    force = ["--force"] if replaces and command.output.is_file() else []
    again = _call(*command.arguments, *force)
    if again.returncode and command.output.is_dir() and not force:
        again = _call(*command.arguments, *(["--force"] if replaces else []))
    if again.returncode:
        yield f"cannot be called again: {again.stderr[-300:]}"
    elif not command.is_complete(command.output):
        yield "is not complete after the second call"
    elif any(folder.rglob(".partial-*")):
        yield "leaves hidden files after the second call"


def _line(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tfdream", *map(str, arguments)]


def _call(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _line(*arguments), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )


def _finish(*arguments: object) -> None:
    done = _call(*arguments)
    if done.returncode:
        raise SystemExit(done.stderr)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of commands")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    choose = random.Random(options.seed)
    rounds: Counter[tuple[str, str]] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        available = commands(folder)
        durations: dict[str, float] = {}
        end = time.monotonic() + 60 * options.minutes
        while time.monotonic() < end:
            command = choose.choice(
                [each for each in available if not options.only or each.name in options.only]
            )
            shutil.rmtree(folder / "out", ignore_errors=True)
            (folder / "out").mkdir()
            if command.name not in durations:
                start = time.monotonic()
                _finish(*command.arguments)
                durations[command.name] = time.monotonic() - start
                shutil.rmtree(folder / "out")
                (folder / "out").mkdir()
            number = choose.choice(SIGNALS)
            seconds = choose.uniform(0, durations[command.name])
            rounds[command.name, number.name] += 1
            for fault in faults_of(command, seconds, number):
                faults.append(f"{command.name}, {number.name} after {seconds:.1f} s: {fault}")
                print(faults[-1], flush=True)
    for (name, number), count in sorted(rounds.items()):
        print(f"{name:14} {number:8} {count}")
    print(f"{rounds.total()} rounds, {len(faults)} faults, seed {options.seed}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    _main()
