"""What is learned from: labels of videos, and their split into train, validation and test.

In: a store's ids, label files (CSV, JSON lines), and vectors where near duplicates are looked for.
Out: `LabelTable`, `Split`, and the files that hold them.
Read first: `labels.py`, then `splits.py`.
"""
