"""Train a small CLIP from scratch on the demo data's image labels, for CLIP-ES and WeCLIP to be tried with.

Images and the texts of their classes are pulled together: cross-entropy of CLIP's softmax over all texts
against the classes of the image, evenly. The file is of the layout that ``mmwsss weights clip`` writes::

    python .dev/clip_demo.py work_dirs/clip_demo.pth
    mmwsss maps configs/clip_es/clip_es_tiny_demo.py work_dirs/clip_demo.pth --out work_dirs/clip_es/maps
"""

from __future__ import annotations

import argparse
import time

import torch
import torch.nn.functional as F
from mmengine.runner import set_random_seed
from mmseg.models.text_encoder import CLIPTextEncoder
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import tokenizer
from torch import Tensor

from generated_pages import ROOT
from mmwsss.models.classifiers.clip_es import CLIPESLocalizer, pooled
from mmwsss.utils.config import load_config

CONFIG = ROOT / 'configs/clip_es/clip_es_tiny_demo.py'
BATCH = 16


def text_features(encoder: CLIPTextEncoder, words: Tensor) -> Tensor:
    """Scaled text features (T, D) with gradients, which mmseg's encoder gives none."""
    encode = CLIPTextEncoder.encode_text.__wrapped__
    features: Tensor = encode(encoder, words, normalize=True)
    return features * encoder.logit_scale.exp()


def image_features(model: CLIPESLocalizer, images: Tensor) -> Tensor:
    """Features (N, D) as CLIP-ES takes them: of the mean patch."""
    tokens, _ = model.backbone.embed(images)
    for block in model.backbone.layers[:-1]:
        tokens = block(tokens)
    return F.normalize(pooled(model.backbone, tokens)[0], dim=1)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('out', help='file for the weights')
    parser.add_argument('--data', default='data/demo', help='folder of the demo data')
    parser.add_argument('--steps', type=int, default=400)
    parser.add_argument('--rate', type=float, default=1e-3)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    set_random_seed(args.seed)  # of augmentations, too
    cfg = load_config(str(CONFIG), {'data_root': args.data})
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    model: CLIPESLocalizer = MODELS.build(cfg.model)
    model.init_weights()
    model.requires_grad_(True)
    model.train()
    encoder = model.head.text_encoder
    template = encoder.templates[0]
    words = tokenizer.tokenize([template.format(text) for text in encoder.vocabulary])
    optimizer = torch.optim.AdamW(model.parameters(), args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.rate, 3 * args.steps // 2, pct_start=0.1
    )
    start, total = time.monotonic(), 0.0
    for step in range(1, args.steps + 1):
        items = [dataset[int(i)] for i in torch.randint(len(dataset), (BATCH,))]
        samples = [item['data_samples'] for item in items]
        inputs = {'inputs': [item['inputs'] for item in items], 'data_samples': samples}
        images = model.data_preprocessor(inputs, training=True)['inputs']
        labels = torch.stack([sample.gt_label.float() for sample in samples])
        labels = F.pad(labels, (0, len(words) - labels.shape[1]))  # no image is said to show ground
        logits = image_features(model, images) @ text_features(encoder, words).T
        loss = F.cross_entropy(logits, labels / labels.sum(dim=1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 50 == 0:
            pace = (time.monotonic() - start) / step
            print(f'{step}/{args.steps}: loss {total / 50:.3f}, {pace:.2f} s', flush=True)
            total = 0.0
        if step % 200 == 0 or step == args.steps:
            torch.save({'state_dict': model.state_dict(), 'meta': {}}, args.out)


if __name__ == '__main__':
    main()
