"""NeMo's modules under other names, and what their imports find."""

import importlib
import sys
from fractions import Fraction

import pytest

from handlers.nemo.lean_copy import Promise, import_lean


def test_names_come_from_where_the_packages_would_have_them_without_importing_the_rest():
    classes = import_lean("nemo.core.classes")
    assert classes.typecheck is import_lean("nemo.core.classes.common").typecheck
    assert import_lean("nemo.core").NeuralModule is import_lean("nemo.core.classes.module").NeuralModule
    assert classes.NeuralModule.__module__ == "lean_nemo.core.classes.module"
    assert "lean_nemo.core.optim" not in sys.modules


def test_a_submodule_is_found_where_the_package_imports_it_from_itself():
    mixins = import_lean("nemo.core.classes").adapter_mixins
    assert mixins is import_lean("nemo.core.classes.mixins.adapter_mixins")


def test_a_name_that_nothing_has_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = import_lean("nemo.core.classes").Nothing


@pytest.mark.parametrize("name", ["lhotse", "nemo.utils.lightning_logger_patch"])
def test_what_nemo_can_do_without_is_not_there(name):
    with pytest.raises(ModuleNotFoundError, match=name):
        import_lean(name)


def test_imports_inside_of_functions_stay_in_the_copy():
    utils = import_lean("nemo.utils.model_utils")
    found = utils.import_class_by_path("nemo.core.classes.module.NeuralModule")
    assert found is import_lean("nemo.core.classes.module").NeuralModule


def test_a_deferred_package_is_imported_when_it_is_used():
    made = import_lean("nemo.core.classes.common").hydra.utils.instantiate(
        {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 3}
    )
    assert made == Fraction(1, 3)


def test_a_promise_is_kept_in_all_uses():
    promised = Promise("fractions", "Fraction")

    class Half(promised):
        pass

    assert promised(1, 2) == Fraction(1, 2)
    assert promised.from_float(0.25) == Fraction(1, 4)
    assert issubclass(Half, Fraction)
    assert Promise("string", "ascii_letters")[:3] == "abc"
    assert Promise("xml", "dom").getDOMImplementation() is not None  # a module that its package does not import


def test_a_promise_may_stand_in_an_annotation_and_is_not_kept_for_it():
    promised = Promise("nowhere", "Kind")

    def function(one: promised | int, other: int | promised):
        pass

    assert function.__annotations__.keys() == {"one", "other"}


def test_the_import_system_goes_on_as_usual():
    importlib.invalidate_caches()
    assert importlib.util.find_spec("lean_nothing") is None
