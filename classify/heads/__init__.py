"""Heads: from the vectors of a video to one logit a class, one file an architecture."""
