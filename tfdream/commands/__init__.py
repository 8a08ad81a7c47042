"""The commands, each a thin shell around one function of the library."""
