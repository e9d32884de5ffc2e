"""A server that does not answer is found before its library is loaded, and a missing package names its extra."""

import http.server
import re
import subprocess
import sys
import threading
from importlib.metadata import version

import pytest

from haetae.errors import MissingExtra, TrackerError
from haetae.trackers.opening import open_mlflow, open_wandb
from haetae.trackers.reach import check_reachable


@pytest.fixture
def answering():
    """A server on loopback that answers every GET with one status; records the paths asked."""
    servers = []

    def start(status: int) -> tuple[str, list[str]]:
        paths: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # the name that http.server calls
                paths.append(self.path)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args):
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}", paths

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [200, 401, 404])
def test_any_answer_of_a_server_that_lives_is_an_answer(answering, status):
    uri, paths = answering(status)
    check_reachable(uri + "/base/")
    assert paths == ["/base/health"]


def test_a_server_in_trouble_is_not_there(answering):  # TRK-03
    uri, _ = answering(503)
    with pytest.raises(TrackerError, match="it answers 503"):
        check_reachable(uri)


def test_an_mlflow_server_is_asked_what_it_must_look_up(answering):  # TRK-02
    uri, paths = answering(503)
    with pytest.raises(TrackerError, match="it answers 503"):
        open_mlflow(uri + "/base")
    assert paths == ["/base/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"]


def test_a_password_in_the_address_is_not_repeated(answering):
    uri, _ = answering(500)
    with pytest.raises(TrackerError) as caught:
        check_reachable(uri.replace("//", "//admin:hunter22@"))
    assert "hunter22" not in str(caught.value)


def test_a_refused_connection_is_said_at_once():  # TRK-01
    with pytest.raises(TrackerError, match="cannot be reached"):
        check_reachable("http://127.0.0.1:1")


def test_a_black_hole_is_given_up(black_hole):  # TRK-02
    with pytest.raises(TrackerError, match=r"no answer within 0.2 s|timed out"):
        check_reachable(black_hole, timeout_s=0.2)


def test_a_database_is_not_asked_over_the_network():
    check_reachable("sqlite:////nowhere/mlflow.db")


def test_a_server_that_is_down_does_not_cost_the_import_of_its_library():
    code = (
        "import sys\n"
        "from haetae.errors import TrackerError\n"
        "from haetae.trackers.opening import open_mlflow\n"
        "try:\n    open_mlflow('http://127.0.0.1:1')\n"
        "except TrackerError:\n    print('mlflow' in sys.modules, 'pyarrow' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(("package", "opening", "extra"), [
    ("pyarrow", lambda tmp: open_mlflow(f"sqlite:///{tmp}/m.db"), "mlflow"),
    ("mlflow", lambda tmp: open_mlflow(f"sqlite:///{tmp}/m.db"), "mlflow"),
    ("wandb", lambda tmp: open_wandb(tmp), "wandb"),
])  # fmt: skip
def test_a_missing_package_names_the_extra(package, opening, extra, monkeypatch, tmp_path):  # TRK-08
    for name in [name for name in sys.modules if name.startswith((f"haetae.trackers.{extra}", f"{package}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"{package}.*pip install -e '\.\[{extra}\]'"):
        opening(tmp_path)


def test_a_wrong_key_for_mlflow_names_its_variables(answering, record):  # TRK-07
    uri, _ = answering(401)
    with pytest.raises(TrackerError, match=r"MLFLOW_TRACKING_USERNAME .* MLFLOW_TRACKING_TOKEN"):
        open_mlflow(uri).deliver(record, "key-1")


def test_the_file_store_that_mlflow_gave_up_is_refused_with_the_cure(tmp_path):  # TRK-11
    found = f"MLflow {version('mlflow')} keeps nothing in a folder of files, as none does since 3.13"
    for folder in (tmp_path / "mlruns").as_uri(), str(tmp_path / "mlruns"), "mlruns":
        with pytest.raises(TrackerError, match=rf"{re.escape(found)}; .*sqlite:///.*migrate-filestore"):
            open_mlflow(folder)


def test_a_file_store_that_somebody_allowed_is_opened(tmp_path, monkeypatch):  # TRK-11
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert open_mlflow((tmp_path / "mlruns").as_uri()).name == "mlflow"
