"""`python -m nexgen_assets ...` is `nexgen ...`."""

from nexgen_assets.cli import main

main()
