"""Classify, dream, transfer and generate music with neural networks."""

import os
import platform

__version__ = "0.1.0"

# TensorFlow uses oneDNN's convolutions and products by default only on processors with AVX-512 VNNI
# or AMX. With AVX2, a step is up to six times as fast with it (docs/benchmarks.md). TensorFlow has
# to be imported afterwards; a value that the user has set stays.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
