"""Every way in which the gateway refuses a request, with the reason a caller can branch on."""

from relearn_runtime.errors import (
    BudgetExhausted,
    DependencyUnavailable,
    InvalidInput,
    NotFound,
    WrongState,
)


class ModelNameMissing(InvalidInput):
    reason = "MODEL_NAME_MISSING"


class InputMissing(InvalidInput):
    reason = "INPUT_MISSING"


class UnknownInput(InvalidInput):
    reason = "UNKNOWN_INPUT"


class UnknownOutput(InvalidInput):
    reason = "UNKNOWN_OUTPUT"


class UnsupportedParameter(InvalidInput):
    reason = "UNSUPPORTED_PARAMETER"


class WrongDatatype(InvalidInput):
    reason = "WRONG_DATATYPE"


class WrongShape(InvalidInput):
    reason = "WRONG_SHAPE"


class BadContents(InvalidInput):
    """The bytes do not hold what shape and datatype promise."""

    reason = "BAD_CONTENTS"


class NotFinite(InvalidInput):
    reason = "NOT_FINITE"


class EmptyBatch(InvalidInput):
    reason = "EMPTY_BATCH"


class BatchTooLarge(InvalidInput):
    reason = "BATCH_TOO_LARGE"


class RequestTooLarge(InvalidInput):
    reason = "REQUEST_TOO_LARGE"


class MalformedRequest(InvalidInput):
    """The bytes are not a ModelInferRequest at all."""

    reason = "MALFORMED_REQUEST"


class ImageUndecodable(InvalidInput):
    reason = "IMAGE_UNDECODABLE"


class ImageFormatUnsupported(InvalidInput):
    reason = "IMAGE_FORMAT_UNSUPPORTED"


class ImageTooLarge(InvalidInput):
    reason = "IMAGE_TOO_LARGE"


class ImageAnimated(InvalidInput):
    reason = "IMAGE_ANIMATED"


class UnknownModel(NotFound):
    """No such project; `model_name` is the project's name."""

    reason = "UNKNOWN_MODEL"


class UnknownVersion(NotFound):
    reason = "UNKNOWN_VERSION"


class NoChampion(WrongState):
    """The project exists, but nothing serves it yet: retrying at once would not help."""

    reason = "NO_CHAMPION"


class NotReady(DependencyUnavailable):
    """The gateway has not heard of any route yet, or the model is still on its way."""

    reason = "NOT_READY"


class ShuttingDown(DependencyUnavailable):
    """Calls under way are still answered; new ones are for somebody else."""

    reason = "SHUTTING_DOWN"


class Overloaded(BudgetExhausted):
    reason = "OVERLOADED"
