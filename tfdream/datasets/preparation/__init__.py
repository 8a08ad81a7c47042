"""From a source of tracks to a dataset folder."""
