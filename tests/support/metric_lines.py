"""Prometheus's own reading of a page of metrics."""

from prometheus_client.parser import text_string_to_metric_families


def samples_in(page):
    """Return `{(name, *sorted label values): value}` for the samples of `page`."""
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def types_in(page):
    """Return the type of every metric of `page` by its name."""
    return {family.name: family.type for family in text_string_to_metric_families(page)}
