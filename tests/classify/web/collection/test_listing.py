"""What to label next: doubtful, and unlike anything labelled."""

from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from classify.corrections import Correction
from classify.data import LabelConfig
from classify.web.collection import Filter, doubts_of, list_places, open_collection


def test_what_to_label_next_is_the_mean_of_two_ranks_and_what_is_labelled_comes_last(
    collection: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("id,labels\nmoving/3.mp4,moving\n")
    found = open_collection(collection / "head", collection / "embeddings.h5", LabelConfig(tmp_path / "labels.csv"))
    corrected = {"numbered/0.mp4": Correction("numbered/0.mp4", ())}
    with found.store:
        order = list_places(found, corrected, Filter(), "next").tolist()
        ids = [found.ids[place] for place in order]
        means = np.stack([found.store.read(one).vectors.astype(np.float32).mean(axis=0) for one in found.ids])
    assert set(ids[-2:]) == {"moving/3.mp4", "numbered/0.mp4"}
    centred = means - means.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    known = [found.ids.index(one) for one in ("moving/3.mp4", "numbered/0.mp4")]
    novelty = (1 - (centred @ centred[known].T).max(axis=1)).clip(0, 1)
    ranks = [rankdata(values, "dense") - 1 for values in (doubts_of(found.probabilities, None), novelty)]
    wishes = sum(rank / rank.max() for rank in ranks)
    open_ones = [place for place in order if place not in known]
    assert open_ones == sorted(open_ones, key=lambda place: (-wishes[place], place))
