"""CLIP-ES: class maps of a frozen CLIP, without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.functional.checks import check_range
from mmwsss.functional.clip_es import affinity_refine, attention_affinity, gradient_maps
from mmwsss.functional.multi_scale import resize_image, scale_view
from mmwsss.models.backbones.clip_vit import CLIPVisionTransformer
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.utils.names import name_some
from mmwsss.utils.precision import autocast

__all__ = ['CLIPESLocalizer', 'CLIPTextHead', 'frozen_blocks', 'text_maps']


@MODELS.register_module()
class CLIPTextHead(BaseModule):
    """Texts of the classes and of the background, and CLIP's encoder of them.

    Args:
        num_classes: Foreground classes K.
        class_texts: What each class is called, K texts; ``'auto'`` in a config: the dataset's names.
        background_texts: What may be seen beside the classes.
        sharper: Longer texts of some of ``class_texts``, such as ``{'bird': 'bird avian'}``.
        template: Into which each text goes.
        text_encoder: Arguments of mmseg's ``CLIPTextEncoder``.
        init_cfg: MMEngine initialisation.

    Raises:
        TypeError: A text is none.
        ValueError: There are not K texts, no background texts, one that is a class's, too, a key of
            ``sharper`` that is no class's, or ``template`` has no ``{}``.
    """

    has_background = True

    def __init__(
        self,
        num_classes: int,
        class_texts: Sequence[str],
        background_texts: Sequence[str],
        sharper: Mapping[str, str] | None = None,
        template: str = 'a clean origami {}.',
        text_encoder: Mapping[str, Any] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if isinstance(class_texts, str) or len(class_texts) != num_classes:
            raise ValueError(
                f'class_texts must be {num_classes} texts (num_classes), but got {class_texts!r}'
            )
        if isinstance(background_texts, str) or not background_texts:
            raise ValueError(
                'background_texts must name something beside the classes, which the only class of an image '
                f'is told from, but got {background_texts!r}'
            )
        if '{}' not in template:
            raise ValueError(
                f"template must hold '{{}}', where the text goes, but got {template!r}"
            )
        sharper = sharper or {}
        for text in (*class_texts, *background_texts, *sharper.values()):
            if not isinstance(text, str):
                raise TypeError(
                    f'texts must be str, but got {text!r}; on a command line, commas make a list: '
                    'set texts that hold some in a config'
                )
        if unknown := [name for name in sharper if name not in class_texts]:
            raise ValueError(
                f'sharper must have keys among class_texts, but has {name_some(unknown)}; '
                f'class_texts: {name_some(class_texts)}'
            )
        self.num_classes = num_classes
        of_classes = [sharper.get(text, text) for text in class_texts]
        texts = of_classes + list(background_texts)
        if both := set(background_texts) & {*class_texts, *of_classes}:
            raise ValueError(
                f'background_texts must not name classes, but have {name_some(sorted(both))}: leave '
                'them out of model.head.background_texts'
            )
        encoder = dict(
            text_encoder or {},
            type='CLIPTextEncoder',
            vocabulary=texts,
            templates=[template],
            cat_bg=False,
            _scope_='mmseg',
        )
        self.text_encoder = MODELS.build(encoder)
        self.register_load_state_dict_post_hook(_forget_texts)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> CLIPTextHead:
        """Move or convert the module; texts are encoded anew."""
        _forget_texts(self)
        return super()._apply(fn, recurse)

    def init_weights(self) -> None:
        """Load ``init_cfg``'s weights, or start as CLIP did; mmseg leaves two tables without values."""
        if self.init_cfg is None:
            encoder = self.text_encoder
            nn.init.normal_(encoder.positional_embedding, std=0.01)
            nn.init.normal_(encoder.text_projection, std=len(encoder.text_projection) ** -0.5)
        super().init_weights()

    def class_logits(self, features: Tensor) -> Tensor:
        """Scaled cosines ``exp(scale) v . T`` of all classes and background texts, (N, K + B).

        Args:
            features: Image features (N, D).
        """
        # The encoder keeps what it makes, for callers that need float32 or gradients.
        with torch.inference_mode(False), torch.no_grad(), autocast(features.device, 'float32'):
            texts = self.text_encoder()
        return F.normalize(features, dim=1) @ texts.T


def _forget_texts(head: CLIPTextHead, incompatible_keys: Any = None) -> None:
    """Empty mmseg's cache of encoded texts, which knows no other weights, device or precision."""
    getattr(head.text_encoder, 'cache', {}).clear()


@MODELS.register_module()
class CLIPESLocalizer(ImageLevelClassifier):
    """GradCAM of the last block of CLIP over texts, refined by its attention (Lin et al., CVPR 2023).

    ``v = norm(proj(mean of patch tokens))``; ``s = softmax(exp(scale) v . T)`` over the image's classes and
    the background's texts; GradCAM of ``s_k`` on what the last block attends over; class-aware attention
    affinity; background = 1 - max. Nothing is trained. A view's sides are enlarged to whole patches.

    Several scales and mirrors (``test_cfg``) are averaged; the paper has one. ``test_cfg.labels`` as of
    :class:`ImageLevelClassifier`; predicted probabilities are the softmax over all texts.

    Args:
        backbone: Config of a ``CLIPVisionTransformer``.
        head: Config of a ``CLIPTextHead``.
        data_preprocessor: Config of the preprocessor.
        affinity_blocks: Of how many of the last blocks the attention is averaged.
        box_threshold: Regions of a map above this share of its peak may lend their scores; the paper's is
            0.4 for VOC and 0.7 for COCO.
        test_cfg: As of :class:`ImageLevelClassifier`, but ``flip=False`` by default.
        init_cfg: MMEngine initialisation.

    Raises:
        ValueError: ``affinity_blocks`` or ``box_threshold`` is out of range.
    """

    weights_source = (
        'Make it from a file of CLIP: mmwsss weights clip model.safetensors FILE; '
        'nothing is downloaded'
    )

    def __init__(
        self,
        backbone: dict,
        head: dict,
        data_preprocessor: dict | nn.Module | None = None,
        affinity_blocks: int = 8,
        box_threshold: float = 0.4,
        test_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            backbone,
            head,
            data_preprocessor,
            test_cfg={'flip': False, **(test_cfg or {})},
            init_cfg=init_cfg,
        )
        check_range('affinity_blocks', affinity_blocks, f'[1, {len(self.backbone.layers)}]')
        check_range('box_threshold', box_threshold, '[0, 1)')
        self.affinity_blocks = affinity_blocks
        self.box_threshold = box_threshold
        self.requires_grad_(False)

    def loss(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Refuse: there is nothing to train.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f'CLIP-ES is not trained. {self.weights_source}')

    def tensors(self, inputs: Tensor) -> Tensor:
        """Compute the image logits (N, K)."""
        tokens = [self._frozen_blocks(self._view(x))[0] for x in inputs]
        features = torch.cat([pooled(self.backbone, each)[0] for each in tokens])
        return self.head.class_logits(features)[:, : self.head.num_classes]

    @torch.no_grad()
    def class_maps(
        self, image: Tensor, label: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the class maps of one image; see :meth:`ImageLevelClassifier.class_maps`."""
        if label is None:
            label = self.predict_label(image)
        channels = label.nonzero()[:, 0]
        stride = self.test_cfg['stride']
        size = tuple(-(-side // stride) for side in image.shape[1:])
        maps: list[Tensor] = []
        probabilities: list[Tensor] = []
        with autocast(image.device, 'float32'):
            for view, is_mirror in self._views(image):
                view_maps, logits = self._view_maps(view, channels)
                view_maps = view_maps.flip(-1) if is_mirror else view_maps
                maps.append(wide(view_maps, size))
                probabilities.append(logits.softmax(dim=0)[: self.head.num_classes])
            scores = torch.stack(maps).mean(dim=0)
            background = 1 - scores.amax(dim=0) if len(scores) else scores.new_ones(size)
        keys = torch.cat([channels.new_zeros(1), channels + 1])
        return (
            torch.stack(probabilities).mean(dim=0),
            keys,
            torch.cat([background[None], scores]),
        )

    def _views(self, image: Tensor) -> list[tuple[Tensor, bool]]:
        """The views of an image, normalised, with whole patches, and whether each is a mirror."""
        mean = getattr(self.data_preprocessor, 'mean', 0.0)
        std = getattr(self.data_preprocessor, 'std', 1.0)
        if self.test_cfg['resize'] == 'uint8':
            image = (image * std + mean).round().clamp(0, 255).to(torch.uint8)
        views = []
        for scale in self.test_cfg['scales']:
            for i, view in enumerate(scale_view(image, scale, self.test_cfg['flip'])):
                view = self._view(view)
                is_raw = view.dtype == torch.uint8
                views.append(((view.float() - mean) / std if is_raw else view, bool(i)))
        return views

    def _view(self, image: Tensor) -> Tensor:
        """The image (C, H, W) with sides enlarged to the next multiples of the patch size."""
        patch = self.backbone.patch_size
        return resize_image(image, [-(-side // patch) * patch for side in image.shape[1:]])

    def _frozen_blocks(self, view: Tensor) -> tuple[Tensor, list[Tensor], tuple[int, int]]:
        """Tokens (1, L, C) before the last block, attention of the blocks so far, and the grid."""
        with autocast(view.device, self.test_cfg['precision']):
            tokens, attention, grid = frozen_blocks(self.backbone, view[None])
        last = [weights[0] for weights in attention[-self.affinity_blocks :]]
        return tokens[-1].to(view.dtype), last, grid

    def _view_maps(self, view: Tensor, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (n, h, w) of the classes ``channels`` in a view (C, H, W), and all logits (K + B,)."""
        tokens, attention, grid = self._frozen_blocks(view)
        maps, logits, last = text_maps(self.backbone, self.head, tokens, grid, channels)
        if len(maps) == 0:
            return maps, logits
        blocks = torch.stack([*attention, last])[-self.affinity_blocks :]
        refined = affinity_refine(maps, attention_affinity(blocks.to(maps)), self.box_threshold)
        return refined, logits

    @torch.no_grad()
    def predict_label(self, image: Tensor) -> Tensor:
        """Multi-hot label (K,) of the classes above ``score_threshold``, at least the best one."""
        with autocast(image.device, 'float32'):
            features, _ = pooled(self.backbone, self._frozen_blocks(self._view(image))[0])
            score = self.head.class_logits(features)[0].softmax(dim=0)
        return self._label_from(score[: self.head.num_classes])


def frozen_blocks(
    backbone: CLIPVisionTransformer, images: Tensor
) -> tuple[list[Tensor], list[Tensor], tuple[int, int]]:
    """Run all blocks but the last on images (N, 3, H, W) whose sides are whole patches.

    Returns:
        Of each block the tokens (N, 1 + h w, C), and the attention from patch to patch (N, h w, h w);
        the grid (h, w).
    """
    tokens, grid = backbone.embed(images)
    all_tokens, attention = [], []
    for index in range(len(backbone.layers) - 1):
        tokens, weights = backbone.run_block(index, tokens)
        all_tokens.append(tokens)
        attention.append(weights[:, 1:, 1:])
    return all_tokens, attention, grid


def pooled(
    backbone: CLIPVisionTransformer, tokens: Tensor, normed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Run the last block on tokens (N, L, C), with ``normed`` as of ``run_block``.

    Returns:
        Image features (N, D), the projected mean of the patch tokens; and the attention (N, L, L).
    """
    tokens, attention = backbone.run_block(len(backbone.layers) - 1, tokens, normed)
    return backbone.norm1(tokens)[:, 1:].mean(dim=1) @ backbone.proj, attention


def text_maps(
    backbone: CLIPVisionTransformer,
    head: CLIPTextHead,
    tokens: Tensor,
    grid: tuple[int, int],
    channels: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """GradCAM of the last block for the classes ``channels`` of an image.

    Args:
        backbone: Of CLIP.
        head: Texts.
        tokens: Before the last block (1, 1 + h w, C).
        grid: ``(h, w)``.
        channels: Classes in the image, 0..K-1, (n,); there may be none.

    Returns:
        Maps (n, h, w) in 0..1, logits of all texts (K + B,) and the last block's attention from patch to
        patch (h w, h w); nothing has a gradient.
    """
    K, n = head.num_classes, len(channels)
    with torch.inference_mode(False), torch.enable_grad():  # whatever the caller has
        tokens = tokens.detach().clone()
        normed = backbone.layers[-1].norm1(tokens).detach().requires_grad_()
        features, attention = pooled(backbone, tokens, normed)
        logits = head.class_logits(features)[0]
        shown = torch.cat([channels, torch.arange(K, len(logits), device=channels.device)])
        scores = logits[shown].softmax(dim=0)[:n]
    last = attention[0, 1:, 1:].detach()
    if n == 0:
        return tokens.new_zeros((0, *grid)), logits.detach(), last
    each = torch.eye(n, device=scores.device, dtype=scores.dtype)
    (gradients,) = torch.autograd.grad(scores, normed, each, is_grads_batched=True)
    maps = gradient_maps(on_grid(normed.detach(), grid)[0], on_grid(gradients[:, 0], grid))
    return maps, logits.detach(), last


def on_grid(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch tokens of (N, 1 + h w, C) as (N, C, h, w)."""
    return tokens[:, 1:].transpose(1, 2).unflatten(2, grid)


def wide(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Maps (n, h, w) enlarged to (n, H, W), bilinear; there may be none."""
    if len(maps) == 0:
        return maps.new_zeros((0, *size))
    return F.interpolate(maps[None].float(), size=size, mode='bilinear', align_corners=False)[0]
