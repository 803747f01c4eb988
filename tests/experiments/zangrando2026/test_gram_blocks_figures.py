"""Gram matrices and what is measured of them as they are drawn."""

import matplotlib.pyplot as plt
import numpy as np
from experiments.zangrando2026.gram_block_tables import results

from nc_runner.experiments.zangrando2026.gram_blocks.figures import figures, grams
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


def test_a_gram_matrix_is_put_together_from_its_entries():
    of = grams(results(), "r0")
    assert sorted(of) == [(1, 1), (1, 100), (2, 1), (2, 100)]
    for gram in of.values():
        assert gram.tolist() == [[10 * min(i, j) + max(i, j) for j in range(6)] for i in range(6)]


NAMES = ["figure_5_relu", "figure_5_linear", "over_training"]


def test_gram_matrices_are_drawn_over_their_mean_squared_norm_with_the_share_below():
    drawings = figures(results())
    assert list(drawings) == NAMES
    gram = np.array([[10 * min(i, j) + max(i, j) for j in range(6)] for i in range(6)])
    for name, least in (("figure_5_relu", 0), ("figure_5_linear", -1.5)):
        *panels, bar = drawings[name].figure.axes
        assert [panel.get_xlabel() for panel in panels] == ["0.20", "0.03", "0.20", "1e-4"]
        assert [panel.get_title() for panel in panels[:2]] == ["epoch\n1", " \n100"]
        assert [panel.get_ylabel() for panel in panels[::2]] == ["1", "out"]
        for panel in panels:
            np.testing.assert_allclose(panel.images[0].get_array(), gram / (11 * 2.5))
            assert panel.images[0].get_clim() == (least, 1.5)
        assert bar.get_ylabel() == "⟨z$_i$, z$_j$⟩ / mean ‖z‖²"
    for drawing in drawings.values():
        assert fit(drawing.figure, 6.75, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_measures_of_every_layer_are_plotted_against_epochs():
    drawings = figures(results(cosines=(0.07, 0.02)))
    axes = np.array(drawings["over_training"].figure.axes).reshape(2, 3)
    for row, cosine in enumerate((0.07, 0.02)):
        for ax, ends in zip(axes[row], [(0.03, 1e-4), (1e-3, 1e-3), (cosine, 0.9)], strict=True):
            start = {0: 0.2, 1: 0.5, 2: 0.4}[list(axes[row]).index(ax)]
            assert [line.get_label() for line in ax.lines] == ["layer 1", "output"]
            for line, end in zip(ax.lines, ends, strict=True):
                assert line.get_xdata().tolist() == [1, 100]
                assert line.get_ydata().tolist() == [start, end]
    for drawing in drawings.values():
        assert fit(drawing.figure, 6.75, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_nothing_to_draw_is_said():
    drawings = figures(results(status="diverged"))
    assert list(drawings) == NAMES
    for name, drawing in drawings.items():
        said = [ax.texts[0].get_text() for ax in drawing.figure.axes]
        assert len(said) == (6 if name == "over_training" else 1)
        assert all(words.startswith("no finished network") for words in said)
        assert fit(drawing.figure, 6.75, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
