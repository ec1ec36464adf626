from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.functional.irn import irn_losses, resize_labels
from mmwsss.models.irnet import IRNet
from tests.oracles.irnet import displacement, edge_logits, edge_map_at_test_time
from tests.processes import mean_of_processes

PREPROCESSOR = {'type': 'SegDataPreProcessor', 'size': (32, 32), 'seg_pad_val': 255}
WIDTHS = (4, 6, 8, 8, 8)


class ToyStages(nn.Module):
    """Stem of stride 4, then stages of strides 4, 8, 16, 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=4, padding=1)
        self.norm = nn.BatchNorm2d(4)
        strides = (1, 2, 2, 1)
        self.layers = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride=s, padding=1)
            for i, o, s in zip(WIDTHS[:-1], WIDTHS[1:], strides)
        )

    def forward(self, x):
        x = self.norm(self.stem(x))
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return tuple(outputs)


if 'ToyStages' not in MODELS:
    MODELS.register_module(module=ToyStages)


def tiny(**changes) -> IRNet:
    torch.manual_seed(0)
    config = {
        'type': 'IRNet',
        'backbone': {'type': 'ToyStages'},
        'in_channels': WIDTHS,
        'stem': 'stem',
        'edge': {'channels': 4, 'groups': 2},
        'displacement': {
            'channels': (4, 4, 8, 8, 8),
            'groups': (2, 2, 4, 4, 4),
            'join_channels': 8,
            'join_groups': 4,
        },
        'radius': 3,
        'test_size': None,
        'data_preprocessor': PREPROCESSOR,
    }
    return MODELS.build({**config, **changes})


def sample(size=(32, 32), seed=0, **metainfo) -> SegDataSample:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.zeros(1, *size, dtype=torch.uint8)
    labels[:, : size[0] // 2] = 5
    labels[torch.rand(1, *size, generator=generator) < 0.2] = 255
    return SegDataSample(
        gt_sem_seg=PixelData(data=labels), metainfo={'img_shape': size, **metainfo}
    )


def test_widths_of_the_paper():
    backbone = {
        'type': 'ResNet',
        'depth': 50,
        'strides': (1, 2, 2, 1),
        'dilations': (1, 1, 1, 1),
    }
    model = IRNet(backbone)
    shapes = {name: tuple(p.shape[:2]) for name, p in model.named_parameters() if p.ndim == 4}
    for i, width in enumerate((64, 256, 512, 1024, 2048)):
        assert shapes[f'edge.stages.{i}.0.weight'] == (32, width)
        assert model.edge.stages[i][1].num_groups == 4
    assert shapes['edge.predict.weight'] == (1, 160)
    widths = [(64, 64), (128, 256), (256, 512), (256, 1024), (256, 2048)]
    assert [shapes[f'displacement.stages.{i}.0.weight'] for i in range(5)] == widths
    assert [unit[1].num_groups for unit in model.displacement.stages] == [8, 16, 16, 16, 16]
    assert shapes['displacement.deep.0.weight'] == (256, 768)
    assert shapes['displacement.join.0.weight'] == (256, 448)
    assert shapes['displacement.predict.weight'] == (2, 256)
    edge, displacement = model(torch.zeros(1, 3, 65, 50))
    assert edge.shape == (1, 1, 17, 13)
    assert displacement.shape == (1, 2, 17, 13)


def test_loss_is_the_functions():
    model = tiny()
    inputs = torch.randn(2, 3, 32, 32)
    samples = [sample(seed=1), sample(seed=2)]
    got = model(inputs, samples, mode='loss')
    logits, displacement = model(inputs)
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    want = irn_losses(
        logits[:, 0].sigmoid(), displacement, resize_labels(labels, (8, 8)).long(), radius=3
    )
    assert got.keys() == want.keys()
    for key in want:
        torch.testing.assert_close(got[key], want[key])
        assert got[key] > 0


def test_only_the_branches_learn():
    model = tiny()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    data = {'inputs': [torch.rand(3, 32, 32) for _ in range(2)], 'data_samples': [sample()] * 2}
    first = last = None
    for _ in range(12):
        inputs = model.data_preprocessor(data, training=True)
        total = sum(model(**inputs, mode='loss').values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        first, last = first or total.item(), total.item()
    assert last < 0.9 * first
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved
    assert not any(key.startswith('backbone') for key in moved)
    assert {key.split('.')[0] for key in moved} == {'edge', 'displacement'}
    assert all(p.grad is None for p in model.backbone.parameters())


def test_backbone_stays_in_evaluation_mode():
    model = tiny().train()
    assert model.training
    assert model.edge.training
    assert not any(module.training for module in model.backbone.modules())
    assert not model.eval().edge.training


def test_edge_maps_average_image_and_mirror():
    model = tiny().eval()
    inputs = torch.randn(1, 3, 32, 32)
    edge = model.edge_maps(inputs)
    straight = model(inputs)[0]
    mirrored = model(inputs.flip(-1))[0].flip(-1)
    torch.testing.assert_close(edge, ((straight + mirrored) / 2).sigmoid()[0])
    assert not torch.allclose(straight, mirrored, atol=1e-3)
    torch.testing.assert_close(model.edge_maps(inputs.flip(-1)).flip(-1), edge)


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.double().numpy() for name, value in module.state_dict().items()}


def shaken(**changes) -> IRNet:
    """A tiny network whose GroupNorms do something, on double numbers."""
    model = tiny(**changes).eval().double()
    for name, parameter in model.named_parameters():
        if name.startswith(('edge', 'displacement')):
            nn.init.normal_(parameter)
    nn.init.normal_(model.displacement.mean_shift)
    return model


@pytest.mark.parametrize('size', [(32, 48), (64, 32)])
def test_branches_rectify_after_the_resize_as_the_released_code(size):
    model = shaken()
    inputs = torch.randn(1, 3, *size, dtype=torch.float64)
    edge, field = (out[0].detach().numpy() for out in model(inputs))
    stages = [stage[0].numpy() for stage in model.extract_feat(inputs)]
    want = edge_logits(stages, arrays(model.edge), 2, (1, 1, 2, 4, 4))
    np.testing.assert_allclose(edge[0], want, atol=1e-10)
    want = displacement(stages, arrays(model.displacement), (2, 2, 4, 4, 4), 4)
    np.testing.assert_allclose(field, want, atol=1e-10)


@pytest.mark.parametrize('test_size', [48, 49])
@pytest.mark.parametrize('size', [(32, 32), (21, 30)])
def test_test_images_are_padded_as_the_released_code(size, test_size):
    model = shaken(test_size=(test_size, test_size))
    image = torch.randn(3, *size, dtype=torch.float64)

    def logits(padded: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(padded)[None])[0][0, 0].detach().numpy()

    want = edge_map_at_test_time(logits, image.numpy(), test_size)
    np.testing.assert_allclose(model.edge_maps(image[None])[0], want, atol=1e-10)
    if size == (32, 32):
        unpadded = shaken(test_size=None).edge_maps(image[None])[0].numpy()
        assert np.abs(unpadded - want).max() > 1e-3


def test_images_beyond_the_test_size_stay_whole():
    images = torch.randn(2, 3, 32, 64)
    padded, plain = tiny(test_size=(48, 48)).eval(), tiny().eval()
    plain.load_state_dict(padded.state_dict())
    edge = padded.edge_maps(images)
    assert edge.shape == (2, 8, 16)
    longer = torch.nn.functional.pad(images, (0, 0, 0, 16))
    torch.testing.assert_close(edge, plain.edge_maps(longer)[:, :8])


def test_mean_shift_is_subtracted_at_test_time_only():
    model = tiny()
    batches = [
        {'inputs': [torch.rand(3, 32, 32)], 'data_samples': [sample()]},
        {'inputs': [torch.rand(3, 32, 32) for _ in range(3)], 'data_samples': [sample()] * 3},
    ]
    images = torch.stack([image for batch in batches for image in batch['inputs']])
    model.displacement.mean_shift.fill_(3.0)
    mean = model.calibrate(batches)
    assert model.training
    raw = model(images)[1]
    torch.testing.assert_close(mean, raw.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(model.eval()(images)[1], raw - mean.view(1, 2, 1, 1))
    assert 'displacement.mean_shift' in model.state_dict()
    with pytest.raises(ValueError, match='at least one batch'):
        model.calibrate([])


def test_padding_is_as_in_training_when_the_shift_is_measured():
    model = tiny(
        data_preprocessor=dict(
            type='WSSSDataPreProcessor', mean=[9.0] * 3, std=[1.0] * 3, size=(32, 32)
        )
    )
    padded = sample()
    padded.set_metainfo(dict(valid_box=(4, 8, 30, 32)))
    image = torch.rand(3, 32, 32)
    mean = model.calibrate([{'inputs': [image], 'data_samples': [padded]}])
    seen = torch.zeros(1, 3, 32, 32)
    seen[:, :, 8:32, 4:30] = image[:, 8:32, 4:30] - 9
    torch.testing.assert_close(mean, model(seen)[1].mean(dim=(0, 2, 3)))


def test_two_processes_have_the_loss_of_the_whole_batch():
    model, inputs, samples = tiny(), torch.randn(2, 3, 32, 32), [sample(), sample()]
    samples[1].gt_sem_seg.data[:, :20] = 255
    whole = model.loss(inputs, samples)
    parts = [(inputs[n : n + 1], samples[n : n + 1]) for n in range(2)]
    found = mean_of_processes(model.loss, parts)
    for name, loss in whole.items():
        torch.testing.assert_close(found[name], loss)


def test_four_stages_without_stem():
    displacement = {
        'channels': (4, 8, 8, 8),
        'groups': (2, 4, 4, 4),
        'join_channels': 8,
        'join_groups': 4,
    }
    model = tiny(in_channels=WIDTHS[1:], stem=None, displacement=displacement)
    edge, moved = model(torch.randn(1, 3, 32, 32))
    assert edge.shape == (1, 1, 8, 8)
    assert moved.shape == (1, 2, 8, 8)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'in_channels': (4, 6, 8)}, r'number of in_channels must lie in \[4, inf\), but got 3'),
        ({'stem': 'maxpool'}, "stem 'maxpool' is unknown"),
        ({'displacement': {'channels': (4, 4)}}, 'as many channels and groups as in_channels'),
    ],
)
def test_bad_configs(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_wrong_widths_and_modes_are_named():
    model = tiny(in_channels=(4, 6, 8, 8, 16))
    with pytest.raises(ValueError, match=r'stages of widths \(4, 6, 8, 8, 8\)'):
        model(torch.randn(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"mode must be one of .*'loss'"):
        model(torch.randn(1, 3, 32, 32), mode='train')
