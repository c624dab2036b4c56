from .evidence import (
    Evidence as Evidence,
    LabellingHead as LabellingHead,
    evidence_of as evidence_of,
    find_evidence as find_evidence,
    read_evidence as read_evidence,
)
from .spans import Moment as Moment, spans_of as spans_of
