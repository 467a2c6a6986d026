"""`langchain-openai`'s chat model, given the endpoint's address and a persona and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest
from pydantic import SecretStr

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    # Seconds to load: only for those who run these tests, and not for all who collect them.
    from langchain_openai import ChatOpenAI


@pytest.fixture
def milo(endpoint: str) -> ChatOpenAI:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model="milo",
        base_url=endpoint,
        api_key=SecretStr("none needed"),
        temperature=0,
        max_completion_tokens=12,
        max_retries=0,
    )


def test_invoke(milo: ChatOpenAI) -> None:
    answer = milo.invoke("hey, what's up?")
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 0


def test_a_conversation_with_names_and_a_system_message(milo: ChatOpenAI) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    talk = [
        SystemMessage("The boat is green."),
        HumanMessage("is the boat ready?", name="Juno_Farrowby"),
        AIMessage("almost"),
        HumanMessage("and the oars?", name="Pip Sandacre"),
    ]
    assert milo.invoke(talk).text


def test_stream_says_what_invoke_says(milo: ChatOpenAI) -> None:
    streamed = "".join(chunk.text for chunk in milo.stream("what are you doing?"))
    assert streamed == milo.invoke("what are you doing?").text


async def test_async_and_a_chain(milo: ChatOpenAI) -> None:
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    chain = ChatPromptTemplate.from_messages([("user", "tell me about {what}")]) | milo | StrOutputParser()
    assert await chain.ainvoke({"what": "the duck"})


def test_tools_are_refused_and_not_ignored(milo: ChatOpenAI) -> None:
    def weather(place: str) -> str:
        """The weather at a place."""
        return place

    with pytest.raises(openai.BadRequestError, match="tools"):
        milo.bind_tools([weather]).invoke("how is the weather?")
