"""Rendering of changed audio files of any length: tiles, snapshots, sidecars and folders."""
