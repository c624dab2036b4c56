"""Training: from vectors and labels to a trained head, or to several heads that train at once.

In: `LabelledSet` (videos of a store with targets), a head, and a `TrainConfig`.
Out: `TrainingRun`: the trained head with its thresholds and history.
Read first: `training.py`; `recipe.py` lists the settings, `batches.py` shows how videos become batches.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
