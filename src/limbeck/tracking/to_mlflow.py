"""MLflow, local: `mlflow ui --backend-store-uri sqlite:///RUN/track/mlflow.db` shows it."""

import logging
import os
import time
from collections.abc import Mapping

from limbeck.tracking.run import Card, flat

_LONGEST = 500
"""Characters of a parameter's value that every store of MLflow takes."""
_TAG = "limbeck.training"


class MlflowRun:
    """Writes into a database in the run's folder, unless the user's own environment names a server.

    What an earlier process wrote stays; only later steps are added.

    Args:
        card: of the training.

    Attributes:
        sent: the last step that the store has.
    """

    def __init__(self, card: Card) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        card.folder.mkdir(parents=True, exist_ok=True)
        local = f"sqlite:///{(card.folder / 'mlflow.db').resolve()}"
        self._client = MlflowClient(tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or local)
        self._metric = Metric
        experiment = self._experiment(card)
        found = self._client.search_runs([experiment], f"tags.`{_TAG}` = '{card.key}'")
        if found:
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
        else:
            self._id = self._client.create_run(experiment, run_name=card.name, tags={_TAG: card.key}).info.run_id
            params = [Param(name, str(value)[:_LONGEST]) for name, value in flat(card.config)]
            for start in range(0, len(params), 100):  # as many as a call may bring
                self._client.log_batch(self._id, params=params[start : start + 100])
        self.sent = self._last = self._known()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds points at an optimiser step, all or none."""
        now = int(1000 * time.time())
        metrics = [self._metric(name, float(value), now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)
        self._last = step

    def close(self, final: Mapping[str, float] | None) -> None:
        """Ends it; final numbers stand at the last step."""
        if final is not None:
            self.log(self._last, {f"final/{name}": value for name, value in final.items()})
        self._client.set_terminated(self._id, "KILLED" if final is None else "FINISHED")

    def _experiment(self, card: Card) -> str:
        known = self._client.get_experiment_by_name(card.project)
        if known is not None:
            return str(known.experiment_id)
        place = None
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            place = (card.folder / "mlflow").resolve().as_uri()
        return str(self._client.create_experiment(card.project, artifact_location=place))

    def _known(self) -> int:
        """The last step of any metric."""
        names = self._client.get_run(self._id).data.metrics
        return max((m.step for name in names for m in self._client.get_metric_history(self._id, name)), default=0)
