from .exporting import export_youtube8m as export_youtube8m
from .import_plan import ImportConfig as ImportConfig
from .importing import import_youtube8m as import_youtube8m
from .summaries import ExportSummary as ExportSummary, ImportSummary as ImportSummary
from .vocabulary import read_label_numbers as read_label_numbers
from .youtube8m import FAMILY as FAMILY
