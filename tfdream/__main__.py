"""``python -m tfdream`` is ``tfdream``."""

from tfdream.cli import main

main()
