"""Shards written by Apache Beam, on this machine or on a cluster with a shared file system.

An element of the pipeline is a planned shard. The worker that writes it records it in the journal,
so that the next call after an interruption writes the missing shards only.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

from tfdream.datasets.preparation import cutting, shards
from tfdream.datasets.preparation.journal import Journal
from tfdream.datasets.preparation.shards import PlannedShard, ShardContext
from tfdream.datasets.preparation.workers import Workers
from tfdream.errors import ConfigError, one_line


@dataclass(frozen=True)
class Beam:
    """A runner of Apache Beam and its options.

    Attributes:
      runner: Beam's name of the runner, such as ``direct``, ``flink`` or ``dataflow``.
      options: Beam's pipeline options, in the syntax of a command line.
    """

    runner: str
    options: str = ""

    def check(self) -> None:
        """Check that the runner is available.

        Raises:
          ConfigError: if Beam is not installed or does not have this runner.
        """
        if find_spec("apache_beam") is None:
            raise ConfigError(
                f"--runner {self.runner} requires Apache Beam, which is not installed; use "
                "pip install -e '.[beam]', or --runner local"
            )
        from apache_beam.runners.runner import create_runner

        try:
            create_runner(self.runner)
        except (ValueError, ImportError, AttributeError) as error:
            reason = one_line(error)
            raise ConfigError(f"--runner {self.runner} is not available: {reason}") from None

    def write(
        self, planned: Sequence[PlannedShard], context: ShardContext, journal: Journal
    ) -> None:
        """Write shards in parallel and record them in the journal.

        Args:
          planned: the shards to write.
          context: settings of the dataset; all workers access its folder at the same path.
          journal: the journal of the dataset.
        """
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions

        options = PipelineOptions(shlex.split(self.options))
        with apache_beam.Pipeline(self.runner, options) as pipeline:
            # Without Reshuffle, Beam would process all shards on the worker that lists them.
            distributed = pipeline | apache_beam.Create(planned) | apache_beam.Reshuffle()
            _ = distributed | apache_beam.Map(partial(_write, context, journal))


def _write(context: ShardContext, journal: Journal, planned: PlannedShard) -> None:
    # Beam runs parallel processes itself; a shard's tracks are cut one after the other.
    with Workers(1) as workers:
        results = cutting.cut_all(planned.tracks, context.config, workers)
        journal.add(shards.write(planned, results, context))
