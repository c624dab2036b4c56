"""The matrices of YouTube-8M's own PCA, as its feature extractor keeps them in `~/yt8m`.

    mean.npy        (D, 1)
    eigenvals.npy   (D, 1)   largest first
    eigenvecs.npy   (D, D)   one eigenvector a row, not scaled

Source: https://github.com/google/youtube-8m, `feature_extractor/feature_extractor.py`, `_load_pca`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.errors import ReductionError

FILES = ("mean.npy", "eigenvals.npy", "eigenvecs.npy")


def has_matrices(folder: Path) -> bool:
    """Return True if a folder holds all three files."""
    return all(Path(folder, name).is_file() for name in FILES)


def read_matrices(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean (D,), all eigenvalues (D,) and all eigenvectors (D, D), one a row.

    Raises:
        ReductionError: a file is no array, or they do not fit together.
    """
    mean, eigenvalues, eigenvectors = (_read(Path(folder, name)) for name in FILES)
    mean, eigenvalues = mean.reshape(-1), eigenvalues.reshape(-1)
    if eigenvectors.shape != (len(eigenvalues), len(mean)):
        raise ReductionError(
            f"The eigenvectors in {folder} are {eigenvectors.shape}, but there are {len(eigenvalues)} eigenvalues and "
            f"{len(mean)} means. Name a folder with {', '.join(FILES)} of one PCA."
        )
    return mean, eigenvalues, eigenvectors


def _read(path: Path) -> NDArray[np.float32]:
    try:
        found: Any = np.load(path, allow_pickle=False)
        matrix = np.asarray(found, dtype=np.float32)
        if not np.isfinite(matrix).all():
            raise ValueError("a value is not finite")
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise ReductionError(f"{path} cannot be read as an array: {error}. Get the file again.") from error
    return matrix
