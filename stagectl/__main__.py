"""``python -m stagectl``."""

from stagectl.cli import main

main()
