"""What the machine gives: cores, threads, memory, processes of their own, and clocks of stages.

In: nothing of the project; this is the lowest floor.
Out: `core_count`, background threads, calls that run apart and can be killed, a run's progress, and `counted` nouns.
Read first: `progress.py`, which names the stages of a run; then `isolation.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
