"""Transfer the style of one recording to another, and measure the result.

    python examples/transfer_and_compare.py CONTENT STYLE OUTPUT [KEY=VALUE...]

Settings override those of the recipe, such as optimizer.steps=50.
"""

import sys

from tfdream import config
from tfdream.evaluation.compare import compare
from tfdream.evaluation.measures.style import StyleDistance
from tfdream.synthesis.transfer import transfer


def main(content: str, style: str, output: str, *overrides: str) -> None:
    recipe = config.load("transfer/texture", config.TransferConfig, overrides)
    result = transfer(content, style, output, recipe)
    print(f"style loss: {result['style_loss_before']:.3g} → {result['style_loss_rendered']:.3g}")

    measures = compare(content, output, [StyleDistance(style)])
    before, after = measures["style_distance_before"], measures["style_distance_after"]
    print(f"style distance: {before:.3f} → {after:.3f}")
    print(f"chroma similarity to the content: {measures['content_chroma_similarity']:.2f}")
    for sentence in measures["assessment"]:
        print(sentence)


if __name__ == "__main__":
    main(*sys.argv[1:])
