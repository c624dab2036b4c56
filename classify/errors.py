"""The exceptions of `classify`.

ClassifyError          anything below, for callers who want one `except`
├── LabelError         labels cannot be read, or do not match the store
├── SplitError         videos cannot be split as asked, or a split does not match the store
├── TrainError         a head cannot be trained as asked
├── HeadError          a head is unknown, damaged, or cannot be written
└── EncoderMismatch    a head gets vectors of another encoder, preprocessing or sampling
"""


class ClassifyError(Exception):
    """The parent of all exceptions of `classify`."""


class LabelError(ClassifyError):
    """Labels cannot be read, or do not match the store."""


class SplitError(ClassifyError):
    """Videos cannot be split as asked, or a split does not match the store."""


class TrainError(ClassifyError):
    """A head cannot be trained as asked."""


class HeadError(ClassifyError):
    """A head is unknown, damaged, or cannot be written."""


class EncoderMismatch(ClassifyError):
    """A head gets vectors that were not made like those that it was trained on."""
