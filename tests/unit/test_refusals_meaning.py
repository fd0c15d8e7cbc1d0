"""Errors of providers by what they mean: of models, keys, messages and moments, in the words of many APIs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from worker.errors import (
    ModelGone,
    ModelUnfit,
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
    RequestRefused,
    UnreadableAnswer,
)
from worker.providers.wires.refusals import error_for

NOW = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)


def told(message: str, **more: Any) -> dict[str, Any]:
    """OpenAI's form of an error."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None} | more}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """Google's form of an error."""
    return {"error": {"code": code, "status": status, "message": message, "details": list(details)}}


GONE = [
    (404, told("The model `x` has been deprecated, learn more here: https://x.example", code="model_not_found")),
    (403, told("Project `proj_1` does not have access to model `x`", code="model_not_found")),
    (404, told("The API deployment for this resource does not exist.", code="DeploymentNotFound")),
    (404, {"error": {"code": "DeploymentNotFound", "message": "Create the deployment within five minutes."}}),
    (404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}),
    (404, told('model "llama3" not found, try pulling it first', type="api_error")),
    (404, {"error": "model 'llama3' not found"}),
    (400, told("The model `llama3-8b-8192` has been decommissioned.", code="model_decommissioned")),
    (404, told("The model `x` does not exist or you do not have access to it.", code="model_not_found")),
    (400, {"code": "Client specified an invalid argument", "error": "Model not found: grok-9"}),
    (404, {"code": "Some requested entity was not found", "error": "The model grok-1 does not exist or is gone"}),
    (400, {"error": {"message": "vendor/x is not a valid model ID", "code": 400}}),
    (404, {"error": {"message": "No endpoints found for vendor/x.", "code": 404}}),
    (400, {"object": "error", "message": "Invalid model: tiny-1", "type": "invalid_model", "code": "1500"}),
    (400, told("The supported API model names are deepseek-flash, but you passed deepseek-chat.")),
    (404, google(404, "NOT_FOUND", "models/x is not found for API version v1beta")),
    (404, google(404, "NOT_FOUND", "This model models/x is no longer available to new users.")),
    (410, told("gone")),
]
UNFIT = [
    (400, told("Unsupported parameter: 'max_tokens'.", param="max_tokens", code="unsupported_parameter")),
    (400, told("Unsupported value: 'minimal' is not supported with the 'x' model.", code="unsupported_value")),
    (400, told("Unknown parameter: 'thinking'.", code="unknown_parameter")),
    (400, told("Unrecognized request argument supplied: foo")),
    (400, told("Invalid schema for response_format 'decision': In context=(), 'required' is missing")),
    (400, told("'messages' must contain the word 'json' in some form, to use 'response_format'")),
    (400, told("This response_format type is unavailable now")),
    (400, google(400, "INVALID_ARGUMENT", "Thinking level MINIMAL is not supported for this model.")),
    (400, google(400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "store": Cannot find field.')),
    (400, google(400, "INVALID_ARGUMENT", "JSON mode is not enabled for models/x")),
    (400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")),
    (403, told("Country, region, or territory not supported", code="unsupported_country_region_territory")),
]
DENIED = [
    (429, told("You exceeded your current quota, please check your plan.", code="insufficient_quota")),
    (402, told("Insufficient Balance", type="unknown_error")),
    (402, {"error": {"message": "This request requires more credits", "code": 402}}),
    (429, told("Your account is not active, please check your billing", code="billing_not_active")),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***y."}),
    (400, google(400, "INVALID_ARGUMENT", "API key not valid.", {"reason": "API_KEY_INVALID"})),
    (400, google(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.")),
    (401, told("Access denied due to invalid subscription key.", code="401")),
    (401, {"error": {"message": "No auth credentials found", "code": 401}}),
    (403, google(403, "PERMISSION_DENIED", "Your project has been denied access.")),
    (401, None),
]
ABOUT_THE_MESSAGE = [
    (400, told("This model's maximum context length is 131072 tokens.", code="context_length_exceeded")),
    (400, told("The prompt triggered Azure OpenAI's content management policy.", code="content_filter")),
    (400, told("Content Exists Risk")),
    (400, {"error": {"message": "Your request was flagged", "code": "invalid_prompt"}}),
    (400, {"object": "error", "message": "maximum context length is 4096 tokens", "code": 400}),
    (400, google(400, "INVALID_ARGUMENT", "The input token count (2000000) exceeds the maximum number of tokens")),
    (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the context size",
                "type": "exceed_context_size_error",
            }
        },
    ),
    (413, None),
]
UNCLEAR = [
    (400, google(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")),
    (400, told("bad request")),
    (422, {"detail": "cannot process"}),
    (400, None),
    (400, []),
]
PASSING = [
    (
        429,
        told("Rate limit reached for gpt-6-luna on requests per min", code="rate_limit_exceeded"),
    ),
    (
        429,
        google(
            429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."
        ),
    ),
    (429, told("Request too large for model `x` on tokens per minute (TPM)", code="rate_limit_exceeded")),
    (429, None),
]
DOWN = [
    (503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")),
    (500, told("The server had an error while processing your request", type="server_error")),
    (503, told("The model `x` is currently not available")),
    (502, None),
    (529, None),
]
OTHER = [(404, None), (302, None), (418, told("teapot"))]
ALL = [
    (kind, status, body)
    for kind, cases in (
        (ModelGone, GONE),
        (ModelUnfit, UNFIT),
        (ProviderDenied, DENIED),
        (RequestRefused, ABOUT_THE_MESSAGE + UNCLEAR),
        (ProviderRateLimited, PASSING),
        (ProviderUnavailable, DOWN),
    )
    for status, body in cases
]


@pytest.mark.parametrize(("kind", "status", "body"), ALL)
def test_what_a_refusal_means(kind: type[ProviderError], status: int, body: object) -> None:
    """Each in its provider's own words."""
    assert type(error_for("p", status, None, body, NOW)) is kind


@pytest.mark.parametrize(("status", "body"), OTHER)
def test_what_comes_from_another_program(status: int, body: object) -> None:
    """A page that is no JSON is no model's word; an odd status is nobody's."""
    assert type(error_for("p", status, None, body, NOW)) is UnreadableAnswer


@pytest.mark.parametrize(
    ("status", "body", "unclear"),
    [(*case, False) for case in ABOUT_THE_MESSAGE] + [(*case, True) for case in UNCLEAR],
)
def test_whether_a_refusal_says_whose_fault_it_is(status: int, body: object, unclear: bool) -> None:
    """One that does not may be the model's, if it comes again and again."""
    error = error_for("p", status, None, body, NOW)
    assert isinstance(error, RequestRefused)
    assert error.unclear is unclear


@pytest.mark.parametrize(("status", "body"), [*UNFIT[:2], *GONE[:2]])
def test_the_providers_sentence_is_kept(status: int, body: Any) -> None:
    """It names the parameter or the model, which the operator needs."""
    assert error_for("p", status, None, body, NOW).sentence == body["error"]["message"]


def test_a_long_sentence_costs_little() -> None:
    """Whatever stands in it."""
    for word in ("model ", "request " * 3, "token count ", "try again in 1s", "supported model name "):
        error = error_for("p", 400, None, told(word * 100_000), NOW)
        assert len(error.sentence) <= 2_000
