"""Training hooks."""

from mmwsss.engine.hooks.channels_last_hook import ChannelsLastHook
from mmwsss.engine.hooks.check_initial_weights import CheckInitialWeightsHook
from mmwsss.engine.hooks.check_num_classes import CheckNumClassesHook
from mmwsss.engine.hooks.ewc_hook import EWCHook
from mmwsss.engine.hooks.irnet_calibration_hook import IRNetCalibrationHook
from mmwsss.engine.hooks.iteration_seed_hook import IterationSeedHook
from mmwsss.engine.hooks.map_visualization_hook import MapVisualizationHook
from mmwsss.engine.hooks.rank_mean_hook import RankMeanHook

__all__ = [
    'ChannelsLastHook',
    'CheckInitialWeightsHook',
    'CheckNumClassesHook',
    'EWCHook',
    'IRNetCalibrationHook',
    'IterationSeedHook',
    'MapVisualizationHook',
    'RankMeanHook',
]
