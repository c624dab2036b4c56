"""What can go wrong while vectors become a classifier.

ClassifyError          anything below, for callers who want one `except`
├── LabelError         labels cannot be read, or do not fit the store
├── SplitError         videos cannot be split as asked, or a split does not fit the store
├── TrainError         a head cannot be trained as asked
├── HeadError          a head is unknown, damaged, or cannot be written
└── EncoderMismatch    a head meets vectors of another encoder, preprocessing or sampling
"""


class ClassifyError(Exception):
    """Anything that `classify` reports to its caller."""


class LabelError(ClassifyError):
    """Labels cannot be read, or do not fit the store."""


class SplitError(ClassifyError):
    """Videos cannot be split as asked, or a split does not fit the store."""


class TrainError(ClassifyError):
    """A head cannot be trained as asked."""


class HeadError(ClassifyError):
    """A head is unknown, damaged, or cannot be written."""


class EncoderMismatch(ClassifyError):
    """A head meets vectors that were not made as those it learned from."""
