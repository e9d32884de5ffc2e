"""W&B is told of a run, offline: its file is read back record by record."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from haetae.errors import TrackerAway, TrackerError
from haetae.trackers.opening import open_wandb
from haetae.trackers.patience import HURRIED


@pytest.fixture
def tracker(wandb_home):
    from haetae.trackers.wandb import WandbTracker

    return WandbTracker(wandb_home)


@pytest.fixture
def read_back():
    """What a `.wandb` file says: config, summary, artifacts, exit code."""
    from haetae.trackers.wandb import entries

    def read(folder: str) -> dict:
        said = {"config": {}, "summary": {}, "artifacts": [], "exits": []}
        (file,) = Path(folder).glob("run-*.wandb")
        for entry in entries(file):
            for change in entry.run.config.update:
                said["config"][change.key] = json.loads(change.value_json)
            for change in entry.summary.update:
                said["summary"][change.key or ".".join(change.nested_key)] = json.loads(change.value_json)
            if entry.HasField("exit"):
                said["exits"].append(entry.exit.exit_code)
            if entry.request.log_artifact.artifact.name or entry.artifact.name:
                said["artifacts"].append(entry.artifact.name or entry.request.log_artifact.artifact.name)
        return said

    return read


def test_every_number_setting_and_row_reads_back(tracker, record, read_back):
    folder = tracker.deliver(record, "key-1")
    said = read_back(folder)
    summary = said["summary"]
    for estimate in record.estimates:
        name = f"{estimate.metric}/{estimate.slice}" if estimate.slice else estimate.metric
        assert summary.get(name) == estimate.value
        assert summary.get(f"{name}.low") == estimate.low
        assert summary.get(f"{name}.high") == estimate.high
        assert summary[f"{name}.n"] == estimate.n
        assert summary[f"{name}.unscored"] == estimate.unscored
    assert (summary["run/calls"], summary["run/cost_usd"]) == (4, 0.0125)
    assert (summary["haetae.verdict"], summary["haetae.moved"]) == ("regression", "prompt")
    config = said["config"]
    assert config["target.model.base_url"] == "http://127.0.0.1:9/v1"
    assert (config["manifest"], config["seed"]) == (record.run.manifest.digest, "5")
    assert len(config["target.system"]) == 100_000
    assert said["exits"] == [0]
    assert len([name for name in said["artifacts"] if name.startswith("samples-")]) == 1
    (table,) = Path(folder).glob("files/media/table/*.table.json")
    shown = json.loads(table.read_text("utf-8"))
    rows = [dict(zip(shown["columns"], row, strict=True)) for row in shown["data"]]
    assert [row["sample_id"] for row in rows] == ["s1", "s2", "s3"]
    assert (rows[0]["output"], rows[0]["rouge"], rows[0]["polite.reason"]) == (
        "=HYPERLINK(1)", 0.4375, "judge_parse_failure",
    )  # fmt: skip
    assert (rows[1]["output"], rows[1]["reason"]) == (None, "timeout")


def test_wandbs_own_reader_sees_the_same_run(tracker, record):
    folder = tracker.deliver(record, "key-1")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"exit_code":0' in done.stdout.replace(" ", "")
    assert "0.4375" in done.stdout


def test_a_second_delivery_of_a_key_is_a_no_op(tracker, record):  # TRK-05
    first = tracker.deliver(record, "key-1")
    assert tracker.deliver(record, "key-1") == first
    assert tracker.deliver(record, "key-2") != first
    assert len(list(tracker.directory.glob("wandb/offline-run-*"))) == 2


def test_a_delivery_that_was_cut_off_is_sent_again_under_the_same_id(tracker, record):
    cut = Path(tracker.deliver(record, "key-1"))
    (file,) = cut.glob("run-*.wandb")
    file.write_bytes(file.read_bytes()[:200])  # what a kill leaves: records, no end
    run_id = cut.name.rpartition("-")[2]
    (cut / file.name).rename(cut / f"run-{run_id}.wandb")
    cut.rename(cut.with_name(f"offline-run-20200101_000000-{run_id}"))
    again = Path(tracker.deliver(record, "key-1"))
    assert again.name.endswith(run_id)
    assert again.exists()


def test_no_secret_leaves_the_process(tracker, record, secret, wandb_home):  # TRK-10
    tracker.deliver(record, "key-1")
    written = [path for path in wandb_home.parent.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in written)
    assert any(path.suffix == ".json" for path in written)
    assert [path for path in written if secret.encode() in path.read_bytes()] == []


def test_a_finish_that_does_not_end_is_an_error_that_names_the_folder(tracker, record, monkeypatch):  # TRK-04
    import wandb

    seen = {}
    init = wandb.init

    def start(**arguments):
        seen["settings"] = arguments["settings"]
        run = init(**arguments)
        finish = run.finish

        def hang(exit_code):
            finish(exit_code=exit_code)
            raise TimeoutError("Timed out finishing run.")

        run.finish = hang
        return run

    monkeypatch.setattr(wandb, "init", start)
    with pytest.raises(TrackerError, match=r"Timed out finishing run.*offline-run-"):
        tracker.deliver(record, "key-1")
    assert (seen["settings"].finish_timeout, seen["settings"].finish_timeout_raises) == (30.0, True)


def test_a_run_is_finished_even_when_logging_fails(tracker, record, read_back, monkeypatch):
    from haetae.trackers import record as told

    def full(*args, **kwargs):
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(told, "rows", full)
        with pytest.raises(TrackerError, match="no space left"):
            tracker.deliver(record, "key-1")
    (folder,) = tracker.directory.glob("wandb/offline-run-*")
    folder = folder.rename(folder.with_name(f"offline-run-20200101_000000-{folder.name.rpartition('-')[2]}"))
    assert read_back(str(folder))["exits"] == [1]
    again = tracker.deliver(record, "key-1")  # a run that ended in an error was not delivered
    assert read_back(again)["exits"] == [0]


@pytest.mark.parametrize("key", [None, "short"])
def test_a_wrong_key_names_its_variable(wandb_home, record, monkeypatch, key):  # TRK-07
    from haetae.trackers.wandb import WandbTracker

    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    if key is not None:
        monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("NETRC", str(wandb_home / "netrc"))
    with pytest.raises(TrackerError, match="WANDB_API_KEY"):
        WandbTracker(wandb_home, mode="online").deliver(record, "key-1")


@pytest.fixture
def not_wandb(wandb_home, monkeypatch):
    """The address of a server that answers 404 to everything, named as W&B, and a key of the right form."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):  # the library's name
            self.send_error(404)

        do_GET = do_POST  # noqa: N815  # likewise

        def log_message(self, *_):
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{http.server_port}"
    monkeypatch.setenv("WANDB_BASE_URL", url)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    yield url
    http.shutdown()
    http.server_close()


def test_online_without_a_key_is_an_error_that_names_the_variable(not_wandb, record, wandb_home, monkeypatch):  # TRK-07
    """First of those that are online: wandb keeps a key that it once found for as long as the process lasts."""
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("NETRC", str(wandb_home / "none"))
    with pytest.raises(TrackerError, match="check WANDB_API_KEY"):
        open_wandb(wandb_home, mode="online").deliver(record, "key-of-nobody")


def test_what_could_not_be_sent_is_not_taken_for_sent_the_next_time(not_wandb, record, wandb_home):  # TRK-04, TRK-05
    """W&B's library writes the end of a run that it could not begin, with exit code 0."""
    online = open_wandb(wandb_home, mode="online")
    for _ in range(2):
        with pytest.raises(TrackerError, match=r"W&B cannot be told: .{0,320}$"):
            online.deliver(record, "key-online")
    import wandb

    from haetae.trackers.wandb import exit_code

    wandb.teardown()  # in one process its service keeps a run that it could not begin

    assert any(exit_code(log) == 0 for log in wandb_home.glob("wandb/run-*/run-*.wandb"))
    assert "offline-run-" in open_wandb(wandb_home).deliver(record, "key-online")


def test_a_black_hole_is_left_before_the_library_is_asked(black_hole, wandb_home, monkeypatch):  # TRK-04
    monkeypatch.setenv("WANDB_BASE_URL", black_hole)
    with pytest.raises(TrackerAway, match=r"no answer within 0\.1 s"):
        open_wandb(wandb_home, mode="online", patience=replace(HURRIED, there_s=0.1))
    assert not wandb_home.exists()
