"""Decoders of audio files, and the process that isolates them.

`base` has the interface; `sndfile` and `libav` decode. `isolation` runs them in another process,
whose code is `worker` and whose limits are in `limits`.
"""
