"""Explorers and progress bars as a front end meets them: a kernel's messages, the same with ipywidgets 7 and 8."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest
from jupyter_client.manager import start_new_kernel

from course_lib.explorers import EXPLORERS
from course_lib.explorers.explorer import VIEW

MODEL = "IPY_MODEL_"
named = pytest.mark.parametrize("name", EXPLORERS)


class FrontEnd:
    """What a front end knows: the messages of a kernel, and the state of its widgets."""

    def __init__(self, client):
        self.client = client
        self.states = {}

    def run(self, code):
        return self._listen(self.client.execute(code))

    def move(self, control):
        """Move a control as far as it goes, in its own words: a value, or the index of an option."""
        state = self.states[control]
        if "index" in state:
            moved = {"index": len(state["_options_labels"]) - 1}
        else:
            moved = {"value": state["max"] if "max" in state else not state["value"]}
        data = {"method": "update", "state": moved, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": control, "data": data})
        self.client.shell_channel.send(message)
        return self._listen(message["header"]["msg_id"])

    def _listen(self, parent):
        """Return what a message led to, as (type, content), until the kernel is idle again."""
        heard = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != parent:
                continue
            heard.append((kind, content))
            assert kind != "error", content
            if kind == "comm_open":
                self.states[content["comm_id"]] = dict(content["data"]["state"])
            elif kind == "comm_msg" and content["data"].get("method") == "update":
                self.states[content["comm_id"]].update(content["data"]["state"])
            elif kind == "status" and content["execution_state"] == "idle":
                return heard


@pytest.fixture(scope="module")
def front_end():
    manager, client = start_new_kernel()
    try:
        yield FrontEnd(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def alt(picture):
    return re.search('alt="([^"]+)"', picture)[1]


def source(picture):
    return re.search('src="([^"]+)"', picture)[1]


@named
def test_a_moved_control_brings_another_picture_with_another_text(front_end, name):
    heard = front_end.run(f"from course_lib import explorers\nexplorers.{name}")
    (bundle,) = [content["data"] for kind, content in heard if kind == "execute_result"]
    opened = {content["comm_id"] for kind, content in heard if kind == "comm_open"}
    assert bundle[VIEW]["version_major"] == 2
    assert not [content for kind, content in heard if kind == "stream"], "no warning above the picture"
    box = bundle[VIEW]["model_id"]
    assert box in opened

    def children(model):
        return [child.removeprefix(MODEL) for child in front_end.states[model]["children"]]

    row, picture = children(box)
    controls = children(row)
    assert {*controls, picture} <= opened
    assert front_end.states[picture]["_model_name"] == "HTMLModel"
    live = front_end.states[picture]["value"]
    assert source(live) == source(bundle["text/html"]), "live and still begin alike"
    assert alt(live) == alt(bundle["text/html"])
    assert len(controls) == len(EXPLORERS[name].controls)
    for control in controls:
        before = front_end.states[picture]["value"]
        front_end.move(control)
        after = front_end.states[picture]["value"]
        assert source(after) != source(before)
        assert alt(after) != alt(before)


def test_a_training_shows_its_progress_as_a_widget(front_end):
    heard = front_end.run(
        "import torch\n"
        "from course_lib.training import train\n"
        "from course_lib.vae import VAE\n"
        "train(VAE(12, 3, 2), torch.rand(32, 12).round(), epochs=1, batch_size=16);"
    )
    shown = [content["data"] for kind, content in heard if kind == "display_data"]
    opened = {content["comm_id"]: content["data"]["state"] for kind, content in heard if kind == "comm_open"}
    assert shown[0][VIEW]["model_id"] in opened
    assert "FloatProgressModel" in {state["_model_name"] for state in opened.values()}


class Raises:
    def __getattr__(self, name):
        raise RuntimeError("this ipywidgets is broken")


class Bare:
    """A widget without what is asked of it, as a version too old would have it."""

    def __init__(self, *args, value=None, **settings):
        self.value = value

    def observe(self, *args, **settings):
        pass


TOO_OLD = SimpleNamespace(**dict.fromkeys(("IntSlider", "FloatSlider", "Layout", "HTML", "VBox"), Bare))


@pytest.mark.parametrize("ipywidgets", [None, TOO_OLD, Raises()], ids=["absent", "too old", "broken"])
def test_whatever_ipywidgets_does_the_still_picture_remains(monkeypatch, ipywidgets):
    live, _ = EXPLORERS["jensen"]._repr_mimebundle_()
    monkeypatch.setitem(sys.modules, "ipywidgets", ipywidgets)
    still, _ = EXPLORERS["jensen"]._repr_mimebundle_()
    assert set(live) - set(still) == {VIEW}
    assert all(live[form] == still[form] for form in still)
