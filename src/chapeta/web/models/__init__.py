"""The parts of the page Models and keys: providers and their keys, access keys, what is on this machine, the catalogue."""
