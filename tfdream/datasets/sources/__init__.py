"""Sources of tracks: reading a source of any layout, selecting its labels, assigning folds."""
