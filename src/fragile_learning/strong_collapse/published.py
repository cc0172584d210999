r"""Forms attributed to the paper that we found to be different, kept to be compared with.

The paper's full text was not at hand: these are the forms that readers' notes of its second
arXiv version agree on. The book's own are in `fragile_learning.strong_collapse.theory`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import real_array, real_number

__all__ = ["optimal_real_weight", "weighted_mixing"]

Array = NDArray[np.float64]


def weighted_mixing(
    weight: ArrayLike,
    synthetic_fraction: float,
    aspect_ratio: float,
    *,
    noise_std_real: float,
    noise_std_synthetic: float,
    shift_size: float,
) -> Array:
    r"""Risk of weighted least squares on white features, as Corollary 2 is reported.

    .. math:: p_2^2\alpha^2c^2 + \big((1-\alpha)p_1\sigma_1^2 + \alpha p_2\sigma_2^2\big)\phi

    Wrong: the floor is :math:`\alpha^2c^2`, and the noise enters with
    :math:`(1-\alpha)^2\sigma_1^2/p_1 + \alpha^2\sigma_2^2/p_2`.

    Parameters
    ----------
    weight : array_like
        :math:`\alpha` in [0, 1], the weight of the synthetic samples together.
    synthetic_fraction : float
        :math:`p_2` in [0, 1].
    aspect_ratio : float
        :math:`\phi = d/n >= 0`.
    noise_std_real, noise_std_synthetic : float
        >= 0.
    shift_size : float
        :math:`c^2 >= 0`.

    Returns
    -------
    ndarray
        Of the shape of ``weight``, in squared label units.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> setting = dict(noise_std_real=0.5, noise_std_synthetic=0.5, shift_size=0.5)
    >>> float(weighted_mixing(0.5, 0.5, 0.05, **setting))
    0.0375
    """
    alpha = real_array("weight", weight, minimum=0.0, maximum=1.0)
    p2 = real_number("synthetic_fraction", synthetic_fraction, minimum=0.0, maximum=1.0)
    phi = real_number("aspect_ratio", aspect_ratio, minimum=0.0)
    real = real_number("noise_std_real", noise_std_real, minimum=0.0) ** 2
    synthetic = real_number("noise_std_synthetic", noise_std_synthetic, minimum=0.0) ** 2
    size = real_number("shift_size", shift_size, minimum=0.0)
    noise = (1.0 - alpha) * (1.0 - p2) * real + alpha * p2 * synthetic
    return np.asarray(p2**2 * alpha**2 * size + noise * phi)


def optimal_real_weight(
    synthetic_fraction: float,
    aspect_ratio: float,
    *,
    noise_std_real: float,
    noise_std_synthetic: float,
    shift_size: float,
) -> float:
    r"""Best weight as reported: :math:`1 - (p_1\sigma_1^2 - p_2\sigma_2^2)\phi/(2c^2)`, clipped.

    As :math:`\phi` vanishes it tends to 1: it can only be the weight of the *real* samples, though
    it is reported for the synthetic ones.

    Parameters
    ----------
    synthetic_fraction, aspect_ratio, noise_std_real, noise_std_synthetic
        As in `weighted_mixing`.
    shift_size : float
        > 0.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> setting = dict(noise_std_real=0.5, noise_std_synthetic=0.5, shift_size=0.5)
    >>> optimal_real_weight(0.25, 0.001, **setting)
    0.999875
    """
    p2 = real_number("synthetic_fraction", synthetic_fraction, minimum=0.0, maximum=1.0)
    phi = real_number("aspect_ratio", aspect_ratio, minimum=0.0)
    real = real_number("noise_std_real", noise_std_real, minimum=0.0) ** 2
    synthetic = real_number("noise_std_synthetic", noise_std_synthetic, minimum=0.0) ** 2
    size = real_number("shift_size", shift_size, minimum=0.0, open_minimum=True)
    slope = ((1.0 - p2) * real - p2 * synthetic) / (2.0 * size)
    return float(np.clip(1.0 - slope * phi, 0.0, 1.0))
