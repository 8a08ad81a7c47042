"""Decoders of audio files, and the process that isolates them.

`base` has the interface, `sndfile` and `libav` decode, `isolated` runs them in a worker process.
"""
