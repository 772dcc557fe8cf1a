"""Chapeta specialises a language model to a task and proves what works. Start reading in `specialize.py`."""

__version__ = "0.1.0"
