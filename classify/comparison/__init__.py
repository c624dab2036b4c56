"""Several heads held against each other and against baselines, and the choice of one.

In: a store, labels, folds, and what is to be compared.
Out: `Comparison` (mean, deviation, interval, paired differences), and `choose_recipe` behind `--arch auto`.
Read first: `comparison.py`; `trials.py` runs the trainings, `selection.py` is `auto`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
