"""Compare the training speed from a dataset with the same steps on tensors in memory.

python tools/bench/throughput.py CONFIG=DATASET... [--steps 20] [--rounds 5]

Both alternate, so that other load affects both; the share is the median of the ratios per round.
The first fold of the dataset is held out, as in training.
"""

import os
import statistics
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click

HEAD = "| network | data | examples/s | in memory | share | wait for data |"


@click.command()
@click.argument("pairs", metavar="CONFIG=DATASET...", nargs=-1, required=True)
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True, help="Per round.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="For every CONFIG.",
)
def main(pairs: tuple[str, ...], steps: int, rounds: int, overrides: tuple[str, ...]) -> None:
    """Print a Markdown table."""
    print(HEAD)
    print("|---|---|---:|---:|---:|---:|")
    for pair in pairs:
        name, _, dataset = pair.partition("=")
        speeds, bare, waits = measure(name, Path(dataset), steps, rounds, overrides)
        share = statistics.median(one / other for one, other in zip(speeds, bare, strict=True))
        figures = f"{statistics.median(speeds):.0f} | {statistics.median(bare):.0f} | {share:.0%}"
        print(
            f"| {name} | {Path(dataset).name} | {figures} | {statistics.median(waits):.1%} |",
            flush=True,
        )


def measure(
    name: str, folder: Path, steps: int, rounds: int, overrides: tuple[str, ...]
) -> tuple[list[float], list[float], list[float]]:
    """Return examples/s from the dataset and from memory, and the fraction of time waiting."""
    import tensorflow as tf

    from tfdream import config
    from tfdream.datasets import manifest
    from tfdream.datasets.batches import LabeledPipeline
    from tfdream.datasets.clip_set import ClipSet
    from tfdream.datasets.shuffling import EpochPlan
    from tfdream.models import classifiers
    from tfdream.signal import frontends
    from tfdream.training.callbacks import Throughput
    from tfdream.training.classification import build_classifier

    dataset = manifest.load(folder)
    settings = config.load(name, config.Experiment, overrides)
    settings = settings.model_copy(update={"prepare": dataset.config})
    clips = ClipSet.from_folds(dataset, dataset.folds[1:])
    frontend = frontends.build(settings.frontend, dataset.config.sample_rate)
    network = classifiers.build(
        settings.model, frontend.shape(settings.input_samples), len(dataset.labels)
    )
    model = build_classifier(network, settings.training, steps)
    training = settings.training
    size = min(training.batch_size, clips.clips)
    plan = EpochPlan(size, clips.clips // size, training.seed)
    stream = LabeledPipeline(settings, frontend).training(clips, plan)
    batch = next(iter(stream))
    memory = tf.data.Dataset.from_tensors(batch).repeat()

    class RecordThroughput(Throughput):
        def on_epoch_end(self, epoch, logs):
            super().on_epoch_end(epoch, logs)
            epochs.append(dict(logs))

    epochs: list[dict[str, float]] = []
    results: tuple[list[float], list[float], list[float]] = ([], [], [])
    for number in range(rounds + 1):  # the first one compiles
        for source, speeds in ((stream, results[0]), (memory, results[1])):
            model.fit(
                source,
                steps_per_epoch=steps,
                verbose=0,
                callbacks=[RecordThroughput(int(batch[0].shape[0]))],
            )
            if number:
                speeds.append(epochs[-1]["examples_per_second"])
                if source is stream:
                    results[2].append(epochs[-1]["data_wait_fraction"])
    return results


if __name__ == "__main__":
    main()
