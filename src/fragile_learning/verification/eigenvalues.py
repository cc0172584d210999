"""Eigenvalues of symmetric matrices as a task for sequence models: matrices, tokens, correctness.

Finding eigenvalues is hard for a transformer, checking them is easy: a task with a natural
verifier. `IntGrid` is small enough for one CPU core, `RealMatrices` is close to the paper's task.
Both offer the same: ``disjoint_sets``, ``encode``, ``labels`` and ``correct``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fragile_learning._validation import as_generator, real_array, real_number, whole_number

__all__ = ["P1000", "DecodedNumbers", "EigenTask", "IntGrid", "RealMatrices"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]
Rng = np.random.Generator | np.random.SeedSequence | int


class EigenTask(Protocol):
    """What training and experiments ask of a task.

    Examples
    --------
    >>> def share_right(task: EigenTask, matrices, answers):
    ...     return float(task.correct(matrices, answers).mean())
    >>> task = IntGrid(max_entry=5)
    >>> (matrices,) = task.disjoint_sets([100], rng=1)
    >>> share_right(task, matrices, task.labels(matrices))
    1.0
    >>> share_right(task, matrices, task.labels(matrices[::-1]))
    0.0
    """

    @property
    def n_inputs(self) -> int:
        """Tokens of a matrix."""

    @property
    def n_outputs(self) -> int:
        """Tokens of an answer."""

    @property
    def input_words(self) -> int:
        """Different tokens of matrices."""

    @property
    def output_words(self) -> int:
        """Different tokens of answers."""

    def disjoint_sets(self, sizes: Sequence[int], *, rng: Rng) -> list[Any]:
        """Matrices in sets that share none."""

    def encode(self, matrices: ArrayLike) -> Integers:
        """Tokens of each matrix, shape (n_matrices, n_inputs)."""

    def labels(self, matrices: ArrayLike) -> Integers:
        """Tokens of the right answers, shape (n_matrices, n_outputs)."""

    def correct(self, matrices: ArrayLike, answers: ArrayLike) -> Flags:
        """Which answers are right, shape (n_matrices,) or (n_matrices, n_candidates)."""


def _tokens(name: str, value: Any, n_words: int) -> Integers:
    """Return int64 tokens in [0, n_words - 1]."""
    raw = np.asarray(value)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an array of integers, got dtype {raw.dtype}")
    bad = (raw < 0) | (raw >= n_words)
    if bad.any():
        raise ValueError(f"{name} must hold tokens in [0, {n_words - 1}], got {raw[bad][0]}")
    return raw.astype(np.int64)


def _answers(value: Any, n_words: int, n_matrices: int, n_outputs: int) -> Integers:
    """Return answers, one or several for each matrix."""
    array = _tokens("answers", value, n_words)
    shape = array.shape
    if array.ndim not in (2, 3) or shape[0] != n_matrices or shape[-1] != n_outputs:
        raise ValueError(
            f"answers must have the shape ({n_matrices}, {n_outputs}) or "
            f"({n_matrices}, n_candidates, {n_outputs}), got {shape}"
        )
    return array


def _sizes(sizes: Any) -> list[int]:
    if isinstance(sizes, str | bytes) or not isinstance(sizes, Sequence):
        raise TypeError(f"sizes must be a sequence of integers, got {sizes!r}")
    return [whole_number(f"sizes[{i}]", size, minimum=0) for i, size in enumerate(sizes)]


# --- whole numbers ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IntGrid:
    """Matrices [[a, b], [b, c]] of whole numbers, and their eigenvalues as whole numbers.

    Attributes
    ----------
    max_entry : int
        In [1, 100]; entries are uniform on ``-max_entry..max_entry``.

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Notes
    -----
    An answer is the larger, then the smaller eigenvalue, each rounded to the nearest integer; it is
    correct if both are. No eigenvalue is half-way between two integers: one that is a fraction is
    an integer, because the characteristic polynomial is monic.

    Examples
    --------
    >>> task = IntGrid(max_entry=5)
    >>> task.n_matrices, task.eigenvalues([[1, 2, -1]]).round(3).tolist()
    (1331, [[2.236, -2.236]])
    >>> task.decode(task.labels([[1, 2, -1]])).tolist()
    [[2, -2]]
    """

    max_entry: int = 20

    def __post_init__(self) -> None:
        whole_number("max_entry", self.max_entry, maximum=100)

    @property
    def n_matrices(self) -> int:
        """All there are: 68,921 with entries up to 20."""
        return int((2 * self.max_entry + 1) ** 3)

    @property
    def n_inputs(self) -> int:
        """Tokens of a matrix: one for each of a, b and c."""
        return 3

    @property
    def n_outputs(self) -> int:
        """Tokens of an answer, one for each eigenvalue."""
        return 2

    @property
    def input_words(self) -> int:
        """Different entries."""
        return 2 * self.max_entry + 1

    @property
    def output_words(self) -> int:
        """Different eigenvalues: from ``-2 max_entry`` to ``2 max_entry``."""
        return 4 * self.max_entry + 1

    def _matrices(self, value: Any) -> Integers:
        raw = np.asarray(value)
        if raw.dtype.kind not in "iu":
            raise TypeError(f"matrices must be an array of integers, got dtype {raw.dtype}")
        if raw.ndim != 2 or raw.shape[1] != 3:
            raise ValueError(f"matrices must have the shape (n_matrices, 3), got {raw.shape}")
        bad = (raw < -self.max_entry) | (raw > self.max_entry)
        if bad.any():
            raise ValueError(
                f"matrices must hold integers in [-{self.max_entry}, {self.max_entry}], "
                f"got {raw[bad][0]}"
            )
        return raw.astype(np.int64)

    def _of_codes(self, codes: Integers) -> Integers:
        side = self.input_words
        return np.stack([codes // side**2, codes // side % side, codes % side], 1) - self.max_entry

    def sample(self, n_matrices: int, *, rng: Rng) -> Integers:
        """Draw matrices, shape (n_matrices, 3): the entries a, b, c."""
        shape = (whole_number("n_matrices", n_matrices, minimum=0), 3)
        return as_generator(rng).integers(-self.max_entry, self.max_entry, shape, endpoint=True)

    def disjoint_sets(self, sizes: Sequence[int], *, rng: Rng) -> list[Integers]:
        """Draw sets of different matrices that share none, to train and to test on.

        Parameters
        ----------
        sizes : sequence of int
            Each >= 0, at most `n_matrices` together.
        rng : Generator, SeedSequence or int

        Returns
        -------
        list of ndarray of int64, each of shape (size, 3)
            With one seed, a set depends on its size and the sizes before it alone.
        """
        counts = _sizes(sizes)
        if sum(counts) > self.n_matrices:
            raise ValueError(
                f"sizes must sum to at most {self.n_matrices} matrices, got {sum(counts)}"
            )
        order = as_generator(rng).permutation(self.n_matrices)[: sum(counts)]
        return np.split(self._of_codes(order), np.cumsum(counts)[:-1]) if counts else []

    def eigenvalues(self, matrices: ArrayLike) -> Floats:
        """Exact eigenvalues (but for rounding), decreasing, shape (n_matrices, 2)."""
        a, b, c = self._matrices(matrices).T.astype(np.float64)
        middle, radius = (a + c) / 2.0, np.hypot((a - c) / 2.0, b)
        return np.stack([middle + radius, middle - radius], axis=1)

    def encode(self, matrices: ArrayLike) -> Integers:
        """Tokens of each matrix, shape (n_matrices, 3): the entries plus ``max_entry``."""
        return self._matrices(matrices) + self.max_entry

    def labels(self, matrices: ArrayLike) -> Integers:
        """Tokens of the right answers, shape (n_matrices, 2); in integers, without rounding."""
        a, b, c = self._matrices(matrices).T
        square = (a - c) ** 2 + 4 * b**2
        root = np.sqrt(square).astype(np.int64)  # exact: squares stay below 2**53
        up = root + (root**2 < square)
        # nearest integers to (a + c +- sqrt(square)) / 2, which is never a half
        pair = np.stack([(a + c + 1 + root) // 2, (a + c + 1 - up) // 2], axis=1)
        return pair + 2 * self.max_entry

    def decode(self, answers: ArrayLike) -> Integers:
        """Eigenvalues that tokens stand for, in the shape of ``answers``."""
        return _tokens("answers", answers, self.output_words) - 2 * self.max_entry

    def correct(self, matrices: ArrayLike, answers: ArrayLike) -> Flags:
        """Which answers have both eigenvalues right.

        Parameters
        ----------
        matrices : array_like of int, shape (n_matrices, 3)
        answers : array_like of int, shape (n_matrices, 2) or (n_matrices, n_candidates, 2)
            Tokens.

        Returns
        -------
        ndarray of bool, shape (n_matrices,) or (n_matrices, n_candidates)
        """
        truth = self.labels(matrices)
        given = _answers(answers, self.output_words, len(truth), 2)
        right: Flags = (given == (truth if given.ndim == 2 else truth[:, None])).all(axis=-1)
        return right


# --- real numbers -----------------------------------------------------------------------------


class DecodedNumbers(NamedTuple):
    """Numbers that tokens stand for.

    Attributes
    ----------
    values : ndarray
        0 where the tokens are no number.
    well_formed : ndarray of bool
        Whether there is a sign, then a mantissa, then an exponent.

    Examples
    --------
    >>> plus, mantissa, exponent = P1000().encode(2.5).tolist()
    >>> read = P1000().decode([[plus, mantissa, exponent], [mantissa, plus, exponent]])
    >>> read.values.tolist(), read.well_formed.tolist()
    ([2.5, 0.0], [True, False])
    """

    values: Floats
    well_formed: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class P1000:
    """Numbers as three tokens: sign, mantissa from 0 to 999, power of ten.

    Attributes
    ----------
    min_exponent, max_exponent : int
        In [-300, 0] and [0, 300]: numbers up to ``999 * 10**max_exponent``, with three significant
        digits down to ``100 * 10**min_exponent``, and fewer below.

    Notes
    -----
    Tokens 0 and 1 are plus and minus, then come the 1000 mantissas, then the exponents. Every
    number has one code: its mantissa is at least 100 except at the least exponent, and zero is
    plus, 0, exponent 0. Rounding changes a number by at most 0.5 % (half a unit of the mantissa).
    The vocabulary follows Charton, "Linear algebra with transformers", TMLR 2022, whose exponents
    reach from -100 to 100.

    Examples
    --------
    >>> code = P1000()
    >>> tokens = code.encode([3.14159, -0.5])
    >>> (tokens - [0, 2, 1012]).tolist()
    [[0, 314, -2], [1, 500, -3]]
    >>> code.decode(tokens).values.tolist()
    [3.14, -0.5]
    """

    min_exponent: int = -10
    max_exponent: int = 3

    def __post_init__(self) -> None:
        whole_number("min_exponent", self.min_exponent, minimum=-300, maximum=0)
        whole_number("max_exponent", self.max_exponent, minimum=0, maximum=300)

    @property
    def n_words(self) -> int:
        """Different tokens."""
        return 1002 + self.max_exponent - self.min_exponent + 1

    @staticmethod
    def _scaled(values: Floats, exponents: Integers) -> Floats:
        """``values * 10**exponents`` with one rounding."""
        power = 10.0 ** np.abs(exponents).astype(np.float64)
        with np.errstate(over="ignore"):  # in the branch that is not taken
            return np.where(exponents >= 0, values * power, values / power)

    def encode(self, values: ArrayLike) -> Integers:
        """Tokens of numbers, shape (..., 3).

        Raises
        ------
        TypeError, ValueError
            If a value is not finite, or rounds to more than ``999 * 10**max_exponent``.
        """
        array = real_array("values", values)
        size = np.abs(array)
        safe = np.where(size > 0.0, size, 1.0)
        exponents = np.maximum(np.floor(np.log10(safe)).astype(np.int64) - 2, self.min_exponent)
        for _ in range(2):  # the logarithm may miss a power of ten, and 999.5 rounds to 1000
            mantissas = np.rint(self._scaled(size, -exponents)).astype(np.int64)
            exponents = exponents + (mantissas > 999)
            exponents = exponents - ((mantissas < 100) & (exponents > self.min_exponent))
        mantissas = np.rint(self._scaled(size, -exponents)).astype(np.int64)
        exponents = np.where(mantissas == 0, 0, exponents)
        if (exponents > self.max_exponent).any():
            wrong = array[exponents > self.max_exponent][0]
            raise ValueError(
                f"values must be at most {999.0 * 10.0**self.max_exponent:g} in size, got {wrong!r}"
            )
        minus = ((array < 0) & (mantissas > 0)).astype(np.int64)
        return np.stack([minus, 2 + mantissas, 1002 + exponents - self.min_exponent], axis=-1)

    def decode(self, tokens: ArrayLike) -> DecodedNumbers:
        """Read numbers from tokens, well formed or not.

        Parameters
        ----------
        tokens : array_like of int, shape (..., 3)

        Returns
        -------
        DecodedNumbers
            Of the shape (...).
        """
        array = _tokens("tokens", tokens, self.n_words)
        if array.ndim == 0 or array.shape[-1] != 3:
            raise ValueError(f"tokens must have the shape (..., 3), got {array.shape}")
        sign, mantissa, exponent = array[..., 0], array[..., 1], array[..., 2]
        fine: Flags = (sign < 2) & (mantissa >= 2) & (mantissa < 1002) & (exponent >= 1002)
        powers = np.where(fine, exponent - 1002 + self.min_exponent, 0)
        sizes = self._scaled(np.where(fine, mantissa - 2.0, 0.0), powers)
        return DecodedNumbers(np.where(fine & (sign == 1), -sizes, sizes), fine)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealMatrices:
    """Symmetric matrices of real numbers, written in `P1000`.

    Attributes
    ----------
    size : int
        Rows, in [1, 20].
    max_entry : float
        > 0; entries on and below the diagonal are independent and uniform on
        ``[-max_entry, max_entry]``.
    tolerance : float
        > 0; an answer is correct if the sum of the distances is less than this part of the sum of
        the eigenvalues' sizes.
    code : P1000

    Raises
    ------
    TypeError, ValueError
        Naming the field.

    Notes
    -----
    A matrix is its lower triangle row by row, an answer its eigenvalues in decreasing order, three
    tokens each, without tokens for the sizes or the end: these are fixed.

    Examples
    --------
    >>> task = RealMatrices(size=2, tolerance=0.01)
    >>> matrix = [[[2.0, 1.0], [1.0, 2.0]]]
    >>> task.code.decode(task.labels(matrix).reshape(1, 2, 3)).values.tolist()
    [[3.0, 1.0]]
    >>> task.correct(matrix, task.labels(matrix)).tolist()
    [True]
    """

    size: int = 5
    max_entry: float = 10.0
    tolerance: float = 0.01
    code: P1000 = P1000()

    def __post_init__(self) -> None:
        whole_number("size", self.size, maximum=20)
        real_number("max_entry", self.max_entry, minimum=0.0, open_minimum=True)
        real_number("tolerance", self.tolerance, minimum=0.0, open_minimum=True)
        if not isinstance(self.code, P1000):
            raise TypeError(f"code must be a P1000, got {self.code!r}")
        largest = 999.0 * 10.0**self.code.max_exponent
        if self.size * self.max_entry > largest:
            raise ValueError(
                f"max_entry must be at most {largest / self.size:g} for the eigenvalues to have a "
                f"code, got {self.max_entry!r}"
            )

    @property
    def n_inputs(self) -> int:
        """Tokens of a matrix: three for each entry on and below the diagonal."""
        return 3 * self.size * (self.size + 1) // 2

    @property
    def n_outputs(self) -> int:
        """Tokens of an answer: three for each eigenvalue."""
        return 3 * self.size

    @property
    def input_words(self) -> int:
        """Different tokens of numbers."""
        return self.code.n_words

    @property
    def output_words(self) -> int:
        """Different tokens of numbers."""
        return self.code.n_words

    def _matrices(self, value: Any) -> Floats:
        array = real_array("matrices", value)
        if array.ndim != 3 or array.shape[1:] != (self.size, self.size):
            raise ValueError(
                f"matrices must have the shape (n_matrices, {self.size}, {self.size}), "
                f"got {array.shape}"
            )
        if (array != array.transpose(0, 2, 1)).any():
            raise ValueError("matrices must be symmetric, got one that is not")
        if (np.abs(array) > self.max_entry).any():
            raise ValueError(
                f"matrices must hold numbers in [-{self.max_entry:g}, {self.max_entry:g}], "
                f"got {array[np.abs(array) > self.max_entry][0]!r}"
            )
        return array

    def sample(self, n_matrices: int, *, rng: Rng) -> Floats:
        """Draw matrices, shape (n_matrices, size, size)."""
        count = whole_number("n_matrices", n_matrices, minimum=0)
        rows, columns = np.tril_indices(self.size)
        drawn = as_generator(rng).uniform(-self.max_entry, self.max_entry, (count, len(rows)))
        matrices = np.empty((count, self.size, self.size))
        matrices[:, rows, columns] = matrices[:, columns, rows] = drawn
        return matrices

    def disjoint_sets(self, sizes: Sequence[int], *, rng: Rng) -> list[Floats]:
        """Draw sets of matrices; two of them are never equal.

        Parameters
        ----------
        sizes : sequence of int
            Each >= 0.
        rng : Generator, SeedSequence or int
        """
        generator = as_generator(rng)
        return [self.sample(size, rng=generator) for size in _sizes(sizes)]

    def eigenvalues(self, matrices: ArrayLike) -> Floats:
        """Eigenvalues in decreasing order, shape (n_matrices, size)."""
        return np.asarray(np.linalg.eigvalsh(self._matrices(matrices))[:, ::-1], dtype=np.float64)

    def encode(self, matrices: ArrayLike) -> Integers:
        """Tokens of each matrix, shape (n_matrices, n_inputs)."""
        array = self._matrices(matrices)
        rows, columns = np.tril_indices(self.size)
        return self.code.encode(array[:, rows, columns]).reshape(len(array), self.n_inputs)

    def labels(self, matrices: ArrayLike) -> Integers:
        """Tokens of the right answers, shape (n_matrices, n_outputs)."""
        values = self.eigenvalues(matrices)
        return self.code.encode(values).reshape(len(values), self.n_outputs)

    def relative_errors(self, matrices: ArrayLike, answers: ArrayLike) -> Floats:
        r"""Distance of answers to the eigenvalues.

        .. math:: \sum_i |\hat\lambda_i - \lambda_i| \Big/ \sum_i |\lambda_i|

        Parameters
        ----------
        matrices : array_like, shape (n_matrices, size, size)
        answers : array_like of int, shape (n_matrices, n_outputs) or (n_matrices, K, n_outputs)
            Tokens.

        Returns
        -------
        ndarray, shape (n_matrices,) or (n_matrices, K)
            Infinite where tokens are no number. For a matrix of zeros, 0 if the answer is right and
            infinite if not.
        """
        truth = self.eigenvalues(matrices)
        given = _answers(answers, self.output_words, len(truth), self.n_outputs)
        read = self.code.decode(given.reshape(*given.shape[:-1], self.size, 3))
        true = truth if given.ndim == 2 else truth[:, None]
        distance = np.abs(read.values - true).sum(axis=-1)
        total = np.broadcast_to(np.abs(true).sum(axis=-1), distance.shape)
        errors = np.where(distance == 0.0, 0.0, math.inf)
        np.divide(distance, total, out=errors, where=total > 0.0)
        return np.where(read.well_formed.all(axis=-1), errors, math.inf)

    def correct(self, matrices: ArrayLike, answers: ArrayLike) -> Flags:
        """Which answers are within the tolerance, see `relative_errors`."""
        right: Flags = self.relative_errors(matrices, answers) < self.tolerance
        return right
