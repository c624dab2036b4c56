"""Figures of a head: F1, ranking measures, calibration, thresholds, and confidence intervals.

In: probabilities (N, C) and targets (N, C); groups where videos belong together.
Out: `Metrics`, `RankingMetrics`, `Interval`, `Evaluation`.
Read first: `metrics.py`, then `evaluation.py`, which combines all of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
