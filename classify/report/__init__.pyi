from .comparison_texts import comparison_text as comparison_text
from .dataset import describe_dataset as describe_dataset, description_text as description_text
from .experiment_plots import (
    plot_confidence as plot_confidence,
    plot_curves as plot_curves,
    plot_mixup as plot_mixup,
    plot_videos as plot_videos,
)
from .page import (
    check_page_packages as check_page_packages,
    write_evaluation_page as write_evaluation_page,
    write_page as write_page,
)
from .texts import (
    evaluation_text as evaluation_text,
    export_text as export_text,
    folds_text as folds_text,
    report_text as report_text,
    split_text as split_text,
)
from .trackers import TRACKERS as TRACKERS, check_tracker as check_tracker, log_training as log_training
