"""Training hooks."""

from mmwsss.engine.hooks.channels_last_hook import ChannelsLastHook
from mmwsss.engine.hooks.check_initial_weights import CheckInitialWeightsHook
from mmwsss.engine.hooks.check_num_classes import CheckNumClassesHook
from mmwsss.engine.hooks.random_state_hook import RandomStateHook

__all__ = ['ChannelsLastHook', 'CheckInitialWeightsHook', 'CheckNumClassesHook', 'RandomStateHook']
