"""Comparisons of heads with each other and with baselines, and the choice of a head and its recipe.

In: a store, labels, folds, and the names of what to compare.
Out: `Comparison` (micro-F1, deviation, interval, paired differences), `Judgement` (baselines beside one head), and
`choose_recipe` behind `--arch auto`.
Read first: `comparison.py`; `trials.py` runs the training runs, `selection.py` is `auto`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
