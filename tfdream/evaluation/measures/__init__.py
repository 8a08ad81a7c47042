"""What is measured of a recording and of what was made of it, a module for each kind of measure."""
