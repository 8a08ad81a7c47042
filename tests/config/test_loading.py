"""Loading of configurations, and validation of their settings."""

import re

import pytest
from pydantic import ValidationError

from tfdream import config
from tfdream.config import (
    DreamConfig,
    Experiment,
    ExplainConfig,
    GenerateConfig,
    PrepareConfig,
    TranslateConfig,
    TranslationExperiment,
)
from tfdream.errors import ConfigError

RECIPES = {
    "dream": DreamConfig,
    "translate": TranslateConfig,
    "generate": GenerateConfig,
    "explain": ExplainConfig,
}


def load(name):
    """Load a packaged configuration by the schema of its folder."""
    folder, _, _ = name.rpartition("/")
    if folder == "transfer":
        return config.load_transfer(name)
    return config.load(name, RECIPES[folder]) if folder else config.load_experiment(name)


def load_text(tmp_path, text, schema=Experiment, overrides=()):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return config.load(str(path), schema, overrides)


def message(call, *arguments, **settings):
    """Return the text of the ConfigError that a call raises; it has one line."""
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **settings)
    text = str(caught.value)
    assert text.splitlines() == [text]
    return text


def test_packaged_configs_fit_their_schemas():
    for name in config.names():
        loaded = load(name)
        assert config.validate(loaded.model_dump(), type(loaded), "again") == loaded, name
        assert type(loaded).model_validate_json(loaded.model_dump_json()) == loaded, name


def test_every_training_config_accepts_one_epoch():
    """Settings that depend on the number of epochs are shares of it."""
    experiments = [name for name in config.names() if "/" not in name]
    assert len(experiments) > 15
    for name in experiments:
        assert config.load_experiment(name, ["training.epochs=1"]).training.epochs == 1, name


def test_a_packaged_config_for_another_schema_is_rejected():
    """The settings of a translation would validate as those of a dream."""
    for name in ("lil_data", "translate/recommended", "transfer/raw"):
        text = message(config.load, name, DreamConfig)
        assert f"config '{name}' has another purpose" in text
        assert "dream/recommended" in text
        assert "lil_data," not in text


def test_a_file_for_another_schema_is_rejected(tmp_path):
    text = config.load_experiment("lil_data").model_dump_json()
    found = message(load_text, tmp_path, text, DreamConfig)
    assert f"config '{tmp_path / 'mine.yaml'}' has another purpose; name a file or one of" in found
    assert "'task'" not in found


def test_published_systems_and_recommended_recipes_are_packaged():
    published = {"lil_data", "small_cyclegan", "dreaming_in_music_cyclegan"}
    assert published | {"dream/recommended", "translate/recommended"} <= set(config.names())
    assert config.names() == sorted(config.names())


def test_a_path_is_loaded_like_a_name(tmp_path):
    text = "frontend: {kind: raw}\nprepare: {sample_rate: 8000}"
    loaded = load_text(tmp_path, text)
    assert loaded.frontend.kind == "raw"
    assert loaded.prepare == PrepareConfig(sample_rate=8000)
    assert config.load(tmp_path / "mine.yaml", Experiment) == loaded


def test_missing_settings_have_their_defaults(tmp_path):
    assert load_text(tmp_path, "seed: 3", DreamConfig) == DreamConfig(seed=3)


@pytest.mark.parametrize("name", ["amplitude", "phase", "amplitude_phase"])
def test_dreaming_in_music_is_trained_as_the_code_that_it_cites(name):
    """80 % of the tracks are for training; the rate falls tenfold on a plateau."""
    loaded = config.load_experiment(f"dreaming_in_music_{name}")
    training = loaded.training
    assert (training.optimizer, training.momentum, training.nesterov) == ("sgd", 0.9, False)
    assert (training.learning_rate, training.epochs, training.batch_size) == (1e-3, 500, 16)
    assert (training.schedule, training.plateau_patience) == ("plateau", 1)
    assert (loaded.prepare.folds, training.validate_on) == (10, "next")  # 8, 1 and 1 of 10


def test_levels_of_dreaming_in_music_have_the_range_of_the_clip():
    for name in ("amplitude", "amplitude_phase"):
        loaded = config.load_experiment(f"dreaming_in_music_{name}")
        assert loaded.frontend.level_range == "min_max"
    for name in ("small_cyclegan", "recommended_generator"):
        text = message(config.load_experiment, name, ["frontend.level_range=min_max"])
        assert "needs levels in dB on one scale; use top_db" in text


def test_lil_data_has_three_sets():
    """About 8000, 1000 and 750 clips: 8, 1 and 1 of 10 folds."""
    loaded = config.load("lil_data", Experiment)
    assert (loaded.prepare.folds, loaded.training.validate_on) == (10, "next")


def test_images_of_lil_data_have_631_rows_and_columns():
    """Bins and frames follow from the published clip length and transform."""
    loaded = config.load("lil_data", Experiment)
    spec = loaded.frontend.stft
    assert (spec.bins, spec.frames(loaded.prepare.clip_samples)) == (631, 631)


def test_clip_samples_follow_from_seconds_and_rate():
    for seconds, rate, samples in ((5.0, 22050, 110250), (0.1, 8000, 800), (1 / 3, 44100, 14700)):
        prepare = PrepareConfig(clip_seconds=seconds, sample_rate=rate)
        assert prepare.clip_samples == samples


def test_a_config_is_frozen():
    loaded = config.load("lil_data", Experiment)
    with pytest.raises(ValidationError):
        loaded.training.epochs = 3
    assert loaded.training.epochs == 20


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("training.epochs=3", lambda loaded: loaded.training.epochs == 3),
        ("training.learning_rate=1e-4", lambda loaded: loaded.training.learning_rate == 1e-4),
        ("training.mixed_precision=true", lambda loaded: loaded.training.mixed_precision is True),
        ("prepare.tail=repeat", lambda loaded: loaded.prepare.tail == "repeat"),
        ("frontend.size=[64, 32]", lambda loaded: loaded.frontend.size == (64, 32)),
        ("frontend.stft.hop_samples=100", lambda loaded: loaded.frontend.stft.hop_samples == 100),
        ("model.options.dropout=0.1", lambda loaded: loaded.model.options["dropout"] == 0.1),
        ("model=null", lambda loaded: loaded.model is None),
    ],
)
def test_an_override_changes_one_setting(override, read):
    assert not read(config.load("lil_data", Experiment))
    assert read(config.load("lil_data", Experiment, [override]))


def test_overrides_create_sections_and_the_last_one_applies(tmp_path):
    overrides = ["training.epochs=3", "training.seed=5", "training.epochs=7"]
    loaded = load_text(tmp_path, "frontend: {kind: raw}", overrides=overrides)
    assert (loaded.training.epochs, loaded.training.seed) == (7, 5)


def test_an_override_does_not_affect_later_loads():
    config.load("lil_data", Experiment, ["training.epochs=3"])
    assert config.load("lil_data", Experiment).training.epochs == 20


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("training.epoch=3", "'training.epoch'"),
        ("training.epochs=many", "training.epochs='many'"),
        ("training.epochs=0", "training.epochs=0"),
        ("input_seconds=0.00001", "input_seconds=1e-05: .*greater than or equal to 0.01"),
        ("training.epochs=2.5", "training.epochs=2.5"),
        ("training.epochs=", "training.epochs=None"),
        ("training=3", "training=3"),
        ("training.epochs.first=3", "training.epochs"),
        ("training.epochs", "'training.epochs' is not KEY=VALUE"),
        ("=3", "'=3' is not KEY=VALUE"),
        ("training.epochs=[3", r"'training.epochs=\[3'.*as YAML: .*flow sequence"),
        ("training.seed=99999999999999999999", "number 9{20} is too long; the limit is 64 bits"),
        ("frontend.color=red", "'frontend.color'"),
        ("frontend.stft.n_fft=63", "frontend.stft.n_fft=63"),  # frames would not be centered
        ("frontend.stft.window=hann", "'frontend.stft.window'"),
        ("frontend.size=[64]", "frontend.size"),
        ("frontend.kind=blue", "frontend: kind='blue' is not one of: amplitude, amplitude_phase"),
        ("frontend.top_db=.nan", "frontend.top_db=nan"),
        ("prepare.clip_seconds=.inf", "prepare.clip_seconds=inf"),
        ("prepare.skip_start_seconds=.inf", "prepare.skip_start_seconds=inf"),
        ("prepare.skip_end_seconds=-1", "prepare.skip_end_seconds=-1"),
        (
            "prepare.gap_seconds=1e308",
            "gap_seconds='1e308': .* is too large; the limit is 10+$",
        ),
        ("prepare.codec=mp3", "prepare.codec='mp3'.*'flac'"),
        ("prepare.seed=-1", "prepare.seed=-1"),
        ("training.seed=4294967296", "training.seed=4294967296"),  # NumPy and Keras take 32 bits
        ("training.augmentation=[{kind: echo}]", "training.augmentation.0: kind='echo' .*gain"),
        ("training.augmentation=[{kind: gain, db: 0}]", "training.augmentation.*db=0"),
        ("training.augmentation=[{kind: time_mask, width: 1}]", "training.augmentation.*width=1"),
        ("model.name=null", "model.name=None"),
        ("training.teachers=run", r"training.teachers=.run.: a list is needed, such as \[a, b\]"),
    ],
)
def test_an_invalid_override_is_named(override, named):
    text = message(config.load, "lil_data", Experiment, [override])
    assert re.search(named, text)


@pytest.mark.parametrize(
    ("schema", "text", "named"),
    [
        (Experiment, "frontend: {kind: raw}\ntrainings: {}", "'trainings'"),
        (Experiment, "frontend: {kind: raw}\nprepare: {rate: 8000}", "'prepare.rate'"),
        (Experiment, "frontend: {kind: raw, top_db: 80}", "'frontend.top_db'"),
        (Experiment, "frontend: {top_db: 80}", "frontend.*'kind'"),
        (Experiment, "prepare: {}", "'frontend' is missing"),
        (Experiment, "frontend: raw", "frontend='raw'"),
        (Experiment, "frontend: {kind: raw}\n1: 2", "1"),
        (DreamConfig, "canvas: {kind: gains, phase: original}", "'canvas.phase'"),
        (DreamConfig, "canvas: {kind: log_magnitude, phase: no}", "canvas.phase"),
        (DreamConfig, "canvas: {kind: log_magnitude, phase: original}", "canvas.phase"),
        (
            DreamConfig,
            "canvas: {kind: log_magnitude, phase: {init: drawn}}",
            "canvas.phase.init='drawn'",
        ),
        (DreamConfig, "canvas: {kind: mixture, added_db: 30}", "canvas.added_db=30"),
        (DreamConfig, "canvas: {kind: phase, headroom_db: 3}", "'canvas.headroom_db'"),
        (DreamConfig, "mask: {hertz: [20, 90]}", "'mask.hertz'"),
        (DreamConfig, "mask: {frequency_hz: [20]}", "mask.frequency_hz"),
        (DreamConfig, "mask: {strength: 2}", "mask.strength"),
        (DreamConfig, "optimizer: {jitter_seconds: -1}", "optimizer.jitter_seconds=-1"),
        (DreamConfig, "optimizer: {smoothing: {kind: median}}", "optimizer.smoothing.*'median'"),
        (DreamConfig, "repeats: 0", "repeats=0"),
        (DreamConfig, "mix: 1.5", "mix=1.5"),
        (DreamConfig, "normalize: 2", "normalize"),
        (DreamConfig, "normalize: loud", "normalize"),
        (DreamConfig, "precision: float16", "precision='float16'"),
        (DreamConfig, "init: {from: noise}", "init"),
        (DreamConfig, "octaves: {scale: 1}", "octaves.scale=1"),
        (DreamConfig, "tiles: {overlap_seconds: -1}", "tiles.overlap_seconds=-1"),
        (DreamConfig, "tiles: {overlap_seconds: 1e308}", "tiles.overlap_seconds.*too large"),
        (DreamConfig, "tiles: {seconds: 1e9}", "tiles.seconds.*too large; the limit is 3600$"),
        (ExplainConfig, "blur_hz: 1e308", "blur_hz.*too large"),
        (GenerateConfig, "crossfade_seconds: 1e308", "crossfade_seconds.*too large"),
    ],
)
def test_an_invalid_setting_is_named_as_written(tmp_path, schema, text, named):
    assert re.search(named, message(load_text, tmp_path, text, schema))


def test_a_file_that_cannot_be_read_is_not_called_invalid(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text("frontend: {kind: raw}")

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "open", refuse)
        text = message(config.load, path, Experiment)
    assert text == f"config '{path}' cannot be read: Permission denied"
    path.write_text("#" * 300_000)
    assert "cannot be read as YAML: it is larger than" in message(config.load, path, Experiment)


def test_all_invalid_settings_are_reported_together():
    overrides = ["training.epochs=0", "prepare.folds=0", "prepare.speed=2"]
    text = message(config.load, "lil_data", Experiment, overrides)
    for setting in ("training.epochs", "prepare.folds", "prepare.speed", "lil_data"):
        assert setting in text


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["frontend.stft.n_fft=1024", "frontend.stft.hop_samples=513"], "hop_samples=513.*512"),
        (
            ["training.checkpoint=best", "training.validate_on=test"],
            "checkpoint='best'.*validate_on='test'",
        ),
        (["training.patience=3", "training.validate_on=none"], "patience=3.*validate_on='none'"),
        (
            ["training.schedule=plateau", "training.validate_on=test"],
            "schedule='plateau'.*validate_on='test'",
        ),
        (
            [
                *("training.schedule=plateau", "training.warmup_epochs=2"),
                "training.validate_on=next",
            ],
            "warmup_epochs=2.*schedule='plateau'",
        ),
        (["training.optimizer=sgd", "training.nesterov=true"], "nesterov.*momentum"),
        (["training.momentum=0.9"], "momentum.*optimizer=sgd"),
        (["training.augmentation=[{kind: mixup}, {kind: gain}]"], "'gain'.*cannot follow 'mixup'"),
        (["training.augmentation=[{kind: roll}]", "frontend={kind: raw}"], "'roll'.*kind=raw"),
        (
            ["training.augmentation=[{kind: noise, min_snr_db: 9, max_snr_db: 3}]"],
            "min_snr_db=9.*max_snr_db=3",
        ),
        (
            ["training.augmentation=[{kind: speed, min_factor: 2}]"],
            "min_factor=2.*max_factor=1.1",
        ),
        (
            ["training.augmentation=[{kind: stretch, time_factor: 1}]"],
            "time_factor=1.*frequency_factor=1",
        ),
    ],
)
def test_contradictory_settings_are_both_named(overrides, named):
    assert re.search(named, message(config.load, "lil_data", Experiment, overrides))


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.checkpoint=best", "training.patience=3", "training.validate_on=next"],
        ["training.optimizer=sgd", "training.momentum=0.9", "training.nesterov=true"],
        ["training.augmentation=[{kind: gain}, {kind: speed}, {kind: roll}, {kind: mixup}]"],
        ["training.augmentation=[{kind: gain}, {kind: mixup}]", "frontend={kind: raw}"],
    ],
)
def test_compatible_settings_are_accepted(overrides):
    config.load("lil_data", Experiment, overrides)


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("frontend.size=[100000, 100000]", "10000000000 values per clip, more than"),
        ("frontend.stft={n_fft: 65536, hop_samples: 1}", "values per clip, more than"),
        (
            "frontend={kind: constant_q, bands_per_octave: 96, octaves: 8, hop_samples: 1}",
            "values per clip, more than",
        ),
        ("frontend={kind: mel, bands: 1000000}", "less than or equal to 4096"),
    ],
)
def test_an_image_larger_than_the_limit_is_rejected(override, reason):
    with pytest.raises(ConfigError, match=reason):
        config.load("lil_data", Experiment, [override, "prepare.clip_seconds=60"])


def test_yaml_aliases_are_rejected(tmp_path):
    path = tmp_path / "bomb.yaml"
    path.write_text("a: &a [1, 1]\nb: &b [*a, *a]\n")
    with pytest.raises(ConfigError, match="alias in line 2"):
        config.load(str(path), Experiment)


@pytest.mark.parametrize("task", ["[1]", "{a: 1}", "null", "7"])
def test_a_task_of_another_type_is_rejected(task):
    with pytest.raises(ConfigError, match="is not one of: classify, translate"):
        config.load_experiment("lil_data", [f"task={task}"])


def test_a_missing_config_names_the_available_ones(tmp_path):
    text = message(config.load, str(tmp_path / "none.yaml"), Experiment)
    assert all(name in text for name in config.names() if "/" not in name)
    text = message(config.load, "dream/none", DreamConfig)
    assert "dream/subtle" in text
    assert "transfer/texture" not in text
    assert str(tmp_path) in message(config.load, str(tmp_path), Experiment)  # a folder


def test_similar_names_are_suggested():
    text = message(config.load, "lil-data", Experiment)
    assert "(did you mean 'lil_data'?); use one of: " in text
    text = message(config.load, "subtle", DreamConfig)
    assert "(did you mean 'dream/subtle'?); use one of: dream/" in text
    text = message(config.load, "lil_data", Experiment, ["training.epoch=3"])
    assert "unknown setting 'training.epoch' (did you mean 'epochs'?); " in text
    text = message(config.load, "lil_data", Experiment, ["training.zzzzzz=3"])
    assert "unknown setting 'training.zzzzzz'; remove it" in text


@pytest.mark.parametrize(
    ("override", "suggested"),
    [
        ("objectives=1", None),  # of dreams
        ("training_data=1", "training"),
        ("training.trainings=1", None),
        ("trainings=1", "training"),
        ("prepare.fold=1", "folds"),
        ("frontend.stft.n_ftt=64", "n_fft"),
        ("frontend.bandz=64", None),  # of other frontends
        ("training.augmentation=[{kind: gain, dbs: 3}]", "db"),
        ("training.augmentation=[{kind: gain, width: 3}]", None),  # of masks
    ],
)
def test_only_settings_of_the_section_are_suggested(override, suggested):
    text = message(config.load, "lil_data", Experiment, [override])
    assert re.findall(r"did you mean '(\w+)'", text) == ([suggested] if suggested else [])


@pytest.mark.parametrize(
    ("override", "suggested"),
    [
        ("repeat=1", "repeats"),
        ("prepare.folds=1", None),  # of experiments
        ("canvas.stft.hop_sample=1", "hop_samples"),
        ("optimizer.smoothing={kind: laplacian, level: 1}", "levels"),
        ("optimizer.smoothing={kind: laplacian, growths: 1}", None),  # of kind=gaussian
        ("curves={mix: {points: [[0, 1]], repeats: true}}", "repeat"),
    ],
)
def test_settings_of_a_recipe_are_suggested(override, suggested):
    text = message(config.load, "dream/recommended", DreamConfig, [override])
    assert re.findall(r"did you mean '(\w+)'", text) == ([suggested] if suggested else [])


def test_a_value_and_a_curve_of_a_setting_exclude_each_other(tmp_path):
    curve = "curves={mix: {points: [[0, 1]]}}"
    text = message(config.load, "dream/recommended", DreamConfig, ["mix=0", curve])
    assert text.startswith("'mix' is given a value and a curve")
    path = tmp_path / "curved.yaml"
    path.write_text("curves: {mix: {points: [[0, 1]]}, mask.strength: {points: [[0, 1]]}}\n")
    settings = config.load(path, DreamConfig, ["mix=0.3"])
    assert (settings.mix, list(settings.curves)) == (0.3, ["mask.strength"])


def test_keys_with_control_characters_are_escaped(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text('"\\n": 1\n')
    assert r"unknown setting '\n'" in message(config.load, str(path), DreamConfig)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [1, 2\nb: 3", "cannot be read as YAML"),
        (b"a: b: c", "cannot be read as YAML"),
        (b"a: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        (b"", "not a mapping"),
        (b"- 1\n- 2", "not a mapping"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, reason):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    text = message(config.load, str(path), Experiment)
    assert str(path) in text
    assert reason in text


# Tasks


def test_the_task_of_an_experiment_selects_its_schema():
    assert type(config.load_experiment("lil_data")) is Experiment
    assert type(config.load_experiment("small_cyclegan")) is TranslationExperiment
    assert config.load_experiment("lil_data") == config.load("lil_data", Experiment)


@pytest.mark.parametrize(
    ("name", "override", "named"),
    [
        ("lil_data", "task=compose", "task='compose' is not one of: classify, translate"),
        ("lil_data", "task=translate", "config 'lil_data'"),
        ("lil_data", "training.cycle_weight=3", "'training.cycle_weight'"),
        ("small_cyclegan", "training.schedule=cosine", "'training.schedule'"),
        ("small_cyclegan", "training.decay_share=1.5", "decay_share.*less than or equal to 1"),
        ("small_cyclegan", "training.pool_images=9", "pool_images=9.*batch_size=10.*or 0"),
        ("small_cyclegan", "training.adversarial=hinge", "training.adversarial='hinge'"),
        ("small_cyclegan", "training.cycle_weight=-1", "training.cycle_weight=-1"),
        ("small_cyclegan", "training.validate_on=next", "training.validate_on='next'"),
        ("small_cyclegan", "labels=[a]", "labels"),
        ("small_cyclegan", "labels=[a, a]", "are the same; name two"),
        ("small_cyclegan", "frontend.kind=amplitude_phase", "kind=amplitude_phase .*use amplitude"),
        ("small_cyclegan", "frontend.kind=log1p", "kind=log1p"),
        ("small_cyclegan", "frontend={kind: raw}", "frontend.*'raw'"),
        ("small_cyclegan", "model=null", "model=None"),
        ("small_cyclegan", "input_seconds=3", "'input_seconds'"),
    ],
)
def test_a_setting_of_another_task_is_named(name, override, named):
    assert re.search(named, message(config.load_experiment, name, [override]))


def test_a_pool_of_size_0_is_valid():
    loaded = config.load_experiment("small_cyclegan", ["training.pool_images=0"])
    assert loaded.training.pool_images == 0


def test_training_ends_with_its_epochs_if_the_learning_rate_decays_with_them():
    for override, ends in (("training.decay_share=0", False), ("training.decay_share=0.5", True)):
        loaded = config.load_experiment("small_cyclegan", [override])
        assert loaded.training.ends_with_epochs == ends
    for schedule, ends in (("constant", False), ("cosine", True), ("plateau", False)):
        overrides = ["training.validate_on=next", f"training.schedule={schedule}"]
        loaded = config.load_experiment("lil_data", overrides)
        assert loaded.training.ends_with_epochs == ends


def test_images_of_the_published_small_cyclegan_are_1025_by_646():
    loaded = config.load_experiment("small_cyclegan")
    spec = loaded.frontend.stft
    assert (spec.bins, spec.frames(loaded.input_samples)) == (1025, 646)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("canvas: {kind: waveform}", "canvas.*'waveform'"),
        ("canvas: {kind: mixture}", "canvas.*'mixture'"),
        ("optimizer: {steps: 3}", "'optimizer'"),
        ("repeats: 2", "'repeats'"),
        ("mix: 1.5", "mix=1.5"),
    ],
)
def test_a_translation_recipe_has_no_optimizer_and_needs_a_level_canvas(tmp_path, text, named):
    assert re.search(named, message(load_text, tmp_path, text, TranslateConfig))
