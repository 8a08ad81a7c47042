"""Spectral analysis and synthesis: STFT, frontends, phase reconstruction, hand-made features."""
