"""What the formulas are compared with: stockpyl, and sums over all that can happen. No tests stand here."""

import warnings
from typing import Any

import numpy as np
from hypothesis import settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its docstrings are full of invalid escape sequences
    from stockpyl import eoq, loss_functions, newsvendor, rq, ss, ssm_serial, wagner_whitin

__all__ = ["eoq", "expectation", "loss_functions", "newsvendor", "rq", "ss", "ssm_serial", "steady", "wagner_whitin"]

# a busy machine is no failure
steady = settings(max_examples=50)


def expectation(distribution: Any, function: Any, most: int = 20_000) -> float:
    """E[function(X)] of a whole-unit scipy distribution: the sum over 0 .. `most`."""
    units = np.arange(most)
    return float(np.sum(distribution.pmf(units) * function(units)))
