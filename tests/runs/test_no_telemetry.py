"""Nothing that Limbeck runs reports home."""

import os
import subprocess
import sys

ASK = """
import sys
import numpy as np
from limbeck.verbs.predict import predict
print(predict(bundle=sys.argv[1], inputs=[sys.argv[2]])[0].label)
"""


def test_running_a_student_leaves_no_trace_in_the_home_folder(finished, tmp_path):
    """onnxruntime's telemetry keeps a database of events there before it sends them."""
    import numpy as np

    home = tmp_path / "home"
    home.mkdir()
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 8, 8), np.uint8))
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    command = [sys.executable, "-c", ASK, str(finished.student), str(tmp_path / "x.npy")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in finished.record.classes
    assert list(home.rglob("*")) == []
