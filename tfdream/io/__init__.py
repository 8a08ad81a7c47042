"""Files and processes: atomic writes, safe readers, and worker processes."""
