"""Make model-index.yml and configs/*/metafile.yml, through which MIM finds the configs.

`Collections` of a metafile (title, paper, page) is written by hand and kept. `Models` are the configs of the
folder that summaries in `results/` score: means over the seeds, never typed. A folder without
results has no metafile. `--check` fails if the files are not what configs and summaries say.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from generated_pages import ROOT, check_parser, write_or_check
from results_table import Row, as_configured, read_runs, rows

HEADER = "# 'Models' is made by .dev/metafiles.py; 'Collections' is written by hand.\n"
INDEX_HEADER = '# Made by .dev/metafiles.py.\n'
TASK = 'Weakly Supervised Semantic Segmentation'
Scored = dict[str, dict[str, list[Row]]]  # by config and run


def read_scores(folder: Path) -> Scored:
    """What was scored, by config and run, without runs that try other settings than the config's."""
    scores: Scored = {}
    for name, group in read_runs(folder).items():
        for row in rows([run for run in group if as_configured(run)]):
            scores.setdefault(row.scored, {}).setdefault(name, []).append(row)
    return scores


def metrics_of(row: Row) -> dict[str, float]:
    """Means over seeds, in percent, of the metrics that all seeds have."""
    seeds = list(row.scores.values())
    values = {name: [s.metrics.get(name) for s in seeds] for name in seeds[0].metrics}
    return {
        name: round(100 * statistics.mean(numbers), 2)
        for name, numbers in values.items()
        if None not in numbers
    }


def results_of(runs: dict[str, list[Row]], dataset: str) -> list[dict[str, Any]]:
    """Entries of `Results`, one per run and kind of score."""
    return [
        {
            'Task': TASK,
            'Dataset': dataset,
            'Metrics': metrics_of(row),
            'Run': name,
            'Scored': row.what,
            'Seeds': len(row.scores),
        }
        for name, found in runs.items()
        for row in found
    ]


def training_data(cfg: Config) -> str:
    """Names of the folders that a config trains on."""
    joined = cfg.get('train_dataloader', {}).get('dataset', {}).get('datasets')
    return ', '.join(Path(part.data_root).name for part in joined or [cfg])


def model_entry(
    path: Path, root: Path, collection: str, runs: dict[str, list[Row]]
) -> dict[str, Any]:
    """Entry of `Models` for a config with runs."""
    cfg = Config.fromfile(str(path), import_custom_modules=False)
    head = cfg.model.get('decode_head') or cfg.model.get('head') or {}
    parts = [cfg.model.type, cfg.model.backbone.type, head.get('type')]
    return {
        'Name': path.stem,
        'In Collection': collection,
        'Config': path.relative_to(root).as_posix(),
        'Metadata': {
            'Training Data': training_data(cfg),
            'Architecture': [part for part in parts if part],
            'Initial Weights': cfg.get('pretrained') or 'none',
        },
        'Results': results_of(runs, Path(cfg.data_root).name),
    }


def collections_of(folder: Path, root: Path) -> list[dict[str, Any]]:
    """The hand-written part of a metafile, or the little that can be said without."""
    path = folder / 'metafile.yml'
    if path.is_file():
        found = (yaml.safe_load(path.read_text(encoding='utf-8')) or {}).get('Collections')
        if not found:
            raise ValueError(f'{path} must hold Collections, but has none')
        return found
    page = Path('docs') / 'methods' / f'{folder.name}.md'
    page = page if (root / page).is_file() else Path('docs') / 'index.md'
    return [{'Name': folder.name, 'License': 'Apache License 2.0', 'README': page.as_posix()}]


def wanted_files(root: Path) -> dict[Path, str]:
    """What the files are to hold."""
    runs = read_scores(root / 'results')
    wanted, imports = {}, []
    for folder in sorted(path for path in (root / 'configs').iterdir() if path.is_dir()):
        if folder.name.startswith('_') or folder.name in ('custom', 'pipelines'):
            continue
        paths = {path.relative_to(root).as_posix(): path for path in sorted(folder.rglob('*.py'))}
        if not any(config in runs for config in paths):
            continue
        collections = collections_of(folder, root)
        name = collections[0]['Name']
        models = [model_entry(paths[c], root, name, runs[c]) for c in paths if c in runs]
        target = folder / 'metafile.yml'
        wanted[target] = HEADER + dump({'Collections': collections, 'Models': models})
        imports.append(target.relative_to(root).as_posix())
    wanted[root / 'model-index.yml'] = INDEX_HEADER + dump({'Import': imports})
    return wanted


def dump(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True)


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    args = check_parser(__doc__).parse_args(argv)
    return write_or_check(wanted_files(root), args.check, 'configs/ with results/', root)


if __name__ == '__main__':
    sys.exit(main())
