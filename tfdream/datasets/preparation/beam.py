"""Shards written by a runner of Apache Beam: on this machine, or on a cluster that sees its files.

An element of the pipeline is a planned shard. Whoever writes it notes it in the journal, so that an
interrupted pipeline goes on with the shards that it lacks.
"""

import shlex
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

from tfdream.datasets.preparation import cutting, shards
from tfdream.datasets.preparation.journal import Journal
from tfdream.datasets.preparation.shards import Order, PlannedShard
from tfdream.errors import ConfigError


class Beam(NamedTuple):
    """How Beam is asked."""

    runner: str
    """As Beam names it, such as ``direct``, ``flink`` or ``dataflow``."""
    options: str = ""
    """Beam's own, as on a command line."""

    def check(self) -> None:
        """See that it can be asked.

        Raises:
          ConfigError: if it is not installed, or has no such runner.
        """
        if find_spec("apache_beam") is None:
            raise ConfigError(
                f"--runner {self.runner} needs Apache Beam, which is not installed; use "
                "pip install -e '.[beam]', or --runner local"
            )
        from apache_beam.runners.runner import create_runner

        try:
            create_runner(self.runner)
        except (ValueError, ImportError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"--runner {self.runner} cannot be used: {reason}") from None

    def write(self, planned: Sequence[PlannedShard], order: Order, journal: Journal) -> None:
        """Write shards, each by itself, and note them in the journal.

        Args:
          planned: which.
          order: what they are parts of; its folder is the same one wherever Beam works.
          journal: of the dataset.
        """
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions

        options = PipelineOptions(shlex.split(self.options))
        with apache_beam.Pipeline(self.runner, options) as pipeline:
            # Reshuffled, or Beam would keep all of them on the worker that lists them.
            spread = pipeline | apache_beam.Create(planned) | apache_beam.Reshuffle()
            _ = spread | apache_beam.Map(partial(_write, order, journal))


def _write(order: Order, journal: Journal, planned: PlannedShard) -> None:
    # One track after the other: Beam has as many processes as it was told to have.
    cut = cutting.cut_all(planned.tracks, order.config, workers=1)
    journal.add(shards.write(planned, cut, order))
