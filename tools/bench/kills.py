"""Kill commands at random moments: no partial output remains, and the next call completes.

    python tools/bench/kills.py --minutes 10
    python tools/bench/kills.py --kills 1000 --forked

Each round starts one command on the composed corpus, sends SIGKILL, SIGTERM or SIGINT after a
random part of its usual duration, and checks the folder of outputs. After up to five kills, the
command is called once more, and must complete. Prints the number of kills for each command and
signal, and every fault.

With ``--forked``, commands are forks of a process that has imported all libraries. A round is
several times shorter then, and no kill is spent on the imports.
"""

import argparse
import functools
import importlib
import json
import os
import pkgutil
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile
from safetensors import safe_open

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TIMEOUT_SECONDS = 600
KILLS_BEFORE_COMPLETION = 5
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
    return not (folder / "dataset.json").exists() or _call("check", folder).status == 0


def is_run(folder: Path) -> bool:
    """Return whether the weights of a run can be loaded, if there are any."""
    has_weights = (folder / "model.weights.h5").exists()
    return not has_weights or _call("layers", folder).status == 0


def is_folds(folder: Path) -> bool:
    """Return whether the runs of all folds can be loaded."""
    return all(is_run(run) for run in folder.glob("fold*"))


def is_safetensors(path: Path) -> bool:
    """Return whether a file of weights has all tensors of its header."""
    with safe_open(path, "numpy") as tensors:
        return all(tensors.get_tensor(name).size for name in tensors.keys())  # noqa: SIM118


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
            "transfer timbre",
            ("transfer", song, other, out / "timbre.wav"),
            *(out / "timbre.wav", is_audio),
        ),
        Command("explain", ("explain", song, network, out / "e.flac"), out / "e.flac", is_audio),
        Command(
            "crossvalidate",
            ("crossvalidate", *train[:2], out / "folds", *train[2:], "--epochs", 1),
            *(out / "folds", is_folds),
        ),
        Command(
            "safetensors",
            ("export", network, out / "m.safetensors"),
            *(out / "m.safetensors", is_safetensors),
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
    """Kill a command after some time, and yield the faults."""
    folder = command.output.parent
    before = hidden_files(folder)  # of calls that were killed without a chance to clean up
    process = start(*command.arguments)
    try:
        if process.wait(seconds) is None:
            process.kill(number)
            if process.wait(TIMEOUT_SECONDS) is None:
                process.kill(signal.SIGKILL)
                process.wait(TIMEOUT_SECONDS)
                yield "does not end"
                return
        errors = process.errors()
        if "Traceback" in errors:
            yield f"prints a traceback: {errors[-3000:]}"
    finally:
        process.close()
    new = hidden_files(folder) - before
    if new and process.status != -signal.SIGKILL:
        yield f"leaves {min(new)[0]}"
    if command.output.exists() and not command.is_complete(command.output):
        yield "leaves a partial output"


def hidden_files(folder: Path) -> set[tuple[str, int, int]]:
    """Return names, inodes and times of change of unfinished outputs."""
    stats = ((path.name, path.stat()) for path in folder.glob(".partial-*"))
    return {(name, stat.st_ino, stat.st_mtime_ns) for name, stat in stats}


def faults_of_completion(command: Command) -> Iterator[str]:
    """Call a command that was killed again, and yield the faults."""
    folder = command.output.parent
    replaces = command.name != "plot"  # which needs no --force
    force = ["--force"] if replaces and command.output.is_file() else []
    again = _call(*command.arguments, *force)
    if again.status and command.output.is_dir() and not force:
        again = _call(*command.arguments, *(["--force"] if replaces else []))
    if again.status:
        yield f"cannot be called again: {again.errors[-300:]}"
    elif not command.is_complete(command.output):
        yield "is not complete after the second call"
    elif any(folder.rglob(".partial-*")):
        yield "leaves hidden files after the second call"


class Process:
    """A running command: a process of its own, or with `forked` a fork of this process."""

    forked = False
    status: int | None = None

    def __init__(self, arguments: list[str]) -> None:
        # Workers that outlive a killed command keep its pipes open, but not a file.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed by `close`
        if not self.forked:
            line = [sys.executable, "-m", "tfdream", *arguments]
            self.pid = subprocess.Popen(
                line, stdout=subprocess.DEVNULL, stderr=self._errors, start_new_session=True
            ).pid
            return
        self.pid = os.fork()
        if not self.pid:
            os._exit(self._run(arguments))

    def _run(self, arguments: list[str]) -> int:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(self._errors.fileno(), 2)
        # Processes that are spawned import the main module.
        sys.modules["__main__"] = importlib.import_module("tfdream.cli")
        sys.argv = ["tfdream", *arguments]
        try:
            sys.modules["__main__"].main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            traceback.print_exc()
            return 1
        finally:
            sys.stderr.flush()
        return 0

    def wait(self, seconds: float) -> int | None:
        """Return the exit status, as `subprocess` does, or None after `seconds`."""
        end = time.monotonic() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                return None
            else:
                time.sleep(0.005)
        return self.status

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process of the command."""
        os.kill(self.pid, number)

    def errors(self) -> str:
        """Return what was written to standard error."""
        self._errors.seek(0)
        return self._errors.read()

    def close(self) -> None:
        """Close the file of the errors."""
        self._errors.close()


class Ended(NamedTuple):
    """The exit status of a command and its standard error."""

    status: int
    errors: str


def start(*arguments: object) -> Process:
    """Start a command."""
    return Process([str(argument) for argument in arguments])


def _call(*arguments: object) -> Ended:
    process = start(*arguments)
    try:
        status = process.wait(TIMEOUT_SECONDS)
        if status is None:
            process.kill(signal.SIGKILL)
            raise SystemExit(f"does not end: {arguments}")
        return Ended(status, process.errors())
    finally:
        process.close()


def _finish(*arguments: object) -> None:
    done = _call(*arguments)
    if done.status:
        raise SystemExit(done.errors)


def _report(faults: list[str], fault: str) -> None:
    faults.append(fault)
    print(fault, flush=True)


def _import_everything() -> None:
    for name in ("tensorflow", "keras", "librosa", "matplotlib.figure", "tfdream.cli"):
        importlib.import_module(name)
    commands = importlib.import_module("tfdream.commands")
    for module in pkgutil.walk_packages(commands.__path__, "tfdream.commands."):
        importlib.import_module(module.name)
    for name in ("training.train", "synthesis.dream", "synthesis.transfer", "export", "figures"):
        importlib.import_module(f"tfdream.{name}")


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, help="instead of minutes")
    parser.add_argument("--forked", action="store_true", help="fork commands from one process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of commands")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    Process.forked = options.forked
    if options.forked:
        _import_everything()
    choose = random.Random(options.seed)
    kills: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        available = commands(folder)
        durations: dict[str, float] = {}
        end = time.monotonic() + 60 * options.minutes
        while kills.total() < options.kills if options.kills else time.monotonic() < end:
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
            report = functools.partial(_report, faults)
            for _ in range(KILLS_BEFORE_COMPLETION):
                number = choose.choice(SIGNALS)
                seconds = choose.uniform(0, durations[command.name])
                kills[command.name, number.name] += 1
                for fault in faults_of(command, seconds, number):
                    report(f"{command.name}, {number.name} after {seconds:.1f} s: {fault}")
                if command.output.is_file():
                    break
            for fault in faults_of_completion(command):
                report(f"{command.name}: {fault}")
            print(f"\r{kills.total()} kills, {len(faults)} faults", end="", file=sys.stderr)
    print(file=sys.stderr)
    for (name, number), count in sorted(kills.items()):
        print(f"{name:14} {number:8} {count}")
    print(f"{kills.total()} kills, {len(faults)} faults, seed {options.seed}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    _main()
