"""How often somebody may try to log in.

What belongs here: counting attempts by name and by address. What does not: checking passwords (`users.py`).
"""

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

BY_NAME = "10 per 5 minutes"
BY_ADDRESS = "30 per minute"


class LoginLimits:
    """Counts in memory: a restart forgets, and each process counts by itself."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._by_name, self._by_address = parse(BY_NAME), parse(BY_ADDRESS)

    def admits(self, name: str, address: str) -> bool:
        """Count an attempt; whether it may be looked at. Names count in whatever case."""
        by_address = self._limiter.hit(self._by_address, "address", address)
        return by_address and self._limiter.hit(self._by_name, "name", name.lower())
