from .data import describe_dataset as describe_dataset, split_videos as split_videos
from .front_door import framehead as framehead
from .learning import learn as learn
from .predicting import predict_videos as predict_videos
from .refreshing import refresh_head as refresh_head
from .searching import search_videos as search_videos
from .serving import serve_videos as serve_videos
from .training import compare_heads as compare_heads, train_head as train_head
from .using import evaluate_head as evaluate_head, export_head as export_head
