"""AWS errors in the two ways in which AWS writes them."""

import uuid
from xml.etree.ElementTree import Element, SubElement, tostring

from aiohttp import web

SNS_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


class AwsError(Exception):
    """A request that is refused: status, code and message as AWS gives them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def as_json(error: AwsError) -> web.Response:
    """Write an error as the REST JSON protocol does (SES v2, Lambda)."""
    headers = {"x-amzn-ErrorType": error.code, "x-amzn-RequestId": str(uuid.uuid4())}
    return web.json_response({"message": error.message}, status=error.status, headers=headers)


def as_xml(error: AwsError) -> web.Response:
    """Write an error as the query protocol does (SNS)."""
    root = Element("ErrorResponse", xmlns=SNS_NAMESPACE)
    detail = SubElement(root, "Error")
    SubElement(detail, "Type").text = "Sender" if error.status < 500 else "Receiver"
    SubElement(detail, "Code").text = error.code
    SubElement(detail, "Message").text = error.message
    SubElement(root, "RequestId").text = str(uuid.uuid4())
    return web.Response(body=tostring(root), status=error.status, content_type="text/xml")
