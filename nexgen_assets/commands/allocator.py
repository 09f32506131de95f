"""How the engine that reads tables gives memory back: a server that stays up holds no more than what it keeps.

What belongs here: the allocator's settings. What does not: what is kept (`dashboard/reading.py`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

# jemalloc's, which deltalake brings: it keeps what was freed for 10 seconds, and longer while nothing is read
_VARIABLE, _GIVE_BACK = "_RJEM_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:0"


@contextmanager
def giving_back() -> Iterator[None]:
    """Load deltalake in this block: it looks once, when it is loaded. Other processes are left as they are."""
    if _VARIABLE in os.environ:
        yield
        return
    os.environ[_VARIABLE] = _GIVE_BACK
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
