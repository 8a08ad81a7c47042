"""The command line: all commands in one group.

The result of a command is printed as text, or with ``--json`` as one JSON object on the last line
of standard output. Progress and messages go to standard error.
"""

import logging
import os
import warnings

import click

from tfdream import __version__
from tfdream.commands import (
    compare,
    data,
    data_worker,
    monitoring,
    plot,
    spectrograms,
    synthesis,
    training,
)
from tfdream.commands.console import OrderedGroup


@click.group(cls=OrderedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfdream")
def main() -> None:
    """Classify, dream, transfer and generate music with neural networks.

    \b
    tfdream prepare my_music dataset --config lil_data
    tfdream train lil_data dataset run
    tfdream evaluate run dataset
    tfdream dream song.flac dream.flac --model run

    CONFIG is the name of a packaged configuration (see `tfdream configs`) or a path to a YAML file.
    """
    # TensorFlow reads this variable on import; 3 shows errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Settings of other projects in the shell's environment must not change these.
    os.environ.update(KERAS_BACKEND="tensorflow", MPLBACKEND="agg")
    # TensorFlow warns of repeated tracing, which is intended: every octave has its own shape.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # TensorBoard imports pkg_resources, which is deprecated.
    warnings.filterwarnings("ignore", "pkg_resources is deprecated")


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
    training.predict,
    training.layers,
    synthesis.dream,
    synthesis.transfer,
    synthesis.translate,
    synthesis.generate,
    compare.compare,
    compare.distance,
    training.export,
    spectrograms.analyze,
    spectrograms.invert,
    plot.plot,
):
    main.add_command(_command)
