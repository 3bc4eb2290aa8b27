"""What datasets refuses, by name."""

from __future__ import annotations

from relearn_runtime.errors import DependencyUnavailable, InvalidInput, NotFound


class UnknownSample(NotFound):
    """No sample of this id was ever put or imported."""

    reason = "SAMPLE_NOT_FOUND"


class UnknownVersion(NotFound):
    """The project has no dataset version of this number."""

    reason = "DATASET_VERSION_NOT_FOUND"


class EmptyImport(InvalidInput):
    """A stream without a single sample."""

    reason = "EMPTY_IMPORT"


class FirstMessage(InvalidInput):
    """A stream whose first message is no header, or with a second header."""

    reason = "FIRST_MESSAGE"


class ImportIncomplete(InvalidInput):
    """A stream that ended before all the samples that its header announced, or after more."""

    reason = "IMPORT_INCOMPLETE"


class NotInLabelSet(InvalidInput):
    """A class that the project's label set does not have."""

    reason = "NOT_IN_LABEL_SET"


class LabelConflict(InvalidInput):
    """Equal bytes with different labels in one import: nobody but its author can know which is right."""

    reason = "LABEL_CONFLICT"


class DifferentProjects(InvalidInput):
    """A diff of versions of two projects."""

    reason = "DIFFERENT_PROJECTS"


class UnsupportedLabel(InvalidInput):
    """A label of a kind that the project's label set does not have, or of a region that this service does not know."""

    reason = "UNSUPPORTED_LABEL"


class SampleRefused(InvalidInput):
    """Bytes that are no acceptable sample; `media_reason` of the metadata says why, as libs/media has it."""

    reason = "SAMPLE_REFUSED"


class SampleTooLarge(SampleRefused):
    """More bytes, seconds or pixels than are accepted."""

    reason = "SAMPLE_TOO_LARGE"


class OtherInputKind(SampleRefused):
    """A good sample, but of another kind than the project's."""

    reason = "OTHER_INPUT_KIND"


class ImageRefused(SampleRefused):
    """Bytes that are no acceptable picture."""

    reason = "IMAGE_UNDECODABLE"


class ImageUndecodable(ImageRefused):
    """Damaged, truncated or empty."""


class ImageTooLarge(ImageRefused):
    """Over a cap of bytes or pixels, found before anything was decoded."""

    reason = "IMAGE_TOO_LARGE"


class ImageFormatUnsupported(ImageRefused):
    """Neither PNG nor JPEG."""

    reason = "IMAGE_FORMAT_UNSUPPORTED"


class ImageAnimated(ImageRefused):
    """More than one frame."""

    reason = "IMAGE_ANIMATED"


class BlobDamaged(DependencyUnavailable):
    """Object storage gave other bytes than were put, or none."""

    reason = "BLOB_DAMAGED"


class ImportInterrupted(DependencyUnavailable):
    """Rows of an unfinished import were lost before its commit; nothing of it is visible, do it again."""

    reason = "IMPORT_INTERRUPTED"
