"""Conversations as programs export or log them: ChatGPT's tree of messages, requests with their
responses, and the chats of people.

Rules: of a tree, the path to the message that was last in view; of a log, the request's messages
and then the response's first choice; of people, the turns of the one that a person names as the
assistant's, and everybody else's as the user's.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from studio.data.formats.base import ASKED, Family, Mapping, Match, Row, asked
from studio.data.formats.chat import with_system
from studio.data.formats.chat_turns import Message, to_messages
from studio.data.formats.column_names import ROLES
from studio.data.formats.column_profile import Profile
from studio.data.formats.field_values import system_of
from studio.data.types import RowError

_MOST_NODES = 10_000
_REQUESTED = ("messages", "contents", "input")


def _recognise_tree(profile: Profile) -> Match | None:
    column = profile.columns.get("mapping")
    if column is None or not column.values or not all(map(_is_tree, column.values)):
        return None
    why = 'ChatGPT\'s export: each conversation is the path to its "current_node".'
    return Match("chatgpt-export", 0.97, why, {"messages": "mapping"})


def _is_tree(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(node, dict) and "parent" in node for node in value.values())
    )


def _convert_tree(row: Row, mapping: Mapping) -> Row:
    column = mapping["messages"]
    nodes: Any = row.get(column)
    if not _is_tree(nodes):
        raise RowError("missing_field", f'"{column}" holds no messages.', column)
    node = nodes.get(row.get("current_node")) or list(nodes.values())[-1]
    path: list[Any] = []
    while isinstance(node, dict) and len(path) < _MOST_NODES:
        path.append(node.get("message"))
        node = nodes.get(node.get("parent"))
    turns = [one for message in reversed(path) for one in _spoken(message, column)]
    if not any(turn["role"] == "assistant" for turn in turns):
        raise RowError("no_assistant", f'No message of "{column}" is answered.', column)
    return {"messages": turns}


def _spoken(message: object, column: str) -> list[Message]:
    """A message of ChatGPT's; none for the hidden and the empty ones."""
    if not isinstance(message, dict):
        return []
    hidden = (message.get("metadata") or {}).get("is_visually_hidden_from_conversation")
    turn = {name: message.get(name) for name in ("author", "content") if message.get(name)}
    content = turn.get("content")
    if hidden or not isinstance(content, dict) or not (content.get("parts") or content.get("text")):
        return []
    return [one for one in to_messages([turn], column) if one["content"].strip()]


def _recognise_log(profile: Profile) -> Match | None:
    names = {column.key: column.name for column in profile.columns.values()}
    asking, answering = names.get("request"), names.get("response")
    if not asking and _items(profile, names.get("output")):  # OpenAI's Responses
        asking, answering = names.get("input"), names.get("output")
    if not asking or not answering:
        return None
    rows = [row for row in profile.sample if _requested(row.get(asking)) is not None]
    if 2 * len(rows) < len(profile.sample) or not rows:
        return None
    why = f'"{asking}" holds the messages sent to a model, "{answering}" what it answered.'
    return Match("api-log", 0.95, why, {"request": asking, "response": answering})


def _items(profile: Profile, column: str | None) -> bool:
    """Whether a column holds what a model put out as items, messages among them."""
    values = profile.columns[column].values if column else []
    return bool(values) and all(
        isinstance(value, list) and any(map(_is_message, value)) for value in values
    )


def _is_message(item: object) -> bool:
    return isinstance(item, dict) and item.get("type") == "message" and "content" in item


def _requested(request: object) -> object:
    request = _body(request)
    if isinstance(request, list):
        return request
    if not isinstance(request, dict):
        return None
    return next((request[name] for name in _REQUESTED if isinstance(request.get(name), list)), None)


def _body(value: object) -> object:
    """What is inside a batch's `body`."""
    return (
        value["body"] if isinstance(value, dict) and isinstance(value.get("body"), dict) else value
    )


def _convert_log(row: Row, mapping: Mapping) -> Row:
    request, response = _body(row.get(mapping["request"])), _body(row.get(mapping["response"]))
    turns = to_messages(_requested(request), mapping["request"])
    if isinstance(request, dict):
        named = next(
            (n for n in ("system", "instructions", "systemInstruction") if n in request), None
        )
        turns = with_system(turns, system_of(request, named))
    answer = to_messages([_answer(response, mapping["response"])], mapping["response"])
    return {"messages": [*turns, *answer]}


def _answer(response: object, column: str) -> Row:
    """The first choice (OpenAI), the first candidate (Gemini), or the content (Anthropic); of
    OpenAI's Responses, all items as one turn."""
    if isinstance(response, dict) and isinstance(response.get("output"), list):
        response = response["output"]
    if isinstance(response, list):
        parts = [part for item in response for part in _parts(item)]
        return {"role": "assistant", "content": parts}
    if isinstance(response, dict):
        for name, inner in (("choices", "message"), ("candidates", "content")):
            listed = response.get(name)
            if isinstance(listed, list) and listed and isinstance(listed[0], dict):
                return {"role": "assistant", **(listed[0].get(inner) or {})}
        if response.get("content") is not None or response.get("tool_calls"):
            return {"role": "assistant", **response}
    if isinstance(response, str):
        return {"role": "assistant", "content": response}
    raise RowError("no_assistant", f'"{column}" holds no answer.', column)


def _parts(item: object) -> list[object]:
    """An item of a response as parts of a turn: a message's own, a call, reasoning that is told."""
    if _is_message(item) and isinstance(item, dict):
        content = item["content"]
        return content if isinstance(content, list) else [content]
    if isinstance(item, dict) and item.get("type") == "reasoning" and not item.get("summary"):
        return []
    return [item]


def _recognise_people(profile: Profile) -> Match | None:
    column = profile.columns.get("spoken")
    if column is None or len(profile.columns) > 1 or not column.values:
        return None
    chats = [value for value in column.values if isinstance(value, list)]
    turns = [turn for chat in chats for turn in chat]
    if not all(isinstance(turn, dict) and isinstance(turn.get("name"), str) for turn in turns):
        return None
    named = profile.told.get("assistant")
    who = [named] if named else _candidates([[turn["name"] for turn in chat] for chat in chats])
    sure = 0.9 if named else 0.8 if len(who) == 1 else ASKED
    return asked(Match("people-chat", sure, _whose(n), {**_SPOKEN, "assistant": n}) for n in who)


_SPOKEN = {"messages": "spoken"}
_PLACES = {"second speaker": 1, "first speaker": 0}
"""Who is the assistant where every chat has people of its own."""


def _candidates(chats: list[list[str]]) -> list[str]:
    """Who may be the assistant: whoever goes by that role, whoever does not go by the user's, or
    those who speak most; by their place in each chat where nobody is in most of them."""
    counts = Counter(name for chat in chats for name in chat)
    by_role = {name: ROLES.get(name.strip().lower()) for name in counts}
    if answering := [name for name, role in by_role.items() if role == "assistant"]:
        return answering
    people = [name for name, _ in counts.most_common() if by_role[name] is None]
    known = max((sum(name in chat for chat in chats) for name in people), default=0)
    if len(chats) > 1 and 2 * known <= len(chats):
        return [*_PLACES]
    return people[:4]


def _whose(assistant: str) -> str:
    who = f"the {assistant} of each" if assistant in _PLACES else f'"{assistant}"'
    return f"A chat of people: {who} is taken for the assistant, everybody else for the user."


def _convert_people(row: Row, mapping: Mapping) -> Row:
    column, assistant = mapping["messages"], str(mapping.get("assistant"))
    turns: list[Message] = []
    spoken = row.get(column)
    spoken = spoken if isinstance(spoken, list) else []
    if not all(isinstance(turn, dict) and isinstance(turn.get("text"), str) for turn in spoken):
        raise RowError("wrong_type", f'A turn of "{column}" has no name and text.', column)
    named = _name_in(spoken, assistant)
    for turn in spoken:
        role = "assistant" if turn["name"] == named else "user"
        role = "system" if _is_system(turn) else role
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n{turn['text']}"
        elif (turns[-1:] != [] and turns[-1]["role"] != "system") or role != "assistant":
            turns.append({"role": role, "content": turn["text"]})
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()
    if not turns:
        raise RowError("no_assistant", f'Nobody is answered by "{assistant}".', column)
    return {"messages": turns}


def _name_in(spoken: list[Row], assistant: str) -> str:
    """The assistant's name in a chat: the one given, or that of the first or second who speaks."""
    if assistant not in _PLACES:
        return assistant
    people = list(dict.fromkeys(turn["name"] for turn in spoken if not _is_system(turn)))
    return people[_PLACES[assistant]] if len(people) > 1 else ""


def _is_system(turn: Row) -> bool:
    return ROLES.get(str(turn["name"]).strip().lower()) == "system"


FAMILIES = [
    Family(
        "chatgpt-export",
        "conversational",
        "ChatGPT's export",
        {"messages": "the tree of messages"},
        ("messages",),
        _recognise_tree,
        _convert_tree,
    ),
    Family(
        "api-log",
        "conversational",
        "Requests to a model with its responses",
        {"request": "the messages sent", "response": "what the model answered"},
        ("request", "response"),
        _recognise_log,
        _convert_log,
    ),
    Family(
        "people-chat",
        "conversational",
        "Chats of people",
        {"messages": "the turns, each with a name", "assistant": "whose turns are the assistant's"},
        ("messages", "assistant"),
        _recognise_people,
        _convert_people,
    ),
]
