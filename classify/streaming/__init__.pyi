from .config import StreamConfig as StreamConfig, StreamSummary as StreamSummary
from .journal import Result as Result
from .predicting import (
    predictions_of as predictions_of,
    stream_predictions as stream_predictions,
    text_format_of as text_format_of,
)
from .rules import LabelRule as LabelRule
from .sheets import draw_hits as draw_hits, is_sheet as is_sheet
from .texts import clock_text as clock_text, moments_text as moments_text
from .watching import watch_folders as watch_folders
