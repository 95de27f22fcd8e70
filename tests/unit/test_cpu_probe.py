import subprocess
import sys
from pathlib import Path

import cpuinfo
import pytest

from common.cpu_probe import named_at_once

LISTING = "processor\t: 0\nvendor_id\t: GenuineAMD\nmodel name\t: Fast CPU @ 3.0 GHz \ncache size\t: 512 KB\n"
SDK = """
import cpuinfo.cpuinfo
cpuinfo.cpuinfo.get_cpu_info_json = lambda: 1 / 0
from common.cpu_probe import named_at_once
with named_at_once():
    from runpod.serverless.utils import rp_debugger
print(rp_debugger.PROCESSOR)
"""


@pytest.fixture
def searches(monkeypatch):
    made = []

    def search():
        made.append("search")
        return {"brand_raw": "slow", "count": 2}

    monkeypatch.setattr(cpuinfo, "get_cpu_info", search)
    return made


@pytest.fixture
def listing(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(LISTING)
    return path


def test_the_name_is_there_without_a_search(searches, listing):
    with named_at_once(listing):
        assert cpuinfo.get_cpu_info()["brand_raw"] == "Fast CPU @ 3.0 GHz"
    assert searches == []


def test_all_else_is_searched_for_once(searches, listing):
    with named_at_once(listing):
        found = cpuinfo.get_cpu_info()
        assert (found["count"], found.get("flags", "none"), len(found)) == (2, "none", 2)
        assert dict(found) == {"brand_raw": "Fast CPU @ 3.0 GHz", "count": 2}
    assert searches == ["search"]


def test_a_processor_without_a_listed_name_is_searched_for_as_ever(searches, listing):
    listing.write_text("processor\t: 0\nmodel name\t:  \nCPU implementer\t: 0x41\n")
    for path in (listing, listing.with_name("missing")):
        with named_at_once(path):
            assert cpuinfo.get_cpu_info()["brand_raw"] == "slow"


def test_outside_of_the_block_the_package_is_as_it_was(searches, listing):
    before = cpuinfo.get_cpu_info
    with pytest.raises(KeyError), named_at_once(listing):
        raise KeyError
    assert cpuinfo.get_cpu_info is before


@pytest.mark.parametrize("package", [None, object()])
def test_without_the_package_or_its_function_nothing_happens(package, listing, monkeypatch):
    monkeypatch.setitem(sys.modules, "cpuinfo", package)
    with named_at_once(listing):
        assert sys.modules["cpuinfo"] is package


def test_the_sdk_takes_the_name_and_waits_for_no_search():
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if not names:
        pytest.skip("this processor has no name in /proc/cpuinfo")
    ran = subprocess.run([sys.executable, "-c", SDK], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines()[-1] == names[0]
