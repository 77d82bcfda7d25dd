"""ShutdownService and Statistics."""

from __future__ import annotations

import pytest

import vista
from tests.standard.listener import Listener
from vista.errors import AccessDenied, BadValueError, ServiceTaken
from vista.limits import Limits


class Quick(vista.Object):
    """Notes that it was told."""

    def create(self, told: str) -> None:
        """Register service ``told`` when told."""
        self.told = told

    def system_shutdown(self) -> None:
        """Make it visible."""
        vista.register_service(self.told, self)


class Stuck(vista.Object):
    """Does not come to an end."""

    def system_shutdown(self) -> None:
        """Take for ever."""
        vista.sleep(1000)


def test_subscribers_are_told_and_the_node_stops() -> None:
    node = vista.Node(limits=Limits(drain_seconds=0.5))

    def main() -> tuple[dict[str, int], list[str]]:
        shutdown = vista.create("ShutdownService")
        shutdown.register(vista.create(Quick, "first"))
        shutdown.subscribe(vista.create(Quick, "second"))
        outcome = vista.send("ShutdownService", "shutdown", "the tide is out")
        return outcome, [row.name for row in vista.services()]

    assert node.run_main(main) == (
        {"told": 2, "failed": 0},
        ["ObjectCreator", "ShutdownService", "first", "second"],
    )
    assert node.stop_reason == "the tide is out"


def test_a_subscriber_that_does_not_end_is_waited_for_no_longer_than_the_bound() -> None:
    node = vista.Node(limits=Limits(drain_seconds=0.2))

    def main() -> dict[str, int]:
        shutdown = vista.create("ShutdownService")
        for client in (vista.create(Stuck), vista.create(Quick, "told"), vista.create(Stuck)):
            shutdown.register(client)
        outcome: dict[str, int] = shutdown.shutdown()
        with vista.timeout(10):
            while "system_shutdown" in [row.method for row in vista.threads()]:
                vista.sleep(0.001)
        return outcome

    assert node.run_main(main) == {"told": 1, "failed": 2}


def test_a_subscriber_that_is_gone_is_counted_as_failed() -> None:
    node = vista.Node(limits=Limits(drain_seconds=0.2))

    def main() -> dict[str, int]:
        shutdown = vista.create("ShutdownService")
        client = vista.create(Quick, "told")
        shutdown.register(client)
        shutdown.register("Nobody")
        client.delete_yourself()
        outcome: dict[str, int] = shutdown.shutdown()
        return outcome

    assert node.run_main(main) == {"told": 0, "failed": 2}


def test_registering_twice_is_once_and_who_unregistered_is_not_told() -> None:
    node = vista.Node(limits=Limits(drain_seconds=0.2))

    def main() -> dict[str, int]:
        shutdown = vista.create("ShutdownService")
        first, second = vista.create(Quick, "first"), vista.create(Quick, "second")
        for client in (first, first, second):
            shutdown.register(client)
        shutdown.unregister(second)
        outcome: dict[str, int] = shutdown.shutdown()
        return outcome

    assert node.run_main(main) == {"told": 1, "failed": 0}


def test_the_sender_is_registered_when_no_client_is_named(node: vista.Node) -> None:
    class Careful(Listener):
        def prepare(self, shutdown: vista.Ref) -> None:
            shutdown.register()

    shutdown = vista.create("ShutdownService")
    careful = vista.create(Careful)
    careful.prepare(shutdown)
    assert shutdown.extract_instance_variables("subscribers") == {"subscribers": [careful]}


def test_a_second_request_tells_nobody_again() -> None:
    node = vista.Node(limits=Limits(drain_seconds=0.2))

    def main() -> list[dict[str, int]]:
        shutdown = vista.create("ShutdownService")
        shutdown.register(vista.create(Stuck))
        return vista.gather(shutdown.shutdown.future("one"), shutdown.shutdown.future("two"))

    assert node.run_main(main) == [{"told": 0, "failed": 1}, {"told": 0, "failed": 0}]
    assert node.stop_reason == "one"


def test_a_node_has_one_shutdown_service(node: vista.Node) -> None:
    vista.create("ShutdownService")
    with pytest.raises(ServiceTaken):
        vista.create("ShutdownService")


def test_only_the_nodes_own_user_may_stop_it(node: vista.Node) -> None:
    shutdown = vista.create("ShutdownService")
    with pytest.raises(AccessDenied, match="user 'alice' may not stop this node"):
        node.call(lambda: shutdown.shutdown(), user="alice")
    assert shutdown.get_reason() is None


def test_an_access_list_decides_who_may_stop_the_node() -> None:
    node = vista.Node(limits=Limits(drain_seconds=0.2))
    node.start()
    acl = vista.AccessControlList.of("allow alice shutdown")
    shutdown = node.call(lambda: vista.create("ShutdownService", acl=acl))
    assert node.call(lambda: shutdown.shutdown(), user="alice") == {"told": 0, "failed": 0}
    node.stop()
    assert node.stop_reason == "shutdown"


# --- statistics ---------------------------------------------------------------------------------


def test_statistics_are_answered_by_message(node: vista.Node) -> None:
    vista.create("Statistics")
    before = vista.send("Statistics", "get_statistics")
    vista.create(Listener)
    after = vista.send("Statistics", "get_statistics")
    assert after["objects"] - before["objects"] == 1
    assert after.keys() >= vista.statistics().keys()


def test_the_bounds_of_the_original_are_among_them(node: vista.Node) -> None:
    statistics = vista.create("Statistics")
    assert statistics.get_attribute("IOmaxReadBuffer") == 65_536
    assert statistics.get_attribute("IOmaxVectors") >= 16


def test_input_and_output_not_counted_yet_is_nothing(node: vista.Node) -> None:
    assert vista.create("Statistics").get_attribute("IOtotalFileReads") == 0


def test_an_attribute_there_is_none_of_is_an_error_with_near_misses(node: vista.Node) -> None:
    with pytest.raises(BadValueError) as caught:
        vista.create("Statistics").get_attribute("objcts")
    assert str(caught.value).startswith("no statistics attribute 'objcts'; did you mean objects")
