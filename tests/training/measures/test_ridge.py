import numpy as np
import pytest

from firsthand.training.measures.ridge import PENALTIES, cross_validated, folds_of, ridge


def samples(n=120, d=30, k=2, groups=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * 3 + 1, rng.standard_normal((n, k)), np.arange(n) % groups


def distance(a, b):
    return float(np.median(np.linalg.norm(a - b, axis=1)))


@pytest.mark.parametrize("d", [30, 400])  # fewer numbers than samples, and more
def test_ridge_is_scikit_learn_s(d):
    from sklearn.linear_model import Ridge

    x, y, _ = samples(d=d)
    mean, std = x[:90].mean(0), x[:90].std(0)
    ours = ridge(x[:90], y[:90], x[90:], PENALTIES)
    for penalty, predicted in zip(PENALTIES, ours, strict=True):
        model = Ridge(alpha=penalty, solver="svd").fit((x[:90] - mean) / std, y[:90])
        np.testing.assert_allclose(predicted, model.predict((x[90:] - mean) / std), atol=1e-6)


def test_a_number_that_never_varies_tells_nothing():
    x, y, _ = samples()
    spoilt = x.copy()
    spoilt[:90, 3] = 1.0  # as far as the fit can see; afterwards it is anything
    without = np.delete(x, 3, axis=1)
    predicted, expected = (ridge(z[:90], y[:90], z[90:], [1.0]) for z in (spoilt, without))
    np.testing.assert_allclose(predicted, expected, atol=1e-9)


def test_a_planted_linear_code_is_found():
    x, y, groups = samples(n=400, d=50)
    x[:, :10] += 50 * y @ np.random.default_rng(1).standard_normal((2, 10))
    predicted, means = cross_validated(x, y, folds_of(groups))
    assert distance(predicted, y) < 0.2
    assert distance(means, y) > 1


@pytest.mark.parametrize("d", [10, 2000])
def test_noise_is_no_better_than_the_mean(d):
    x, y, groups = samples(n=300, d=d)
    predicted, means = cross_validated(x, y, folds_of(groups))
    assert distance(predicted, y) > 0.95 * distance(means, y)
    assert distance(predicted, y) < 1.3 * distance(means, y)  # a strong penalty is found


def test_a_group_is_never_on_both_sides():
    """What names the group tells its place to any fit that has seen another sample of it."""
    groups = np.repeat(np.arange(30), 8)
    x = np.eye(30)[groups] + 0.01 * np.random.default_rng(1).standard_normal((240, 30))
    y = np.random.default_rng(0).standard_normal((30, 2))[groups]
    folds = folds_of(groups)
    assert all(len(set(folds[groups == group])) == 1 for group in range(30))
    assert np.bincount(folds).tolist() == [48] * 5
    predicted, means = cross_validated(x, y, folds)
    assert distance(predicted, y) > 0.9 * distance(means, y)
    mixed, _ = cross_validated(x, y, np.arange(240) % 5)
    assert distance(mixed, y) < 0.1 * distance(means, y)


def test_what_is_predicted_for_a_fold_does_not_depend_on_the_truth_there():
    x, y, groups = samples()
    folds = folds_of(groups)
    other = np.where((folds == 2)[:, None], 100.0, y)
    predicted, changed = (cross_validated(x, z, folds)[0] for z in (y, other))
    np.testing.assert_array_equal(predicted[folds == 2], changed[folds == 2])
    assert not np.allclose(predicted[folds == 3], changed[folds == 3])


def test_two_recordings_are_too_few():
    with pytest.raises(ValueError, match="at least 3 groups, not 2"):
        folds_of(np.array([0, 0, 1, 1]))
