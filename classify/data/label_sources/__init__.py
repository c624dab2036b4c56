"""Where the labels of videos are from: label files, and the folders that videos lie in.

In: a listing of videos, and a label file (CSV, JSON lines) or the level of the folder that is the label.
Out: `FoundLabels`, with notes for people.
Read first: `found_labels.py`, then `label_files.py` and `matching.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
