# %% [markdown]
# # Verify yours: planted mistakes and their diagnosis
#
# **Claim.** A loss is a sum of a few terms. For denoising score matching, with the target g,
#
#     J_DSM = E 1/2 |psi|^2 - E psi.g + E 1/2 |g|^2
#
# An implementation that multiplies the whole by a positive factor has the same minimisers: a
# convention. One that changes a term in psi has others: a mistake. A single number cannot tell
# which it is. The answers to thirty cases, in which d, n, M, sigma and theta differ, can: they show
# which term it is, and by which factor. `refsm.verify` names the mistake from the answers alone.
#
# It takes 5 seconds.

# %%
import textwrap

import numpy as np

import refsm

try:
    from demos._figure import Progress, figure_file, pyplot, save, stop_if, table
except ModuleNotFoundError:                      # opened as a notebook, beside its helper
    from _figure import Progress, figure_file, pyplot, save, stop_if, table

FIGURE = figure_file("09_verify", "Verify your own loss: planted mistakes and their diagnosis.")


# %% [markdown]
# ## Somebody's losses
#
# An implementation is a function of a case, which holds data, noise, directions and parameters as
# arrays, and returns a number. Here are sixteen: one is right, three follow another convention,
# twelve are something else.

# %%
def half(r):
    return (r * r).sum(axis=1) / 2


def target(case):
    return (case.x - case.x_noisy) / case.sigma**2


def sliced(case, v):
    along = np.einsum("nri,ni->nr", v, case.score(case.x))
    return (case.score_curvature(case.x, v) + along**2 / 2).mean()


def unit_length(v):
    return v / np.sqrt((v * v).sum(axis=-1, keepdims=True))


def psi(case):
    return case.score(case.x_noisy)


def implicit(case, norm=1, trace=1):
    return (norm * half(case.score(case.x)) + trace * case.score_divergence(case.x)).mean()


def whole_jacobian(case):
    return (half(case.score(case.x)) + case.score_jacobian(case.x).sum(axis=(1, 2))).mean()


def one_set(v):
    return np.broadcast_to(v[:1], v.shape)


PLANTED = {
    "nothing": ("dsm", lambda c: half(psi(c) - target(c)).mean()),
    "no 1/2": ("dsm", lambda c: 2 * half(psi(c) - target(c)).mean()),
    "mean over dimensions": ("dsm", lambda c: half(psi(c) - target(c)).mean() / c.d),
    "weight sigma^2": ("dsm", lambda c: c.sigma**2 * half(psi(c) - target(c)).mean()),
    "sign of the target": ("dsm", lambda c: half(psi(c) + target(c)).mean()),
    "sigma for sigma^2": ("dsm", lambda c: half(psi(c) - c.sigma * target(c)).mean()),
    "score at the clean x": ("dsm", lambda c: half(c.score(c.x) - target(c)).mean()),
    "norm not squared": ("dsm", lambda c: np.sqrt(2 * half(psi(c) - target(c))).mean()),
    "no 1/2 on |psi|^2": ("ism", lambda c: implicit(c, norm=2)),
    "trace dropped": ("ism", lambda c: implicit(c, trace=0)),
    "Hessian of E": ("ism", lambda c: implicit(c, trace=-1)),
    "sum for trace": ("ism", whole_jacobian),
    "unit directions": ("ssm", lambda c: sliced(c, unit_length(c.directions))),
    "one set of directions": ("ssm", lambda c: sliced(c, one_set(c.directions))),
    "sign of the gap": ("ratio", lambda c: (1 / (1 + np.exp(-c.energy_gap(c.x)))**2).sum(1).mean()),
}


def decoder_forgotten(case):
    """The loss is right; its gradient for W has the encoder's part alone."""
    W, b, c = case.params["W"], case.params["b"], case.params["c"]
    h = 1 / (1 + np.exp(-(case.x_noisy @ W.T + b)))
    error = h @ W + c - case.x
    delta = 2 * error / case.n
    delta_a = delta @ W.T * h * (1 - h)
    gradient = {"W": delta_a.T @ case.x_noisy, "b": delta_a.sum(axis=0), "c": delta.sum(axis=0)}
    return {"value": (error**2).sum(axis=1).mean(), "gradient": gradient}


# %% [markdown]
# ## The diagnosis

# %%
reports = {}
with Progress("implementations", of=len(PLANTED) + 1) as progress:
    for mistake, (objective, implementation) in PLANTED.items():
        reports[mistake] = refsm.verify(implementation, objective)
        progress(mistake)
    reports["decoder forgotten"] = refsm.verify(decoder_forgotten, "dae", gradient=True)
    progress()

rows = []
for mistake, report in reports.items():
    said, *more = textwrap.wrap(report.gradient[0] if report.gradient else report.name, 36)
    rows += [[mistake, report.objective, report.verdict, said],
             *(["", "", "", line] for line in more)]
print("what was planted, and what thirty answers say:")
table(["planted", "loss", "verdict", "diagnosis"], rows)

# %% [markdown]
# ## One report in full
#
# Which term, by which factor, what it does to training, what is not the problem, the smallest case,
# and what to write if it is meant.

# %%
if "no 1/2 on |psi|^2" in reports:
    print()
    for line in str(reports["no 1/2 on |psi|^2"]).splitlines():
        indent = line[:len(line) - len(line.lstrip())]
        wrapped = textwrap.wrap(line, 80, subsequent_indent=indent) if len(line) > 80 else [line]
        print("\n".join(wrapped))

# %% [markdown]
# ## A network that predicts the noise
#
# The score is -noise / sigma, and every point has a level of its own, alpha and sigma. With
# `predicts="noise"` the case hands the network's output, and the loss stands as in a training
# script. A weight of the levels is a convention, by its name.

# %%
def missed(case):
    return case.prediction(case.x_noisy) - case.noise


def min_snr(case):
    snr = (case.alpha / case.sigma)**2
    return (np.minimum(snr, 5) / snr * (missed(case)**2).mean(axis=1)).mean()


def forgotten_squeeze(case):
    sigma = case.sigma[:, None]
    return (sigma**2 * (missed(case)**2).sum(axis=1)).mean()


def of_velocities(case):
    alpha, sigma = case.alpha[:, None], case.sigma[:, None]
    velocity = alpha * case.noise - sigma * case.x
    return ((case.prediction(case.x_noisy) - velocity)**2).sum(axis=1).mean()


DIFFUSION = {"the training script": lambda c: (missed(c)**2).mean(),
             "min-SNR, gamma = 5": min_snr, "(n, 1) times (n,)": forgotten_squeeze,
             "trained on velocities": of_velocities}
diffusion = {name: refsm.verify(loss, "dsm", predicts="noise") for name, loss in DIFFUSION.items()}
print()
for name, report in diffusion.items():
    print(textwrap.fill(f"{name}: {report.verdict}; {report.name}", 80, subsequent_indent="    "))

# %% [markdown]
# ## With torch, where it is installed
#
# The adapter is the loss as it stands: tensors are taken as they come. The second one detaches the
# decoder's weights.

# %%
try:
    import torch
except ImportError:
    torch = None


def torch_loss(detach):
    def loss(case):
        W, b, c = (torch.tensor(case.params[name], requires_grad=True) for name in "Wbc")
        x, x_noisy = torch.tensor(case.x), torch.tensor(case.x_noisy)
        decoder = W.detach() if detach else W
        psi = (torch.sigmoid(x_noisy @ W.T + b) @ decoder + c - x_noisy) / case.sigma**2
        value = ((psi - (x - x_noisy) / case.sigma**2) ** 2).sum(dim=1).mean() / 2
        value.backward()
        return {"value": value, "gradient": {"W": W.grad, "b": b.grad, "c": c.grad}}
    return loss


if torch is None:
    print("\ntorch is not installed; with it this demo verifies a torch loss as well.")
else:
    in_torch = {detach: refsm.verify(torch_loss(detach), "dsm", gradient=True)
                for detach in (False, True)}
    print()
    for detach, report in in_torch.items():
        finding = report.gradient[0] if report.gradient else report.name
        said = f"torch{', decoder detached' if detach else ''}: {report.verdict}; {finding}"
        print(textwrap.fill(said, 80, subsequent_indent="    "))

# %% [markdown]
# ## The picture
#
# The ratio of an answer to the reference, case by case. A convention is a factor that depends on
# the sizes but not on theta: one level for each group (the groups have marks of their own). A
# mistake depends on theta: the ratios scatter, and no factor mends it. But the ratio alone does not
# say what it is: the terms do.

# %%
if plt := pyplot():
    from refsm.verify.cases import value

    shown = {"no 1/2": "no 1/2", "weight sigma^2": r"weight $\sigma^2$",
             "sign of the target": "sign of the target",
             "sigma for sigma^2": r"$\sigma$ for $\sigma^2$",
             "no 1/2 on |psi|^2": r"no 1/2 on $|\psi|^2$", "trace dropped": "trace dropped"}
    figure, axes = plt.subplots(2, 3, figsize=(9, 4.4), sharex=True)
    for axis, mistake in zip(axes.ravel(), [name for name in shown if name in reports]):
        objective, implementation = PLANTED[mistake]
        cases = refsm.verify.cases(objective, "prime")
        ratio = np.array([implementation(case) / value(case) for case in cases])
        groups = [case.group for case in cases]
        for group, mark in zip(sorted(set(groups)), "osD^vx"):
            k = np.flatnonzero(np.array(groups) == group)
            color = "k" if reports[mistake].verdict == "CONVENTION" else "#c4501b"
            axis.plot(k, ratio[k], mark, color=color, markersize=4, fillstyle="none")
        axis.axhline(1, color="0.85", linewidth=0.8, zorder=0)
        axis.set_title(f"{objective}: {shown[mistake]}")
        low, high = min(0, ratio.min()), max(ratio.max(), 1)
        axis.set_ylim(low - 0.1 * (high - low), high + 0.15 * (high - low))
        axis.text(0.02, 0.02, reports[mistake].verdict, transform=axis.transAxes, fontsize=7,
                  color="0.4")
    for axis in axes[1]:
        axis.set_xlabel("case")
    for axis in axes[:, 0]:
        axis.set_ylabel("answer / reference")
    save(figure, FIGURE)

# %% [markdown]
# ## The claim, checked

# %%
stop_if(not progress.finished)
found = {mistake: (report.verdict, report.convention) for mistake, report in reports.items()}
assert found["nothing"][0] == "PASS"
assert found["no 1/2"] == ("CONVENTION", "2")
assert found["mean over dimensions"] == ("CONVENTION", "1 / d")
assert found["weight sigma^2"] == ("CONVENTION", "sigma^2")
assert found["sign of the target"] == ("MISMATCH", "target x -1")
assert found["sigma for sigma^2"] == ("MISMATCH", "target x sigma")
assert found["no 1/2 on |psi|^2"] == ("MISMATCH", "norm x 2")
assert found["trace dropped"] == ("MISMATCH", "divergence x 0")
assert found["Hessian of E"] == ("MISMATCH", "divergence x -1")
for mistake in list(PLANTED)[4:]:
    assert found[mistake][0] == "MISMATCH", mistake
assert reports["decoder forgotten"].exit_status == 1
assert reports["decoder forgotten"].gradient
refsm.assert_conforms(PLANTED["no 1/2"][1], "dsm", convention="2")       # as it is meant
assert diffusion["the training script"].convention == "1 / d"
assert diffusion["min-SNR, gamma = 5"].convention == "1 / d; weight.min-snr-noise-5"
assert diffusion["(n, 1) times (n,)"].verdict == "MISMATCH"
assert diffusion["trained on velocities"].verdict == "MISMATCH"
if torch is not None:
    assert in_torch[False].verdict == "PASS"
    assert in_torch[True].exit_status == 1
