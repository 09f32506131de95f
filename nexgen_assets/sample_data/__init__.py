"""Landing files to try the product with: a generated retailer, and the real sales of a grocery chain."""


class SampleDataError(RuntimeError):
    """Sample data cannot be made; the message says what to install or set."""
