"""Files of model versions: from object storage once, checked, then from the local disk.

What registry said of a version and its files stay on disk, so that a gateway starts, and serves what
it served, with registry and object storage away. Every read is checked against the digest.
"""

import logging
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from relearn_media import ImageLimits
from relearn_runtime.errors import DependencyUnavailable
from relearn_serving.gateway.artifact import CARD_FILE, MODEL_FILE, BadModel, ModelFile, ModelVersion, read_card
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.own_files import replace_file

log = logging.getLogger(__name__)


class Versions(Protocol):
    """Who knows model versions."""

    def get(self, model_version_id: str) -> ModelVersion:
        """Blocks. Raises UnknownVersion, DependencyUnavailable."""
        ...


class ModelFiles:
    """Loads model versions. Blocks on network and disk: never called on the serving loop."""

    def __init__(self, *, versions: Versions, store: ObjectStore, directory: Path, limits: ImageLimits) -> None:
        self._versions = versions
        self._store = store
        self._directory = directory
        self._limits = limits
        directory.mkdir(parents=True, exist_ok=True)

    def load(self, model_version_id: str) -> Model:
        """The version, verified, warmed up and ready to answer.

        Raises:
            UnknownVersion: registry does not know it.
            BadModel: its files are not what registry promised, or do not run.
            DependencyUnavailable: registry or object storage is away and the local copy is not complete.
        """
        version = self._versions.get(model_version_id)
        card = read_card(self._file(version.file(CARD_FILE)).read_bytes())
        path = self._file(version.file(MODEL_FILE))
        model = Model(
            path,
            card,
            model_version_id=version.model_version_id,
            project_id=version.project_id,
            classes=version.classes,
            limits=self._limits,
        )
        log.info("model loaded", extra={"model_version_id": model_version_id, "run_s": round(model.run_s, 6)})
        return model

    def _file(self, file: ModelFile) -> Path:
        if len(file.sha256) != 64 or not set(file.sha256) <= set("0123456789abcdef"):
            raise BadModel(f"{file.key}: {file.sha256[:80]!r} is not a SHA-256 digest")
        path = self._directory / file.sha256
        if path.exists() and sha256(path.read_bytes()).hexdigest() == file.sha256:
            return path
        try:
            content = bytes(obstore.get(self._store, file.key).bytes())
        except FileNotFoundError as error:
            raise BadModel(f"{file.key} is not in object storage") from error
        except (BaseError, OSError) as error:
            raise DependencyUnavailable(f"object storage: {error}") from error
        if (digest := sha256(content).hexdigest()) != file.sha256:
            raise BadModel(f"{file.key} has digest {digest}, registry promised {file.sha256}")
        replace_file(path, content)
        return path
