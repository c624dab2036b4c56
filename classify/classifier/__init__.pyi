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
from .prediction_files import (
    COLUMNS as COLUMNS,
    OF_LABEL as OF_LABEL,
    describe_predictions_file as describe_predictions_file,
    plain_cell as plain_cell,
)
from .prediction_texts import count_text as count_text, predictions_text as predictions_text
from .predictions import (
    Prediction as Prediction,
    Predictions as Predictions,
    Probabilities as Probabilities,
    failure_cells as failure_cells,
    failure_text as failure_text,
    failure_to_json as failure_to_json,
    pair_cells as pair_cells,
)
from .youtube8m_files import (
    PAIR_COLUMNS as PAIR_COLUMNS,
    describe_pairs_file as describe_pairs_file,
    number_labels as number_labels,
    refuse_new_videos as refuse_new_videos,
)
