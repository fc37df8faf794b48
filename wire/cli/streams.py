"""Standard streams that whoever started wire has closed."""

from __future__ import annotations

import os
import sys
from typing import Final

_FLAGS: Final = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
"""Of what is put in place: input that can't be read and output that can't be written, so that nothing is lost unseen;
messages that nobody wants are written to nowhere."""


def replace_closed() -> None:
    """Put something in the place of closed streams, whose numbers would else go to the next files that are opened."""
    for number, (name, flags) in enumerate(_FLAGS.items()):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 (open for as long as the process)
