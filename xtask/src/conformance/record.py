"""Runs the tests of mpi4py and notes what becomes of each, at once: what was noted stays when the
process dies.

usage: record.py FOLDER UNUSED MAIN [option of MAIN]...

FOLDER gets a file for each process, with lines of three words: what happened (start, passed, failed,
skipped, took), the test, and why or how many milliseconds. UNUSED has lines of two words: tests that
are not run, as a pattern, and why.
"""

import builtins
import fnmatch
import os
import sys
import time
import unittest

folder, unused, main = sys.argv[1:4]
sys.path.insert(0, os.path.dirname(main))
sys.dont_write_bytecode = True

import main as mpi4py_main  # noqa: E402

from mpi4py import MPI  # noqa: E402

notes = open(os.path.join(folder, str(os.getpid())), "w", encoding="utf-8", buffering=1)
with open(unused, encoding="utf-8") as lines:
    reasons = [line.rstrip("\n").split("\t") for line in lines]


def note(event, test, why=""):
    why = " ".join(str(why).split())
    notes.write(f"{event}\t{test.id()}\t{why}\n")


class Loader(mpi4py_main.TestLoader):
    """Leaves out what is not run. Files that try what an MPI can while they are loaded expect
    NotImplementedError, which mpi4py raises for what it was built without; it was built with all of
    this MPI, which has an error of its own for that."""

    def _get_module_from_name(self, name):
        missing = builtins.NotImplementedError
        builtins.NotImplementedError = MPI.Exception
        try:
            return super()._get_module_from_name(name)
        finally:
            builtins.NotImplementedError = missing

    def loadTestsFromTestCase(self, case):
        name = f"{case.__module__}.{case.__qualname__}"
        for pattern, reason in reasons:
            if fnmatch.fnmatchcase(name, pattern):
                unittest.skip(reason)(case)
            for test in self.getTestCaseNames(case):
                if fnmatch.fnmatchcase(f"{name}.{test}", pattern):
                    setattr(case, test, unittest.skip(reason)(getattr(case, test)))
        return super().loadTestsFromTestCase(case)


class Result(unittest.TextTestResult):
    def startTest(self, test):
        note("start", test)
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        note("took", test, round((time.monotonic() - self.began) * 1000))
        super().stopTest(test)

    def addSuccess(self, test):
        note("passed", test)
        super().addSuccess(test)

    def addSkip(self, test, reason):
        note("skipped", test, reason)
        super().addSkip(test, reason)

    def addError(self, test, err):
        note("failed", test, f"{err[0].__name__}: {err[1]}")
        super().addError(test, err)

    def addFailure(self, test, err):
        note("failed", test, f"{err[0].__name__}: {err[1]}")
        super().addFailure(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            note("failed", test, f"{err[0].__name__}: {err[1]}")
        super().addSubTest(test, subtest, err)

    def addUnexpectedSuccess(self, test):
        note("failed", test, "it passes, unexpectedly")
        super().addUnexpectedSuccess(test)

    def addExpectedFailure(self, test, err):
        note("passed", test)
        super().addExpectedFailure(test, err)


mpi4py_main.TestLoader = Loader
mpi4py_main.TestProgram(
    module=None,
    argv=[main, *sys.argv[4:]],
    testRunner=unittest.TextTestRunner(resultclass=Result),
)
