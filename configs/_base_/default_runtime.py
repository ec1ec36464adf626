# Shared by every config: what to import, hooks, logging, the seed.
custom_imports = dict(imports=['mmwsss'], allow_failed_imports=False)
default_scope = 'mmseg'
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)
default_hooks = dict(
    runtime_info=dict(type='RankMeanHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10, log_metric_by_epoch=True),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=1, max_keep_ckpts=2, backend_args=dict(backend='whole')
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    check_num_classes=dict(type='CheckNumClassesHook'),
    check_initial_weights=dict(type='CheckInitialWeightsHook'),
)
# To see class maps and masks during training, add dict(type='MapVisualizationHook', interval=1, num_images=4)
# to custom_hooks, and dict(type='TensorboardVisBackend') to vis_backends for TensorBoard.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
