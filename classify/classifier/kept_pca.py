"""The PCA that reduced the vectors of a head, kept in its folder: new videos are reduced by the same one.

head/pca.safetensors    a copy of the file that fit-pca wrote, if the head learned from reduced vectors
"""

from collections.abc import Sequence
from pathlib import Path

from classify.classifier.head_folder import FINISHED, PCA_FILE
from classify.errors import HeadError
from embed import find_pca, read_pca
from embed.machine import counted, read_regular
from embed.store import EmbeddingStore, Provenance


def keep_pca(store: EmbeddingStore, test_ids: Sequence[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Find the PCA of a store's vectors.

    Args:
        store: the open store. The PCA is looked for beside it, and where it was when the store was made.
        test_ids: the videos on which a head is measured.

    Returns:
        name -> content of the file to keep in the head's folder, empty if there is none; and notes, where it is lost
        or was fitted on videos of the test.
    """
    reduction = store.provenance.encoder.reduction
    if reduction is None:
        return {}, ()
    path = find_pca(reduction, [store.path.parent])
    if path is None:
        return {}, (
            f"The vectors were reduced by a PCA that is neither at {reduction.source} nor beside the store, so the "
            f"head can label stores but no new videos. Copy the file into its folder as {PCA_FILE} to mend this.",
        )
    seen = int(read_pca(path).was_fitted_on(store, test_ids).sum())
    leak = (
        f"The PCA of these vectors was fitted on {counted(seen, 'test video')} too (without labels), so the figures "
        "may be a little high. For honest ones, fit it with fit-pca --split, and reduce the vectors again."
    )
    return {PCA_FILE: read_regular(path)}, (leak,) if seen else ()


def pca_of(head: str | Path, provenance: Provenance) -> str | None:
    """Return the path of the PCA that reduces new videos for a head; None if its vectors are not reduced.

    Raises:
        HeadError: it is neither in the head's folder nor where it was.
    """
    reduction = provenance.encoder.reduction
    if reduction is None:
        return None
    path = find_pca(reduction, [Path(head, FINISHED), head])
    if path is None:
        raise HeadError(
            f"{head} learned from vectors that were reduced ({reduction}), but the PCA is neither in its folder nor at "
            f"{reduction.source}. Copy the file that fit-pca wrote into {head} as {PCA_FILE}."
        )
    return str(path)
