"""What each `nexgen` command does. The command line itself, its options and help, is `cli.py`."""
