from .log import Correction as Correction, CorrectionLog as CorrectionLog, state_path as state_path
