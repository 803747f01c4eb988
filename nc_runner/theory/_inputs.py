"""Reading the arguments of a formula: float64, and in the range where the formula holds."""

import torch
from torch import Tensor


def in_float64(
    name: str,
    value: float | Tensor,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> Tensor:
    """`value` as a float64 tensor; ValueError where an element is out of range. NaN passes."""
    # as_tensor without a dtype would pass a Python float through float32. A number works with tensors of any device.
    device = value.device if isinstance(value, Tensor) else "cpu"
    values = torch.as_tensor(value, dtype=torch.float64, device=device).detach()
    wrong = torch.zeros_like(values, dtype=torch.bool)
    allowed: list[str] = []
    if at_least is not None:
        wrong, allowed = wrong | (values < at_least), [*allowed, f"at least {at_least:g}"]
    if above is not None:
        wrong, allowed = wrong | (values <= above), [*allowed, f"greater than {above:g}"]
    if at_most is not None:
        wrong, allowed = wrong | (values > at_most), [*allowed, f"at most {at_most:g}"]
    if below is not None:
        wrong, allowed = wrong | (values >= below), [*allowed, f"less than {below:g}"]
    if bool(wrong.any()):
        raise ValueError(f"{name} is {float(values[wrong][0]):g}; it must be {' and '.join(allowed)}.")
    return values
