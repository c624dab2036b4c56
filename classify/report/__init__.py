"""What people see of a training run: report.html, suspects.csv, plots, tables, texts of the commands, trackers.

In: `TrainingReport`, `Comparison`, `DatasetDescription` and the like.
Out: an HTML page that loads nothing from anywhere, a label file to correct, pictures, and text for a terminal.
Read first: `page.py` for the page, `texts.py` for the terminal.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
