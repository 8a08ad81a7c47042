import pytest

from tfdream.errors import ConfigError, ModelError
from tfdream.reports import previews
from tfdream.reports.previews.classification import ClassifierPreview
from tfdream.reports.previews.generation import GenerationPreview
from tfdream.reports.previews.transfer import TransferPreview
from tfdream.reports.previews.translation import TranslationPreview
from tfdream.training.train import TASKS


@pytest.fixture(scope="module")
def runs(run, translation_run, generation_run, transfer_run):
    return {
        "classify": run,
        "translate": translation_run,
        "generate": generation_run,
        "transfer": transfer_run,
    }


def test_every_task_has_a_preview(runs, held_out):
    kinds = {
        "classify": ClassifierPreview,
        "translate": TranslationPreview,
        "generate": GenerationPreview,
        "transfer": TransferPreview,
    }
    assert set(kinds) == set(TASKS)
    for task, opened in runs.items():
        make = previews.preview_factory(opened.config)
        assert type(make(opened, held_out)) is kinds[task]


def test_a_judge_scores_translations_only(runs, held_out, trained):
    for task in ("classify", "generate", "transfer"):
        with pytest.raises(ConfigError, match=r"--judge=.* scores translations; remove it"):
            previews.preview_factory(runs[task].config, trained[0])
    make = previews.preview_factory(runs["translate"].config, str(trained[0]))
    preview = make(runs["translate"], held_out)
    assert preview.judge.run.folder == trained[0]


def test_a_judge_needs_validation_clips_and_a_classifier(
    configure_translation, trained, translation, tmp_path
):
    config = configure_translation("training.validate_on=none")
    with pytest.raises(ConfigError, match=r"training.validate_on=none; use validate_on=test"):
        previews.preview_factory(config, trained[0])
    with pytest.raises(ModelError, match="a classifier"):
        previews.preview_factory(configure_translation(), translation[0])
    with pytest.raises(ModelError, match="is not a run folder"):
        previews.preview_factory(configure_translation(), tmp_path)
