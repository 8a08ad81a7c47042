"""The composer of the demo corpus."""
