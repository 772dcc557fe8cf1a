"""Tuning: recipe, tokens, training, adapters. torch lives below this package and nowhere else."""

from chapeta.config import calm_threads

calm_threads()
