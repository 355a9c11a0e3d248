"""The error tree. Every error names what came, what was expected, and the mend.

LimbeckError                     exit code 1: the run failed, and the same command resumes it
├── InputError (ValueError)      exit code 2: something given to Limbeck is wrong; nothing was written
│   ├── RecipeError              an unknown key, a wrong type, broken YAML, settings that contradict each other
│   ├── DataError                missing files, unreadable images, labels out of range, shapes that do not match
│   ├── ModelError               a teacher or student that cannot be built, or gives the wrong output shape
│   ├── BundleError              a folder or file that is not a finished student, or was changed since
│   ├── GuideError               a study guide that is damaged, unfinished, or was written for something else
│   ├── RunFolderError           the run folder belongs to another recipe
│   ├── TrustError               loading it could execute code, and `--trust-code` was not given
│   └── MissingDependencyError   an optional package is absent; the message is the line that installs it
└── RunError
    ├── NonFiniteError           NaN or infinity in the loss; the batch was saved
    ├── TeacherQualityError      the teacher is below the recipe's `min_quality`
    ├── OutOfMemoryError         a step does not fit into memory; the message names a batch size that may
    ├── ProcessLostError         one of several processes was killed or lost; the others stopped
    ├── StorageError             the disk is full or the folder cannot be written
    ├── ExportError              an export failed, or does not agree with the student it came from
    └── Interrupted              exit code 130: SIGINT or SIGTERM; all progress was saved
"""

from typing import ClassVar


class LimbeckError(Exception):
    """Root of everything that Limbeck raises on purpose."""

    exit_code: ClassVar[int] = 1


class InputError(LimbeckError, ValueError):
    """What was given is wrong; nothing was written."""

    exit_code: ClassVar[int] = 2


class RecipeError(InputError):
    """The recipe cannot be read, or contradicts itself."""


class DataError(InputError):
    """The data cannot be opened, or are not what the task needs."""


class ModelError(InputError):
    """A teacher or student cannot be built, or does not fit the task."""


class BundleError(InputError):
    """Not a finished student, or changed since it was written."""


class GuideError(InputError):
    """A study guide is damaged, unfinished, or was written for other data, views or another teacher."""


class RunFolderError(InputError):
    """The run folder belongs to another recipe."""


class TrustError(InputError):
    """Loading this could execute code, and `--trust-code` was not given."""


class MissingDependencyError(InputError):
    """An optional package is absent."""


class RunError(LimbeckError):
    """The run failed; the same command resumes it."""


class NonFiniteError(RunError):
    """NaN or infinity in the loss."""


class TeacherQualityError(RunError):
    """The teacher is below the recipe's `min_quality`."""


class OutOfMemoryError(RunError):
    """A step does not fit into memory."""


class StorageError(RunError):
    """The disk is full or the folder cannot be written."""


class ProcessLostError(RunError):
    """One of several processes was killed or lost; the others stopped."""


class ExportError(RunError):
    """An export failed, or does not agree with the student it came from."""


class Interrupted(RunError):  # noqa: N818 - an interruption is not an error
    """SIGINT or SIGTERM; all progress was saved."""

    exit_code: ClassVar[int] = 130
