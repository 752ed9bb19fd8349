"""Contract tests for your own classes: `check_student`, `check_teacher`, `check_objective`.

Call them from a test. Each raises an `AssertionError` that says what is wrong and how to mend it.
"""

from distill.testing.classifiers import check_student, check_teacher
from distill.testing.objectives import check_objective

__all__ = ["check_objective", "check_student", "check_teacher"]
