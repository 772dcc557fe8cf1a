"""What can go wrong, as a tree. Every message names the value and the next step; the command line prints it on one line.

ChapetaError
├── BadInput            a file, row, option or folder that the user gave cannot be used      exit 2
│   └── TooManyBadRows  more rows are bad than the stated share allows                       exit 3
├── Missing             something has to be installed, pulled or made by an earlier stage    exit 4
├── Corrupt             a file of ours does not match its hash or its format                 exit 5
├── ModelFailed         a model or provider did not answer                                   exit 6
└── OverLimit           a limit of time or money would be passed                             exit 7
"""

from __future__ import annotations


class ChapetaError(Exception):
    """Base of all errors that are meant for the user. `message` is one sentence of fact, `remedy` the next step."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class BadInput(ChapetaError):
    """Something the user gave cannot be used."""

    exit_code = 2


class TooManyBadRows(BadInput):
    """The share of bad rows is above the accepted one."""

    exit_code = 3


class Missing(ChapetaError):
    """Something that should be there is not: a package, a model, an earlier stage's result."""

    exit_code = 4


class Corrupt(ChapetaError):
    """A file does not match its hash, or is not what its name says."""

    exit_code = 5


class ModelFailed(ChapetaError):
    """A model or provider did not answer."""

    exit_code = 6


class OverLimit(ChapetaError):
    """A limit of time or money would be passed."""

    exit_code = 7
