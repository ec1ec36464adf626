# The runtime of trainings sized for a CPU: channels-last weights; the schedules beside it use bfloat16.
_base_ = './default_runtime.py'
custom_hooks = [
    dict(type='IterationSeedHook'),
    dict(type='CheckNumClassesHook'),
    dict(type='CheckInitialWeightsHook'),
    dict(type='ChannelsLastHook'),
]
