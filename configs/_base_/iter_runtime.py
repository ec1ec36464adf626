# The runtime of trainings that count iterations instead of epochs.
_base_ = './default_runtime.py'

default_hooks = dict(
    logger=dict(interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=2000),
)
log_processor = dict(by_epoch=False)
