"""`--best`: what it may say, and whom it chooses."""

import re

import pytest

from distill.dashboard.candidates import format_candidates
from distill.dashboard.choosing import Candidate, choose, on_machine, parse_wish
from distill.dashboard.machines import describe_machine
from distill.errors import ConfigError, TrackingError

EPYC, LAPTOP = "AMD EPYC, threads: 1", "Laptop, threads: 2"
EXAMPLE = "expected 'WHAT where NAME OP NUMBER and ...', such as 'quality where latency_p90_ms <= 5'"


def one(name, quality=0.5, latency=1.0, machine=EPYC, **figures):
    student, _, objective = name.partition("/")
    known = {"quality": quality, "latency_p90_ms": latency, **figures}
    return Candidate(
        f"x-{student}:{objective}",
        f"{name}/seed0",
        student,
        objective,
        {key: value for key, value in known.items() if value is not None},
        machine=machine,
    )


FOUR = [
    one("cnn/kd", 0.70, 2.0, parameters=10, throughput=50),
    one("cnn/hard", 0.65, 2.0, parameters=10, throughput=50),
    one("mean/kd", 0.65, 0.5, parameters=5, throughput=90),
    one("lstm/kd", 0.75, 9.0, parameters=20, throughput=20),
]


@pytest.mark.parametrize(
    ("wish", "chosen"),
    [
        ("quality", "lstm/kd"),
        ("quality where latency_p90_ms <= 5", "cnn/kd"),
        ("  quality WHERE latency_p90_ms<2 AND parameters >= 5  ", "mean/kd"),
        ("latency_p90_ms", "mean/kd"),
        ("throughput where quality > 0.65", "cnn/kd"),
        ("parameters where quality >= 0.66", "cnn/kd"),
        ("quality where parameters == 1e1", "cnn/kd"),
        ("quality where student = cnn and objective = hard", "cnn/hard"),
        ("latency_p90_ms where student == 'lstm'", "lstm/kd"),
    ],
)
def test_the_best_one_is_chosen(wish, chosen):
    assert choose(FOUR, parse_wish(wish)).run == f"{chosen}/seed0"


def test_ties_are_broken_by_quality_then_latency_then_name():
    tied = [one("b/x", 0.5, 1), one("a/x", 0.5, 1), one("c/x", 0.5, 2), one("d/x", 0.4, 0.5)]
    equal = [
        Candidate(each.artifact, each.run, each.student, each.objective, {**each.figures, "bytes": 7})
        for each in tied
    ]
    names = []
    while equal:
        names.append(choose(equal, parse_wish("bytes")).student)
        equal = [each for each in equal if each.student != names[-1]]
    assert names == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("", f"--best '': {EXAMPLE}"),
        ("quality latency", f"--best 'quality latency': {EXAMPLE}"),
        ("qualty", "--best 'qualty': unknown name 'qualty', did you mean 'quality'?"),
        (
            "zebra",
            "--best 'zebra': unknown name 'zebra' (known: quality, latency_p50_ms, latency_p90_ms, throughput, "
            "parameters, bytes, peak_memory_bytes)",
        ),
        (
            "test/macro_ap",
            "--best 'test/macro_ap': 'test/macro_ap': test is shown, never ranked by; say quality, "
            "which is measured on validation",
        ),
        (
            "quality where test_macro_ap > 0.5",
            "--best 'quality where test_macro_ap > 0.5': 'test_macro_ap': test is shown, never ranked by; say quality, "
            "which is measured on validation",
        ),
        (
            "quality where latency_p90 <= 5",
            "--best 'quality where latency_p90 <= 5': unknown name 'latency_p90', did you mean 'latency_p90_ms'?",
        ),
        (
            "quality where bytes <= 5MB",
            "--best 'quality where bytes <= 5MB': bytes is compared with a number, got '5MB'",
        ),
        (
            "quality where bytes < nan",
            "--best 'quality where bytes < nan': bytes is compared with a number, got 'nan'",
        ),
        (
            "quality where bytes = 5",
            "--best 'quality where bytes = 5': unknown operator '=' (known: <= >= == < >)",
        ),
        (
            "quality where bytes <> 5",
            "--best 'quality where bytes <> 5': unknown operator '<>' (known: <= >= == < >)",
        ),
        ("quality where student < cnn", "--best 'quality where student < cnn': student goes with =, got '<'"),
        ("quality where fast", f"--best 'quality where fast': 'fast' is no condition; {EXAMPLE}"),
        (
            "quality where bytes < 5 or bytes > 7",
            f"--best 'quality where bytes < 5 or bytes > 7': 'bytes < 5 or bytes > 7' is no condition; {EXAMPLE}",
        ),
        (
            "student",
            "--best 'student': unknown name 'student' (known: quality, latency_p50_ms, latency_p90_ms, "
            "throughput, parameters, bytes, peak_memory_bytes)",
        ),
    ],
)
def test_a_wish_that_cannot_be_read(wish, message):
    with pytest.raises(ConfigError) as error:
        parse_wish(wish)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (
            "quality where latency_p90_ms < 0.4 and parameters <= 10",
            "no student has latency_p90_ms < 0.4 and parameters <= 10; "
            "the nearest is x-mean:kd (mean/kd/seed0), with latency_p90_ms 0.5",
        ),
        (
            "quality where peak_memory_bytes < 9",
            "no student has peak_memory_bytes < 9; the nearest is x-lstm:kd "
            "(lstm/kd/seed0), with peak_memory_bytes not measured",
        ),
        ("bytes", "no student's bytes is known (4 students)"),
    ],
)
def test_nobody_will_do(wish, message):
    with pytest.raises(TrackingError, match=f"^{re.escape(message)}$"):
        choose(FOUR, parse_wish(wish))


def test_an_unknown_student_or_objective():
    with pytest.raises(ConfigError) as error:
        choose(FOUR, parse_wish("quality where student = cn"))
    assert (
        str(error.value) == "no student 'cn' was published (students: cnn, lstm, mean), did you mean 'cnn'?"
    )
    with pytest.raises(ConfigError) as error:
        choose(FOUR, parse_wish("quality where student = mean and objective = hard"))
    assert str(error.value) == "no objective 'hard' was published (objectives: kd)"


MIXED = [*FOUR, one("cnn/kd", 0.71, 0.1, LAPTOP), one("rnn/kd", 0.9, None, None)]
SEVERAL = (
    "the students' speed was measured on several machines and cannot be compared: "
    f"'{EPYC}'; '{LAPTOP}'; choose one with --machine and a part of its description"
)


@pytest.mark.parametrize(
    "wish", ["latency_p90_ms", "quality where latency_p90_ms <= 5", "throughput where throughput > 1"]
)
def test_machines_are_never_mixed(wish):
    mixed = MIXED if "throughput" not in wish else [*FOUR, one("a/b", machine=LAPTOP, throughput=9)]
    with pytest.raises(ConfigError, match=f"^{re.escape(SEVERAL)}$"):
        choose(mixed, parse_wish(wish))


def test_latency_of_two_machines_breaks_no_tie():
    tied = [one("b/x", 0.5, 1, LAPTOP), one("c/x", 0.5, 2)]
    assert choose([*tied, one("a/x", 0.5, 3)], parse_wish("quality")).student == "a"


def test_a_student_without_speed_is_no_second_machine():
    assert (
        choose(
            [*FOUR, one("rnn/kd", 0.9, None, None)], parse_wish("quality where latency_p90_ms < 5")
        ).student
        == "cnn"
    )


def test_what_needs_no_speed_may_come_from_any_machine():
    assert choose(MIXED, parse_wish("quality")).student == "rnn"
    assert choose(MIXED, parse_wish("latency_p90_ms where student = mean")).student == "mean"


def test_a_machine_is_chosen_by_a_part_of_its_description():
    assert [each.figures["latency_p90_ms"] for each in on_machine(MIXED, "laptop")] == [0.1]
    assert choose(on_machine(MIXED, "EPYC"), parse_wish("latency_p90_ms")).student == "mean"
    with pytest.raises(ConfigError) as error:
        on_machine(MIXED, "Xeon")
    assert str(error.value) == (
        f"--machine 'Xeon': no student was measured there (machines: '{EPYC}'; '{LAPTOP}')"
    )


def test_machines_are_described():
    machine = {
        "processor": "AMD EPYC",
        "threads": 1,
        "logical_cores": 4,
        "memory_bytes": 25276502016,
        "system": "Linux x86_64",
    }
    assert describe_machine(machine) == "AMD EPYC, threads: 1, 4 cores, 24 GiB, Linux x86_64"
    assert describe_machine({}) == "unknown processor, threads: ?"


def test_the_table_marks_who_is_chosen():
    candidates = [
        Candidate("x-cnn:v0", "cnn/kd/seed0", "cnn", "kd", {"quality": 0.5}, 0.4, "macro_ap"),
        Candidate(
            "x-mean:v10",
            "mean/kd/seed0",
            "mean",
            "kd",
            {
                "quality": 0.6,
                "latency_p50_ms": 0.1,
                "latency_p90_ms": 0.25,
                "throughput": 999.6,
                "bytes": 9.9e6,
                "parameters": 2_400_000,
            },
            0.55,
            "macro_ap",
            EPYC,
        ),
    ]
    assert format_candidates(candidates, candidates[1], left_out=2).splitlines() == [
        "   artifact    run            validation    test  p50 ms  p90 ms  texts/s   MB     params",
        ">  x-mean:v10  mean/kd/seed0      0.6000  0.5500    0.10    0.25     1000  9.9  2,400,000",
        "   x-cnn:v0    cnn/kd/seed0       0.5000  0.4000       -       -        -    -          -",
        "",
        "`>` is chosen; validation and test are macro_ap, and test is never ranked by.",
        f"Speed on {EPYC}.",
        "Left out, since their data is another: 2.",
    ]
