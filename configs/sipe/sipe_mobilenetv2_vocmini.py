# SIPE on the 149 training images of voc_mini, small enough for a CPU.
_base_ = [
    '../_base_/models/sipe_mobilenetv2.py',
    '../_base_/datasets/vocmini_cls.py',
    '../_base_/schedules/schedule_vocmini_cls.py',
    '../_base_/cpu_runtime.py',
]
# 149 images make a weaker classifier, whose seeds spill over: the background counts more than the
# paper's 0.5. The value was chosen on the masks of the 21 validation images.
model = dict(head=dict(bg_attenuation=0.75))
mask_cfg = dict(refiners=[])
