"""CLIP's names there and back, and the features that open_clip computes from the same weights."""

from __future__ import annotations

import importlib.util
import runpy
import sys
import types
from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS
from mmseg.utils import tokenizer
from torch import nn

from mmwsss.models.convert import clip_to_mmwsss, mmwsss_to_clip
from mmwsss.utils.config import load_config

ROOT = Path(__file__).parents[3]
VISION = dict(image_size=48, layers=3, width=64, head_width=32, patch_size=16)
TEXT = dict(context_length=77, vocab_size=49408, width=32, heads=2, layers=2)


@pytest.fixture(scope='module')
def open_clip():
    """``open_clip.model`` without what its package imports: torchvision, which is there only in name."""
    spec = importlib.util.find_spec('open_clip')
    if spec is None:
        pytest.skip('open_clip is not installed')
    with pytest.MonkeyPatch.context() as patch:
        package = types.ModuleType('open_clip')
        package.__path__ = list(spec.submodule_search_locations)
        patch.setitem(sys.modules, 'open_clip', package)
        if importlib.util.find_spec('torchvision') is None:
            for name in ('torchvision', 'torchvision.ops', 'torchvision.ops.misc'):
                patch.setitem(sys.modules, name, types.ModuleType(name))
            sys.modules['torchvision.ops.misc'].FrozenBatchNorm2d = nn.BatchNorm2d
        yield importlib.import_module('open_clip.model')
        for name in [name for name in sys.modules if name.startswith('open_clip.')]:
            del sys.modules[name]


@pytest.fixture(scope='module')
def theirs(open_clip):
    torch.manual_seed(0)
    model = open_clip.CLIP(
        embed_dim=24,
        vision_cfg=open_clip.CLIPVisionCfg(**VISION),
        text_cfg=open_clip.CLIPTextCfg(**TEXT),
        quick_gelu=True,
    ).eval()
    for parameter in model.parameters():  # biases and norms, too, must be no constants
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


def ours_of(weights):
    cfg = load_config(ROOT / 'configs/clip_es/clip_es_vitb16_voc.py').model
    cfg.backbone.update(img_size=(48, 48), embed_dims=64, num_layers=3, num_heads=2, output_dims=24)
    cfg.head.text_encoder = dict(embed_dims=32, num_layers=2, num_heads=2, output_dims=24)
    cfg.affinity_blocks = 2
    model = MODELS.build(cfg)
    model.load_state_dict(weights)
    return model.eval()


@torch.no_grad()
def test_features_are_those_of_open_clip(theirs):
    weights, naming = clip_to_mmwsss(theirs.state_dict())
    assert naming == 'openai'
    model = ours_of(weights)
    images = torch.randn(2, 3, 48, 48)
    tokens, _ = model.backbone.embed(images)
    for block in model.backbone.layers:
        tokens = block(tokens)
    found = model.backbone.norm1(tokens)[:, 0] @ model.backbone.proj
    wanted = theirs.encode_image(images)
    assert (found - wanted).abs().max() < 1e-4
    tokens = tokenizer.tokenize(['a clean origami bird avian.', 'sky'])
    found, wanted = model.head.text_encoder.encode_text(tokens), theirs.encode_text(tokens)
    assert (found - wanted).abs().max() < 1e-4
    assert wanted.abs().max() > 0.1


def test_attention_is_kept_without_changing_the_features(theirs):
    model = ours_of(clip_to_mmwsss(theirs.state_dict())[0]).backbone
    tokens, grid = model.embed(torch.randn(1, 3, 32, 64))
    assert grid == (2, 4)
    wanted = model.layers[0](tokens)
    found, attention = model.run_block(0, tokens)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(attention.sum(dim=-1), torch.ones(1, 9), atol=1e-5)


@pytest.mark.parametrize('naming', ['openai', 'huggingface'])
def test_there_and_back(theirs, naming):
    ours, _ = clip_to_mmwsss(theirs.state_dict())
    released = mmwsss_to_clip(ours, naming)
    back, found = clip_to_mmwsss(released)
    assert found == naming
    assert back.keys() == ours.keys() == ours_of(ours).state_dict().keys()
    assert all(torch.equal(back[key], value) for key, value in ours.items())
    if naming == 'openai':
        assert released.keys() == theirs.state_dict().keys()
        assert all(torch.equal(released[k], v) for k, v in theirs.state_dict().items())


# Names and shapes of a few weights in the files of transformers' CLIPModel.
HF_SHAPES = {
    'logit_scale': (),
    'text_projection.weight': (24, 32),
    'visual_projection.weight': (24, 64),
    'vision_model.embeddings.class_embedding': (64,),
    'vision_model.embeddings.patch_embedding.weight': (64, 3, 16, 16),
    'vision_model.embeddings.position_embedding.weight': (10, 64),
    'vision_model.pre_layrnorm.bias': (64,),
    'vision_model.post_layernorm.weight': (64,),
    'vision_model.encoder.layers.2.self_attn.k_proj.weight': (64, 64),
    'vision_model.encoder.layers.2.self_attn.out_proj.bias': (64,),
    'vision_model.encoder.layers.2.layer_norm2.bias': (64,),
    'vision_model.encoder.layers.2.mlp.fc1.weight': (256, 64),
    'text_model.embeddings.token_embedding.weight': (49408, 32),
    'text_model.embeddings.position_embedding.weight': (77, 32),
    'text_model.encoder.layers.1.self_attn.v_proj.bias': (32,),
    'text_model.encoder.layers.1.mlp.fc2.weight': (32, 128),
    'text_model.final_layer_norm.weight': (32,),
}


def test_hugging_faces_names_and_shapes(theirs):
    released = mmwsss_to_clip(clip_to_mmwsss(theirs.state_dict())[0], 'huggingface')
    assert {key: tuple(released[key].shape) for key in HF_SHAPES} == HF_SHAPES
    whole = theirs.state_dict()['visual.transformer.resblocks.2.attn.in_proj_weight']
    part = released['vision_model.encoder.layers.2.self_attn.k_proj.weight']
    assert torch.equal(part, whole[64:128])
    assert len(released) == 8 + 3 * 2 + (3 + 2) * 16


def test_leftovers_and_missing_weights_are_named(theirs):
    extra = dict(input_resolution=torch.tensor(48), attn_mask=torch.zeros(77, 77))  # no weights
    state = {**theirs.state_dict(), **extra}
    clip_to_mmwsss(state)
    state['visual.attnpool.bias'] = state.pop('visual.proj')
    with pytest.raises(
        ValueError, match=r"left over: 'visual\.attnpool\.bias'; missing: 'visual\.proj'"
    ):
        clip_to_mmwsss(state)
    ours, _ = clip_to_mmwsss(theirs.state_dict())
    ours['head.classifier.weight'] = ours.pop('backbone.proj')
    with pytest.raises(
        ValueError, match=r"left over: 'head\.classifier.*missing: 'backbone\.proj'"
    ):
        mmwsss_to_clip(ours)


def test_the_tool_reads_safetensors(theirs, tmp_path, capsys):
    safetensors = pytest.importorskip('safetensors.torch')
    main = runpy.run_path(str(ROOT / 'tools/model_converters/clip.py'))['main']
    half = {k: v.half().contiguous() for k, v in theirs.state_dict().items()}
    safetensors.save_file(half, tmp_path / 'clip.safetensors')
    source, target, back = (str(tmp_path / n) for n in ('clip.safetensors', 'ours.pth', 'back.pth'))
    assert main([source, target]) == 0
    assert main([target, back, '--reverse']) == 0
    found = torch.load(back, weights_only=True)
    assert all(torch.equal(found[key], value.float()) for key, value in half.items())
    assert {value.dtype for value in found.values()} == {torch.float32}
    assert main([target, str(tmp_path / 'without_suffix'), '--reverse']) == 0
    assert (tmp_path / 'without_suffix').stat().st_size > 1000
    assert main([target, str(tmp_path), '--reverse']) == 2
    assert f'error: the file to write is a folder: {tmp_path}' in capsys.readouterr().err
    assert main([target, str(tmp_path / 'ours.pth/x.pth'), '--reverse']) == 2
    assert 'x.pth cannot be written: ' in capsys.readouterr().err
    assert main([source, target]) == 0  # warns, too
    assert main([str(tmp_path / 'none.safetensors'), target]) == 2
    error = capsys.readouterr().err
    assert 'warning: the configs are of a ViT-B/16' in error  # these weights are of a smaller one
    assert f'not found: {tmp_path / "none.safetensors"}' in error
    assert 'model.safetensors of openai/clip-vit-base-patch16' in error
    (tmp_path / 'cut.safetensors').write_bytes((tmp_path / 'clip.safetensors').read_bytes()[:99])
    assert main([str(tmp_path / 'cut.safetensors'), target]) == 2
    assert 'cannot be read' in capsys.readouterr().err
