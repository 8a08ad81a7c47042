"""The command line: all commands in one group.

The result of a command is printed as text, or with ``--json`` as one JSON object on standard
output. Progress and messages go to standard error. Messages of other libraries are not shown,
unless the environment variable `TFDREAM_LIBRARY_LOGS` is set.
"""

import os

import click

from tfdream import __version__
from tfdream.commands import (
    compare,
    data,
    data_worker,
    explanation,
    models,
    monitoring,
    plot,
    redoing,
    spectrograms,
    studio,
    synthesis,
    training,
)
from tfdream.commands.console import OrderedGroup
from tfdream.io.imports import shorten_imports
from tfdream.io.library_logs import silence_libraries


@click.group(cls=OrderedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfdream")
def main() -> None:
    """Classify, dream, transfer and generate music with neural networks.

    \b
    tfdream dream song.mp3 dream.flac
    tfdream transfer content.flac style.flac out.flac
    tfdream prepare my_music dataset --config lil_data
    tfdream train lil_data dataset run
    tfdream evaluate run dataset
    tfdream dream song.mp3 mine.flac --model run

    CONFIG is the name of a packaged configuration (see `tfdream configs`) or a path to a YAML file.
    """
    # Settings of other projects in the shell's environment must not change these.
    os.environ.update(KERAS_BACKEND="tensorflow", MPLBACKEND="agg")
    shorten_imports()
    silence_libraries()


for _command in (
    data.configs,
    data.corpus,
    data.prepare,
    data.check,
    training.train,
    data_worker.data_worker,
    training.evaluate,
    training.crossvalidate,
    monitoring.monitor,
    studio.studio,
    models.models,
    training.predict,
    training.layers,
    explanation.explain,
    synthesis.dream,
    synthesis.transfer,
    synthesis.translate,
    synthesis.generate,
    redoing.redo,
    compare.compare,
    compare.compare_models,
    compare.distance,
    training.export,
    spectrograms.analyze,
    spectrograms.invert,
    plot.plot,
):
    main.add_command(_command)
