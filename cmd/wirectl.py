#!/usr/bin/env python3
"""Launch the `wire` command from a checkout."""

from wire.cli.main import main

if __name__ == "__main__":
    main()
