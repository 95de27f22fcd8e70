import subprocess
import sys

import pytest

from handlers.lean_import import hidden, imported_meanwhile, module_of_file


def test_hidden_packages_cannot_be_imported_inside_and_can_again_after(monkeypatch, tmp_path):
    (tmp_path / "parley_hidden_probe.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with hidden("parley_hidden_probe"), pytest.raises(ImportError):
        __import__("parley_hidden_probe")
    assert __import__("parley_hidden_probe").__name__ == "parley_hidden_probe"


def test_packages_imported_before_stay_themselves():
    with hidden("json", "subprocess"):
        assert sys.modules["subprocess"] is subprocess
    assert sys.modules["subprocess"] is subprocess


def test_an_error_inside_unhides_too():
    with pytest.raises(RuntimeError), hidden("parley_no_such_package"):
        raise RuntimeError
    assert "parley_no_such_package" not in sys.modules


def test_a_file_is_run_without_the_package_that_it_lies_in(tmp_path):
    (tmp_path / "parley_package").mkdir()
    (tmp_path / "parley_package" / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / "parley_package" / "leaf.py").write_text("answer = 42")
    assert module_of_file("parley_leaf", tmp_path / "parley_package" / "leaf.py").answer == 42
    assert not {"parley_package", "parley_package.leaf", "parley_leaf"} & sys.modules.keys()
    with pytest.raises(ImportError, match=r"leaf\.txt cannot be imported"):
        module_of_file("parley_leaf", tmp_path / "leaf.txt")


def test_modules_imported_beside_a_block_are_there_after_it(monkeypatch, tmp_path):
    (tmp_path / "parley_meanwhile_probe.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with imported_meanwhile("parley_meanwhile_probe"):
        pass
    assert "parley_meanwhile_probe" in sys.modules
    with pytest.raises(ImportError, match="parley_no_such_package"), imported_meanwhile("parley_no_such_package"):
        pass
