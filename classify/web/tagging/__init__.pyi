from .jobs import Job as Job, Upload as Upload
from .receiving import receive_files as receive_files
from .tagger import Tagger as Tagger
