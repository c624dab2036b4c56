from .fitting import PcaConfig as PcaConfig, PcaReport as PcaReport, fit_pca as fit_pca
from .pca import Pca as Pca, digest_videos as digest_videos, find_pca as find_pca, read_pca as read_pca
from .reducing import ReduceReport as ReduceReport, reduce_store as reduce_store
