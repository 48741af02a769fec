"""The map of the statements as an SVG: objectives as boxes, statements as lines between them."""
from __future__ import annotations

import html

from refsm.study.rooms import page_name

__all__ = ["BOXES", "LINES", "svg"]

WIDE, HIGH = 176, 42
BOXES = {                                      # name: (x, y, label, room)
    "ESM": (20, 20, "explicit", "objectives/score_matching"),
    "ISM": (320, 20, "implicit", "objectives/score_matching"),
    "SSM": (640, 20, "sliced", "objectives/sliced"),
    "PESM": (20, 160, "explicit at q_sigma", "objectives/parzen_score_matching"),
    "PISM": (320, 160, "implicit at q_sigma", "objectives/parzen_score_matching"),
    "GSM": (640, 160, "generalised, x > 0", "objectives/generalized"),
    "DSM": (20, 300, "denoising", "objectives/denoising"),
    "DAE": (320, 300, "denoising autoencoder", "objectives/denoising_autoencoder"),
    "FLOW": (640, 300, "probability flow", "flow"),
    "TWEEDIE": (20, 440, "posterior mean", "denoiser"),
    "LEVELS": (320, 440, "many noise levels", "objectives/multi_level"),
    "PRED": (640, 440, "predictions of noise ...", "objectives/prediction"),
    "RM": (20, 580, "ratio matching", "objectives/ratio_matching"),
    "LIK": (320, 580, "partition function", "enumeration"),
    "MPF": (640, 580, "probability flow, binary", "objectives/minimum_probability_flow"),
}
LINES = [                                      # statement, from, to
    (2, "ESM", "ISM"), (7, "ISM", "SSM"), (44, "ISM", "GSM"), (19, "ESM", "PESM"),
    (3, "PESM", "PISM"), (4, "PESM", "DSM"), (14, "ISM", "DSM"), (5, "PISM", "DSM"),
    (18, "PISM", "DAE"), (1, "DSM", "DAE"), (16, "DSM", "TWEEDIE"), (12, "TWEEDIE", "DAE"),
    (40, "DSM", "LEVELS"), (34, "DSM", "PRED"), (43, "LEVELS", "FLOW"), (10, "RM", "LIK"),
    (10, "LIK", "MPF"),
]


def svg(statements: set[int]) -> str:
    """The drawing; a number links to its statement, a box to its room."""
    out = ['<svg viewBox="0 0 840 650" width="840" role="img" aria-label="Map of the statements">']
    for number, start, end in LINES:
        (x0, y0), (x1, y1) = _middle(start), _middle(end)
        out.append(f'<path d="M{x0} {y0} L{x1} {y1}"/>')
        x, y = (3 * x0 + 2 * x1) // 5, (3 * y0 + 2 * y1) // 5
        label = f'<text x="{x}" y="{y + 4}">{number}</text>'
        out.append(f'<a href="statements.html#s{number}">{label}</a>'
                   if number in statements else label)
    for left, top, label, room in BOXES.values():
        out.append(f'<a href="{page_name(room)}"><rect x="{left}" y="{top}" width="{WIDE}" '
                   f'height="{HIGH}" rx="5"/><text x="{left + 10}" y="{top + 26}">'
                   f"{html.escape(label)}</text></a>")
    return "\n".join([*out, "</svg>"])


def _middle(name: str) -> tuple[int, int]:
    x, y, *_ = BOXES[name]
    return x + WIDE // 2, y + HIGH // 2
