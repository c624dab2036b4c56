from .classifier import VideoClassifier as VideoClassifier
from .embedding import HeadEmbedder as HeadEmbedder
from .estimator import VideoHeadClassifier as VideoHeadClassifier
from .export import ExportSummary as ExportSummary, export_head as export_head
from .head_folder import (
    refuse_edited_labels as refuse_edited_labels,
    refuse_output_folder as refuse_output_folder,
)
from .kept_pca import keep_pca as keep_pca
from .learned import (
    LEARNED_FILE as LEARNED_FILE,
    digest_videos as digest_videos,
    list_learned as list_learned,
    read_learned as read_learned,
)
from .predict_config import PredictConfig as PredictConfig
from .prediction import (
    embed_labels as embed_labels,
    grab_frames as grab_frames,
    predict_videos as predict_videos,
)
from .prediction_texts import count_text as count_text, predictions_text as predictions_text
from .predictions import Prediction as Prediction, Predictions as Predictions
