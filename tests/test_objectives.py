"""Losses against a float64 oracle written with numpy alone."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from distill.config.base import ObjectiveConfig
from distill.contracts import Targets, Task
from distill.errors import ConfigError
from distill.objectives.configs import HardConfig, LogitMSEConfig, SoftTargetConfig, resolve_class_weights
from distill.registry import Registry

MULTI = Task("multi_label", ("toxic", "threat", "insult"))
SINGLE = Task("single_label", ("gogol", "pushkin", "tolstoy"))
COUNTS = dict.fromkeys(MULTI.label_names + SINGLE.label_names, (10, 40))
TASKS = pytest.mark.parametrize("task", [MULTI, SINGLE], ids=["multi", "single"])


def sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def oracle_soft(kind, teacher, student, temperature):
    t, s = teacher / temperature, student / temperature
    if kind == "multi_label":
        p, q = sigmoid(t), sigmoid(s)
        return temperature**2 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum()
    log_p, log_q = log_softmax(t), log_softmax(s)
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum()


def oracle_hard(kind, student, labels, weights):
    if kind == "multi_label":
        each = -(labels * weights * np.log(sigmoid(student)) + (1 - labels) * np.log(sigmoid(-student)))
        return np.nansum(each)
    known = labels >= 0
    log_q = log_softmax(student)[known, labels[known]]
    return -(log_q * weights[labels[known]]).sum()


def make_batch(task, rows=7, scale=3.0, seed=0):
    rng = np.random.default_rng(seed)
    teacher, student = rng.normal(0, scale, (2, rows, task.num_labels))
    if task.kind == "multi_label":
        labels = rng.integers(0, 2, (rows, task.num_labels)).astype(np.float64)
        labels[0, 1] = labels[3, 0] = np.nan
        labels[5] = np.nan
    else:
        labels = rng.integers(0, task.num_labels, rows)
        labels[5] = -1
    return teacher, student, labels


def evaluate(config, task, teacher, student, labels, dtype=torch.float64):
    logits = torch.tensor(student, dtype=dtype, requires_grad=True)
    targets = Targets(torch.tensor(labels), None if teacher is None else torch.tensor(teacher, dtype=dtype))
    terms = config.build(task, COUNTS)(logits, targets)
    terms["loss"].backward()
    return terms["loss"].item(), logits.grad.numpy()


@TASKS
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize("soft_weight", [0.0, 0.3, 0.7, 1.0])
def test_soft_target_equals_the_oracle(task, temperature, soft_weight):
    teacher, student, labels = make_batch(task)
    weights = np.array([1.0, 4.0, 0.5])
    config = SoftTargetConfig(
        temperature=temperature,
        soft_weight=soft_weight,
        class_weights=dict(zip(task.label_names, weights, strict=True)),
    )
    expected = soft_weight * oracle_soft(task.kind, teacher, student, temperature)
    expected += (1 - soft_weight) * oracle_hard(task.kind, student, labels, weights)
    assert evaluate(config, task, teacher, student, labels)[0] == pytest.approx(expected, rel=1e-9)


@TASKS
def test_logit_mse_equals_the_oracle(task):
    teacher, student, labels = make_batch(task)
    difference = student - teacher
    if task.kind == "multi_label":
        expected = (difference**2).sum() / 8
    else:
        expected = ((difference - difference.mean(axis=1, keepdims=True)) ** 2).sum() / (2 * task.num_labels)
    assert evaluate(LogitMSEConfig(soft_weight=1), task, teacher, student, labels)[0] == pytest.approx(
        expected
    )


@TASKS
def test_soft_loss_tends_to_logit_mse_as_the_temperature_grows(task):
    teacher, student, labels = make_batch(task)
    hot = evaluate(SoftTargetConfig(temperature=1e4, soft_weight=1), task, teacher, student, labels)
    mse = evaluate(LogitMSEConfig(soft_weight=1), task, teacher, student, labels)
    assert hot[0] == pytest.approx(mse[0], rel=1e-3)
    np.testing.assert_allclose(hot[1], mse[1], rtol=1e-2, atol=1e-4)


@TASKS
def test_soft_loss_is_zero_at_the_teacher_and_positive_elsewhere(task):
    teacher, student, labels = make_batch(task)
    config = SoftTargetConfig(temperature=3, soft_weight=1)
    value, gradient = evaluate(config, task, teacher, teacher.copy(), labels)
    assert value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(gradient, 0, atol=1e-12)
    assert evaluate(config, task, teacher, student, labels)[0] > 0


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_gradient_is_temperature_times_q_minus_p(temperature):
    teacher, student, labels = make_batch(MULTI)
    config = SoftTargetConfig(temperature=temperature, soft_weight=1)
    gradient = evaluate(config, MULTI, teacher, student, labels)[1]
    expected = temperature * (sigmoid(student / temperature) - sigmoid(teacher / temperature))
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)


@TASKS
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    "config", [SoftTargetConfig(temperature=1, soft_weight=0.5), LogitMSEConfig(soft_weight=0.5)]
)
def test_losses_are_finite_at_logits_of_ten_thousand(task, sign, config):
    teacher = np.full((2, task.num_labels), sign * 1e4)
    teacher[:, 0] *= -1
    labels = np.ones((2, task.num_labels)) if task.kind == "multi_label" else np.array([0, 1])
    value, gradient = evaluate(config, task, teacher, -teacher, labels, dtype=torch.float32)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert (gradient != 0).any(), "a wrong answer of 10,000 must be pulled back"


@TASKS
def test_weight_zero_is_supervised_training_and_needs_no_teacher(task):
    _, student, labels = make_batch(task)
    supervised = evaluate(HardConfig(), task, None, student, labels)
    for config in (SoftTargetConfig(soft_weight=0), LogitMSEConfig(soft_weight=0)):
        value, gradient = evaluate(config, task, None, student, labels)
        assert value == supervised[0]
        np.testing.assert_array_equal(gradient, supervised[1])
        assert config.needs_labels
        assert not config.needs_soft_targets


@TASKS
def test_weight_one_needs_no_labels(task):
    teacher, student, labels = make_batch(task)
    config = SoftTargetConfig(soft_weight=1)
    unknown = np.full_like(labels, np.nan) if task.kind == "multi_label" else np.full_like(labels, -1)
    known, hidden = (evaluate(config, task, teacher, student, which) for which in (labels, unknown))
    assert known[0] == hidden[0]


@TASKS
def test_loss_is_continuous_in_soft_weight(task):
    teacher, student, labels = make_batch(task)
    for edge, inside in ((0.0, 1e-9), (1.0, 1 - 1e-9)):
        at, near = (
            evaluate(SoftTargetConfig(soft_weight=w), task, teacher, student, labels)[0]
            for w in (edge, inside)
        )
        assert at == pytest.approx(near, rel=1e-6)


@TASKS
def test_order_of_rows_changes_nothing_and_parts_add_up(task):
    teacher, student, labels = make_batch(task, rows=8)
    config = SoftTargetConfig(soft_weight=0.4)
    whole = evaluate(config, task, teacher, student, labels)[0]
    order = np.random.default_rng(1).permutation(8)
    assert evaluate(config, task, teacher[order], student[order], labels[order])[0] == pytest.approx(whole)
    halves = sum(
        evaluate(config, task, teacher[h], student[h], labels[h])[0] for h in (slice(3), slice(3, 8))
    )
    assert halves == pytest.approx(whole)


def test_unknown_labels_are_masked_in_the_hard_loss_only():
    teacher, student, labels = make_batch(MULTI)
    gradient = evaluate(HardConfig(), MULTI, None, student, labels)[1]
    np.testing.assert_array_equal(gradient == 0, np.isnan(labels))
    soft = evaluate(SoftTargetConfig(soft_weight=1), MULTI, teacher, student, labels)[1]
    assert (soft != 0).all()


def test_balanced_weights_follow_the_counts():
    counts = {"toxic": (10, 40), "threat": (1, 41), "insult": (20, 40)}
    assert resolve_class_weights("balanced", MULTI, counts) == [3.0, 40.0, 1.0]
    single = {"gogol": (10, 60), "pushkin": (20, 60), "tolstoy": (30, 60)}
    assert resolve_class_weights("balanced", SINGLE, single) == pytest.approx([2.0, 1.0, 2 / 3])


def test_a_weight_for_an_unknown_label_names_the_closest():
    with pytest.raises(ConfigError) as caught:
        resolve_class_weights({"toxik": 2.0}, MULTI, COUNTS)
    assert str(caught.value) == (
        "class_weights: unknown label 'toxik', did you mean 'toxic'? (labels: toxic, threat, insult)"
    )


def test_a_soft_objective_without_teacher_logits_says_so():
    objective = SoftTargetConfig(soft_weight=0.5).build(MULTI, COUNTS)
    with pytest.raises(ValueError, match="teacher_logits: None, but soft_weight is above 0"):
        objective(torch.zeros(2, 3), Targets(torch.zeros(2, 3)))


def test_the_built_in_objectives_are_found_by_name():
    registry = Registry("objective", ObjectiveConfig)
    assert {"hard", "logit_mse", "soft_target"} <= set(registry.kinds)
    for kind in registry.kinds:
        assert issubclass(registry.resolve(kind), ObjectiveConfig)


def test_softmax_on_independent_labels_cannot_be_asked_for():
    with pytest.raises(ValidationError):
        SoftTargetConfig.model_validate({"kind": "soft_target", "softmax": True})
