"""Runs the tests of mpi4py and notes what becomes of each, at once: what was noted stays when the
process dies.

usage: record.py FOLDER MAIN [option of MAIN]...

FOLDER gets a file for each process, with lines of three words: what happened (start, passed, failed,
skipped), the test, and why.
"""

import os
import sys
import unittest

folder, main = sys.argv[1:3]
sys.path.insert(0, os.path.dirname(main))
sys.dont_write_bytecode = True

from main import TestProgram  # noqa: E402

notes = open(os.path.join(folder, str(os.getpid())), "w", encoding="utf-8", buffering=1)


def note(event, test, why=""):
    why = " ".join(str(why).split())
    notes.write(f"{event}\t{test.id()}\t{why}\n")


class Result(unittest.TextTestResult):
    def startTest(self, test):
        note("start", test)
        super().startTest(test)

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


TestProgram(
    module=None,
    argv=[main, *sys.argv[3:]],
    testRunner=unittest.TextTestRunner(resultclass=Result),
)
