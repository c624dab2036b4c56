"""What all wings share: cores, threads, memory, separate processes, progress of a run, and text and files to trust.

In: nothing from the project; this is the lowest floor.
Out: `core_count`, background threads, calls in a process that can be killed, a run's progress, `counted` and `shown`
for texts, the rule for files that are written, files that are opened without waiting, and locked temporary folders.
Read first: `progress.py`, which names the stages of a run; then `isolation.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
