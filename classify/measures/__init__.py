"""What is said of a head: F1, ranking measures, calibration, thresholds, and intervals around them.

In: logits or probabilities (N, C), and targets (N, C); groups where videos belong together.
Out: `Metrics`, `RankingMetrics`, `Interval`, `Evaluation`.
Read first: `metrics.py`, then `evaluation.py`, which puts all of them together.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
