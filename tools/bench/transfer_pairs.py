"""Measure style transfers on pairs of recordings whose correct result is available.

    python tools/bench/transfer_pairs.py [--recipe transfer/timbre]... [--cache FOLDER]

A pair has a content (score A on instrument 1), a style (score B on instrument 2) and a target
(score A on instrument 2). Baselines and recipes receive content and style, and their output is
compared with the target. See docs/benchmarks.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The package has precedence over this file of the same name.
from transfer_pairs.command import main

if __name__ == "__main__":
    main()
