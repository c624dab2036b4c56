"""Whatever fits the API's own document, and much that does not: no answer is a fault of the server."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from schemathesis.config import SchemathesisConfig

from tests.classify.web.serving import Served

_ENDLESS = ("/events",)


def no_fault(server: Served, examples: int) -> None:
    """Ask every call of the document for some examples, and look at the status of each answer."""
    config = SchemathesisConfig()
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)
    faults: list[str] = []
    statuses: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith(_ENDLESS):
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(operation.as_strategy(mode) for mode in schemathesis.GenerationMode))
        def ask(case: schemathesis.Case) -> None:
            response = case.call(base_url=server.url)
            statuses[response.status_code] += 1
            if response.status_code >= 500 and response.status_code != 503:
                faults.append(f"{case.method} {case.formatted_path}: {response.text[:200]}")

        ask()
    assert not faults, "\n".join(faults)
    assert statuses[200] > 0
    assert statuses[422] > 0
    assert statuses.total() > 8 * examples


def test_no_call_is_a_fault_of_the_server(server: Served) -> None:
    no_fault(server, 4)


@pytest.mark.nightly
def test_no_call_of_many_is_a_fault_of_the_server(server: Served) -> None:
    no_fault(server, 200)
