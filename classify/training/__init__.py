"""Vectors and labels -> a trained head, alone or many at once.

In: `LabelledSet` (videos of a store with targets), a head, and a `TrainConfig`.
Out: `TrainingRun`: the head with its best weights, temperature, thresholds and history.
Read first: `training.py`; `recipe.py` has what can be set, `batches.py` how videos become batches.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
