"""Tuning: recipe, tokens, training, adapters. torch lives below this package and nowhere else.

Waiting threads of the OpenMP pool (GNU) spin for milliseconds by default. Beside one other busy program on the same two
cores a training step took 20.7 s so, and 4.8 s with short spinning (PASSIVE: 5.0 s, but llama.cpp then halves its speed).
"""

import os

if "OMP_WAIT_POLICY" not in os.environ:  # whoever set that has chosen
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # read when the first library that uses OpenMP is loaded
