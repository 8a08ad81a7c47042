"""Changing audio with neural networks: dream, transfer, translate and generate."""
