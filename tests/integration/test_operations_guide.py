"""docs/operations.md: its receiver of webhooks works, its table names the metrics that there are."""

import re
from pathlib import Path

import pytest

from common.metrics import JobMetrics
from common.webhook_signature import signature_headers, signing_key
from orchestrator.local.metrics import PlatformMetrics

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
(SNIPPET,) = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
GPU_NAMES = {"parley_gpu_memory_used_bytes", "parley_gpu_memory_total_bytes", "parley_gpu_utilization_ratio"}
NOW = 1_700_000_000
BODY = '{"status":"COMPLETED","output":{"text":"Grüße"}}'.encode()


@pytest.fixture
def is_genuine(monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW)
    names = {}
    exec(compile(SNIPPET, "operations guide", "exec"), names)
    return names["is_genuine"]


@pytest.mark.parametrize("secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "any text"])
def test_the_receiver_tells_genuine_messages_from_others(is_genuine, secret):
    headers = signature_headers(signing_key(secret), "job-1", NOW, BODY)
    assert is_genuine(headers, BODY, secret)
    assert is_genuine({**headers, "webhook-signature": f"v1,old {headers['webhook-signature']}"}, BODY, secret)
    assert not is_genuine(headers, BODY + b" ", secret)
    assert not is_genuine({**headers, "webhook-id": "job-2"}, BODY, secret)
    assert not is_genuine(headers, BODY, "another secret")
    assert not is_genuine(signature_headers(signing_key(secret), "job-1", NOW - 301, BODY), BODY, secret)


def test_the_table_names_all_metrics_and_no_others():
    named = set(re.findall(r"`(parley_\w+)`", GUIDE.split("| metric |")[1].split("\n\n")[0]))
    assert named == names(JobMetrics().registry) | names(PlatformMetrics({}).registry) | GPU_NAMES


def names(registry):
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in registry.collect()
        if family.name.startswith("parley_")
    }
