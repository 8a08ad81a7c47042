"""The command line: all commands in one group.

What a command returns is printed for people, or with ``--json`` as one JSON object on the last line
of standard output; everything else goes to standard error.
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
    """Classify, dream and change recorded music with the networks that hear it.

    \b
    tfdream prepare my_music dataset --config lil_data
    tfdream train lil_data dataset run
    tfdream evaluate run dataset
    tfdream dream song.flac dreamt.flac --model run

    CONFIG is a packaged name (see `tfdream configs`) or a path to a YAML file.
    """
    # TensorFlow reads this when it is first imported, and is silent below errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # What other projects want of a shell: ours is TensorFlow, and figures go to files.
    os.environ.update(KERAS_BACKEND="tensorflow", MPLBACKEND="agg")
    # TensorFlow's Python half warns of graphs that are traced for one octave after the other.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # TensorBoard imports what setuptools no longer wants to be imported.
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
