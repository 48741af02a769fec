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
    "PRED": (640, 300, "predictions of noise ...", "objectives/prediction"),
    "TWEEDIE": (20, 440, "posterior mean", "denoiser"),
    "LEVELS": (320, 440, "many noise levels", "objectives/multi_level"),
    "FLOW": (640, 440, "probability flow", "flow"),
    "RM": (20, 580, "ratio matching", "objectives/ratio_matching"),
    "LIK": (320, 580, "partition function", "enumeration"),
    "MPF": (640, 580, "probability flow, binary", "objectives/minimum_probability_flow"),
}
LINES = [                                      # statement, from, to
    (2, "ESM", "ISM"), (7, "ISM", "SSM"), (3, "PESM", "PISM"), (14, "ESM", "PESM"),
    (5, "PISM", "DSM"), (4, "PESM", "DSM"), (1, "DSM", "DAE"), (34, "DAE", "PRED"),
    (16, "DSM", "TWEEDIE"), (39, "TWEEDIE", "LEVELS"), (43, "LEVELS", "FLOW"),
    (44, "ISM", "GSM"), (9, "RM", "LIK"), (48, "LIK", "MPF"), (40, "DSM", "LEVELS"),
    (18, "DAE", "PISM"),
]


def svg(statements: set[int]) -> str:
    """The drawing; a number links to its statement, a box to its room."""
    out = ['<svg viewBox="0 0 840 650" role="img" aria-label="Map of the statements">']
    for number, start, end in LINES:
        (x0, y0), (x1, y1) = _middle(start), _middle(end)
        shift = 14 if x0 == x1 else 0
        out.append(f'<path d="M{x0} {y0} L{x1} {y1}"/>')
        label = f'<text x="{(x0 + x1) // 2 + shift}" y="{(y0 + y1) // 2 - 6}">{number}</text>'
        out.append(f'<a href="statements.html#s{number}">{label}</a>'
                   if number in statements else label)
    for x, y, label, room in BOXES.values():
        out.append(f'<a href="{page_name(room)}"><rect x="{x}" y="{y}" width="{WIDE}" '
                   f'height="{HIGH}" rx="5"/><text x="{x + 10}" y="{y + 26}">'
                   f"{html.escape(label)}</text></a>")
    return "\n".join([*out, "</svg>"])


def _middle(name: str) -> tuple[int, int]:
    x, y, *_ = BOXES[name]
    return x + WIDE // 2, y + HIGH // 2
