"""`python backend.py ADDRESS`: a labeling that answers at once, so that what is measured is the way to it."""

import asyncio
import sys

import grpc

from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceServicer, add_LabelingServiceServicer_to_server

TASK = pb.NextTaskResponse(
    label_task=label_task_pb2.LabelTask(
        label_task_id="0c7a4ab0-8f0e-5f43-9d0f-2f3c9b1f6c11",
        project_id="fashion",
        sample_id="fashion/sample/" + "ab" * 32,
        label_set_version=1,
    ),
    classes=[f"class {number}" for number in range(10)],
)


class Labeling(LabelingServiceServicer):
    """Two answers."""

    async def NextTask(self, request: pb.NextTaskRequest, context: object) -> pb.NextTaskResponse:  # noqa: N802
        return TASK

    async def SubmitAnnotation(  # noqa: N802
        self, request: pb.SubmitAnnotationRequest, context: object
    ) -> pb.SubmitAnnotationResponse:
        return pb.SubmitAnnotationResponse()


async def main(address: str) -> None:
    server = grpc.aio.server()
    add_LabelingServiceServicer_to_server(Labeling(), server)
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
