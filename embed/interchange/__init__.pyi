from .exporting import ExportSummary as ExportSummary, export_youtube8m as export_youtube8m
from .importing import (
    ImportConfig as ImportConfig,
    ImportSummary as ImportSummary,
    import_youtube8m as import_youtube8m,
)
from .youtube8m import FAMILY as FAMILY
