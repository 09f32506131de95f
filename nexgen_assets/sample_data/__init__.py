"""Landing files to try the product with: a generated retailer, and the real sales of a grocery chain."""
