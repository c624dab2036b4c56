from .answers import DecodedVideo as DecodedVideo, DecodePlan as DecodePlan
from .pool import DecodePool as DecodePool, decode_videos as decode_videos, default_worker_count as default_worker_count
from .process import DecodeLimits as DecodeLimits, DecodeProcess as DecodeProcess
