"""The commands of `embed`, and the parts that all commands share.

In: the command line.
Out: `embed_videos`, `inspect_embeddings`, `fit_pca`, `reduce_store`, `join_stores`, `find_duplicates`, `import_yt8m`
and `export_yt8m` as click commands; `Command`, `option` and the like for other commands.
Read first: `command.py`; each command has a file of its own.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
