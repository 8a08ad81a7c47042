"""Dream a recording with a composed objective.

    python examples/dream_toward_a_class.py RUN AUDIO OUTPUT LABEL [KEY=VALUE...]

The objective raises the activations of a convolution and the logit of a label, and keeps the result
close to the original. The convolution is that of the network's card, or the middle one. Settings
override those of the recipe, such as optimizer.steps=10.
"""

import json
import sys

from tfdream import config
from tfdream.runs import Run
from tfdream.synthesis.ascent.objectives.base import quoted
from tfdream.synthesis.dream import dream


def main(run_folder: str, audio: str, output: str, label: str, *overrides: str) -> None:
    objective = f"0.7*layer_norm() + 0.3*class_logit({quoted(label)}) - 0.1*distance()"
    chosen = f"objective={json.dumps(objective, ensure_ascii=False)}"  # read as YAML
    recipe = config.load("dream/recommended", config.DreamConfig, [chosen, *overrides])
    result = dream(audio, output, Run.open(run_folder), recipe)
    print(f"objective: {result['objective']}")
    for moment in ("before", "after", "rendered"):
        print(f"{moment}: {result[f'objective_{moment}']:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
