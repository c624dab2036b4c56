from .fetching import FetchConfig as FetchConfig, Fetcher as Fetcher
from .file_states import FileState as FileState, WatchedFile as WatchedFile, hash_content as hash_content
from .kept_addresses import without_addresses as without_addresses, without_secrets as without_secrets
from .locations import is_remote as is_remote, is_same_place as is_same_place
from .random_access import RandomAccessFile as RandomAccessFile
from .roots import (
    Roots as Roots,
    holds_video as holds_video,
    is_gone as is_gone,
    place_of as place_of,
    roots_of as roots_of,
)
from .sparse_copies import END_BYTES as END_BYTES, Span as Span, SparseCopy as SparseCopy
from .sparse_reading import NotFetched as NotFetched, SparseFile as SparseFile, read_few_frames as read_few_frames
from .transfers import problem_of as problem_of
from .videos import (
    Sources as Sources,
    Video as Video,
    each_source as each_source,
    find_videos as find_videos,
)
