"""The providers, one file each; `table.py` lists those that answer over HTTP, `embedded.py` is the engine of our own."""
