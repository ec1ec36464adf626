"""ReCAM, AMN, SEAM and MCTformer+: trained for four iterations, resumed, asked for maps of odd sizes."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmseg.structures import SegDataSample

from mmwsss.stages.train import build_runner
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.tiny_models import localizer_config

HEADS = {
    'ReCAMHead': dict(in_channels=64),
    'AMNHead': dict(in_channels=64, dilations=(1, 2)),
    'SEAMHead': dict(in_channels=64, side_in_channels=(16, 32), side_channels=(4, 4)),
    'MCTformerHead': dict(in_channels=16, attention_layers=2),
}
TOKENS = dict(
    type='MCTVisionTransformer',
    num_classes=5,
    img_size=64,
    embed_dims=16,
    num_layers=2,
    num_heads=2,
)


def config(root, name, work_dir, **kwargs):
    cfg = localizer_config(root, head=dict(type=name, num_classes=5, **HEADS[name]))
    cfg.update(work_dir=str(work_dir), val_dataloader=None, val_evaluator=None, val_cfg=None)
    cfg['train_cfg'] = dict(type='EpochBasedTrainLoop', max_epochs=2)
    cfg['optim_wrapper']['optimizer']['lr'] = 0.01
    if name == 'MCTformerHead':
        cfg['model']['backbone'] = TOKENS
    if name == 'AMNHead':
        cfg['model']['data_preprocessor']['seg_pad_val'] = 255
        dataset = cfg['train_dataloader']['dataset']
        dataset['pseudo_mask_dir'] = str(root / 'SegmentationClass')
        dataset['pipeline'].insert(1, dict(type='LoadMask'))
    return Config({**cfg, **kwargs})


@pytest.mark.parametrize('name', HEADS)
def test_trains_resumes_and_maps_odd_sizes(demo_root, tmp_path, name):
    whole = build_runner(config(demo_root, name, tmp_path / 'whole'))
    whole.train()
    first = tmp_path / 'whole/epoch_1.pth'
    again = config(demo_root, name, tmp_path / 'again', load_from=str(first), resume=True)
    build_runner(again).train()
    one, two = (
        load_checkpoint_file(tmp_path / run / 'epoch_2.pth')['state_dict']
        for run in ('whole', 'again')
    )
    start = load_checkpoint_file(first)['state_dict']
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    moved = [
        key for key in one if key.startswith('head.') and not torch.equal(one[key], start[key])
    ]
    assert len(moved) == len([key for key in one if key.startswith('head.')])

    model = whole.model.eval()
    for size in ((45, 67), (17, 90)):
        sample = SegDataSample()
        sample.gt_label = torch.tensor([0.0, 1, 0, 1, 0])
        image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
        found = model.test_step(dict(inputs=[image], data_samples=[sample]))[0]
        keys = found.pred_map_keys.tolist()
        assert keys == ([0, 2, 4] if model.head.has_background else [2, 4])
        assert found.pred_map_scores.shape == (len(keys), *size)
        assert 0 <= found.pred_map_scores.min() <= found.pred_map_scores.max() <= 1
