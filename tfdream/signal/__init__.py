"""Waveforms and spectrograms: the STFT, the frontends of the networks, phase reconstruction."""
