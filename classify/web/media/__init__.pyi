from .frames import FrameReader as FrameReader
from .kinds import SNIFFED_BYTES as SNIFFED_BYTES, kind_of as kind_of
from .local_files import local_video as local_video
