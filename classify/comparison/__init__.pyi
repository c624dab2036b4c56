from .baselines import (
    LOGISTIC_REGRESSION as LOGISTIC_REGRESSION,
    LOGISTIC_STATISTICS as LOGISTIC_STATISTICS,
    mean_vectors as mean_vectors,
    predict_baseline as predict_baseline,
)
from .candidates import (
    LOGISTIC as LOGISTIC,
    list_candidates as list_candidates,
    note_left_out as note_left_out,
    refuse_chosen as refuse_chosen,
)
from .comparison import CompareConfig as CompareConfig, compare_heads as compare_heads
from .contenders import (
    NO_DIFFERENCE as NO_DIFFERENCE,
    Comparison as Comparison,
    Contender as Contender,
    verdict as verdict,
)
from .judgement import Judgement as Judgement, judge_head as judge_head
from .prompts import make_prompts as make_prompts
from .selection import (
    AUTO as AUTO,
    BUDGET_S as BUDGET_S,
    Selection as Selection,
    Tried as Tried,
    choose_recipe as choose_recipe,
)
from .trial_files import refuse_comparison_folder as refuse_comparison_folder
from .trials import Trial as Trial, TrialPlan as TrialPlan, run_trials as run_trials
