"""Settings of convolutions on a GPU are changed and put back."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from fragile_learning.networks.precision import full_precision  # noqa: E402

CUDNN = torch.backends.cudnn


@pytest.mark.parametrize("search", [False, True])
def test_settings_hold_within_and_are_put_back(search):
    before = CUDNN.allow_tf32, CUDNN.benchmark
    seen = []

    @full_precision(search=search)
    def fail():
        seen.append((CUDNN.allow_tf32, CUDNN.benchmark))
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [(False, search)]
    assert (CUDNN.allow_tf32, CUDNN.benchmark) == before
    assert before[0]  # or nothing was changed


def test_it_nests():
    with full_precision(search=True):
        with full_precision():
            assert not CUDNN.benchmark
        assert CUDNN.benchmark
