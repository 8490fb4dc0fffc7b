"""Upgrades of stored configurations: former names of classes, experiments and keys, and today's.

A model folder is identified by the digest of its bytes, so its `config.json` is never rewritten: it is upgraded when
it is read.
"""

from collections.abc import Callable

from pipeline.types import Config

MOVED: dict[str, str] = {
    "pipeline.baselines.LinearText": "pipeline.training.baselines.LinearText",
    "pipeline.baselines.NaiveBayesLogistic": "pipeline.training.baselines.NaiveBayesLogistic",
    "pipeline.baselines.TfidfLogistic": "pipeline.training.baselines.TfidfLogistic",
    "pipeline.data.embeddings.Embeddings": "pipeline.data.texts.embeddings.Embeddings",
    "pipeline.data.folder.ImageFolder": "pipeline.data.images.image_folder.ImageFolder",
    "pipeline.data.images.Augment": "pipeline.data.images.augment.Augment",
    "pipeline.data.images.ImageData": "pipeline.data.images.image_data.ImageData",
    "pipeline.data.language.LanguageData": "pipeline.data.texts.language_data.LanguageData",
    "pipeline.data.own.OwnTexts": "pipeline.data.texts.own_texts.OwnTexts",
    "pipeline.data.photo.PhotoAugment": "pipeline.data.images.photo_augment.PhotoAugment",
    "pipeline.data.piglatin.PigLatinData": "pipeline.data.piglatin.piglatin_data.PigLatinData",
    "pipeline.data.planar.Gate": "pipeline.data.toy2d.toy2d_data.Gate",
    "pipeline.data.planar.PlanarData": "pipeline.data.toy2d.toy2d_data.Toy2DData",
    "pipeline.data.planar.Plane": "pipeline.data.toy2d.toy2d_data.PlaygroundData",
    "pipeline.data.text.TextData": "pipeline.data.texts.text_data.TextData",
    "pipeline.data.toy2d.toy2d_data.Plane": "pipeline.data.toy2d.toy2d_data.PlaygroundData",
    "pipeline.tasks.language.FineTuning": "pipeline.tasks.fine_tuning.FineTuning",
    "pipeline.tasks.language.LanguageModelling": "pipeline.tasks.language_modelling.LanguageModelling",
    "pipeline.tasks.virtual.VirtualAdversarial": "pipeline.tasks.vat.VirtualAdversarial",
}  # former `_target_`: today's; modules and classes alike, the longest match counts
EXPERIMENTS = {  # former names of experiments: today's
    "imdb_bag_taught": "imdb_bag_pseudo",
    "imdb_lstm_taught": "imdb_lstm_pseudo",
    "imdb_lstm_virtual": "imdb_lstm_vat",
    "imdb_virtual_best": "imdb_vat_best",
}
KEYS = {  # former keys below `data`, `data.augment`, `model` and `model.net`: today's
    "data": {"keep": "truncation_side", "rounds": "labeled_repeats", "pieces": "chunks"},
    "augment": {
        "least_area": "min_area",
        "stretch": "max_aspect_ratio",
        "light": "brightness",
        "colour": "saturation",
    },
    "model": {"log_odds": "logit_match_weight", "distance": "vat_epsilon"},
    "net": {"pairs": "bigram_buckets", "start": "init", "brightness": "input_scale", "shift_px": "tta_shift_px"},
}
SIDES = {"first": "right", "last": "left"}  # `keep` named the words that stay, `truncation_side` names the side cut
NBSVM = {"_target_": "pipeline.baselines.NaiveBayesLogistic", "ngrams": 3, "min_df": 2, "C": 0.1}


def upgrade(config: Config) -> Config:
    """A stored configuration, of a model or of a run, as it would be written today; the argument is not changed."""
    upgraded = dict(config)
    for change in CHANGES:
        upgraded = change(upgraded)
    return {key: _moved(value) for key, value in upgraded.items()}


def _requires(config: Config) -> Config:
    """Turn `requires: [JUDGE]`, `model.of`, `model.start` and `data.teacher` into the four keys of `requires`."""
    required = config.get("requires") or {}
    requires = {"judge": required[0]} if isinstance(required, list) else dict(required)
    model, data = dict(config.get("model") or {}), dict(config.get("data") or {})
    former = {"members": model.pop("of", None), "init_from": model.pop("start", None)}
    former["teacher"] = _teacher(data.pop("teacher", None))
    requires |= {key: name for key, name in former.items() if name}
    return {**config, "requires": requires, "model": model, "data": data}


def _teacher(former: str | Config | None) -> str | None:
    """The name of a teacher whose settings were once written out: imdb_nbsvm, or a name that no experiment has."""
    if not isinstance(former, dict):
        return former
    return "imdb_nbsvm-0" if former == NBSVM else f"{former['_target_'].rpartition('.')[2]}-0"


def _names(config: Config) -> Config:
    """Rename experiments, and the keys of data, task and net, to today's names."""
    model, data = dict(config["model"]), _renamed("data", config["data"])
    if data.get("truncation_side") in SIDES:
        data["truncation_side"] = SIDES[data["truncation_side"]]
    if isinstance(data.get("augment"), dict):
        data["augment"] = _renamed("augment", data["augment"])
    if isinstance(model.get("net"), dict):
        model["net"] = _renamed("net", model["net"])
    requires = {key: _experiment(name) for key, name in config["requires"].items()}
    return {
        **config,
        **({"name": _experiment(config["name"])} if "name" in config else {}),
        "requires": requires,
        "model": _renamed("model", model),
        "data": data,
    }


def _renamed(group: str, node: Config) -> Config:
    return {KEYS[group].get(key, key): value for key, value in node.items()}


def _experiment(name: object) -> object:
    """Today's name of an experiment, with or without a seed, or of each in a list."""
    if isinstance(name, list):
        return [_experiment(item) for item in name]
    if not isinstance(name, str):
        return name
    experiment, dash, seed = name.partition("-")
    return f"{EXPERIMENTS.get(experiment, experiment)}{dash}{seed}"


def _moved(node: object) -> object:
    """A node with every `_target_` in it renamed to today's."""
    if isinstance(node, list):
        return [_moved(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _target(value) if key == "_target_" else _moved(value) for key, value in node.items()}


def _target(name: str) -> str:
    if name in MOVED:
        return MOVED[name]
    module, _, rest = name.rpartition(".")
    return f"{MOVED[module]}.{rest}" if module in MOVED else name


CHANGES: tuple[Callable[[Config], Config], ...] = (_requires, _names)  # the oldest first
