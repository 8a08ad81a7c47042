"""A process of the studio that imports no TensorFlow, for tests of how it is used."""

from tfdream.studio.events import Failed


def fail(connection, stop):
    """Fail at each request as `worker.serve` does at an unexpected error."""
    request = connection.recv()
    try:
        raise KeyError(request.job.task)
    except KeyError as error:
        connection.send(Failed(f"KeyError: {error}", ends_process=True))
        raise
